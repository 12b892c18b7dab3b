use std::sync::Arc;
use std::time::Duration;

use moorline_signaling::{Client, ClientConfig, SourceError};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::peer::{Peer, hangs_up, soon};
use crate::support::only_tasks_left;

/// Connects until `step` is over, and drops the connect then.
async fn cancel_after<T>(config: ClientConfig, step: impl Future<Output = T>) -> T {
    let connect = Client::connect(config);
    tokio::pin!(connect);
    soon(async {
        tokio::select! {
            biased;
            result = &mut connect => panic!("connected: {result:?}"),
            step = step => step,
        }
    })
    .await
}

#[tokio::test]
async fn before_it_was_polled() {
    let peer = Peer::bind().await;
    drop(Client::connect(ClientConfig::new(peer.url(), "room")));
    only_tasks_left(0).await;
}

#[tokio::test]
async fn while_it_waits_for_a_token() {
    let peer = Peer::bind().await;
    let asked = Arc::new(Notify::new());
    let alive = Arc::new(());
    let (asking, held) = (asked.clone(), alive.clone());
    let config = ClientConfig::new(peer.url(), "room").token_fn(move |_| {
        let held = held.clone();
        asking.notify_one();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Err(SourceError::retryable("never"))
        }
    });
    cancel_after(config, asked.notified()).await;
    only_tasks_left(0).await;
    assert_eq!(Arc::strong_count(&alive), 1, "the source was dropped with all that it held");
}

#[tokio::test]
async fn while_the_handshake_is_not_answered() {
    let peer = Peer::bind().await;
    let mut stream = cancel_after(ClientConfig::new(peer.url(), "room"), peer.accept_tcp()).await;
    hangs_up(&mut stream).await;
    only_tasks_left(0).await;
}

#[tokio::test]
async fn while_nobody_accepts_at_all() {
    let peer = Peer::bind().await;
    // The backlog takes the connection, and the request goes unheard.
    cancel_after(ClientConfig::new(peer.url(), "room"), tokio::time::sleep(Duration::from_millis(50))).await;
    only_tasks_left(0).await;
    let mut stream = peer.accept_tcp().await;
    hangs_up(&mut stream).await;
}

#[tokio::test]
async fn while_hello_is_not_answered() {
    let peer = Peer::bind().await;
    let mut conn = cancel_after(ClientConfig::new(peer.url(), "room"), async {
        let mut conn = peer.accept().await;
        conn.hello().await;
        conn
    })
    .await;
    while conn.recv().await.is_some() {}
    only_tasks_left(0).await;
}

#[tokio::test]
async fn between_two_attempts() {
    let peer = Peer::bind().await;
    let mut config = ClientConfig::new(peer.url(), "room");
    config.machine.backoff.rejoin_base = Duration::from_secs(3_600);
    config.machine.backoff.rejoin_cap = Duration::from_secs(3_600);
    cancel_after(config, async { drop(peer.accept_tcp().await) }).await;
    only_tasks_left(0).await;
    let again = timeout(Duration::from_millis(200), peer.accept_tcp()).await;
    assert!(again.is_err(), "nothing dials any more");
}
