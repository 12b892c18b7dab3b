//! What is served is what was hashed, or an error: never a mixture.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moorline_proto::{CHUNK_SIZE, Hash, Page};
use moorline_runtime::library::{Library, ServeError, ShareRoot};

use crate::support::{Fixture, chunk_of, content, is_changed, make_old, only_item, pages, verify_chunks};

const CHUNK: usize = CHUNK_SIZE as usize;

#[tokio::test]
async fn a_large_file_that_is_written_to_is_served_no_more() {
    let fixture = Fixture::new();
    fixture.write("large", content(3 * CHUNK, 1));
    fixture.write("small", "small");
    let (_, item) = fixture.scan_item().await;
    let (large, small) = (chunk_of(&item, "large"), chunk_of(&item, "small"));
    item.read_chunk(large).unwrap();
    let mut file = File::options().write(true).open(fixture.path("large")).unwrap();
    file.write_all(b"!").unwrap();
    // Also the chunks that were not written to: they belong to a file that is another now.
    for index in large..large + 3 {
        let error = item.read_chunk(index).unwrap_err();
        assert!(matches!(&error, ServeError::Changed { path } if *path == fixture.path("large")), "{error}");
    }
    assert_eq!(&item.read_chunk(small).unwrap()[..], b"small");
}

#[tokio::test]
async fn a_change_of_any_file_of_a_pack_fails_the_pack() {
    let fixture = Fixture::new();
    for name in ["a", "b/c", "d"] {
        fixture.write(name, name);
    }
    for changed in ["a", "b/c", "d"] {
        let (_, item) = fixture.scan_item().await;
        assert_eq!(item.head().chunks, 1);
        assert_eq!(&item.read_chunk(0).unwrap()[..], b"ab/cd");
        fs::write(fixture.path(changed), changed.to_uppercase()).unwrap();
        assert!(is_changed(&item.read_chunk(0).unwrap_err()), "{changed}");
        fixture.write(changed, changed);
    }
}

#[tokio::test]
async fn a_file_that_is_cut_gone_or_a_link_now_is_an_error_that_says_so() {
    let fixture = Fixture::new();
    fixture.write("large", content(2 * CHUNK + 9, 1));
    fixture.write("elsewhere", content(2 * CHUNK + 9, 1));
    let (_, item) = fixture.scan_item().await;
    let last = chunk_of(&item, "large") + 2;
    let modified = fs::metadata(fixture.path("large")).unwrap().modified().unwrap();
    let file = File::options().write(true).open(fixture.path("large")).unwrap();
    file.set_len(2 * CHUNK as u64 + 8).unwrap();
    file.set_modified(modified).unwrap();
    assert!(is_changed(&item.read_chunk(last).unwrap_err()));

    fs::remove_file(fixture.path("large")).unwrap();
    let (_, fresh) = {
        fixture.write("large", content(2 * CHUNK + 9, 1));
        fixture.scan_item().await
    };
    fs::remove_file(fixture.path("large")).unwrap();
    let gone = fresh.read_chunk(last).unwrap_err();
    assert!(matches!(&gone, ServeError::Gone { path } if *path == fixture.path("large")), "{gone}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("elsewhere", fixture.path("large")).unwrap();
        assert!(is_changed(&fresh.read_chunk(last).unwrap_err()));
    }
}

/// A file that is open is served as it was hashed even after another took its place; opened anew, it is the other.
#[tokio::test]
async fn a_file_that_is_replaced_is_served_in_its_old_version_or_not_at_all() {
    let fixture = Fixture::new();
    let old = content(3 * CHUNK, 1);
    fixture.write("large", &old);
    let (_, item) = fixture.scan_item().await;
    item.read_chunk(0).unwrap();
    fixture.write("new", content(3 * CHUNK, 2));
    fs::rename(fixture.path("new"), fixture.path("large")).unwrap();
    for index in 0..3 {
        assert_eq!(item.read_chunk(index).unwrap(), old[index as usize * CHUNK..][..CHUNK]);
    }

    let mut config = fixture.config(vec![ShareRoot::Item(fixture.shared())]);
    config.limits.open_files = 0;
    let library = Library::open(config).unwrap();
    fixture.scan(&library).await;
    let item = only_item(&library);
    item.read_chunk(0).unwrap();
    fixture.write("newer", &old);
    fs::rename(fixture.path("newer"), fixture.path("large")).unwrap();
    assert!(is_changed(&item.read_chunk(1).unwrap_err()));
}

/// While one thread writes the file over and over, another reads it: every chunk that it gets is of the version that was hashed.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_gets_a_mixture_while_the_file_is_being_written() {
    let fixture = Fixture::new();
    let old = content(2 * CHUNK, 1);
    let new = content(2 * CHUNK, 2);
    let path = fixture.path("file");
    for round in 0..50 {
        fixture.write("file", &old);
        let (_, item) = fixture.scan_item().await;
        let page = &pages(&item)[0];
        let chunks = page.chunks();
        let started = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| {
                // Only the last that was served can be wrong. So nothing is done meanwhile, and nearly all the time is reading.
                let mut last = item.read_chunk(0).unwrap();
                started.store(true, Ordering::Release);
                let error = loop {
                    match item.read_chunk(0) {
                        Ok(bytes) => last = bytes,
                        Err(error) => break error,
                    }
                };
                assert!(is_changed(&error), "{error}");
                page.verify_chunk(&chunks[0], &last).unwrap();
            });
            while !started.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            let mut file = File::options().write(true).open(&path).unwrap();
            for piece in new.chunks(CHUNK / (1 + round)) {
                file.write_all(piece).unwrap();
            }
            reader.join().unwrap();
        });
    }
}

