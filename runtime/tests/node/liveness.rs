use std::net::SocketAddr;
use std::time::Duration;

use moorline_runtime::node::{LivenessConfig, NodeEvent};
use moorline_transport::{Endpoint, EndpointConfig, Identity};

use crate::lab::{Lab, event, start, stop};

/// A peer at this address accepts connections and answers nothing, until the test is over.
pub(crate) fn mute() -> SocketAddr {
    let mut config = EndpointConfig::new(Identity::from_seed([9; 32]));
    config.name = "mute".into();
    let mute = Endpoint::bind(config, "127.0.0.1:0".parse().expect("an address")).expect("a socket");
    let addr = mute.local_addr();
    drop(tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(incoming) = mute.accept().await {
            if let Ok(connection) = incoming.admit().await {
                held.push(connection);
            }
        }
    }));
    addr
}

#[tokio::test]
async fn a_peer_that_accepts_and_never_answers_is_closed() {
    let lab = Lab::new();
    let addr = mute();

    let mut config = lab.config("node", &[]);
    config.peers = vec![addr];
    config.liveness =
        LivenessConfig { interval: Duration::from_millis(50), deadline: Duration::from_millis(100), misses: 2 };
    let mut node = start(config).await;
    let mut events = node.events();
    event(&mut events, "the mute peer", |event| matches!(event, NodeEvent::PeerUp(_)).then_some(())).await;
    let goodbye = event(&mut events, "the end of the mute peer", |event| match event {
        NodeEvent::PeerDown { goodbye, .. } => Some(*goodbye),
        _ => None,
    })
    .await;
    assert!(!goodbye);
    stop(&node).await;
}

#[tokio::test]
async fn a_living_peer_stays_connected_over_many_rounds() {
    let lab = Lab::new();
    let other = lab.start("other", &[]).await;
    let mut config = lab.config("node", &[]);
    config.peers = vec![other.local_addr()];
    config.liveness =
        LivenessConfig { interval: Duration::from_millis(20), deadline: Duration::from_secs(2), misses: 2 };
    let mut node = start(config).await;
    let mut events = node.events();
    event(&mut events, "the peer", |event| matches!(event, NodeEvent::PeerUp(_)).then_some(())).await;
    let quiet = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            if let Some(NodeEvent::PeerDown { reason, .. }) = events.next().await {
                return reason;
            }
        }
    });
    assert!(quiet.await.is_err(), "the connection ended although its peer answers");
    stop(&node).await;
    stop(&other).await;
}
