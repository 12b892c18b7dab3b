//! Calls that are given up leave nothing behind.

use std::time::Duration;

use moorline_proto::Request;

use crate::support::{Host, bind, config, loopback, pair, ping, serve, soon};

#[tokio::test]
async fn a_dial_that_is_given_up_leaves_no_connection_and_does_no_harm() {
    let mut host = Host::new(config(2));
    let caller = bind(config(1));
    // Given up after each of many lengths of time: before the first packet, in TLS, in the hello exchange, after it.
    for step in 0..40 {
        let _ = tokio::time::timeout(Duration::from_micros(step * 250), caller.connect(&[host.addr()], None)).await;
    }
    let connection = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    soon(async {
        while caller.open_connections() > 1 || host.endpoint.open_connections() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut living = Vec::new();
    while living.is_empty() {
        living.extend(host.next().await.ok().filter(|admitted| admitted.end().is_none()));
    }
    serve(&living[0]);
    soon(ping(&connection)).await.unwrap();
}

#[tokio::test]
async fn giving_up_a_dial_into_the_void_frees_it_at_once() {
    let black_hole = std::net::UdpSocket::bind(loopback()).unwrap();
    let caller = bind(config(1));
    let addrs = [black_hole.local_addr().unwrap()];
    assert!(tokio::time::timeout(Duration::from_millis(50), caller.connect(&addrs, None)).await.is_err());
    // The connection is closed, and forgotten when its closing period is over.
    soon(async {
        while caller.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn given_up_accepts_and_requests_do_no_harm() {
    let pair = pair(config(1), config(2)).await;
    for _ in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(1), pair.dialled.accept()).await.is_err());
    }
    serve(&pair.dialled);
    for _ in 0..200 {
        drop(soon(pair.dialler.request(&Request::Ping { nonce: 1 })).await.unwrap());
    }
    soon(ping(&pair.dialler)).await.unwrap();
}
