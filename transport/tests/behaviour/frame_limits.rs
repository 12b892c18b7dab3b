//! Frames over the limit are refused by whoever meets them first, and the connection lives on.

use moorline_proto::{ErrorCode, PeerError, Request, Response};
use moorline_transport::{Limits, RequestError};

use crate::support::{Pair, asked, chunks, config, pair, ping, serve, soon};

/// A response whose frame has exactly `len` bytes.
fn response_of(len: usize) -> Response {
    let of = |fill| Response::Thumbnail { media_type: "image/png".to_owned(), bytes: vec![7; fill].into() };
    let overhead = of(len).encode().len() - len;
    let response = of(len - overhead);
    assert_eq!(response.encode().len(), len);
    response
}

async fn with_limit(max_frame: usize) -> Pair {
    let mut careful = config(1);
    careful.limits.max_frame = max_frame;
    pair(careful, config(2)).await
}

#[tokio::test]
async fn a_response_at_the_limit_passes_and_one_byte_more_does_not() {
    let pair = with_limit(1000).await;
    for (len, expected) in [(1000, None), (1001, Some(RequestError::TooLarge { len: 1001, max: 1000 }))] {
        let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &chunks(0, 1)).await;
        let (_, mut responder) = soon(incoming.read()).await.unwrap();
        responder.respond(&response_of(len)).await.unwrap();
        responder.finish();
        assert_eq!(soon(exchange.response()).await.err(), expected);
    }
    serve(&pair.dialled);
    soon(ping(&pair.dialler)).await.unwrap();
}

#[tokio::test]
async fn our_own_frames_are_checked_before_they_are_sent() {
    let pair = with_limit(1000).await;
    let (mut exchange, incoming) = asked(&pair.dialled, &pair.dialler, &chunks(0, 1)).await;
    let (_, mut responder) = soon(incoming.read()).await.unwrap();
    let error = responder.respond(&response_of(1001)).await.unwrap_err();
    assert_eq!(error, RequestError::TooLarge { len: 1001, max: 1000 });
    // Nothing was sent: another answer is still possible.
    let answer = Response::Error(PeerError { code: ErrorCode::TooLarge, message: String::new() });
    responder.respond(&answer).await.unwrap();
    responder.finish();
    assert!(matches!(soon(exchange.response()).await, Err(RequestError::Refused(_))));
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused_as_such() {
    let request = Request::Ping { nonce: u64::MAX };
    let fits = request.encode().len();
    for (max_request, passes) in [(fits, true), (fits - 1, false)] {
        let mut host = config(2);
        host.limits = Limits { max_request, ..Limits::default() };
        let pair = pair(config(1), host).await;
        let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &request).await;
        let read = soon(incoming.read()).await;
        match read {
            Ok((request, _)) => assert!(passes && matches!(request, Request::Ping { nonce: u64::MAX })),
            Err(error) => {
                assert!(!passes);
                assert_eq!(error, RequestError::TooLarge { len: fits, max: fits - 1 });
                let error = soon(exchange.response()).await.unwrap_err();
                assert_eq!(error, RequestError::Aborted(ErrorCode::TooLarge));
            }
        }
        assert_eq!(pair.dialler.end(), None);
    }
}
