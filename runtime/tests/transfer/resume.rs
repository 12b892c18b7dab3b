//! Killed at any instant, the next download goes on from there, and believes nothing that it has not verified again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use moorline_runtime::transfer::{DownloadError, DownloadEvent};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Fetches the first `chunks` chunks, then kills the download: its tasks are aborted, and nothing is told. Answers how many
/// chunks are in the journal.
async fn killed_after(item: &Arc<Item>, into: &Path, chunks: usize) -> usize {
    let bytes: usize = item.chunks[..chunks].iter().map(|chunk| chunk.len()).sum();
    let mut config = config(item, into);
    config.progress_interval = Duration::from_millis(1);
    let mut run = start(config);
    run.add(&fake(1, item, Manners { silent_after: Some(chunks), ..Manners::default() })).await;
    run.until(|event| match event {
        DownloadEvent::Planned { .. } => bytes == 0,
        DownloadEvent::Progress(progress) => progress.bytes_done >= bytes as u64,
        _ => false,
    })
    .await;
    kill(run).await;
    records(into)
}

async fn kill(run: Run) {
    run.task.abort();
    drop(tokio::time::timeout(DEADLINE, run.task).await.expect("an aborted task ends"));
    // Its last writes end in their own time.
    run.scope.cancel();
    tokio::time::timeout(DEADLINE, run.scope.join()).await.expect("no task is left");
}

fn journal(into: &Path) -> std::path::PathBuf {
    staging(into).expect("a staging folder").join("journal")
}

