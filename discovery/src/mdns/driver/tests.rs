use super::*;
use crate::InterfacePolicy;
use std::time::Duration;

/// Loopback, on a port that nobody else uses.
fn config() -> MdnsConfig {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    let loopback = crate::interfaces().expect("interfaces").into_iter().find(|i| i.loopback).expect("loopback").name;
    let policy = InterfacePolicy { include: vec![loopback], ..InterfacePolicy::default() };
    MdnsConfig { port, policy, ..MdnsConfig::default() }
}

#[tokio::test]
async fn a_responder_whose_thread_ends_is_noticed() {
    let (config, verify) = (config(), VerifyQueue::default());
    let mut driver = Driver::new(&config, &verify, None);
    driver.follow_interfaces().expect("interfaces");
    assert_eq!(driver.links.len(), 1);
    for link in driver.links.values() {
        link.end_thread().await;
    }
    let (events, _receiver) = mpsc::channel(1);
    let run = driver.run(events, CancellationToken::new());
    let outcome = tokio::time::timeout(Duration::from_secs(20), run).await.expect("in time");
    assert!(matches!(outcome, Err(DiscoveryError::NoMulticast { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_subscription_that_is_lost_is_taken_out_again() {
    let (config, verify) = (config(), VerifyQueue::default());
    let mut driver = Driver::new(&config, &verify, None);
    driver.follow_interfaces().expect("interfaces");
    let id = *driver.links.keys().next().expect("a link");
    driver.handle(id, LinkEvent::SubscriptionClosed).expect("browsing again");
    assert!(driver.links[&id].resync_by.is_some() && !driver.links[&id].unsubscribed);
    // It listens: another peer is heard through it.
    let other = Announcement { id: Some("ann".into()), tag: None, name: None, protocol: 1, port: 7401 };
    let announcer = crate::Mdns::new(config.clone());
    let (unheard, _receiver) = mpsc::channel(1);
    let (events, mut heard) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let search = async {
        let event = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.expect("in time");
        stop.cancel();
        event
    };
    let (_, _, event) = tokio::join!(
        driver.run(events, stop.clone()),
        crate::Discovery::run(&announcer, Some(other), unheard, stop.clone()),
        search
    );
    assert_eq!(event.expect("found").key(), "ann");
}
