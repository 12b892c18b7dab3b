//! Who sent wrong bytes is not believed again, by no download and over no connection.

use std::time::Duration;

use moorline_proto::PeerId;
use moorline_runtime::node::{DownloadHandle, DownloadRequest, NodeHandle};
use moorline_runtime::transfer::{DownloadEvent, DownloadOutcome, DropReason};
use moorline_transport::{CloseCode, ConnectionEnd};
use tokio::time::timeout;

use crate::lab::relay::{Fault, Relay};
use crate::lab::{self, Lab, PATIENCE, offer, said, start, stop};

async fn download(getter: &NodeHandle, lab: &Lab, into: &str) -> DownloadHandle {
    let found = offer(getter, "game").await;
    getter.download(DownloadRequest::new(found.summary.id, lab.path(into))).await.expect("the download starts")
}

/// The peer that a download drops for what it sent.
async fn condemned(download: &mut DownloadHandle) -> PeerId {
    said(download, "bad content", |event| match event {
        DownloadEvent::SourceDropped { peer, reason: DropReason::BadContent(_), .. } => Some(*peer),
        DownloadEvent::SourceDropped { reason, .. } => panic!("{reason}"),
        _ => None,
    })
    .await
}

/// The item arrived, and all of it that was good came from `honest`.
async fn arrived_from(download: DownloadHandle, honest: PeerId) {
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    let DownloadOutcome::Finished { stats, .. } = outcome else { panic!("{outcome:?}") };
    let good: Vec<PeerId> = stats.sources.iter().filter(|source| source.bytes > 0).map(|source| source.peer).collect();
    assert_eq!(good, [honest], "{stats:?}");
}

#[tokio::test]
async fn a_liar_that_dials_in_again_is_not_asked_for_anything() {
    let lab = Lab::new();
    let honest = lab.start("honest", &[lab.big_item("game", 8)]).await;
    let getter = lab.start("getter", &[]).await;
    let liar = Relay::start("liar", honest.local_addr(), Fault::WrongBytes).await;
    let first = liar.dial(getter.local_addr()).await;
    let mut one = download(&getter, &lab, "one").await;
    assert_eq!(condemned(&mut one).await, liar.peer_id());
    let end = timeout(PATIENCE, first.connection.closed()).await.expect("in time");
    assert!(matches!(end, ConnectionEnd::Closed { code: CloseCode::BadContent, .. }), "{end}");
    assert!(!first.fetched().is_empty());

    let second = liar.dial(getter.local_addr()).await;
    lab::until("its listing", || (!second.asked().is_empty()).then_some(())).await;
    let two = download(&getter, &lab, "two").await;
    getter.add_peer(honest.local_addr()).await.expect("there is room for a peer");
    arrived_from(one, honest.peer_id()).await;
    arrived_from(two, honest.peer_id()).await;
    assert!(second.fetched().is_empty(), "{:?}", second.fetched());
    for node in [&getter, &honest] {
        stop(node).await;
    }
}

#[tokio::test]
async fn a_liar_is_not_dialled_again_and_not_taken_into_use_under_another_address() {
    let lab = Lab::new();
    let honest = lab.start("honest", &[lab.big_item("game", 8)]).await;
    let liar = Relay::start("liar", honest.local_addr(), Fault::WrongBytes).await;
    let mut config = lab.config("getter", &[]);
    config.peers = vec![liar.addr()];
    config.dial.retry_initial = Duration::from_millis(10);
    config.dial.retry_ceiling = Duration::from_millis(10);
    let getter = start(config).await;
    let mut one = download(&getter, &lab, "one").await;
    assert_eq!(condemned(&mut one).await, liar.peer_id());
    lab::until("the liar is gone", || getter.peers().is_empty().then_some(())).await;

    let moved = Relay::start("liar", honest.local_addr(), Fault::WrongBytes).await;
    getter.add_peer(moved.addr()).await.expect("there is room for a peer");
    let second = moved.links(1).await.remove(0);
    timeout(PATIENCE, second.connection.closed()).await.expect("it is let go");
    assert!(getter.peers().is_empty());
    assert!(second.asked().is_empty(), "{:?}", second.asked());

    getter.add_peer(honest.local_addr()).await.expect("there is room for a peer");
    arrived_from(one, honest.peer_id()).await;
    assert_eq!((liar.links(1).await.len(), moved.links(1).await.len()), (1, 1), "one dial each");
    for node in [&getter, &honest] {
        stop(node).await;
    }
}
