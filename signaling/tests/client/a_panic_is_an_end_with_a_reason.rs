use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moorline_proto::wire::signal as pb;
use moorline_signaling::client::{BoxFuture, Connector, Stream, TcpConnector};
use moorline_signaling::{
    CallError, Client, ClientConfig, CloseReason, ConnectError, ParticipantId, SendClass, SendOutcome,
};

use crate::peer::{FromServer, Peer, Terms, soon};
use crate::support::{ends_with, joined_with, only_tasks_left, rest};
fn is_internal(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Internal(text) if text == "no token today")
}

#[tokio::test]
async fn of_a_token_source_at_the_first_join() {
    let peer = Peer::bind().await;
    let config = ClientConfig::new(peer.url(), "room").token_fn(|_| async { panic!("no token today") });
    let error = soon(Client::connect(config)).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Closed(reason) if is_internal(reason)), "{error}");
    only_tasks_left(0).await;
}

#[tokio::test]
async fn of_a_token_source_in_the_room() {
    let peer = Peer::bind().await;
    let config = ClientConfig::new(peer.url(), "room").token_fn(|force| async move {
        assert!(!force, "no token today");
        Ok(String::new())
    });
    let (client, mut events, mut conn) = joined_with(&peer, &Terms::default(), config).await;
    let sent = client.send(SendClass::Reliable, "waits");
    let call = client.call(ParticipantId(2), "m", "", Duration::from_secs(60));
    let expiring = conn.send(FromServer::TokenExpiring(pb::TokenExpiring { in_ms: 0 }));
    let (result, ()) = soon(async { tokio::join!(call, expiring) }).await;
    assert_eq!(result, Err(CallError::Closed));
    assert_eq!(soon(sent).await, SendOutcome::Closed);
    let reason = soon(client.stopped()).await;
    assert!(is_internal(&reason), "{reason}");
    assert!(ends_with(&rest(&mut events).await, &reason));
    while conn.recv().await.is_some() {}
    only_tasks_left(0).await;
}

/// Panics the first time.
struct Shaky(AtomicUsize);

impl Connector for Shaky {
    fn connect<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "not the first time");
        TcpConnector.connect(host, port, within)
    }
}

#[tokio::test]
async fn but_in_a_connection_it_is_a_failed_attempt() {
    let peer = Peer::bind().await;
    let mut config = ClientConfig::new(peer.url(), "room");
    config.connector = Arc::new(Shaky(AtomicUsize::new(0)));
    config.machine.backoff.rejoin_base = Duration::from_millis(1);
    let (_client, _events, _conn) = joined_with(&peer, &Terms::default(), config).await;
}
