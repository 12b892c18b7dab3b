//! Interfaces come, go and change. The list of them is a made-up one; the packets are real.

#[path = "support/harness.rs"]
mod harness;

use harness::{LONG, free_port, mdns, on_loopback, peer, run};
use mdns_sd::{IfKind, Receiver, ServiceDaemon, ServiceEvent};
use moorline_discovery::{DiscoveryEvent, Interface, Mdns, SERVICE_TYPE};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

type Shown = Arc<Mutex<Vec<Interface>>>;

fn loopback() -> Interface {
    let list = moorline_discovery::interfaces().expect("interfaces");
    list.into_iter().find(|interface| interface.loopback).expect("loopback")
}

fn ipv4_only(interface: Interface) -> Interface {
    Interface { addrs: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..interface }
}

fn watching(port: u16, shown: &Shown) -> Arc<Mdns> {
    let mut config = on_loopback(port);
    config.watch_interval = Duration::from_millis(100);
    let shown = Arc::clone(shown);
    config.interfaces = Arc::new(move || Ok(shown.lock().expect("not poisoned").clone()));
    Arc::new(Mdns::new(config))
}

fn show(shown: &Shown, list: Vec<Interface>) {
    *shown.lock().expect("not poisoned") = list;
}

#[tokio::test]
async fn an_interface_that_comes_goes_and_comes_back() {
    let port = free_port();
    let shown = Shown::default();
    let ann = run(&watching(port, &shown), Some(peer("ann", 7401)));
    let mut bob = run(&mdns(port), Some(peer("bob", 7402)));
    let mut ann = ann;
    for _ in 0..2 {
        show(&shown, vec![loopback()]);
        bob.until_found("ann").await;
        ann.until_found("bob").await;
        show(&shown, vec![Interface { up: false, ..loopback() }]);
        // Both: ann has no way to bob any more, and said goodbye when she left.
        ann.until_lost("bob").await;
        bob.until_lost("ann").await;
    }
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test]
async fn a_change_of_address_is_no_absence() {
    let port = free_port();
    let shown = Shown::default();
    let one_more =
        Interface { addrs: vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 9).into()], ..loopback() };
    show(&shown, vec![ipv4_only(loopback())]);
    let ann = run(&watching(port, &shown), Some(peer("ann", 7401)));
    let mut bob = run(&mdns(port), None);
    bob.until_found("ann").await;
    // Underneath, where peers are instance names, one is replaced by another.
    let below = Below::new(port);
    let first = below.next("an instance", |event| matches!(event, ServiceEvent::ServiceResolved(_))).await;
    show(&shown, vec![one_more]);
    let second = below.next("a replacement", |event| matches!(event, ServiceEvent::ServiceResolved(_))).await;
    assert_ne!(first, second);
    let taken_over = Instant::now();
    let gone = below.next("the first one's goodbye", |event| matches!(event, ServiceEvent::ServiceRemoved(..))).await;
    assert_eq!(first, gone);
    // 3 s of overlap, less 1 s of probing for the new name, and 1 s from a goodbye to the removal. Without overlap: next to nothing.
    assert!(taken_over.elapsed() > Duration::from_secs(1), "{:?}", taken_over.elapsed());

    ann.stop().await;
    let seen = bob.until_lost("ann").await;
    assert!(matches!(&seen[..], [DiscoveryEvent::Lost { .. }]), "once, at the end, and nothing before: {seen:#?}");
    bob.stop().await;
}

/// A plain browser of mdns-sd.
struct Below {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

impl Below {
    fn new(port: u16) -> Below {
        let daemon = ServiceDaemon::new_with_port(port).expect("a responder");
        daemon.disable_interface(IfKind::All).expect("accepted");
        daemon.enable_interface(loopback().name.as_str()).expect("accepted");
        let events = daemon.browse(SERVICE_TYPE).expect("accepted");
        Below { daemon, events }
    }

    async fn next(&self, what: &str, wanted: impl Fn(&ServiceEvent) -> bool) -> String {
        let search = async {
            loop {
                let event = self.events.recv_async().await.expect("it goes on");
                if wanted(&event) {
                    match event {
                        ServiceEvent::ServiceResolved(service) => return service.fullname.clone(),
                        ServiceEvent::ServiceRemoved(_, name) => return name,
                        other => panic!("{other:?}"),
                    }
                }
            }
        };
        tokio::time::timeout(LONG, search).await.unwrap_or_else(|_| panic!("no {what}"))
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        let _ = self.daemon.shutdown();
    }
}

#[tokio::test]
async fn addresses_being_checked_are_waited_for() {
    let port = free_port();
    let shown = Shown::default();
    let checking = Interface { unusable: vec!["fe80::1".parse().expect("an address")], ..ipv4_only(loopback()) };
    show(&shown, vec![checking]);
    let ann = run(&watching(port, &shown), Some(peer("ann", 7401)));
    let mut bob = run(&mdns(port), None);
    // Long enough for any responder to have spoken, short of the 4 s after which it goes ahead all the same.
    let early = tokio::time::timeout(Duration::from_millis(2500), bob.events.recv()).await;
    assert!(early.is_err(), "{early:?}");
    show(&shown, vec![ipv4_only(loopback())]);
    bob.until_found("ann").await;
    ann.stop().await;
    bob.stop().await;
}