fn records(into: &Path) -> usize {
    let journal = staging(into).and_then(|staging| fs::read(staging.join("journal")).ok());
    journal.map_or(0, |journal| journal.len() / 16)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_resumes_from_any_point() {
    let content = Content::sample(4);
    let item = content.build();
    for chunks in 0..item.chunks.len() {
        let into = folder();
        assert_eq!(killed_after(&item, into.path(), chunks).await, chunks);
        let source = honest(2, &item);
        let end = run(config(&item, into.path()), &[&source]).await;
        content.assert_at(end.finished());
        assert_eq!(source.count(), item.chunks.len() - chunks, "what was verified is not fetched again");
        assert_eq!(staging(into.path()), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_killed_in_the_midst_of_writing_resumes_as_well() {
    let content = Content::sample(4);
    let item = content.build();
    for served in 1..item.chunks.len() {
        let (into, source) = (folder(), honest(1, &item));
        let run_ = start(config(&item, into.path()));
        run_.add(&source).await;
        source.has_served(served).await;
        kill(run_).await;
        let (kept, done) = (records(into.path()), into.path().join("item").exists());
        let source = honest(2, &item);
        let end = run(config(&item, into.path()), &[&source]).await;
        content.assert_at(end.finished());
        assert_eq!(source.count(), if done { 0 } else { item.chunks.len() - kept });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_torn_anywhere_costs_no_more_than_what_it_lost() {
    let content = Content::sample(4);
    let item = content.build();
    let into = folder();
    let kept = killed_after(&item, into.path(), 4).await;
    assert_eq!(kept, 4);
    let whole = fs::read(journal(into.path())).expect("a journal");
    for len in 0..=whole.len() {
        let copy = folder();
        copy_tree(into.path(), copy.path());
        fs::write(journal(copy.path()), &whole[..len]).expect("written");
        let source = honest(2, &item);
        let end = run(config(&item, copy.path()), &[&source]).await;
        content.assert_at(end.finished());
        assert_eq!(source.count(), item.chunks.len() - len / 16);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_data_that_was_damaged_is_fetched_again_and_only_that() {
    let content = Content::sample(4);
    let item = content.build();
    let into = folder();
    let kept = killed_after(&item, into.path(), item.chunks.len() - 1).await;
    let data = staging(into.path()).expect("a staging folder").join("data");
    let mut big = fs::read(data.join("big.bin")).expect("the large file");
    big[CHUNK + 5] ^= 1;
    fs::write(data.join("big.bin"), big).expect("written");
    let source = honest(2, &item);
    let end = run(config(&item, into.path()), &[&source]).await;
    content.assert_at(end.finished());
    assert_eq!(source.count(), item.chunks.len() - kept + 1);
    let planned = end.events.iter().find_map(|event| match event {
        DownloadEvent::Planned { resumed_bytes, .. } => Some(*resumed_bytes),
        _ => None,
    });
    assert_eq!(planned, Some(end.stats().resumed_bytes));
    assert_eq!(end.stats().resumed_bytes + end.stats().fetched_bytes, item.head.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_claims_everything_is_not_believed() {
    let content = Content::sample(4);
    let item = content.build();
    let into = folder();
    killed_after(&item, into.path(), item.chunks.len() - 1).await;
    let data = staging(into.path()).expect("a staging folder").join("data");
    fs::remove_dir_all(&data).expect("removed");
    let source = honest(2, &item);
    let end = run(config(&item, into.path()), &[&source]).await;
    content.assert_at(end.finished());
    assert_eq!((source.count(), end.stats().resumed_bytes), (item.chunks.len(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_torn_or_damaged_anywhere_is_fetched_again_from_there() {
    let mut content = Content::new();
    // Long paths fill pages with few files.
    let deep = vec!["d".repeat(200); 9].join("/");
    for n in 0..150 {
        content = content.file(&format!("{deep}/{n:05}"), noise(4, n));
    }
    let item = content.build();
    assert!(item.pages.len() >= 3);
    let into = folder();
    killed_after(&item, into.path(), 1).await;
    let path = |into: &Path| staging(into).expect("a staging folder").join("manifest");
    let whole = fs::read(path(into.path())).expect("a manifest");
    let damage: [fn(&mut Vec<u8>); 8] = [
        |_| {},
        |manifest| manifest.truncate(manifest.len() - 1),
        |manifest| manifest.truncate(10),
        Vec::clear,
        |manifest| manifest[3] ^= 1,
        |manifest| manifest[60] ^= 1,
        |manifest| {
            let middle = manifest.len() / 2;
            manifest[middle] ^= 1;
        },
        |manifest| manifest.extend_from_slice(&[0xff; 100]),
    ];
    for (number, damage) in damage.iter().enumerate() {
        let copy = folder();
        copy_tree(into.path(), copy.path());
        let mut manifest = whole.clone();
        damage(&mut manifest);
        fs::write(path(copy.path()), manifest).expect("written");
        let source = honest(2, &item);
        let end = run(config(&item, copy.path()), &[&source]).await;
        content.assert_at(end.finished());
        let requests = source.page_requests.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(requests > 0, ![0, 7].contains(&number), "damage {number}: {requests} requests");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_staging_folder_needs_no_source() {
    let (into, content) = (folder(), Content::sample(3));
    let item = content.build();
    // Something is in the way at the very last step.
    let silent = fake(1, &item, Manners { silent_after: Some(1), ..Manners::default() });
    let first = start_with(config(&item, into.path()), &[&silent]);
    silent.has_served(1).await;
    fs::write(into.path().join("item"), b"in the way").expect("written");
    first.add(&honest(2, &item)).await;
    assert!(matches!(first.end().await.error(), DownloadError::TargetExists { .. }));
    fs::remove_file(into.path().join("item")).expect("removed");
    let end = run(config(&item, into.path()), &[]).await;
    content.assert_at(end.finished());
    assert_eq!(end.stats().resumed_bytes, item.head.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_downloads_of_one_item_into_one_folder_do_not_mix() {
    let (into, content) = (folder(), Content::sample(6));
    let item = content.build();
    let silent = fake(1, &item, Manners { silent_after: Some(1), ..Manners::default() });
    let first = start_with(config(&item, into.path()), &[&silent]);
    silent.has_served(1).await;
    let end = run(config(&item, into.path()), &[&honest(2, &item)]).await;
    assert!(matches!(end.error(), DownloadError::Locked { .. }), "{:?}", end.error());
    first.add(&honest(2, &item)).await;
    content.assert_at(first.end().await.finished());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_planted_in_the_staging_folder_are_not_followed() {
    use std::os::unix::fs::symlink;
    let content = Content::sample(4).file("sub/deep/large.bin", noise(2 * CHUNK, 9));
    let item = content.build();
    let plant: [fn(&Path, &Path); 5] = [
        // A folder of the item.
        |data, victim| symlink(victim, data.join("sub")).expect("linked"),
        |data, victim| symlink(victim, data.join("small")).expect("linked"),
        // A large file, and a second name of somebody's file.
        |data, victim| {
            drop(fs::remove_file(data.join("big.bin")));
            symlink(victim.join("precious"), data.join("big.bin")).expect("linked");
        },
        |data, victim| {
            drop(fs::remove_file(data.join("big.bin")));
            fs::hard_link(victim.join("precious"), data.join("big.bin")).expect("linked");
        },
        // A file that is no part of the item.
        |data, victim| symlink(victim.join("precious"), data.join("planted")).expect("linked"),
    ];
    for (number, plant) in plant.iter().enumerate() {
        let (into, victim) = (folder(), folder());
        fs::write(victim.path().join("precious"), b"precious").expect("written");
        killed_after(&item, into.path(), 0).await;
        let data = staging(into.path()).expect("a staging folder").join("data");
        plant(&data, victim.path());
        let end = run(config(&item, into.path()), &[&honest(2, &item)]).await;
        assert!(matches!(end.error(), DownloadError::Tampered { .. }), "plant {number}: {end:?}");
        assert_eq!(fs::read(victim.path().join("precious")).expect("there"), b"precious");
        assert_eq!(fs::read_dir(victim.path()).expect("readable").count(), 1, "plant {number} wrote elsewhere");
        assert!(!into.path().join("item").exists());
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_replaces_a_planted_link_and_leaves_what_it_led_to() {
    let (into, victim, content) = (folder(), folder(), Content::sample(1));
    let item = content.build();
    let precious = victim.path().join("precious");
    fs::write(&precious, b"precious").expect("written");
    killed_after(&item, into.path(), 0).await;
    let small = staging(into.path()).expect("a staging folder").join("data/small");
    fs::create_dir_all(&small).expect("made");
    std::os::unix::fs::symlink(&precious, small.join("1.txt")).expect("linked");
    fs::hard_link(&precious, small.join("2.txt")).expect("linked");
    content.assert_at(run(config(&item, into.path()), &[&honest(2, &item)]).await.finished());
    assert_eq!(fs::read(&precious).expect("there"), b"precious");
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            fs::create_dir_all(&target).expect("made");
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copied");
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).expect("a time");
            let copy = fs::File::options().write(true).open(&target).expect("opened");
            copy.set_modified(modified).expect("set");
        }
    }
}
