//! The self-test of multicast.

#[path = "support/harness.rs"]
mod harness;

use harness::{free_port, on_loopback};
use moorline_discovery::{Multicast, probe};
use std::{net::UdpSocket, sync::Arc, time::Duration};

#[tokio::test]
async fn multicast_comes_through_on_loopback() {
    let port = free_port();
    let report = probe(&on_loopback(port), Duration::from_secs(20)).await.expect("interfaces");
    assert_eq!(report.port, port);
    assert!(report.works());
    for probe in report.interfaces {
        assert_eq!(probe.choice.used, matches!(probe.multicast, Multicast::Heard { .. }), "{probe:?}");
        assert_eq!(!probe.choice.used, probe.multicast == Multicast::NotUsed, "{probe:?}");
    }
}

#[tokio::test]
async fn a_port_held_by_someone_else_is_noticed() {
    let holder = UdpSocket::bind("0.0.0.0:0").expect("bound");
    let port = holder.local_addr().expect("bound").port();
    let _holder_v6 = UdpSocket::bind(("::", port));
    let report = probe(&on_loopback(port), Duration::from_millis(700)).await.expect("interfaces");
    assert!(!report.works());
    assert!(report.interfaces.iter().any(|probe| matches!(probe.multicast, Multicast::Silent { .. })), "{report:?}");
}

#[tokio::test]
async fn without_interfaces_there_is_nothing_to_try() {
    let mut config = on_loopback(free_port());
    config.interfaces = Arc::new(|| Ok(Vec::new()));
    let report = probe(&config, Duration::from_secs(5)).await.expect("a report");
    assert!(report.interfaces.is_empty() && !report.works());
}
