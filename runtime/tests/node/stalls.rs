use std::time::Duration;

use moorline_proto::Request;
use moorline_runtime::node::{NodeConfig, NodeEvent};
use moorline_runtime::transfer::{DownloadEvent, DownloadOutcome, DropReason, WhenAlone};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::lab::relay::{Fault, Relay};
use crate::lab::{self, Lab, PATIENCE, begin, failures, said, start, stop, to_the_end};

#[tokio::test]
async fn a_sole_source_that_falls_silent_for_long_is_used_again_over_the_same_connection() {
    const MIB: u64 = 32;
    let lab = Lab::new();
    // A clock that jumps makes late pings of good ones: they are not what this is about.
    let without_pings = |mut config: NodeConfig| {
        config.liveness.interval = Duration::from_secs(24 * 3600);
        config
    };
    let honest = start(without_pings(lab.config("honest", &[lab.big_item("game", MIB)]))).await;
    let (over, silence) = watch::channel(false);
    let relay = Relay::start("relay", honest.local_addr(), Fault::Silence(silence)).await;
    let mut config = without_pings(lab.config("getter", &[]));
    config.peers = vec![relay.addr()];
    let mut getter = start(config).await;
    let events = getter.events();
    let mut download = begin(&getter, &lab, WhenAlone::Wait).await;

    // The first request is answered when there is a third.
    let link = relay.links(1).await.remove(0);
    let asked = || link.fetched().iter().filter(|request| matches!(request, Request::Chunks { .. })).count();
    lab::until("silence", || (asked() >= 3).then_some(())).await;

    // Only while nothing but signs of life is sent: whenever all that is left to do is to wait, the clock jumps ahead.
    tokio::time::pause();
    said(&mut download, "stall", |event| match event {
        DownloadEvent::SourceDropped { peer, reason: DropReason::Stalled(_), .. } => {
            assert_eq!(*peer, relay.peer_id());
            Some(())
        }
        DownloadEvent::SourceDropped { reason, .. } => panic!("{reason}"),
        _ => None,
    })
    .await;
    said(&mut download, "loneliness", |event| {
        matches!(event, DownloadEvent::AllPeersGone { waiting: true }).then_some(())
    })
    .await;
    let before = asked();
    lab::until("another try", || (asked() > before).then_some(())).await;
    tokio::time::resume();
    over.send_replace(true);
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("it goes on");
    let DownloadOutcome::Finished { stats, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(stats.fetched_bytes, MIB << 20, "{stats:?}");
    assert_eq!(relay.links(1).await.len(), 1, "over one connection");
    stop(&getter).await;
    stop(&honest).await;
    let seen = to_the_end(events).await;
    let ups = seen.iter().filter(|event| matches!(event, NodeEvent::PeerUp(_))).count();
    assert_eq!((ups, failures(&seen).len()), (1, 0), "{seen:?}");
}
