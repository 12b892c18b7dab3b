//! Cancellation is an event, not something looked for now and then.

#[path = "support/harness.rs"]
mod harness;

use harness::{LONG, Running, free_port, mdns, on_loopback, peer, run, run_with_room};
use moorline_discovery::{DiscoveryError, Mdns};
use std::{net::UdpSocket, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The contract with the node says 250 ms; a machine that is busy with something else is given more. A backend that looks for its
/// cancellation only now and then would show: between two announcements and queries lie many seconds.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn stops_at_once(running: Running) {
    let took = running.stop().await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn while_announcing() {
    let port = free_port();
    let ann = run(&mdns(port), Some(peer("ann", 7401)));
    let mut bob = run(&mdns(port), None);
    bob.until_found("ann").await;
    stops_at_once(ann).await;
    stops_at_once(bob).await;
}

#[tokio::test]
async fn right_after_the_start() {
    stops_at_once(run(&mdns(free_port()), Some(peer("ann", 7401)))).await;
}

#[tokio::test]
async fn before_the_start() {
    let running = run(&mdns(free_port()), Some(peer("ann", 7401)));
    running.stop.cancel();
    stops_at_once(running).await;
}

#[tokio::test]
async fn while_nobody_takes_its_events() {
    let port = free_port();
    let peers: Vec<Running> = (0..3).map(|i| run(&mdns(port), Some(peer(&format!("peer{i}"), 7401)))).collect();
    let stuck = run_with_room(&mdns(port), None, 1);
    // Another one that does listen tells when there is something to be stuck on.
    let mut watch = run(&mdns(port), None);
    for _ in 0..3 {
        watch.next().await;
    }
    stops_at_once(stuck).await;
    for running in peers {
        running.stop().await;
    }
    watch.stop().await;
}

#[tokio::test]
async fn without_any_interface() {
    let mut config = on_loopback(free_port());
    config.interfaces = Arc::new(|| Ok(Vec::new()));
    stops_at_once(run(&Arc::new(Mdns::new(config)), Some(peer("ann", 7401)))).await;
}

#[tokio::test]
async fn when_nobody_listens_any_more() {
    let Running { events, task, .. } = run(&mdns(free_port()), Some(peer("ann", 7401)));
    drop(events);
    let outcome = timeout(LONG, task).await.expect("in time").expect("no panic");
    assert!(matches!(outcome, Err(DiscoveryError::ConsumerGone)), "{outcome:?}");
}

#[tokio::test]
async fn a_port_that_cannot_be_had_is_an_error_that_names_it() {
    let holder = UdpSocket::bind("0.0.0.0:0").expect("bound");
    let port = holder.local_addr().expect("bound").port();
    let _holder_v6 = UdpSocket::bind(("::", port));
    let running = run(&mdns(port), Some(peer("ann", 7401)));
    let outcome = timeout(LONG, running.task).await.expect("in time").expect("no panic");
    let message = outcome.expect_err("no multicast").to_string();
    assert!(message.contains(&port.to_string()) && message.contains("lo"), "{message}");
}

#[tokio::test]
async fn an_announcement_that_cannot_be_published_is_an_error() {
    let running = run(&mdns(free_port()), Some(peer("ann", 0)));
    let outcome = timeout(LONG, running.task).await.expect("in time").expect("no panic");
    assert!(matches!(outcome, Err(DiscoveryError::Announcement(_))), "{outcome:?}");
}
