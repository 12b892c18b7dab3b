use std::time::Duration;

use moorline_signaling::ClientConfig;

use crate::peer::{FromClient, Peer, Terms, soon};
use crate::support::joined_with;

#[tokio::test]
async fn no_more_than_128_kib_wait_for_their_acknowledgement() {
    let peer = Peer::bind().await;
    let mut config = ClientConfig::new(peer.url(), "room");
    config.machine.timers.ack_delay = Duration::from_secs(60);
    let (_client, _events, mut conn) = joined_with(&peer, &Terms::default(), config).await;
    for _ in 0..2 {
        conn.deliver(&"x".repeat(64 << 10)).await;
    }
    let ack = soon(conn.recv()).await.unwrap();
    assert!(matches!(ack.body, Some(FromClient::AckOnly(_))), "{ack:?}");
    conn.deliver("a little more").await;
    assert!(tokio::time::timeout(Duration::from_millis(100), conn.recv()).await.is_err(), "the next one has time");
}
