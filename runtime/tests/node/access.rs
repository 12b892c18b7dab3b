use std::collections::BTreeSet;

use moorline_runtime::node::{NodeConfig, NodeEvent};
use moorline_transport::{Access, Identity};

use crate::lab::{Lab, event, offer, start, stop};

fn with_passphrase(mut config: NodeConfig, passphrase: &str) -> NodeConfig {
    config.endpoint.access = Access { passphrase: Some(passphrase.parse().expect("a passphrase")), allow: None };
    config
}

#[tokio::test]
async fn who_proves_the_passphrase_gets_in_and_who_does_not_sees_nothing() {
    let lab = Lab::new();
    let item = lab.item("secret", &[("plan.txt", b"at dawn")]);
    let sharer = start(with_passphrase(lab.config("sharer", std::slice::from_ref(&item)), "correct horse")).await;

    let mut config = with_passphrase(lab.config("friend", &[]), "correct horse");
    config.peers = vec![sharer.local_addr()];
    let friend = start(config).await;
    offer(&friend, "secret").await;

    for (name, passphrase) in [("wrong", Some("battery staple")), ("none", None)] {
        let mut config = lab.config(name, &[]);
        if let Some(passphrase) = passphrase {
            config = with_passphrase(config, passphrase);
        }
        config.peers = vec![sharer.local_addr()];
        let mut stranger = start(config).await;
        let mut events = stranger.events();
        let (reason, access) = event(&mut events, "refusal", |event| match event {
            NodeEvent::PeerRefused { reason, access, .. } => Some((reason.clone(), *access)),
            NodeEvent::PeerUp(peer) => panic!("{name} got in: {peer:?}"),
            _ => None,
        })
        .await;
        assert!(access, "{reason}");
        assert!(reason.contains("passphrase"), "{reason}");
        assert!(stranger.offers().is_empty() && stranger.peers().is_empty());
        stop(&stranger).await;
    }
    stop(&friend).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn an_allow_list_lets_in_who_is_on_it() {
    let lab = Lab::new();
    let item = lab.item("private", &[("a", b"a")]);
    let friend_id = Identity::from_seed(*blake3::hash(b"friend").as_bytes()).peer_id();
    let mut config = lab.config("sharer", std::slice::from_ref(&item));
    config.endpoint.access = Access { passphrase: None, allow: Some(BTreeSet::from([friend_id])) };
    let sharer = start(config).await;

    let friend = lab.start_with_peers("friend", &[sharer.local_addr()]).await;
    offer(&friend, "private").await;

    let mut stranger = lab.start_with_peers("stranger", &[sharer.local_addr()]).await;
    let mut events = stranger.events();
    let access = event(&mut events, "refusal", |event| match event {
        NodeEvent::PeerRefused { access, .. } => Some(*access),
        _ => None,
    })
    .await;
    assert!(access);
    for node in [&stranger, &friend, &sharer] {
        stop(node).await;
    }
}
