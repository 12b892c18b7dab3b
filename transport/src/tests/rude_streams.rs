//! Admitted peers that misuse streams.

use std::time::Duration;

use moorline_proto::{ErrorCode, PeerError, Response};

use super::support::{config, hasty, pair, ping, serve, soon};
use super::{read_frame, send_frame};
use crate::RequestError;

#[tokio::test]
async fn a_stream_on_which_nothing_is_asked_is_timed_out() {
    let pair = pair(config(1), hasty(2)).await;
    for started in [&b"\0"[..], &[0, 0, 0, 9, 1, 2]] {
        let (mut send, mut recv) = pair.dialler.quinn().open_bi().await.unwrap();
        send.write_all(started).await.unwrap();
        let incoming = soon(pair.dialled.accept()).await.unwrap();
        let error = soon(incoming.read()).await.unwrap_err();
        assert_eq!(error, RequestError::TimedOut("send its request"));
        // The rude peer is told: the answer is broken off, and what it would still say is not wanted.
        assert!(soon(recv.read(&mut [0; 1])).await.is_err());
        soon(send.stopped()).await.unwrap();
    }
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn a_trickle_does_not_stretch_the_deadline() {
    let pair = pair(config(1), hasty(2)).await;
    let (mut send, _recv) = pair.dialler.quinn().open_bi().await.unwrap();
    send.write_all(&1000_u32.to_be_bytes()).await.unwrap();
    let trickle = tokio::spawn(async move {
        while send.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let incoming = soon(pair.dialled.accept()).await.unwrap();
    let error = soon(incoming.read()).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut("send its request"));
    soon(trickle).await.unwrap();
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered_with_an_error() {
    let pair = pair(config(1), config(2)).await;
    for payload in [&b""[..], b"GET / HTTP/1.1", &[0xff; 100]] {
        let (mut send, mut recv) = pair.dialler.quinn().open_bi().await.unwrap();
        send_frame(&mut send, payload).await;
        let incoming = soon(pair.dialled.accept()).await.unwrap();
        assert!(matches!(soon(incoming.read()).await, Err(RequestError::Protocol(_))));
        let answer = soon(read_frame(&mut recv)).await.unwrap();
        let answer = Response::decode(&answer[4..]).unwrap();
        assert!(matches!(answer, Response::Error(PeerError { code: ErrorCode::BadRequest, .. })), "{answer:?}");
    }
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_ends_before_the_request_is_a_fault() {
    let pair = pair(config(1), config(2)).await;
    for started in [&b""[..], &[0, 0], &[0, 0, 0, 9, 1]] {
        let (mut send, _recv) = pair.dialler.quinn().open_bi().await.unwrap();
        send.write_all(started).await.unwrap();
        send.finish().unwrap();
        let incoming = soon(pair.dialled.accept()).await.unwrap();
        assert!(matches!(soon(incoming.read()).await, Err(RequestError::Protocol(_))));
    }
}

#[tokio::test]
async fn a_frame_that_claims_more_than_the_limit_is_refused_before_its_bytes_come() {
    let pair = pair(config(1), config(2)).await;
    let exchange = pair.dialler.request(&super::support::chunks(0, 1)).await.unwrap();
    let (mut send, _recv) = soon(pair.dialled.quinn().accept_bi()).await.unwrap();
    send.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    let mut exchange = exchange;
    let error = soon(exchange.response()).await.unwrap_err();
    assert_eq!(error, RequestError::TooLarge { len: u32::MAX as usize, max: moorline_proto::MAX_FRAME });
}

#[tokio::test]
async fn a_request_that_is_withdrawn_halfway_is_seen_as_such() {
    let pair = pair(config(1), config(2)).await;
    let (mut send, _recv) = pair.dialler.quinn().open_bi().await.unwrap();
    send.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
    let incoming = soon(pair.dialled.accept()).await.unwrap();
    send.reset(7_u32.into()).unwrap();
    assert!(matches!(soon(incoming.read()).await, Err(RequestError::Aborted(_))));
}
