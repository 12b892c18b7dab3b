//! What a peer can do before it is admitted: next to nothing.

use std::time::{Duration, Instant};

use super::support::{Host, bind, config, hasty, ping, serve, soon};
use super::{secured, send_frame};
use crate::{AdmitError, CloseCode, ConnectionEnd};
use moorline_proto::Hello;

async fn assert_serves(host: &mut Host) {
    let caller = bind(config(50));
    let connection = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    let admitted = soon(async {
        loop {
            if let Ok(admitted) = host.next().await {
                break admitted;
            }
        }
    })
    .await;
    serve(&admitted);
    soon(ping(&connection)).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_does_not_introduce_itself_is_dropped_at_the_deadline() {
    let mut host = Host::new(hasty(1));
    let stranger = bind(config(66));
    let start = Instant::now();
    let silent = secured(&stranger, &host.endpoint).await;
    // Others are served meanwhile.
    let mut other = Host::new(hasty(1));
    assert_serves(&mut other).await;
    assert_eq!(host.next().await.unwrap_err(), AdmitError::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(1400), "{:?}", start.elapsed());
    let end = ConnectionEnd::from_quinn(&soon(silent.closed()).await);
    assert!(matches!(end, ConnectionEnd::Closed { code: CloseCode::Protocol, .. }), "{end:?}");
    assert_serves(&mut host).await;
}

#[tokio::test]
async fn introductions_that_make_no_sense_are_refused() {
    let mut host = Host::new(hasty(1));
    let stranger = bind(config(66));
    let rubbish: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 8192], &[0; 100]];
    for payload in rubbish {
        let connection = secured(&stranger, &host.endpoint).await;
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        send_frame(&mut send, payload).await;
        let error = host.next().await.unwrap_err();
        assert!(matches!(error, AdmitError::Protocol(_)), "{error:?}");
        let end = ConnectionEnd::from_quinn(&soon(connection.closed()).await);
        assert!(matches!(end, ConnectionEnd::Closed { code: CloseCode::Protocol, .. }), "{end:?}");
    }
    assert_serves(&mut host).await;
}

#[tokio::test]
async fn an_introduction_over_the_limit_is_refused_by_its_header() {
    let mut host = Host::new(hasty(1));
    let stranger = bind(config(66));
    let max = host.endpoint.0.shared.limits.max_hello;
    let connection = secured(&stranger, &host.endpoint).await;
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    // The header alone: nothing of the promised bytes is waited for.
    send.write_all(&u32::try_from(max + 1).unwrap().to_be_bytes()).await.unwrap();
    let error = host.next().await.unwrap_err();
    assert!(matches!(&error, AdmitError::Protocol(problem) if problem.contains("8193")), "{error:?}");
    assert_serves(&mut host).await;
}

#[tokio::test]
async fn a_stranger_has_one_stream_and_a_small_window() {
    let host = Host::new(hasty(1));
    let stranger = bind(config(66));
    let connection = secured(&stranger, &host.endpoint).await;
    let (mut first, _recv) = connection.open_bi().await.unwrap();
    let brief = Duration::from_millis(200);
    assert!(tokio::time::timeout(brief, connection.open_bi()).await.is_err(), "a second stream");
    assert!(tokio::time::timeout(brief, connection.open_uni()).await.is_err(), "a stream that is one way");
    assert_eq!(connection.max_datagram_size(), None);
    let hello = Hello { versions: moorline_proto::VERSIONS, capabilities: Vec::new(), pake: None };
    send_frame(&mut first, &hello.encode()).await;
    let mut sent = 0;
    while let Ok(Ok(count)) = tokio::time::timeout(brief, first.write(&[0; 4096])).await {
        sent += count;
    }
    // Our own send window would take 8 MiB; the peer's credit is what QUIC puts on the wire.
    let credit = connection.stats().frame_tx.data_blocked;
    assert!(credit > 0 || sent <= 64 * 1024, "{sent} bytes went out before admission");
}
