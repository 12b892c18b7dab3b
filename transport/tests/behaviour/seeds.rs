//! With seeded randomness, an endpoint does the same thing twice.

use std::sync::Arc;

use moorline_transport::{EndpointConfig, OsEntropy, SeededEntropy};

use crate::support::{bind, hasty, loopback};

/// The destination and source connection ids in the first packets of some dials (RFC 9000, section 17.2.2).
async fn first_ids(config: EndpointConfig) -> Vec<(Vec<u8>, Vec<u8>)> {
    let listener = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    let addrs = [listener.local_addr().unwrap()];
    let caller = bind(config);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut packet = [0; 2000];
        tokio::select! {
            biased;
            received = listener.recv(&mut packet) => { received.unwrap(); }
            ended = caller.connect(&addrs, None) => panic!("{ended:?}"),
        }
        // Later packets are repetitions of this dial; they are recognised by the same ids.
        let dst_len = packet[5] as usize;
        let src_len = packet[6 + dst_len] as usize;
        let pair = (packet[6..6 + dst_len].to_vec(), packet[7 + dst_len..7 + dst_len + src_len].to_vec());
        if !ids.contains(&pair) {
            ids.push(pair);
        }
    }
    ids
}

fn seeded(identity: u8, seed: u8) -> EndpointConfig {
    EndpointConfig { entropy: Arc::new(SeededEntropy::new([seed; 32])), ..hasty(identity) }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_connection_ids() {
    let ids = first_ids(seeded(1, 5)).await;
    assert!(ids.iter().all(|(dst, src)| dst.len() == 20 && src.len() == 8), "{ids:?}");
    let again = first_ids(seeded(1, 5)).await;
    let common = ids.len().min(again.len());
    assert_eq!(ids[..common], again[..common]);
    assert_ne!(ids[0], first_ids(seeded(1, 6)).await[0], "another seed");
}

#[tokio::test]
async fn the_operating_systems_randomness_does_not_repeat() {
    let random = || EndpointConfig { entropy: Arc::new(OsEntropy), ..hasty(1) };
    assert_ne!(first_ids(random()).await[0], first_ids(random()).await[0]);
}
