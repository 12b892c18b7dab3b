//! An orderly stop in mid-transfer is nothing to complain about, on neither side.

use std::sync::{Arc, Mutex, PoisonError};

use moorline_runtime::node::NodeHandle;
use moorline_runtime::transfer::WhenAlone;
use tracing::Level;

use crate::lab::{Lab, begin, log, peer_down, stop};

/// Large enough that it is still under way when its first progress is told.
const BIG_MIB: u64 = 384;

#[derive(Clone, Copy)]
enum Who {
    Sharer,
    Getter,
}

/// Stops one of two nodes in mid-transfer. Returns all warnings of both, and how each side's open requests ended.
async fn stop_in_mid_transfer(who: Who) -> (Vec<String>, Vec<String>) {
    let lab = Lab::new();
    let mut sharer = lab.start("sharer", &[lab.big_item("game", BIG_MIB)]).await;
    let mut getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let mut ears = match who {
        Who::Sharer => getter.events(),
        Who::Getter => sharer.events(),
    };
    let lines: Arc<Mutex<(Vec<String>, Vec<String>)>> = Arc::default();
    let heard = lines.clone();
    let log = log::listen(move |level, line| {
        let mut lines = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if level <= Level::WARN {
            lines.0.push(line.to_owned());
        } else if line.contains("a source failed") || line.contains("request ended early") {
            lines.1.push(line.to_owned());
        }
    });
    let download = begin(&getter, &lab, WhenAlone::Wait).await;
    let order: [&NodeHandle; 2] = match who {
        Who::Sharer => [&sharer, &getter],
        Who::Getter => [&getter, &sharer],
    };
    stop(order[0]).await;
    let (goodbye, reason) = peer_down(&mut ears).await;
    assert!(goodbye, "{reason}");
    stop(order[1]).await;
    drop((download, log));
    std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner))
}

#[tokio::test]
async fn a_sharer_that_is_stopped_while_it_uploads_leaves_without_a_warning_or_a_reset() {
    let (warnings, ends) = stop_in_mid_transfer(Who::Sharer).await;
    assert!(warnings.is_empty(), "{warnings:#?}");
    assert!(!ends.is_empty() && ends.iter().all(|end| end.contains("goodbye")), "{ends:#?}");
}

#[tokio::test]
async fn a_getter_that_is_stopped_while_it_downloads_leaves_without_a_warning_or_a_reset() {
    let (warnings, ends) = stop_in_mid_transfer(Who::Getter).await;
    assert!(warnings.is_empty(), "{warnings:#?}");
    // Giving up its requests is how a download ends.
    let orderly = |end: &String| end.contains("goodbye") || end.contains("the peer no longer wants it");
    assert!(ends.iter().all(orderly), "{ends:#?}");
}
