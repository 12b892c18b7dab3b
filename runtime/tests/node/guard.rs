//! However a download ends, the node forgets it, and says so once.

use std::fs;
use std::time::Duration;

use moorline_runtime::node::{DownloadRequest, NodeEvent, NodeEvents, NodeHandle, StopReason};
use moorline_runtime::transfer::{DownloadError, DownloadEvent, DownloadOutcome, STAGING_PREFIX, WhenAlone};
use tokio::time::timeout;

use crate::lab::{Lab, PATIENCE, begin, offer, said, start, stop, to_the_end};

/// The terminal events of downloads.
async fn ends(events: NodeEvents) -> Vec<DownloadEvent> {
    let end = |event| match event {
        NodeEvent::Download { event, .. } if event.is_terminal() => Some(event),
        _ => None,
    };
    to_the_end(events).await.into_iter().filter_map(end).collect()
}

async fn fetch(getter: &NodeHandle, lab: &Lab) -> DownloadOutcome {
    let found = offer(getter, "game").await;
    let request = DownloadRequest::new(found.summary.id, lab.path("into"));
    let download = getter.download(request).await.expect("it starts, whatever became of an earlier one");
    timeout(PATIENCE, download.outcome()).await.expect("in time")
}

#[tokio::test]
async fn a_download_that_cannot_begin_to_write_is_cleared_and_can_be_tried_again() {
    let lab = Lab::new();
    let sharer = lab.start("sharer", &[lab.item("game", &[("a.txt", b"hello")])]).await;
    let mut getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let events = getter.events();
    fs::write(lab.path("into"), b"a file where a folder is needed").expect("file");
    let outcome = fetch(&getter, &lab).await;
    assert!(matches!(outcome, DownloadOutcome::Failed(DownloadError::Io { .. })), "{outcome:?}");
    assert_eq!(getter.active_downloads(), 0);

    fs::remove_file(lab.path("into")).expect("removed");
    let outcome = fetch(&getter, &lab).await;
    assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    assert_eq!(getter.active_downloads(), 0);
    stop(&getter).await;
    stop(&sharer).await;
    let ends = ends(events).await;
    assert!(matches!(&ends[..], [DownloadEvent::Failed(_), DownloadEvent::Finished { .. }]), "{ends:?}");
}

#[tokio::test]
async fn a_download_that_fails_at_the_last_step_is_cleared_and_fetches_nothing_again() {
    const MIB: u64 = 8;
    let lab = Lab::new();
    let sharer = lab.start("sharer", &[lab.big_item("game", MIB)]).await;
    let mut getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let events = getter.events();
    let found = offer(&getter, "game").await;
    let request = DownloadRequest::new(found.summary.id, lab.path("into"));
    let mut download = getter.download(request).await.expect("the download starts");
    said(&mut download, "plan", |event| matches!(event, DownloadEvent::Planned { .. }).then_some(())).await;
    // After the download looked whether the place is free.
    let place = lab.path("into").join("game");
    fs::create_dir(&place).expect("folder");
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(matches!(outcome, DownloadOutcome::Failed(DownloadError::TargetExists { .. })), "{outcome:?}");
    assert_eq!(getter.active_downloads(), 0);

    fs::remove_dir(&place).expect("nothing was put into it");
    let outcome = fetch(&getter, &lab).await;
    let DownloadOutcome::Finished { stats, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((stats.fetched_bytes, stats.resumed_bytes), (0, MIB << 20));
    stop(&getter).await;
    stop(&sharer).await;
    let ends = ends(events).await;
    assert!(matches!(&ends[..], [DownloadEvent::Failed(_), DownloadEvent::Finished { .. }]), "{ends:?}");
}

/// Large enough that it is still under way when its first progress is told.
const BIG_MIB: u64 = 384;

/// Stops a node in mid-transfer that gives its tasks `deadline` to end; nobody holds the handle of the download.
async fn stopped_in_mid_transfer(deadline: Duration) -> StopReason {
    let lab = Lab::new();
    let sharer = lab.start("sharer", &[lab.big_item("game", BIG_MIB)]).await;
    let mut config = lab.config("getter", &[]);
    config.peers = vec![sharer.local_addr()];
    config.shutdown_deadline = deadline;
    let mut getter = start(config).await;
    let events = getter.events();
    drop(begin(&getter, &lab, WhenAlone::Wait).await);
    assert_eq!(getter.active_downloads(), 1, "a download does not need its handle");

    getter.shutdown();
    let reason = timeout(PATIENCE, getter.wait_stopped()).await.expect("the node stops");
    assert_eq!(getter.active_downloads(), 0);
    let ends = ends(events).await;
    assert!(matches!(&ends[..], [DownloadEvent::Cancelled]), "{ends:?}");
    let left: Vec<String> = fs::read_dir(lab.path("into"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(matches!(&left[..], [only] if only.starts_with(STAGING_PREFIX)), "{left:?}");
    stop(&sharer).await;
    reason
}

#[tokio::test]
async fn a_download_ends_once_when_its_node_is_stopped() {
    let reason = stopped_in_mid_transfer(Duration::from_secs(10)).await;
    assert!(matches!(&reason, StopReason::Shutdown { stragglers } if stragglers.is_empty()), "{reason}");
}

/// What has not ended by itself at once is aborted.
#[tokio::test]
async fn a_download_ends_once_when_its_node_gives_it_no_time() {
    let reason = stopped_in_mid_transfer(Duration::ZERO).await;
    assert!(matches!(reason, StopReason::Shutdown { .. }), "{reason}");
}
