//! Several backends as one. Time is tokio's paused clock.

#[path = "support/harness.rs"]
mod harness;

use harness::{LONG, Running, peer, run};
use moorline_discovery::{
    Announcement, BoxFuture, Combined, Discovery, DiscoveryError, DiscoveryEvent, StaticPeers,
    memory::{Network, NetworkConfig},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Finds one peer, and fails after a while, as often as it is told.
struct Fragile {
    failures: AtomicUsize,
    runs: AtomicUsize,
}

impl Discovery for Fragile {
    fn run<'a>(
        &'a self,
        _own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::Relaxed);
            let only_here = StaticPeers::new(["192.0.2.9:1".parse().expect("an address")]);
            let fails = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
            let die = cancel.child_token();
            let watch = async {
                if fails {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    die.cancel();
                }
            };
            let (outcome, ()) = tokio::join!(only_here.run(None, events, die.clone()), watch);
            if fails { Err(DiscoveryError::Interfaces(std::io::Error::other("broken on purpose"))) } else { outcome }
        })
    }

    fn verify(&self, _key: &str) {}
}

fn networks() -> [Network; 2] {
    [1, 2].map(|seed| Network::new(NetworkConfig { seed, ..NetworkConfig::default() }))
}

#[tokio::test(start_paused = true)]
async fn a_peer_on_two_networks_is_one_peer_until_it_left_both() {
    let [lan, wifi] = networks();
    let both: Vec<Arc<dyn Discovery>> = vec![Arc::new(lan.join("me", vec![])), Arc::new(wifi.join("me", vec![]))];
    let mut me = run(&Arc::new(Combined::new(both)), Some(peer("me", 1)));
    let on_lan = run(&Arc::new(lan.join("ann", vec!["10.0.0.1".parse().unwrap()])), Some(peer("ann", 7401)));
    let seen = me.until_found("ann").await;
    assert_eq!(seen.len(), 1);
    let on_wifi = run(&Arc::new(wifi.join("ann", vec!["10.1.0.1".parse().unwrap()])), Some(peer("ann", 7401)));
    assert!(matches!(me.next().await, DiscoveryEvent::Updated(f) if f.addrs.len() == 2));
    on_lan.stop().await;
    assert!(matches!(me.next().await, DiscoveryEvent::Updated(f) if f.addrs.len() == 1));
    on_wifi.stop().await;
    assert_eq!(me.next().await, DiscoveryEvent::Lost { key: "ann".into() });
    me.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_fails_is_run_again_and_the_others_go_on() {
    let [lan, _] = networks();
    let fragile = Arc::new(Fragile { failures: AtomicUsize::new(2), runs: AtomicUsize::new(0) });
    let ann = run(&Arc::new(lan.join("ann", vec!["10.0.0.1".parse().unwrap()])), Some(peer("ann", 7401)));
    let children: Vec<Arc<dyn Discovery>> = vec![Arc::clone(&fragile) as _, Arc::new(lan.join("me", vec![]))];
    let start = Instant::now();
    let mut me = run(&Arc::new(Combined::new(children).with_retry(Duration::from_secs(5))), None);
    me.until_found("static:192.0.2.9:1").await;
    for _ in 0..2 {
        let seen = me.until_lost("static:192.0.2.9:1").await;
        assert!(!seen.contains(&DiscoveryEvent::Lost { key: "ann".into() }));
        me.until_found("static:192.0.2.9:1").await;
    }
    assert_eq!(start.elapsed().as_secs(), 12, "twice one second of life and five of waiting");
    assert_eq!(fragile.runs.load(Ordering::Relaxed), 3);
    assert!(me.stop().await < Duration::from_millis(250));
    ann.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_peer_beyond_the_bound_is_left_out() {
    let addrs =
        |n: u16| (1..=n).map(|port| format!("192.0.2.1:{port}").parse().expect("an address")).collect::<Vec<_>>();
    let combined = Combined::new(vec![Arc::new(StaticPeers::new(addrs(4)))]).with_max_peers(3);
    let mut running = run(&Arc::new(combined), None);
    for _ in 0..3 {
        running.next().await;
    }
    assert!(tokio::time::timeout(Duration::from_secs(5), running.events.recv()).await.is_err());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_say_goodbye_when_it_stops() {
    let [lan, wifi] = networks();
    let mut watch = run(&Arc::new(wifi.join("watch", vec![])), None);
    let both: Vec<Arc<dyn Discovery>> =
        vec![Arc::new(lan.join("me", vec![])), Arc::new(wifi.join("me", vec!["10.1.0.1".parse().unwrap()]))];
    let me = run(&Arc::new(Combined::new(both)), Some(peer("me", 1)));
    watch.until_found("me").await;
    let start = Instant::now();
    me.stop().await;
    watch.until_lost("me").await;
    assert!(start.elapsed() < Duration::from_secs(1), "by goodbye, not because the record expired");
    watch.stop().await;
}

#[tokio::test(start_paused = true)]
async fn when_nobody_listens_any_more_all_say_goodbye_and_it_ends() {
    let [lan, _] = networks();
    let mut watch = run(&Arc::new(lan.join("watch", vec![])), None);
    let children: Vec<Arc<dyn Discovery>> = vec![Arc::new(lan.join("me", vec!["10.1.0.1".parse().unwrap()]))];
    let Running { events, task, .. } = run(&Arc::new(Combined::new(children)), Some(peer("me", 1)));
    watch.until_found("me").await;
    drop(events);
    let outcome = tokio::time::timeout(LONG, task).await.expect("in time").expect("no panic");
    assert!(matches!(outcome, Err(DiscoveryError::ConsumerGone)), "{outcome:?}");
    let start = Instant::now();
    watch.until_lost("me").await;
    assert!(start.elapsed() < Duration::from_secs(1), "by goodbye, not because the record expired");
    watch.stop().await;
}
