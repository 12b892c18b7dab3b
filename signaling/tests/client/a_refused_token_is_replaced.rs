use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_proto::wire::signal as pb;
use moorline_signaling::{Client, ClientConfig, CloseReason, ConnectError, SourceError};

use crate::peer::{FromServer, Peer, Terms, soon};
use crate::support::only_tasks_left;

fn expired() -> FromServer {
    FromServer::Fault(pb::Fault {
        code: pb::FaultCode::TokenExpired.into(),
        action: pb::FaultAction::Retry.into(),
        message: "expired".into(),
        ..Default::default()
    })
}

#[tokio::test]
async fn an_expired_token_is_asked_for_anew_by_force_and_never_shown_again() {
    let peer = Peer::bind().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let config = ClientConfig::new(peer.url(), "room").token_fn(move |force| {
        log.lock().unwrap().push(force);
        async move { Ok(if force { "fresh" } else { "stale" }.to_owned()) }
    });
    let server = async {
        let mut conn = peer.accept().await;
        let first = conn.hello().await.auth_token;
        conn.send(expired()).await;
        let (conn, hello) = peer.admit(&Terms::default()).await;
        (first, hello.auth_token, conn)
    };
    let (client, (first, second, _conn)) = soon(async { tokio::join!(Client::connect(config), server) }).await;
    client.unwrap();
    assert_eq!((first.as_str(), second.as_str()), ("stale", "fresh"));
    assert_eq!(*asked.lock().unwrap(), [false, true]);
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_is_the_end() {
    let peer = Peer::bind().await;
    let config = ClientConfig::new(peer.url(), "room").token("only");
    let server = async {
        let mut conn = peer.accept().await;
        assert_eq!(conn.hello().await.auth_token, "only");
        conn.send(expired()).await;
    };
    let (client, ()) = soon(async { tokio::join!(Client::connect(config), server) }).await;
    let error = client.unwrap_err();
    assert!(matches!(error, ConnectError::Closed(CloseReason::AuthRejected(_))), "{error}");
    only_tasks_left(0).await;
}

#[tokio::test]
async fn a_source_may_fail_for_now_or_for_good() {
    let peer = Peer::bind().await;
    let attempts = Arc::new(Mutex::new(0));
    let count = attempts.clone();
    let mut config = ClientConfig::new(peer.url(), "room").token_fn(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let answer = if *count < 3 { SourceError::retryable("not yet") } else { SourceError::fatal("never") };
        async move { Err(answer) }
    });
    config.machine.backoff.rejoin_base = Duration::from_millis(1);
    let error = soon(Client::connect(config)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed(CloseReason::AuthRejected(_))), "{error}");
    assert_eq!(*attempts.lock().unwrap(), 3);
}
