//! Waiting for what nodes and downloads tell.

use std::fmt::Debug;

use moorline_runtime::node::{DownloadHandle, DownloadRequest, NodeEvent, NodeEvents, NodeHandle};
use moorline_runtime::transfer::{DownloadEvent, WhenAlone};
use tokio::time::timeout;

use super::{Lab, PATIENCE, offer};

/// The first event that `pick` makes something of; panics with all that came when it does not come in time.
pub(crate) async fn event<T>(events: &mut NodeEvents, what: &str, pick: impl FnMut(&NodeEvent) -> Option<T>) -> T {
    first(what, async || events.next().await, pick).await
}

/// How the next peer to leave left: whether it said goodbye, and the reason.
pub(crate) async fn peer_down(events: &mut NodeEvents) -> (bool, String) {
    event(events, "end of a peer", |event| match event {
        NodeEvent::PeerDown { goodbye, reason, .. } => Some((*goodbye, reason.clone())),
        _ => None,
    })
    .await
}

/// All events to the end; each node has exactly one last one.
pub(crate) async fn to_the_end(mut events: NodeEvents) -> Vec<NodeEvent> {
    let mut seen = Vec::new();
    timeout(PATIENCE, async {
        while let Some(event) = events.next().await {
            seen.push(event);
        }
    })
    .await
    .expect("the events end");
    let stops = seen.iter().filter(|event| matches!(event, NodeEvent::Stopped { .. })).count();
    assert_eq!(stops, 1, "{seen:?}");
    assert!(matches!(seen.last(), Some(NodeEvent::Stopped { .. })), "{seen:?}");
    seen
}

/// The components that failed, as the events tell.
pub(crate) fn failures(seen: &[NodeEvent]) -> Vec<&'static str> {
    let failed = |event: &NodeEvent| match event {
        NodeEvent::RuntimeFailed(failure) => Some(failure.component),
        _ => None,
    };
    seen.iter().filter_map(failed).collect()
}

/// Has `getter` fetch the item `game` into the folder `into`; returns when some of it is there.
pub(crate) async fn begin(getter: &NodeHandle, lab: &Lab, when_alone: WhenAlone) -> DownloadHandle {
    let found = offer(getter, "game").await;
    let request = DownloadRequest { when_alone, ..DownloadRequest::new(found.summary.id, lab.path("into")) };
    let mut download = getter.download(request).await.expect("the download starts");
    said(&mut download, "progress", |event| {
        matches!(event, DownloadEvent::Progress(progress) if progress.bytes_done > 0).then_some(())
    })
    .await;
    download
}

/// The first event of a download that `pick` makes something of.
pub(crate) async fn said<T>(
    download: &mut DownloadHandle,
    what: &str,
    pick: impl FnMut(&DownloadEvent) -> Option<T>,
) -> T {
    first(what, async || download.next().await, pick).await
}

async fn first<E: Debug, T>(
    what: &str,
    mut next: impl AsyncFnMut() -> Option<E>,
    mut pick: impl FnMut(&E) -> Option<T>,
) -> T {
    let mut seen = Vec::new();
    let found = timeout(PATIENCE, async {
        while let Some(event) = next().await {
            if let Some(found) = pick(&event) {
                return Some(found);
            }
            seen.push(format!("{event:?}"));
        }
        None
    });
    match found.await {
        Ok(Some(found)) => found,
        _ => panic!("no {what}; instead:\n{}", seen.join("\n")),
    }
}
