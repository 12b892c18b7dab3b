//! A network full of names: memory stays bounded.

#[path = "support/harness.rs"]
mod harness;

use harness::{LONG, free_port, on_loopback, run};
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use moorline_discovery::{Mdns, SERVICE_TYPE};
use std::sync::Arc;
use tokio::time::timeout;

/// Announces so many peers, until it is dropped.
struct Crowd(ServiceDaemon);

impl Crowd {
    fn new(port: u16, peers: u16) -> Crowd {
        let daemon = ServiceDaemon::new_with_port(port).expect("a responder");
        daemon.disable_interface(IfKind::All).expect("accepted");
        daemon.enable_interface(IfKind::LoopbackV4).expect("accepted");
        for n in 1..=peers {
            let id = format!("p{n}");
            let txt = [("v", "1"), ("id", id.as_str())];
            let service =
                ServiceInfo::new(SERVICE_TYPE, &id, "crowd.local.", (), 7400 + n, &txt[..]).expect("well-formed");
            daemon.register(service.enable_addr_auto()).expect("accepted");
        }
        Crowd(daemon)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

fn bounded(port: u16) -> Arc<Mdns> {
    let mut config = on_loopback(port);
    config.max_names = 3;
    Arc::new(Mdns::new(config))
}

#[tokio::test]
async fn as_many_names_as_allowed_are_fine() {
    let port = free_port();
    let _crowd = Crowd::new(port, 3);
    let mut running = run(&bounded(port), None);
    for _ in 0..3 {
        running.next().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn one_more_in_no_time_is_a_flood() {
    let port = free_port();
    let _crowd = Crowd::new(port, 4);
    let mut running = run(&bounded(port), None);
    let outcome = async {
        while running.events.recv().await.is_some() {}
        running.task.await
    };
    let outcome = timeout(LONG, outcome).await.expect("in time").expect("no panic");
    let message = outcome.expect_err("it gave up").to_string();
    assert!(message.contains("flooded"), "{message}");
}
