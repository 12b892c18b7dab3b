//! Addresses given by hand.

#[path = "support/harness.rs"]
mod harness;

use harness::{LONG, Running, run, run_with_room};
use moorline_discovery::{Discovery, DiscoveryError, DiscoveryEvent, StaticPeers};
use std::sync::Arc;
use tokio::time::timeout;

fn two() -> Arc<StaticPeers> {
    let addrs = ["192.0.2.7:7400", "[fe80::1%3]:7400", "192.0.2.7:7400"];
    Arc::new(StaticPeers::new(addrs.map(|addr| addr.parse().expect("an address"))))
}

#[tokio::test]
async fn each_address_is_found_once_and_stays() {
    let peers = two();
    let mut running = run(&peers, None);
    let mut keys = Vec::new();
    for _ in 0..2 {
        match running.next().await {
            DiscoveryEvent::Found(found) => {
                assert_eq!((found.announcement.id, found.announcement.tag, found.addrs.len()), (None, None, 1));
                keys.push(found.key);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(keys, ["static:192.0.2.7:7400", "static:[fe80::1%3]:7400"]);
    peers.verify(&keys[0]);
    running.stop.cancel();
    assert_eq!(timeout(LONG, running.events.recv()).await, Ok(None), "nothing after that, and nothing Lost");
}

#[tokio::test]
async fn it_stops_while_nobody_takes_its_events() {
    run_with_room(&two(), None, 1).stop().await;
}

#[tokio::test]
async fn it_ends_when_nobody_listens_any_more() {
    let Running { events, task, .. } = run(&two(), None);
    drop(events);
    let outcome = timeout(LONG, task).await.expect("in time").expect("no panic");
    assert!(matches!(outcome, Err(DiscoveryError::ConsumerGone)), "{outcome:?}");
}
