//! An endpoint takes on so many peers and no more, and says so.

use moorline_proto::ErrorCode;
use moorline_transport::{CloseReason, DialError};

use crate::support::{Host, bind, config, soon};

fn is_busy(error: Option<&DialError>) -> bool {
    matches!(error, Some(DialError::Refused { code: ErrorCode::Busy, .. }))
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_as_busy_until_there_is_room() {
    let mut small = config(9);
    small.limits.max_connections = 2;
    let mut host = Host::new(small);
    let (mut connections, mut admitted) = (Vec::new(), Vec::new());
    for seed in 1..3 {
        connections.push(soon(bind(config(seed)).connect(&[host.addr()], None)).await.unwrap());
        admitted.push(host.next().await.unwrap());
    }
    let third = bind(config(3));
    let error = soon(third.connect(&[host.addr()], None)).await.unwrap_err();
    assert!(is_busy(error.cause()), "{error:?}");
    assert!(error.to_string().contains("try again later"), "{error}");

    connections[0].close(&CloseReason::Goodbye(String::new()));
    soon(async { while third.connect(&[host.addr()], None).await.is_err() {} }).await;
    assert_eq!(connections[1].end(), None);
}

#[tokio::test]
async fn handshakes_over_the_limit_are_refused_as_busy() {
    let mut small = config(9);
    small.limits.max_handshakes = 2;
    let host = bind(small);
    let accepting = host.clone();
    // Accepts, and leaves everyone standing at the door.
    let standing =
        tokio::spawn(async move { (accepting.accept().await, accepting.accept().await, accepting.accept().await) });
    let mut calls = tokio::task::JoinSet::new();
    for seed in 1..4 {
        let (caller, addr) = (bind(config(seed)), host.local_addr());
        calls.spawn(async move { caller.connect(&[addr], None).await });
    }
    let first = soon(calls.join_next()).await.unwrap().unwrap().unwrap_err();
    assert!(is_busy(first.cause()), "{first:?}");
    standing.abort();
}

#[tokio::test]
async fn a_refused_peer_sees_that_we_are_busy() {
    let host = bind(config(2));
    let accepting = host.clone();
    tokio::spawn(async move { accepting.accept().await.unwrap().refuse() });
    let error = soon(bind(config(1)).connect(&[host.local_addr()], None)).await.unwrap_err();
    assert!(is_busy(error.cause()), "{error:?}");
}
