//! A scan takes in every kind of file that can be shared, and says what it left out and why.

use std::fs;

use moorline_proto::{CHUNK_SIZE, ItemKind};
use moorline_runtime::library::{Library, NoticeReason, ShareRoot};

use crate::support::{Fixture, content, file, only_item, paths, reasons, verify_all, verify_chunks};

const CHUNK: usize = CHUNK_SIZE as usize;

#[tokio::test]
async fn files_of_every_size_have_the_standard_hash_and_verify_chunk_by_chunk() {
    let fixture = Fixture::new();
    let sizes = [0, 1, 1024, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 7];
    for size in sizes {
        fixture.write(&format!("file-{size}"), content(size, 1));
    }
    let (_, item) = fixture.scan_item().await;
    for size in sizes {
        let entry = file(&item, &format!("file-{size}"));
        assert_eq!(entry.hash.as_bytes(), blake3::hash(&content(size, 1)).as_bytes(), "{size} bytes");
        assert_eq!(entry.size, size as u64);
    }
    let total: usize = sizes.iter().sum();
    assert_eq!(verify_chunks(&item), total as u64);
    assert_eq!((item.summary().files, item.summary().bytes), (sizes.len() as u64, total as u64));
}

#[tokio::test]
async fn odd_names_deep_folders_and_empty_folders_are_kept_in_manifest_order() {
    let fixture = Fixture::new();
    let deep = format!("{}/leaf", ["d"; 100].join("/"));
    for name in ["with space.txt", "🎮 café/λ.bin", "-rf", "--help/-x", "a/b", "a-b", "a.txt", ".hidden", deep.as_str()]
    {
        fixture.write(name, name);
    }
    fs::create_dir_all(fixture.path("empty/inner/innermost")).unwrap();
    fs::create_dir_all(fixture.path("not-empty/empty")).unwrap();
    fixture.write("not-empty/file", "x");
    let (library, item) = fixture.scan_item().await;
    let expected = [
        "--help/-x",
        "-rf",
        ".hidden",
        "a/b",
        "a-b",
        "a.txt",
        deep.as_str(),
        "empty/inner/innermost/",
        "not-empty/empty/",
        "not-empty/file",
        "with space.txt",
        "🎮 café/λ.bin",
    ];
    assert_eq!(paths(&item), expected);
    assert_eq!(library.notices().total, 0);
    verify_chunks(&item);
}