/// Bytes changed and time put back, in a file that was hashed within the tick of its clock: the hash tells.
#[tokio::test]
async fn where_the_time_cannot_tell_the_bytes_do() {
    let fixture = Fixture::new();
    fixture.write("file", content(2 * CHUNK, 1));
    fixture.write("small", "abc");
    let mut config = fixture.config(vec![ShareRoot::Item(fixture.shared())]);
    config.wall_clock = || std::time::UNIX_EPOCH + Duration::from_secs(1_000_001);
    let time = (config.wall_clock)() - Duration::from_millis(1);
    let rewrite = |name: &str, at: u64| {
        let mut file = File::options().write(true).open(fixture.path(name)).unwrap();
        if at > 0 {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(b"!").unwrap();
        }
        file.set_modified(time).unwrap();
    };
    rewrite("file", 0);
    rewrite("small", 0);
    let library = Library::open(config).unwrap();
    fixture.scan(&library).await;
    let item = only_item(&library);
    verify_chunks(&item);
    rewrite("file", 5);
    rewrite("small", 1);
    assert!(is_changed(&item.read_chunk(0).unwrap_err()));
    item.read_chunk(1).unwrap();
    assert!(is_changed(&item.read_chunk(2).unwrap_err()));
}

#[tokio::test]
async fn beyond_the_last_chunk_or_page_is_out_of_range() {
    let fixture = Fixture::new();
    fixture.write("file", content(2 * CHUNK + 1, 1));
    let (_, item) = fixture.scan_item().await;
    assert_eq!(item.chunks_len(0, 3).unwrap(), 2 * CHUNK_SIZE + 1);
    assert_eq!(item.chunks_len(1, 2).unwrap(), CHUNK_SIZE + 1);
    assert_eq!(item.chunks_len(0, 0).unwrap(), 0);
    for error in [
        item.read_chunk(3).unwrap_err(),
        item.read_chunk(u64::MAX).unwrap_err(),
        item.chunks_len(1, 3).unwrap_err(),
        item.chunks_len(u64::MAX, 2).unwrap_err(),
        item.page(1).unwrap_err(),
        item.page(usize::MAX).unwrap_err(),
    ] {
        assert!(matches!(error, ServeError::OutOfRange { .. }), "{error}");
    }
    assert_eq!(item.read_chunk(3).unwrap_err().to_string(), "asked for chunk 3, but the item has 3");
}

#[tokio::test]
async fn an_item_goes_on_being_served_while_its_cache_is_replaced_by_an_equal_one() {
    let fixture = Fixture::new();
    fixture.write("file", "same");
    let (library, before) = fixture.scan_item().await;
    let page = before.page(0).unwrap();
    make_old(&fixture.path("file"), 10);
    fixture.scan(&library).await;
    assert_eq!(before.page(0).unwrap().content, page.content);
    let after = only_item(&library);
    assert_eq!(after.id(), before.id());
    assert_eq!(&after.read_chunk(0).unwrap()[..], b"same");
    assert!(is_changed(&before.read_chunk(0).unwrap_err()));
}

#[tokio::test]
async fn a_page_is_served_from_the_right_cache_or_not_at_all() {
    let fixture = Fixture::new();
    fixture.write("file", "one");
    let mut config = fixture.config(vec![ShareRoot::Item(fixture.shared())]);
    config.limits.open_files = 0;
    let library = Library::open(config).unwrap();
    fixture.scan(&library).await;
    let before = only_item(&library);
    fixture.write("file", "other");
    fixture.scan(&library).await;
    assert!(is_changed(&before.page(0).unwrap_err()));
    let page = only_item(&library).page(0).unwrap();
    assert_eq!(Page::decode(&page).unwrap().entries.len(), 1);
    fs::remove_dir_all(fixture.cache()).unwrap();
    assert!(matches!(only_item(&library).page(0), Err(ServeError::Io { .. })));
}

#[tokio::test]
async fn a_thumbnail_is_served_as_listed_or_not_at_all() {
    let fixture = Fixture::new();
    fixture.write("moorline.toml", "thumbnail = \"art/cover.PNG\"");
    fixture.write("art/cover.PNG", "an image");
    let (_, item) = fixture.scan_item().await;
    let listed = item.summary().thumbnail.clone().unwrap();
    assert_eq!((listed.media_type.as_str(), listed.bytes, listed.hash), ("image/png", 8, Hash::of(b"an image")));
    let (media_type, image) = item.thumbnail().unwrap().unwrap();
    assert_eq!((media_type.as_str(), &image[..]), ("image/png", &b"an image"[..]));
    fixture.write("art/cover.PNG", "the image");
    assert!(is_changed(&item.thumbnail().unwrap_err()));
}
