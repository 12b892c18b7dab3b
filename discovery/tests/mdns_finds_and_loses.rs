//! Two peers on loopback, by real multicast.

#[path = "support/harness.rs"]
mod harness;

use harness::{Running, free_port, mdns, peer, run};
use moorline_discovery::{Announcement, DiscoveryEvent};

fn found(events: &[DiscoveryEvent]) -> &moorline_discovery::Found {
    match events.last() {
        Some(DiscoveryEvent::Found(found)) => found,
        other => panic!("not Found: {other:?}"),
    }
}

#[tokio::test]
async fn two_peers_find_each_other_and_a_goodbye_is_noticed() {
    let port = free_port();
    let mut ann = run(&mdns(port), Some(peer("ann", 7401)));
    let mut bob = run(&mdns(port), Some(peer("bob", 7402)));

    let seen_by_bob = bob.until_found("ann").await;
    let seen_by_ann = ann.until_found("bob").await;
    assert_eq!((seen_by_bob.len(), seen_by_ann.len()), (1, 1), "nobody else is there, least of all oneself");
    let ann_as_seen = found(&seen_by_bob);
    assert_eq!(ann_as_seen.announcement, peer("ann", 7401));
    assert!(ann_as_seen.addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 7401), "{ann_as_seen:?}");
    assert_eq!(ann_as_seen.interfaces.len(), 1);

    ann.stop().await;
    bob.until_lost("ann").await;
    bob.stop().await;
}

#[tokio::test]
async fn a_peer_that_comes_back_is_found_again() {
    let port = free_port();
    let mut bob = run(&mdns(port), None);
    let ann = mdns(port);
    for round in 0..2 {
        let running = run(&ann, Some(peer("ann", 7401 + round)));
        let seen = bob.until_found("ann").await;
        assert_eq!(found(&seen).announcement.port, 7401 + round);
        running.stop().await;
        bob.until_lost("ann").await;
    }
    bob.stop().await;
}

#[tokio::test]
async fn who_comes_later_finds_who_is_there() {
    let port = free_port();
    let ann = run(&mdns(port), Some(peer("ann", 7401)));
    let mut early = run(&mdns(port), None);
    early.until_found("ann").await;
    let mut late = run(&mdns(port), None);
    late.until_found("ann").await;
    for running in [ann, early, late] {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_member_of_a_closed_group_shows_nothing_but_its_tag() {
    let port = free_port();
    let secret = Announcement { tag: Some("tag-7".into()), ..peer("ann", 7401) };
    let ann = run(&mdns(port), Some(secret));
    let mut bob = run(&mdns(port), None);
    let seen = bob.until_found("tag-7").await;
    let expected = Announcement { id: None, tag: Some("tag-7".into()), name: None, protocol: 1, port: 7401 };
    assert_eq!(found(&seen).announcement, expected);
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test]
async fn peers_of_one_name_are_told_apart_by_id() {
    let port = free_port();
    let same = |id: &str, port| Announcement { name: Some("PC".into()), ..peer(id, port) };
    let peers: Vec<Running> = ["ann", "bob", "cid"]
        .iter()
        .zip(7401..)
        .map(|(id, port_of_peer)| run(&mdns(port), Some(same(id, port_of_peer))))
        .collect();
    let mut watch = run(&mdns(port), None);
    let mut seen = Vec::new();
    while seen.len() < peers.len() {
        match watch.next().await {
            DiscoveryEvent::Found(found) => seen.push((found.key, found.announcement.port)),
            DiscoveryEvent::Updated(_) => {}
            lost => panic!("{lost:?}"),
        }
    }
    seen.sort();
    assert_eq!(seen, [("ann".into(), 7401), ("bob".into(), 7402), ("cid".into(), 7403)]);
    for running in peers {
        running.stop().await;
    }
    watch.stop().await;
}
