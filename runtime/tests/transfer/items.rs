//! Items of every kind arrive whole, in their place, and nothing else is left behind.

use std::fs;
use std::time::Instant;

use crate::support::*;
use moorline_runtime::transfer::{Disk, DownloadError, DownloadEvent};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_everything_in_it_arrives_whole() {
    let content = Content::new()
        .file("0 bytes", Vec::new())
        .file("1 byte", noise(1, 1))
        .file("chunk - 1", noise(CHUNK - 1, 2))
        .file("chunk", noise(CHUNK, 3))
        .file("chunk + 1", noise(CHUNK + 1, 4))
        .file("deep/er/and/deeper/-dash", noise(3 * CHUNK + 77, 5))
        .file("deep/🎮 emoji", noise(1000, 6))
        .executable("run.sh", noise(99, 7))
        .executable("run-big", noise(2 * CHUNK, 8))
        .folder("empty")
        .folder("deep/empty/too");
    let (into, item) = (folder(), content.build());
    let source = honest(1, &item);
    let end = run(config(&item, into.path()), &[&source]).await;
    assert_eq!(*end.finished(), into.path().join("item"));
    content.assert_at(end.finished());
    assert_eq!(staging(into.path()), None);
    assert_eq!(fs::read_dir(into.path()).expect("readable").count(), 1);
    assert_eq!(
        source.count(),
        item.chunks.iter().filter(|chunk| !chunk.is_empty()).count(),
        "each chunk is fetched once"
    );
    let stats = end.stats();
    assert_eq!((stats.bytes, stats.fetched_bytes, stats.wasted_bytes), (item.head.bytes, item.head.bytes, 0));
    assert!(end.events.iter().any(|event| matches!(event, DownloadEvent::Planned { resumed_bytes: 0, files: 9, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_a_file_becomes_a_file_of_the_wanted_name() {
    for len in [0, 1, CHUNK, 2 * CHUNK + 1] {
        let (into, content) = (folder(), Content::single("original name.bin", noise(len, 1)));
        let item = content.build();
        let end = run(config(&item, into.path()), &[&honest(1, &item)]).await;
        content.assert_at(end.finished());
        assert!(into.path().join("item").is_file());
        assert_eq!(fs::read_dir(into.path()).expect("readable").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_without_any_bytes_arrive_as_well() {
    for content in [Content::new().folder("only/a folder"), Content::new().file("a", Vec::new()).file("b", Vec::new())]
    {
        let (into, item) = (folder(), content.build());
        let end = run(config(&item, into.path()), &[&honest(1, &item)]).await;
        content.assert_at(end.finished());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_small_files_arrive_in_few_requests() {
    let mut content = Content::new();
    for n in 0..10_000_u32 {
        content = content.file(&format!("{:02}/{n}.dat", n % 100), noise(512, (n % 251) as u8));
    }
    // In memory if there is such a place: making files is what takes the time.
    let into = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder());
    let item = content.build();
    assert!(item.pages.len() > 3, "the manifest has several pages");
    let source = honest(1, &item);
    let began = Instant::now();
    let end = run(config(&item, into.path()), &[&source]).await;
    println!("10,000 files in {:?}, {} chunks, {} pages", began.elapsed(), item.chunks.len(), item.pages.len());
    content.assert_at(end.finished());
    assert_eq!(source.count(), item.chunks.len());
    assert!(source.page_requests.load(std::sync::atomic::Ordering::SeqCst) <= item.pages.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_item_that_is_there_already_is_found_and_not_fetched() {
    for content in [Content::sample(2), Content::single("a", noise(2 * CHUNK, 3)), Content::single("a", noise(10, 3))] {
        let (into, item) = (folder(), content.build());
        run(config(&item, into.path()), &[&honest(1, &item)]).await.finished();
        let source = honest(2, &item);
        let end = run(config(&item, into.path()), &[&source]).await;
        assert!(end.stats().already_there);
        assert_eq!(source.count(), 0);
        content.assert_at(end.finished());
        assert_eq!(staging(into.path()), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_in_its_place_is_left_alone_and_named() {
    let (content, big) = (Content::sample(2), "item/big.bin");
    let item = content.build();
    type Spoil = fn(&std::path::Path);
    let spoil: [(&str, Spoil); 7] = [
        ("missing", |at| fs::remove_file(at.join("item/small/1.txt")).expect("removed")),
        ("bytes, not", |at| fs::write(at.join("item/small/1.txt"), b"other").expect("written")),
        ("other contents", |at| fs::write(at.join("item/small/1.txt"), noise(100, 99)).expect("written")),
        ("not the item's", |at| fs::write(at.join("item/more"), b"more").expect("written")),
        ("not the item's", |at| fs::create_dir(at.join("item/more")).expect("made")),
        ("is missing", |at| fs::remove_dir(at.join("item/empty/of all")).expect("removed")),
        ("not a folder", |at| {
            fs::remove_dir_all(at.join("item")).expect("removed");
            fs::write(at.join("item"), b"a file").expect("written");
        }),
    ];
    for (reason, spoil) in spoil {
        let into = folder();
        run(config(&item, into.path()), &[&honest(1, &item)]).await.finished();
        spoil(into.path());
        let source = honest(2, &item);
        let end = run(config(&item, into.path()), &[&source]).await;
        assert!(matches!(end.error(), DownloadError::TargetExists { .. }), "{:?}", end.error());
        let text = end.error().to_string();
        assert!(text.contains(reason) && text.contains("move it away"), "{reason}: {text}");
        assert_eq!(source.count(), 0);
        assert_eq!(staging(into.path()), None, "nothing was fetched, nothing is kept");
        assert!(into.path().join("item").is_file() || into.path().join(big).is_file());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appears_in_its_place_during_the_download_is_not_overwritten() {
    let (into, item) = (folder(), Content::sample(6).build());
    let silent = fake(1, &item, Manners { silent_after: Some(1), ..Manners::default() });
    let run = start_with(config(&item, into.path()), &[&silent]);
    silent.has_served(1).await;
    fs::write(into.path().join("item"), b"mine").expect("written");
    run.add(&honest(2, &item)).await;
    let end = run.end().await;
    assert!(matches!(end.error(), DownloadError::TargetExists { .. }), "{:?}", end.error());
    assert_eq!(fs::read(into.path().join("item")).expect("there"), b"mine");
    assert!(staging(into.path()).is_some(), "what was fetched is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_elsewhere_are_refused() {
    let (into, item) = (folder(), Content::sample(1).build());
    for name in ["", ".", "..", "../up", "a/b", "a\\b", "/abs", "c:", "NUL", "end.", "a\0b", ".moorline-partial-x"] {
        let mut config = config(&item, &into.path().join("into"));
        config.name = name.into();
        let end = run(config, &[]).await;
        assert!(matches!(end.error(), DownloadError::BadName { .. }), "{name}: {:?}", end.error());
    }
    assert_eq!(fs::read_dir(into.path()).expect("readable").count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_folder_is_made_if_missing() {
    let (into, content) = (folder(), Content::sample(1));
    let item = content.build();
    let end = run(config(&item, &into.path().join("not/yet/there")), &[&honest(1, &item)]).await;
    content.assert_at(&into.path().join("not/yet/there/item"));
    end.finished();
}

#[tokio::test(flavor = "multi_thread")]
async fn flushing_to_the_disk_changes_nothing_that_is_seen() {
    let (into, content) = (folder(), Content::sample(2));
    let item = content.build();
    let mut config = config(&item, into.path());
    config.flush = true;
    content.assert_at(run(config, &[&honest(1, &item)]).await.finished());
}

struct SmallDisk {
    free: u64,
    /// A write that has to fail, if any.
    full_at: Option<&'static str>,
}

impl Disk for SmallDisk {
    fn free_bytes(&self, _: &std::path::Path) -> std::io::Result<Option<u64>> {
        Ok(Some(self.free))
    }

    fn before_write(&self, path: &str, _: u64) -> std::io::Result<()> {
        match self.full_at {
            Some(full) if full == path => Err(std::io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_noticed_before_anything_is_fetched() {
    let (into, item) = (folder(), Content::sample(2).build());
    for (free, room) in [(item.head.bytes + 99, false), (item.head.bytes + 100, true)] {
        let mut config = config(&item, into.path());
        config.space_reserve = 100;
        config.disk = std::sync::Arc::new(SmallDisk { free, full_at: None });
        let source = honest(1, &item);
        let end = run(config, &[&source]).await;
        if room {
            end.finished();
        } else {
            let DownloadError::NoSpace { need, free: found, .. } = end.error() else { panic!("{:?}", end.error()) };
            assert_eq!((*need, *found), (item.head.bytes + 100, free));
            assert_eq!(source.count(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_ends_the_download_and_what_is_there_is_resumed() {
    let (into, content) = (folder(), Content::sample(6));
    let item = content.build();
    let mut first = config(&item, into.path());
    first.disk = std::sync::Arc::new(SmallDisk { free: 1 << 40, full_at: Some("small/3.txt") });
    let end = run(first, &[&honest(1, &item)]).await;
    assert!(matches!(end.error(), DownloadError::NoSpace { need, .. } if *need > 0), "{:?}", end.error());
    let source = honest(2, &item);
    let end = run(config(&item, into.path()), &[&source]).await;
    content.assert_at(end.finished());
    assert!(end.stats().resumed_bytes > 0, "{:?}", end.stats());
}
