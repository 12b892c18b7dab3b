//! A response that comes in pieces survives callers that give up waiting between them.

use std::time::Duration;

use moorline_proto::{Response, encode_frame};

use super::support::{chunks, config, hasty, pair, soon};
use crate::RequestError;

#[tokio::test]
async fn waiting_for_a_response_can_be_given_up_and_resumed_anywhere() {
    let pair = pair(config(1), config(2)).await;
    let mut exchange = pair.dialler.request(&chunks(0, 1)).await.unwrap();
    let (mut send, _recv) = soon(pair.dialled.quinn().accept_bi()).await.unwrap();
    let response = Response::Thumbnail { media_type: "image/png".to_owned(), bytes: vec![3; 40].into() };
    let frame = encode_frame(&response.encode(), usize::MAX).unwrap();
    for byte in &frame[..frame.len() - 1] {
        send.write_all(&[*byte]).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(2), exchange.response()).await;
        assert!(early.is_err(), "{early:?}");
    }
    send.write_all(&frame[frame.len() - 1..]).await.unwrap();
    send.write_all(b"bulk").await.unwrap();
    assert_eq!(soon(exchange.response()).await.unwrap(), response);
    let mut bulk = [0; 4];
    soon(exchange.read_bulk(&mut bulk)).await.unwrap();
    assert_eq!(&bulk, b"bulk", "no byte behind the frame was taken with it");
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_frame_is_timed_out() {
    let pair = pair(hasty(1), config(2)).await;
    let mut exchange = pair.dialler.request(&chunks(0, 1)).await.unwrap();
    let (mut send, _recv) = soon(pair.dialled.quinn().accept_bi()).await.unwrap();
    send.write_all(&[0, 0, 0, 10, 1, 2]).await.unwrap();
    assert_eq!(soon(exchange.response()).await.unwrap_err(), RequestError::TimedOut("send the rest of a frame"));
}

#[tokio::test]
async fn bulk_bytes_are_not_read_from_the_middle_of_a_frame() {
    let pair = pair(config(1), config(2)).await;
    let mut exchange = pair.dialler.request(&chunks(0, 1)).await.unwrap();
    let (mut send, _recv) = soon(pair.dialled.quinn().accept_bi()).await.unwrap();
    send.write_all(&[0, 0, 0, 10, 1, 2]).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), exchange.response()).await;
    assert!(early.is_err(), "{early:?}");
    let error = soon(exchange.read_bulk(&mut [0; 1])).await.unwrap_err();
    assert!(matches!(error, RequestError::Protocol(_)), "{error:?}");
}