#[cfg(unix)]
#[tokio::test]
async fn the_executable_bit_and_the_time_of_change_are_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.write("run", "#!/bin/sh\n");
    fixture.write("read", "text");
    fs::set_permissions(fixture.path("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let (_, item) = fixture.scan_item().await;
    assert!(file(&item, "run").executable);
    assert!(!file(&item, "read").executable);
    let modified = fs::metadata(fixture.path("run")).unwrap().modified().unwrap();
    let millis = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(u128::try_from(file(&item, "run").modified_ms).unwrap(), millis);
}

#[cfg(unix)]
#[tokio::test]
async fn links_pipes_and_sockets_are_left_out_with_a_notice() {
    use std::os::unix::fs::symlink;
    let fixture = Fixture::new();
    fixture.write("kept", "kept");
    symlink("/etc/passwd", fixture.path("link-to-file")).unwrap();
    symlink("/etc", fixture.path("link-to-folder")).unwrap();
    symlink("nowhere", fixture.path("broken-link")).unwrap();
    fs::create_dir(fixture.path("only-a-link")).unwrap();
    symlink("../kept", fixture.path("only-a-link/link")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, fixture.path("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.path("socket")).unwrap();
    let (library, item) = fixture.scan_item().await;
    assert_eq!(paths(&item), ["kept", "only-a-link/"]);
    for link in ["link-to-file", "link-to-folder", "broken-link", "only-a-link/link"] {
        assert_eq!(reasons(&library, link), [NoticeReason::Symlink], "{link}");
    }
    for special in ["pipe", "socket"] {
        assert_eq!(reasons(&library, special), [NoticeReason::Special], "{special}");
    }
    assert_eq!(library.notices().total, 6);
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_are_not_valid_everywhere_are_left_out_with_a_notice() {
    use std::os::unix::ffi::OsStrExt as _;
    let fixture = Fixture::new();
    let bad = ["con", "aux.txt", "a:b", "what?", "dot.", "space ", "back\\slash", "tab\t"];
    for name in bad {
        fixture.write(name, name);
    }
    fixture.write("nul/inside", "x");
    fixture.write("fine", "fine");
    let not_unicode = fixture.shared().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::write(not_unicode, b"x").unwrap();
    let (library, item) = fixture.scan_item().await;
    assert_eq!(paths(&item), ["fine"]);
    let notices = library.notices();
    assert_eq!(notices.total, bad.len() as u64 + 2);
    for name in bad.into_iter().chain(["nul"]) {
        assert!(matches!(reasons(&library, name)[..], [NoticeReason::BadName(_)]), "{name}");
    }
    assert!(notices.list.iter().any(|notice| notice.reason == NoticeReason::NotUnicode));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn of_names_that_collide_where_case_does_not_count_the_first_is_shared() {
    let fixture = Fixture::new();
    for name in ["Readme", "readme", "README", "Maps/one", "maps/two", "maps/deep/three", "Stra\u{df}e", "other"] {
        fixture.write(name, name);
    }
    // The same letters, composed and decomposed.
    fixture.write("caf\u{e9}", "composed");
    fixture.write("cafe\u{301}", "decomposed");
    let (library, item) = fixture.scan_item().await;
    assert_eq!(paths(&item), ["Maps/one", "README", "Stra\u{df}e", "cafe\u{301}", "other"]);
    for name in ["Readme", "readme", "maps", "caf\u{e9}"] {
        assert!(matches!(reasons(&library, name)[..], [NoticeReason::Collision(_)]), "{name}");
    }
    assert_eq!(library.notices().total, 4);
    let again = fixture.scan(&library).await;
    assert_eq!((again.unchanged, again.built, again.left_out), (1, 0, 4));
}

/// Root may read everything, so the rights that make it so are dropped for the threads of this test.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_read_is_left_out_with_a_notice_and_comes_back_when_it_can() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    use std::os::unix::fs::PermissionsExt as _;
    let mut sets = capabilities(None).unwrap();
    let reads_all = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    sets.effective.remove(reads_all);
    sets.permitted.remove(reads_all);
    // Rights belong to a thread, and threads inherit them from the one that starts them.
    let thread = std::thread::spawn(move || {
        set_capabilities(None, sets).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let fixture = Fixture::new();
            let permit = |name: &str, mode| {
                fs::set_permissions(fixture.path(name), fs::Permissions::from_mode(mode)).unwrap();
            };
            fixture.write("open", "open");
            fixture.write("closed", "closed");
            fixture.write("alone/closed", "closed");
            fixture.write("locked/file", "file");
            permit("closed", 0o000);
            permit("alone/closed", 0o000);
            permit("locked", 0o000);
            assert!(fs::read(fixture.path("closed")).is_err(), "the right to read everything was not dropped");

            let (library, item) = fixture.scan_item().await;
            assert_eq!(paths(&item), ["alone/", "open"]);
            for name in ["shared/closed", "alone/closed", "locked"] {
                assert!(matches!(reasons(&library, name)[..], [NoticeReason::Unreadable(_)]), "{name}");
            }
            let again = fixture.scan(&library).await;
            assert_eq!((again.unchanged, again.built, again.left_out), (1, 0, 3));

            // A right that is taken away later is noticed too, though neither size nor time of the file changed.
            fixture.write("open too", "open");
            fixture.scan(&library).await;
            permit("open", 0o000);
            let report = fixture.scan(&library).await;
            assert_eq!(
                (report.bytes_hashed, paths(&only_item(&library))),
                (0, vec!["alone/".into(), "open too".into()])
            );
            permit("closed", 0o644);
            fixture.scan(&library).await;
            assert_eq!(paths(&only_item(&library)), ["alone/", "closed", "open too"]);
            permit("locked", 0o755);
        });
    });
    thread.join().unwrap();
}

#[tokio::test]
async fn a_single_file_is_an_item_of_its_own_kind() {
    let fixture = Fixture::new();
    fixture.write("film.mkv", content(2 * CHUNK + 3, 4));
    let library = Library::open(fixture.config(vec![ShareRoot::Item(fixture.path("film.mkv"))])).unwrap();
    fixture.scan(&library).await;
    let item = only_item(&library);
    assert_eq!(item.head().kind, ItemKind::File);
    assert_eq!((item.summary().name.as_str(), paths(&item)), ("film.mkv", vec!["film.mkv".to_owned()]));
    verify_chunks(&item);
}

#[tokio::test]
async fn each_child_of_a_library_folder_is_an_item_but_staging_folders_are_none() {
    let fixture = Fixture::new();
    fixture.write("Quake/quake.exe", "quake");
    fixture.write("notes.txt", "notes");
    fixture.write(".moorline-staging/part", "part");
    fixture.write("Quake/.moorline-x/part", "part");
    fs::create_dir(fixture.path("nothing")).unwrap();
    let library = fixture.children_library();
    let report = fixture.scan(&library).await;
    let mut names: Vec<_> = library.items().iter().map(|item| item.summary().name.clone()).collect();
    names.sort();
    assert_eq!(names, ["Quake", "notes.txt"]);
    assert_eq!(report.items, 2);
    assert_eq!(reasons(&library, "nothing"), [NoticeReason::Empty]);
    let quake = library.items().into_iter().find(|item| item.summary().name == "Quake").unwrap();
    assert_eq!(paths(&quake), ["quake.exe"]);
}

#[cfg(unix)]
#[tokio::test]
async fn an_item_whose_name_is_not_valid_everywhere_is_offered_under_a_clean_one() {
    let fixture = Fixture::new();
    fixture.write("what? a game:/file", "x");
    fixture.write("aux.txt", content(10, 3));
    let library = fixture.children_library();
    fixture.scan(&library).await;
    let mut names: Vec<_> = library.items().iter().map(|item| item.summary().name.clone()).collect();
    names.sort();
    assert_eq!(names, ["_aux.txt", "what_ a game_"]);
    assert_eq!(reasons(&library, "aux.txt"), [NoticeReason::Renamed("_aux.txt".to_owned())]);
    verify_all(&library);
}

#[tokio::test]
async fn the_cache_is_never_shared_even_if_it_lies_in_a_shared_folder() {
    let fixture = Fixture::new();
    fixture.write("file", "file");
    let mut config = fixture.config(vec![ShareRoot::Item(fixture.shared())]);
    config.cache_dir = fixture.path("cache");
    let library = Library::open(config).unwrap();
    fixture.scan(&library).await;
    assert_eq!(paths(&only_item(&library)), ["file"]);
    assert_eq!(reasons(&library, "cache"), [NoticeReason::OwnCache]);
    assert_eq!(fixture.scan(&library).await.unchanged, 1);
}

#[tokio::test]
async fn what_is_missing_is_said_and_shared_once_it_is_there() {
    let fixture = Fixture::new();
    let library = Library::open(
        fixture.config(vec![ShareRoot::Item(fixture.path("later")), ShareRoot::Children(fixture.path("folder"))]),
    )
    .unwrap();
    fixture.scan(&library).await;
    assert!(matches!(reasons(&library, "later")[..], [NoticeReason::Missing(_)]));
    assert!(matches!(reasons(&library, "folder")[..], [NoticeReason::Missing(_)]));
    fixture.write("later", "later");
    fixture.write("folder/one", "one");
    fixture.scan(&library).await;
    assert_eq!((library.items().len(), library.notices().total), (2, 0));
    fs::remove_file(fixture.path("later")).unwrap();
    fs::remove_dir_all(fixture.path("folder")).unwrap();
    fixture.scan(&library).await;
    assert_eq!((library.items().len(), library.notices().total), (0, 2));
}

#[tokio::test]
async fn ten_thousand_files_fill_several_pages() {
    let fixture = Fixture::new();
    for index in 0..10_000 {
        let path = fixture.path(&format!("folder-{:02}/file-{index:05}", index % 100));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(100 + index % 50, 9)).unwrap();
    }
    let (_, item) = fixture.scan_item().await;
    assert_eq!(item.summary().files, 10_000);
    assert!(item.head().pages.len() > 4, "{} pages", item.head().pages.len());
    let pages = item.head().pages.iter().map(|page| u64::from(page.chunks)).sum::<u64>();
    assert_eq!(pages, item.head().chunks);
    verify_chunks(&item);
}

#[tokio::test]
async fn beyond_their_limits_items_roots_names_and_notices_are_left_out() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.write(&format!("{name}/file"), name);
    }
    for index in 0..5 {
        fixture.write(&format!("a/crowd/{index}"), "x");
        fixture.write(&format!("b/con/bad{index}:"), "x");
        fixture.write(&format!("b/bad{index}:"), "x");
    }
    let mut config = fixture.config(vec![ShareRoot::Children(fixture.shared())]);
    config.limits.items = 2;
    config.limits.names_per_directory = 7;
    config.limits.notices = 3;
    config.limits.roots = 1;
    let library = Library::open(config.clone()).unwrap();
    library.add(ShareRoot::Item(fixture.path("a/file")));
    fixture.scan(&library).await;
    assert_eq!(library.items().len(), 2);
    assert_eq!(library.notices().list.len(), 3);
    // Item c, the second root, five names in b, and the folder b/con.
    assert_eq!(library.notices().total, 8, "{:?}", library.notices());

    config.limits.names_per_directory = 4;
    config.limits.notices = 100;
    config.roots = vec![ShareRoot::Item(fixture.path("a"))];
    let library = Library::open(config).unwrap();
    fixture.scan(&library).await;
    assert_eq!(reasons(&library, "crowd"), [NoticeReason::TooManyNames(4)]);
    assert_eq!(paths(&only_item(&library)), ["file"]);
}
