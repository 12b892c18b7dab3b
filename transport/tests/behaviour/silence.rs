//! Peers that accept and then say nothing, or stop in the middle, cost a deadline and no more.

use moorline_proto::{Request, Response};
use moorline_transport::{Exchange, RequestError, Responder};

use crate::support::{self, Pair, chunks, config, hasty, pair, pattern, ping, serve, soon};

async fn asked(pair: &Pair, request: &Request) -> (Exchange, Responder) {
    let (exchange, incoming) = support::asked(&pair.dialler, &pair.dialled, request).await;
    let (_, responder) = soon(incoming.read()).await.unwrap();
    (exchange, responder)
}

#[tokio::test]
async fn a_peer_that_never_answers_is_timed_out() {
    let pair = pair(hasty(1), config(2)).await;
    let (mut exchange, _responder) = asked(&pair, &Request::Ping { nonce: 1 }).await;
    assert_eq!(soon(exchange.response()).await.unwrap_err(), RequestError::TimedOut("answer"));
    drop(exchange);
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn a_watch_may_be_quiet_for_as_long_as_it_likes() {
    let pair = pair(hasty(1), config(2)).await;
    let (mut exchange, mut responder) = asked(&pair, &Request::WatchLibrary { since: 0 }).await;
    let waited = tokio::time::timeout(support::limits().response_timeout * 3, exchange.response()).await;
    assert!(waited.is_err(), "{waited:?}");
    responder.respond(&Response::Pong { nonce: 3, digest: Default::default() }).await.unwrap();
    assert!(matches!(soon(exchange.response()).await, Ok(Response::Pong { nonce: 3, .. })));
}

#[tokio::test]
async fn a_peer_that_stops_in_the_middle_is_timed_out() {
    let pair = pair(hasty(1), config(2)).await;
    let (mut exchange, mut responder) = asked(&pair, &chunks(0, 1)).await;
    responder.respond(&Response::Chunks { bytes: 100 }).await.unwrap();
    responder.write_bulk(pattern(0, 99)).await.unwrap();
    soon(exchange.response()).await.unwrap();
    let error = soon(exchange.read_bulk(&mut [0; 100])).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut("send on"));
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_timed_out() {
    let pair = pair(config(1), hasty(2)).await;
    let (_exchange, mut responder) = asked(&pair, &chunks(0, 1)).await;
    let error = soon(responder.write_bulk(pattern(0, 32 << 20))).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut("read on"));
    drop(responder);
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn a_quiet_connection_is_kept_alive() {
    let pair = pair(hasty(1), hasty(2)).await;
    let waited = tokio::time::timeout(support::limits().idle_timeout * 2, pair.dialler.closed()).await;
    assert!(waited.is_err(), "{waited:?}");
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}
