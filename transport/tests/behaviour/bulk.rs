//! Large answers arrive whole, in both directions at once.

use moorline_proto::Response;
use moorline_transport::{Connection, RequestError};

use crate::support::{asked, chunks, config, pair, pattern, serve, soon};

const LEN: u32 = 64 << 20;

async fn fetch(connection: &Connection, seed: u64) {
    let mut exchange = connection.request(&chunks(seed, LEN)).await.unwrap();
    let Response::Chunks { bytes } = exchange.response().await.unwrap() else { panic!("not chunks") };
    let mut got = vec![0; bytes as usize];
    for piece in got.chunks_mut(1_000_003) {
        exchange.read_bulk(piece).await.unwrap();
    }
    assert!(got == pattern(seed, LEN as usize), "the bytes differ");
    assert_eq!(exchange.response().await.unwrap_err(), RequestError::Finished);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_mebibytes_cross_in_both_directions() {
    let pair = pair(config(1), config(2)).await;
    serve(&pair.dialler);
    serve(&pair.dialled);
    soon(async { tokio::join!(fetch(&pair.dialler, 1), fetch(&pair.dialled, 2)) }).await;
    let path = pair.dialler.path();
    assert!(path.sent_packets > 0 && path.mtu > 1200, "{path:?}");
}

#[tokio::test]
async fn an_answer_shorter_than_announced_is_the_peers_fault() {
    let pair = pair(config(1), config(2)).await;
    let (mut exchange, incoming) = asked(&pair.dialler, &pair.dialled, &chunks(0, 1)).await;
    let (_, mut responder) = incoming.read().await.unwrap();
    responder.respond(&Response::Chunks { bytes: 1000 }).await.unwrap();
    responder.write_bulk(pattern(0, 999)).await.unwrap();
    responder.finish();
    soon(exchange.response()).await.unwrap();
    let error = soon(exchange.read_bulk(&mut [0; 1000])).await.unwrap_err();
    assert!(matches!(&error, RequestError::Protocol(problem) if problem.contains("1 bytes before")), "{error:?}");
}

#[tokio::test]
async fn many_requests_run_at_once_and_more_wait_for_a_stream() {
    let mut narrow = config(2);
    narrow.limits.max_streams_per_connection = 4;
    let pair = pair(config(1), narrow).await;
    serve(&pair.dialled);
    let asking = (0..50).map(|seed| {
        let connection = pair.dialler.clone();
        tokio::spawn(async move {
            let mut exchange = connection.request(&chunks(seed, 10_000)).await.unwrap();
            exchange.response().await.unwrap();
            let mut got = [0; 10_000];
            exchange.read_bulk(&mut got).await.unwrap();
            assert!(got == *pattern(seed, 10_000));
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        soon(asked).await.unwrap();
    }
}

#[tokio::test]
async fn no_free_stream_in_time_is_said() {
    let (mut caller, mut narrow) = (config(1), config(2));
    caller.limits.request_timeout = std::time::Duration::from_millis(200);
    narrow.limits.max_streams_per_connection = 1;
    let pair = pair(caller, narrow).await;
    let _held = pair.dialler.request(&chunks(0, 1)).await.unwrap();
    let error = soon(pair.dialler.request(&chunks(0, 1))).await.unwrap_err();
    assert!(matches!(error, RequestError::TimedOut(_)), "{error:?}");
}
