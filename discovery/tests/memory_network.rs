//! The network in memory: finds, loses, and everything that can be made to go wrong. Time is tokio's paused clock.

#[path = "support/harness.rs"]
mod harness;

use harness::{Running, peer, run};
use moorline_discovery::{
    Discovery, DiscoveryEvent,
    memory::{Member, Network, NetworkConfig},
};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};

fn ip(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

fn network(change: impl FnOnce(&mut NetworkConfig)) -> Network {
    let mut config = NetworkConfig::default();
    change(&mut config);
    Network::new(config)
}

fn member(network: &Network, host: &str, n: u8) -> Arc<Member> {
    Arc::new(network.join(host, vec![ip(n)]))
}

async fn silence(running: &mut Running, time: Duration) {
    let event = timeout(time, running.events.recv()).await;
    assert!(event.is_err(), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn members_find_each_other_and_goodbyes_are_noticed() {
    let network = network(|_| {});
    let mut ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    let mut bob = run(&member(&network, "b", 2), Some(peer("bob", 7402)));
    let seen = bob.until_found("ann").await;
    let [DiscoveryEvent::Found(found)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(found.addrs, ["10.0.0.1:7401".parse().unwrap()]);
    ann.until_found("bob").await;
    ann.stop().await;
    bob.until_lost("ann").await;
    silence(&mut bob, Duration::from_secs(60)).await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_noticed_when_the_record_expires_and_at_once_when_verified() {
    let network = network(|config| config.ttl = Duration::from_secs(75 * 60));
    let watcher = member(&network, "b", 2);
    let mut bob = run(&watcher, None);
    let ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    bob.until_found("ann").await;
    ann.task.abort();
    silence(&mut bob, Duration::from_secs(60)).await;
    watcher.verify("ann");
    let asked = Instant::now();
    bob.until_lost("ann").await;
    assert_eq!(asked.elapsed().as_secs(), 1);
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_answers_when_verified_stays() {
    let network = network(|_| {});
    let watcher = member(&network, "b", 2);
    let mut bob = run(&watcher, None);
    let ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    bob.until_found("ann").await;
    watcher.verify("ann");
    watcher.verify("nobody");
    silence(&mut bob, Duration::from_secs(30)).await;
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_ghost_is_found_and_goes_when_its_time_is_over() {
    let network = network(|_| {});
    let mut bob = run(&member(&network, "b", 2), None);
    tokio::task::yield_now().await;
    network.haunt(&peer("ghost", 1), &[ip(66)]);
    let start = Instant::now();
    bob.until_found("ghost").await;
    bob.until_lost("ghost").await;
    assert_eq!(start.elapsed().as_secs(), 10);
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_parts_and_heals() {
    let network = network(|_| {});
    let open = Arc::new(AtomicBool::new(true));
    let hook = Arc::clone(&open);
    network.set_reach(move |from, to| hook.load(Ordering::Relaxed) || [from, to] != ["a", "b"]);
    let mut ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    let mut bob = run(&member(&network, "b", 2), Some(peer("bob", 7402)));
    bob.until_found("ann").await;
    ann.until_found("bob").await;
    open.store(false, Ordering::Relaxed);
    bob.until_lost("ann").await;
    // One way only: ann still hears bob.
    silence(&mut ann, Duration::from_secs(60)).await;
    open.store(true, Ordering::Relaxed);
    bob.until_found("ann").await;
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_letter_under_way_when_the_network_parts_does_not_arrive() {
    let network = network(|config| {
        config.delay_min = Duration::from_secs(3);
        config.delay_max = Duration::from_secs(3);
    });
    let mut bob = run(&member(&network, "b", 2), None);
    let ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    silence(&mut bob, Duration::from_secs(1)).await;
    network.set_reach(|_, _| false);
    silence(&mut bob, Duration::from_secs(60)).await;
    network.set_reach(|_, _| true);
    bob.until_found("ann").await;
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_goodbye_leaves_a_record_that_expires() {
    let network = network(|config| config.goodbye_loss = 1.0);
    let mut bob = run(&member(&network, "b", 2), None);
    let ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    bob.until_found("ann").await;
    let start = Instant::now();
    ann.stop().await;
    bob.until_lost("ann").await;
    assert!((8..=10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn flapping_records_come_and_go() {
    let network = network(|config| config.flap = 0.5);
    let mut bob = run(&member(&network, "b", 2), None);
    let ann = run(&member(&network, "a", 1), Some(peer("ann", 7401)));
    for _ in 0..5 {
        bob.until_found("ann").await;
        bob.until_lost("ann").await;
    }
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_address_is_an_update() {
    let network = network(|_| {});
    let mut bob = run(&member(&network, "b", 2), None);
    let host = member(&network, "a", 1);
    let ann = run(&host, Some(peer("ann", 7401)));
    bob.until_found("ann").await;
    host.set_addrs(vec![ip(9)]);
    let updated = bob.next().await;
    assert!(
        matches!(&updated, DiscoveryEvent::Updated(f) if f.addrs == ["10.0.0.9:7401".parse().unwrap()]),
        "{updated:?}"
    );
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test(start_paused = true)]
async fn on_a_bad_network_all_are_found_in_the_end() {
    let network = network(|config| {
        config.loss = 0.4;
        config.duplicate = 0.3;
        config.delay_max = Duration::from_millis(800);
    });
    let peers: Vec<Running> =
        (1..=5).map(|n| run(&member(&network, &format!("h{n}"), n), Some(peer(&format!("p{n}"), 7400)))).collect();
    let mut watch = run(&member(&network, "watch", 99), None);
    let mut missing: Vec<String> = (1..=5).map(|n| format!("p{n}")).collect();
    while !missing.is_empty() {
        let event = watch.next().await;
        assert!(matches!(event, DiscoveryEvent::Found(_)), "doubles and late letters are no news: {event:?}");
        missing.retain(|key| key != event.key());
    }
    for running in peers {
        running.stop().await;
    }
    watch.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_peer_beyond_the_bound_is_left_out_until_one_leaves() {
    let network = network(|config| config.max_peers = 2);
    let mut watch = run(&member(&network, "watch", 99), None);
    let mut peers = Vec::new();
    for n in 1..=2 {
        peers.push(run(&member(&network, &format!("h{n}"), n), Some(peer(&format!("p{n}"), 7400))));
        watch.until_found(&format!("p{n}")).await;
    }
    let third = run(&member(&network, "h3", 3), Some(peer("p3", 7400)));
    silence(&mut watch, Duration::from_secs(30)).await;
    peers.remove(0).stop().await;
    watch.until_lost("p1").await;
    watch.until_found("p3").await;
    for running in peers.into_iter().chain([third]) {
        running.stop().await;
    }
    watch.stop().await;
}

/// What one seed does to a bad network: each event with its time.
async fn story(seed: u64, flap: f64) -> Vec<String> {
    let network = network(|config| {
        config.seed = seed;
        config.loss = 0.3;
        config.duplicate = 0.3;
        config.flap = flap;
        config.delay_max = Duration::from_secs(1);
    });
    let mut watch = run(&member(&network, "watch", 99), None);
    let peers: Vec<Running> =
        (1..=4).map(|n| run(&member(&network, &format!("h{n}"), n), Some(peer(&format!("p{n}"), 7400)))).collect();
    let start = Instant::now();
    let mut story = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout_at(start + Duration::from_secs(120), watch.events.recv()).await {
        story.push(format!("{} {event:?}", start.elapsed().as_millis()));
    }
    for running in peers {
        running.stop().await;
    }
    watch.stop().await;
    story
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_tells_the_same_story() {
    for flap in [0.0, 0.1] {
        let first = story(7, flap).await;
        assert!(first.len() > 8 || flap == 0.0, "{first:#?}");
        assert_eq!(first, story(7, flap).await);
        assert_ne!(first, story(8, flap).await);
    }
}
