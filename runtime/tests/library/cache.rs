//! Nothing is hashed twice, and no damaged or foreign cache is believed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use moorline_proto::CHUNK_SIZE;
use moorline_runtime::library::{Library, LibraryError, NoticeReason, ShareRoot};
use moorline_runtime::supervisor::{Supervisor, SupervisorConfig};

use crate::support::{Fixture, content, make_old, only_item, reasons, verify_all, verify_chunks};

const CHUNK: usize = CHUNK_SIZE as usize;

/// The files in the cache folder with this extension.
fn cache_files(fixture: &Fixture, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(fixture.cache()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn tree(fixture: &Fixture) -> u64 {
    let sizes = [0, 1, 5000, CHUNK, CHUNK + 1, 3 * CHUNK + 5];
    for (index, size) in sizes.into_iter().enumerate() {
        fixture.write(&format!("folder/{index}"), content(size, 2));
    }
    fs::create_dir_all(fixture.path("empty")).unwrap();
    sizes.iter().sum::<usize>() as u64
}

#[tokio::test]
async fn a_second_scan_of_unchanged_files_hashes_nothing_in_this_run_and_the_next() {
    let fixture = Fixture::new();
    let bytes = tree(&fixture);
    let library = fixture.item_library();
    let first = fixture.scan(&library).await;
    assert_eq!((first.built, first.files_hashed, first.bytes_hashed), (1, 6, bytes));
    let revision = library.digest().revision;

    let second = fixture.scan(&library).await;
    assert_eq!((second.unchanged, second.built, second.bytes_hashed, second.files_seen), (1, 0, 0, 6));
    assert_eq!(library.digest().revision, revision, "peers are told of no change");

    let later = fixture.item_library();
    let third = fixture.scan(&later).await;
    assert_eq!((third.unchanged, third.bytes_hashed), (1, 0));
    assert_eq!(only_item(&later).id(), only_item(&library).id());
    verify_chunks(&only_item(&later));
    assert_eq!(cache_files(&fixture, "part").len() + cache_files(&fixture, "interrupted").len(), 0);
}

#[tokio::test]
async fn only_what_was_touched_is_hashed_again() {
    let fixture = Fixture::new();
    tree(&fixture);
    let (library, before) = fixture.scan_item().await;
    fixture.write("folder/2", content(5000, 3));
    make_old(&fixture.path("folder/2"), 100);
    let report = fixture.scan(&library).await;
    assert_eq!((report.built, report.files_hashed, report.bytes_hashed), (1, 1, 5000));
    let after = only_item(&library);
    assert_ne!(after.id(), before.id());
    verify_chunks(&after);

    // The same bytes at another time: hashed again, and the same item.
    make_old(&fixture.path("folder/5"), 50);
    let revision = library.digest().revision;
    let report = fixture.scan(&library).await;
    assert_eq!((report.files_hashed, report.bytes_hashed), (1, 3 * CHUNK_SIZE + 5));
    assert_eq!((only_item(&library).id(), library.digest().revision), (after.id(), revision));
}

#[tokio::test]
async fn a_file_of_the_same_size_and_time_in_the_place_of_another_is_hashed() {
    let fixture = Fixture::new();
    fixture.write("file", "one");
    let (library, before) = fixture.scan_item().await;
    let modified = fs::metadata(fixture.path("file")).unwrap().modified().unwrap();
    fs::write(fixture.path("new"), "two").unwrap();
    fs::File::options().write(true).open(fixture.path("new")).unwrap().set_modified(modified).unwrap();
    fs::rename(fixture.path("new"), fixture.path("file")).unwrap();
    assert_eq!(fixture.scan(&library).await.bytes_hashed, 3);
    assert_ne!(only_item(&library).id(), before.id());
}

#[tokio::test]
async fn files_that_are_added_renamed_or_removed_cost_only_their_own_bytes() {
    let fixture = Fixture::new();
    tree(&fixture);
    let (library, _) = fixture.scan_item().await;
    fixture.write("aaa-first", "12");
    fixture.write("zzz-last", "123");
    fs::rename(fixture.path("folder/1"), fixture.path("folder/moved")).unwrap();
    fs::remove_file(fixture.path("folder/5")).unwrap();
    let report = fixture.scan(&library).await;
    assert_eq!((report.files_hashed, report.bytes_hashed), (3, 2 + 3 + 1));
    verify_chunks(&only_item(&library));
}

#[tokio::test]
async fn a_cache_that_is_damaged_anywhere_is_rebuilt() {
    let fixture = Fixture::new();
    tree(&fixture);
    let (_, item) = fixture.scan_item().await;
    let [file] = &cache_files(&fixture, "manifest")[..] else { panic!("one cache file") };
    let intact = fs::read(file).unwrap();
    let places: Vec<usize> = (0..intact.len()).step_by(29).chain([intact.len() - 1]).collect();
    for place in places {
        let mut damaged = intact.clone();
        damaged[place] ^= 0x10;
        fs::write(file, damaged).unwrap();
        let library = fixture.item_library();
        let report = fixture.scan(&library).await;
        assert_eq!((report.built, report.unchanged), (1, 0), "byte {place} of {}", intact.len());
        assert_eq!(only_item(&library).id(), item.id());
        assert_eq!(fs::read(file).unwrap(), intact, "rebuilt as it was");
    }
    for length in [0, 7, 40, intact.len() / 2, intact.len() - 1] {
        fs::write(file, &intact[..length]).unwrap();
        let library = fixture.item_library();
        assert_eq!(fixture.scan(&library).await.built, 1, "cut off at {length}");
        assert_eq!(only_item(&library).id(), item.id());
    }
}

#[tokio::test]
async fn a_cache_of_another_version_or_another_folder_is_not_believed() {
    let fixture = Fixture::new();
    fixture.write("one/file", "1111");
    fixture.scan(&fixture.children_library()).await;
    let [first] = &cache_files(&fixture, "manifest")[..] else { panic!("one cache file") };
    fs::rename(fixture.path("one"), fixture.path("two")).unwrap();
    fixture.scan(&fixture.children_library()).await;
    let second = cache_files(&fixture, "manifest").into_iter().find(|file| file != first).unwrap();
    let intact = fs::read(&second).unwrap();

    fs::copy(first, &second).unwrap();
    let library = fixture.children_library();
    assert_eq!(fixture.scan(&library).await.bytes_hashed, 4, "the cache of a folder of another name");
    verify_all(&library);

    let mut other_version = intact.clone();
    other_version[7] += 1;
    fs::write(&second, other_version).unwrap();
    assert_eq!(fixture.scan(&fixture.children_library()).await.bytes_hashed, 4);
    assert_eq!(fs::read(&second).unwrap(), intact, "rebuilt as it was");
}

#[tokio::test]
async fn what_a_stopped_scan_had_hashed_is_not_hashed_again() {
    let fixture = Fixture::new();
    // Some 1,400 records of 90 bytes fill a page; only whole pages are kept.
    for index in 0..4000 {
        fixture.write(&format!("a/{index:04}-{}", "x".repeat(40)), [index as u8]);
    }
    // A file without an end, as far as this test is concerned: the scan comes to it and no further.
    fs::create_dir_all(fixture.path("z")).unwrap();
    fs::File::create(fixture.path("z/large")).unwrap().set_len(1 << 40).unwrap();
    let stopped = Supervisor::new(SupervisorConfig::default());
    let library = fixture.item_library();
    let scope = stopped.root();
    let stopping = async {
        while cache_files(&fixture, "part").iter().all(|part| fs::metadata(part).map_or(0, |meta| meta.len()) < 100_000)
        {
            tokio::task::yield_now().await;
        }
        scope.cancel();
    };
    let (scanned, ()) = tokio::join!(library.scan(&scope), stopping);
    assert!(matches!(scanned, Err(LibraryError::Stopped)), "{scanned:?}");
    assert_eq!((library.items().len(), cache_files(&fixture, "part").len()), (0, 1));

    fixture.write("z/large", content(CHUNK, 5));
    let report = fixture.scan(&library).await;
    assert!(report.files_hashed <= 4001 - 1000, "{} files hashed again", report.files_hashed);
    assert_eq!(report.files_seen, 4001);
    verify_chunks(&only_item(&library));
    assert_eq!(cache_files(&fixture, "part").len() + cache_files(&fixture, "interrupted").len(), 0);
}

#[tokio::test]
async fn a_file_that_was_hashed_in_the_tick_of_its_change_is_hashed_once_more() {
    let fixture = Fixture::new();
    fixture.write("old", "old");
    fs::write(fixture.path("fresh"), "fresh").unwrap();
    let modified = fs::metadata(fixture.path("fresh")).unwrap().modified().unwrap();
    let library = fixture.item_library();
    let first = fixture.scan(&library).await;
    assert_eq!(first.bytes_hashed, 8);
    // Whether the scan was quick enough for that is up to the machine; the library's own clock is what it goes by.
    let mut config = fixture.config(vec![ShareRoot::Item(fixture.shared())]);
    fs::remove_dir_all(fixture.cache()).unwrap();
    config.wall_clock = || std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::options()
        .write(true)
        .open(fixture.path("fresh"))
        .unwrap()
        .set_modified((config.wall_clock)() - Duration::from_millis(5))
        .unwrap();
    let racy = Library::open(config.clone()).unwrap();
    fixture.scan(&racy).await;
    let revision = racy.digest().revision;
    let again = fixture.scan(&racy).await;
    assert_eq!((again.built, again.files_hashed, again.bytes_hashed), (1, 1, 5));
    assert_eq!(racy.digest().revision, revision, "peers are told of no change");

    // Half a second later it is beyond doubt.
    config.wall_clock = || std::time::UNIX_EPOCH + Duration::from_millis(1_000_000_500);
    let later = Library::open(config).unwrap();
    assert_eq!(fixture.scan(&later).await.bytes_hashed, 5);
    assert_eq!(fixture.scan(&later).await.bytes_hashed, 0);
    assert!(modified > std::time::UNIX_EPOCH);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn while_another_process_hashes_an_item_it_is_left_to_that() {
    let fixture = Fixture::new();
    fixture.write("file", "file");
    let library = fixture.item_library();
    fixture.scan(&library).await;
    let [file] = &cache_files(&fixture, "manifest")[..] else { panic!("one cache file") };
    fs::remove_file(file).unwrap();
    // A lock belongs to an open file, so that this one stands for that of another process.
    let other = fs::File::create(file.with_extension("part")).unwrap();
    other.lock().unwrap();
    let busy = fixture.item_library();
    let report = fixture.scan(&busy).await;
    assert_eq!((report.items, report.unsettled.as_slice()), (0, &[fixture.shared()][..]));
    assert_eq!(reasons(&busy, "shared"), [NoticeReason::Busy]);
    drop(other);
    assert_eq!(fixture.scan(&busy).await.items, 1);
    assert_eq!(busy.notices().total, 0);
}

#[tokio::test]
async fn a_cache_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let fixture = Fixture::new();
    fixture.write("file", "file");
    let mut config = fixture.config(Vec::new());
    config.cache_dir = fixture.path("file/cache");
    let error = Library::open(config.clone()).unwrap_err();
    assert!(matches!(&error, LibraryError::CacheDir { path, .. } if *path == config.cache_dir));
    assert!(error.to_string().contains("file/cache"), "{error}");
    config.cache_dir = fixture.cache();
    config.settle = Duration::ZERO;
    assert!(matches!(Library::open(config), Err(LibraryError::Setting { name: "settle", .. })));
}
