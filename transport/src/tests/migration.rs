//! A connection survives that the peer's address changes under it.

use super::support::{config, loopback, pair, ping, serve, soon};

#[tokio::test]
async fn a_peer_that_moves_keeps_its_connection() {
    let pair = pair(config(1), config(2)).await;
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
    let before = pair.dialled.remote_addr();
    let elsewhere = std::net::UdpSocket::bind(loopback()).unwrap();
    let new_addr = elsewhere.local_addr().unwrap();
    pair.caller.0.quinn.rebind(elsewhere).unwrap();
    soon(ping(&pair.dialler)).await.unwrap();
    assert_ne!(before, new_addr);
    assert_eq!(pair.dialled.remote_addr(), new_addr);
}
