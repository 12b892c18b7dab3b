//! Whoever gives up in the middle is seen to give up: half an answer never looks like a whole one.

use moorline_proto::{ErrorCode, PeerError, Response};
use moorline_transport::{Exchange, RequestError, Responder};

use crate::support::{Pair, asked, chunks, config, pair, pattern, ping, serve, soon};

/// A request, and the answer begun: 1000 bytes announced, 10 sent.
async fn begun(pair: &Pair) -> (Exchange, Responder) {
    let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &chunks(0, 1)).await;
    let (_, mut responder) = soon(incoming.read()).await.unwrap();
    responder.respond(&Response::Chunks { bytes: 1000 }).await.unwrap();
    responder.write_bulk(pattern(0, 10)).await.unwrap();
    soon(exchange.response()).await.unwrap();
    soon(exchange.read_bulk(&mut [0; 10])).await.unwrap();
    (exchange, responder)
}

#[tokio::test]
async fn the_code_of_an_abort_is_seen() {
    let pair = pair(config(1), config(2)).await;
    for code in [ErrorCode::Changed, ErrorCode::Unavailable, ErrorCode::Unknown(77)] {
        let (mut exchange, responder) = begun(&pair).await;
        responder.abort(code);
        let error = soon(exchange.read_bulk(&mut [0; 990])).await.unwrap_err();
        assert_eq!(error, RequestError::Aborted(code));
    }
}

#[tokio::test]
async fn a_dropped_responder_is_an_abort_and_not_an_end() {
    let pair = pair(config(1), config(2)).await;
    let (mut exchange, responder) = begun(&pair).await;
    drop(responder);
    assert_eq!(soon(exchange.response()).await.unwrap_err(), RequestError::Aborted(ErrorCode::Internal));
}

#[tokio::test]
async fn a_reader_that_leaves_stops_the_writer_and_nothing_else() {
    let pair = pair(config(1), config(2)).await;
    let (exchange, mut responder) = begun(&pair).await;
    exchange.stop();
    soon(responder.stopped()).await;
    let error = responder.write_bulk(pattern(0, 10)).await.unwrap_err();
    assert_eq!(error, RequestError::Stopped);
    drop(responder);
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_an_error_with_the_peers_words() {
    let pair = pair(config(1), config(2)).await;
    let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &chunks(0, 1)).await;
    let (_, mut responder) = soon(incoming.read()).await.unwrap();
    let refusal = PeerError { code: ErrorCode::NotFound, message: "no such item".to_owned() };
    responder.respond(&Response::Error(refusal.clone())).await.unwrap();
    responder.finish();
    let error = soon(exchange.response()).await.unwrap_err();
    assert!(error.to_string().contains("no such item"), "{error}");
    assert_eq!(error, RequestError::Refused(refusal));
}

#[tokio::test]
async fn an_unread_request_is_refused_when_dropped() {
    let pair = pair(config(1), config(2)).await;
    let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &chunks(0, 1)).await;
    drop(incoming);
    assert!(matches!(soon(exchange.response()).await, Err(RequestError::Aborted(_))));
}
