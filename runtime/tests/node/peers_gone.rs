use moorline_runtime::node::DownloadRequest;
use moorline_runtime::transfer::{DownloadEvent, DownloadOutcome, WhenAlone};
use tokio::time::timeout;

use crate::lab::{Lab, PATIENCE, begin, offer, peer_down, said, start, stop};

/// Large enough that it is still under way when its first progress is told.
const BIG_MIB: u64 = 384;

#[tokio::test]
async fn when_the_receiver_leaves_in_mid_transfer_the_sender_hears_a_goodbye() {
    let lab = Lab::new();
    let item = lab.big_item("game", BIG_MIB);
    let mut sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let mut events = sharer.events();
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let download = begin(&getter, &lab, WhenAlone::Wait).await;
    stop(&getter).await;
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(matches!(outcome, DownloadOutcome::Cancelled), "{outcome:?}");
    let (goodbye, reason) = peer_down(&mut events).await;
    assert!(goodbye, "{reason}");
    stop(&sharer).await;
}

#[tokio::test]
async fn when_the_last_source_leaves_it_is_said_once_and_nothing_fails() {
    let lab = Lab::new();
    let item = lab.big_item("game", BIG_MIB);
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let mut download = begin(&getter, &lab, WhenAlone::End).await;
    stop(&sharer).await;
    let (mut gone, mut failed) = (0, 0);
    timeout(PATIENCE, async {
        while let Some(event) = download.next().await {
            gone += usize::from(matches!(event, DownloadEvent::AllPeersGone { .. }));
            failed += usize::from(matches!(event, DownloadEvent::Failed(_) | DownloadEvent::Cancelled));
        }
    })
    .await
    .expect("the download ends");
    assert_eq!((gone, failed), (1, 0));
    assert!(matches!(download.outcome().await, DownloadOutcome::AllPeersGone));
    assert_eq!(getter.active_downloads(), 0, "the guard cleared the download");
    stop(&getter).await;
}

#[tokio::test]
async fn a_download_goes_on_when_its_sender_comes_back() {
    let lab = Lab::new();
    let item = lab.big_item("game", BIG_MIB);
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let addr = sharer.local_addr();
    let getter = lab.start_with_peers("getter", &[addr]).await;
    let mut download = begin(&getter, &lab, WhenAlone::Wait).await;
    stop(&sharer).await;
    said(&mut download, "all peers gone", |event| {
        matches!(event, DownloadEvent::AllPeersGone { waiting: true }).then_some(())
    })
    .await;
    assert_eq!(getter.active_downloads(), 1, "it waits");

    let mut config = lab.config("sharer", std::slice::from_ref(&item));
    config.socket = moorline_runtime::node::SocketSource::Bind(addr);
    let again = start(config).await;
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    match outcome {
        DownloadOutcome::Finished { stats, path } => {
            assert_eq!(
                stats.fetched_bytes + stats.resumed_bytes,
                BIG_MIB << 20,
                "nothing verified is fetched again: {stats:?}"
            );
            let whole = std::fs::read(path.join("big.bin")).expect("the file");
            assert!(whole == std::fs::read(item.join("big.bin")).expect("the original"));
        }
        other => panic!("{other:?}"),
    }
    stop(&getter).await;
    stop(&again).await;
}

#[tokio::test]
async fn a_cancelled_download_is_cleared_and_resumes_later() {
    let lab = Lab::new();
    let item = lab.big_item("game", BIG_MIB);
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let download = begin(&getter, &lab, WhenAlone::Wait).await;
    download.cancel();
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(matches!(outcome, DownloadOutcome::Cancelled), "{outcome:?}");
    assert_eq!(getter.active_downloads(), 0);
    assert!(!lab.path("into").join("game").exists(), "nothing stands under the final name");

    let found = offer(&getter, "game").await;
    let mut again =
        getter.download(DownloadRequest::new(found.summary.id, lab.path("into"))).await.expect("it starts again");
    let resumed = said(&mut again, "plan", |event| match event {
        DownloadEvent::Planned { resumed_bytes, .. } => Some(*resumed_bytes),
        _ => None,
    })
    .await;
    assert!(resumed > 0);
    match timeout(PATIENCE, again.outcome()).await.expect("in time") {
        DownloadOutcome::Finished { stats, .. } => {
            assert_eq!(stats.fetched_bytes, (BIG_MIB << 20) - resumed, "{stats:?}");
        }
        other => panic!("{other:?}"),
    }
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn one_item_is_not_fetched_twice_into_one_folder() {
    let lab = Lab::new();
    let item = lab.big_item("game", BIG_MIB);
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let download = begin(&getter, &lab, WhenAlone::Wait).await;
    let found = offer(&getter, "game").await;
    let second = getter.download(DownloadRequest::new(found.summary.id, lab.path("into"))).await;
    let error = second.err().expect("refused").to_string();
    assert!(error.contains("is being fetched into"), "{error}");
    drop(download);
    stop(&getter).await;
    stop(&sharer).await;
}
