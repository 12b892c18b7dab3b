//! Runs a backend in a task and waits for its events, with a deadline.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use moorline_discovery::{Announcement, Discovery, DiscoveryError, DiscoveryEvent, InterfacePolicy, Mdns, MdnsConfig};
use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes, also on a machine that is busy with something else.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct Running {
    pub(crate) events: mpsc::Receiver<DiscoveryEvent>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), DiscoveryError>>,
}

pub(crate) fn run(discovery: &Arc<impl Discovery>, own: Option<Announcement>) -> Running {
    run_with_room(discovery, own, 64)
}

pub(crate) fn run_with_room(discovery: &Arc<impl Discovery>, own: Option<Announcement>, room: usize) -> Running {
    let (sender, events) = mpsc::channel(room);
    let stop = CancellationToken::new();
    let (discovery, token) = (Arc::clone(discovery), stop.clone());
    let task = tokio::spawn(async move { discovery.run(own, sender, token).await });
    Running { events, stop, task }
}

impl Running {
    /// The next event; panics after `LONG`.
    pub(crate) async fn next(&mut self) -> DiscoveryEvent {
        timeout(LONG, self.events.recv()).await.expect("an event in time").expect("discovery goes on")
    }

    /// The first event that `wanted` takes; gives all up to it.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&DiscoveryEvent) -> bool) -> Vec<DiscoveryEvent> {
        let deadline = Instant::now() + LONG;
        let mut seen = Vec::new();
        while !seen.last().is_some_and(&wanted) {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => seen.push(event),
                Ok(None) => panic!("discovery ended while waiting for {what}; seen: {seen:#?}"),
                Err(_) => panic!("no {what} within {LONG:?}; seen: {seen:#?}"),
            }
        }
        seen
    }

    pub(crate) async fn until_found(&mut self, key: &str) -> Vec<DiscoveryEvent> {
        self.until(&format!("Found({key})"), |event| matches!(event, DiscoveryEvent::Found(found) if found.key == key))
            .await
    }

    pub(crate) async fn until_lost(&mut self, key: &str) -> Vec<DiscoveryEvent> {
        self.until(&format!("Lost({key})"), |event| matches!(event, DiscoveryEvent::Lost { key: lost } if lost == key))
            .await
    }

    /// Cancels, and says how long it took to end.
    pub(crate) async fn stop(self) -> Duration {
        let start = Instant::now();
        self.stop.cancel();
        timeout(LONG, self.task).await.expect("it ends in time").expect("it does not panic").expect("it ends well");
        start.elapsed()
    }
}

pub(crate) fn peer(id: &str, port: u16) -> Announcement {
    Announcement { id: Some(id.into()), tag: None, name: Some(format!("{id}'s Machine")), protocol: 1, port }
}

/// A port that nobody else uses: tests stay among themselves. It is none of those that the system hands out by itself, so that no
/// other program is given it between this look and its use.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 6_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Tests that run side by side begin far apart, in one process or in many.
    let begin = std::process::id().wrapping_mul(37).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed).wrapping_mul(7));
    let ports = (0..COUNT).map(|step| FIRST + begin.wrapping_add(step) % COUNT);
    let mut ports = ports.filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| UdpSocket::bind(("0.0.0.0", *port)).is_ok()).expect("one of many ports is free")
}

/// mDNS on the loopback interface of this machine, on a port of its own.
pub(crate) fn on_loopback(port: u16) -> MdnsConfig {
    let loopback =
        moorline_discovery::interfaces().expect("interfaces").into_iter().find(|i| i.loopback).expect("loopback").name;
    let policy = InterfacePolicy { include: vec![loopback], ..InterfacePolicy::default() };
    MdnsConfig { port, policy, ..MdnsConfig::default() }
}

pub(crate) fn mdns(port: u16) -> Arc<Mdns> {
    Arc::new(Mdns::new(on_loopback(port)))
}
