//! How a connection ended is told apart: said goodbye, closed for a reason, dropped, died, restarted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use moorline_proto::PeerId;
use moorline_transport::{
    CloseCode, CloseReason, Connection, ConnectionEnd, Endpoint, EndpointConfig, Identity, RequestError,
};
use tokio::runtime::Runtime;

use crate::support::{Host, bind, chunks, config, hasty, loopback, pair, ping, serve, soon, within};

/// A peer in a runtime of its own, which can die without a word, as a program does that is killed.
struct Mortal {
    runtime: Option<Runtime>,
    addr: SocketAddr,
}

impl Mortal {
    async fn born(config: EndpointConfig, addr: SocketAddr) -> Self {
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let endpoint = {
                let _inside = runtime.enter();
                Endpoint::bind(config, addr).unwrap()
            };
            let addr = endpoint.local_addr();
            runtime.spawn(async move {
                let mut admitted = Vec::new();
                while let Some(incoming) = endpoint.accept().await {
                    admitted.push(incoming.admit().await);
                }
            });
            Self { runtime: Some(runtime), addr }
        })
        .await
        .unwrap()
    }

    async fn die(mut self) {
        let runtime = self.runtime.take();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tokio::test]
async fn goodbye_is_seen_as_goodbye() {
    for reason in ["shutting down", ""] {
        let pair = pair(config(1), config(2)).await;
        pair.dialler.close(&CloseReason::Goodbye(reason.to_owned()));
        assert_eq!(soon(pair.dialled.closed()).await, ConnectionEnd::Goodbye(reason.to_owned()));
    }
}

/// In the middle of a transfer the congestion window is full, and yet the goodbye has to get out.
#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_in_the_middle_of_a_transfer_is_heard_from_either_end() {
    for round in 0..24 {
        let pair = pair(config(1), config(2)).await;
        serve(&pair.dialled);
        let reading = tokio::spawn({
            let dialler = pair.dialler.clone();
            async move {
                let mut exchange = dialler.request(&chunks(0, 64 << 20)).await?;
                exchange.response().await?;
                let mut piece = vec![0; 1 << 20];
                loop {
                    exchange.read_bulk(&mut piece).await?;
                }
                #[allow(unreachable_code)]
                Ok::<(), RequestError>(())
            }
        });
        tokio::time::sleep(Duration::from_millis(5 + round)).await;
        let goodbye = CloseReason::Goodbye(String::new());
        let staying = if round % 2 == 0 { &pair.dialled } else { &pair.dialler };
        match round % 4 {
            0 => pair.dialler.close(&goodbye),
            1 => pair.dialled.close(&goodbye),
            2 => pair.caller.close(&goodbye),
            _ => pair.host.endpoint.close(&goodbye),
        }
        assert_eq!(soon(staying.closed()).await, ConnectionEnd::Goodbye(String::new()), "round {round}");
        assert!(soon(reading).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn an_endpoint_says_goodbye_to_all_and_is_gone_at_once() {
    let (mut host, mut callers, mut admitted) = (Host::new(config(1)), Vec::new(), Vec::new());
    for seed in 2..5 {
        let caller = bind(config(seed));
        callers.push(soon(caller.connect(&[host.addr()], None)).await.unwrap());
        admitted.push(host.next().await.unwrap());
    }
    let start = Instant::now();
    host.endpoint.close(&CloseReason::Goodbye("closing time".to_owned()));
    host.endpoint.close(&CloseReason::Internal);
    assert!(host.endpoint.wait_idle(Duration::from_secs(20)).await);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    for caller in &callers {
        assert_eq!(soon(caller.closed()).await, ConnectionEnd::Goodbye("closing time".to_owned()));
    }
}

#[tokio::test]
async fn a_released_socket_is_free_although_handles_and_closed_connections_linger() {
    let pair = pair(config(1), config(2)).await;
    let addr = pair.caller.local_addr();
    pair.caller.release();
    assert!(std::net::UdpSocket::bind(addr).is_err(), "an open endpoint keeps its socket");

    pair.caller.close(&CloseReason::Goodbye("moving out".to_owned()));
    assert_eq!(soon(pair.dialled.closed()).await, ConnectionEnd::Goodbye("moving out".to_owned()));
    pair.caller.release();
    soon(pair.caller.released()).await;
    std::net::UdpSocket::bind(addr).expect("the port is free");
    assert!(soon(pair.caller.connect(&[pair.host.addr()], None)).await.is_err(), "and the endpoint stays closed");
}

#[tokio::test]
async fn other_reasons_are_told_with_their_words() {
    let closed = |code, reason: &str| ConnectionEnd::Closed { code, reason: reason.to_owned() };
    let cases = [
        (CloseReason::BadContent("chunk 7".to_owned()), closed(CloseCode::BadContent, "chunk 7")),
        (CloseReason::Protocol("\u{1b}[1mno".to_owned()), closed(CloseCode::Protocol, "[1mno")),
        (CloseReason::Unauthorized(String::new()), closed(CloseCode::Unauthorized, "")),
        (CloseReason::Duplicate, closed(CloseCode::Duplicate, "")),
        (CloseReason::Overloaded, closed(CloseCode::Overloaded, "")),
        (CloseReason::Internal, closed(CloseCode::Internal, "")),
    ];
    for (reason, expected) in cases {
        let pair = pair(config(1), config(2)).await;
        pair.dialled.close(&reason);
        pair.dialled.close(&CloseReason::Goodbye("too late".to_owned()));
        assert_eq!(soon(pair.dialler.closed()).await, expected);
    }
}

#[tokio::test]
async fn a_dropped_connection_is_told_from_a_goodbye() {
    let pair = pair(config(1), config(2)).await;
    drop(pair.dialler);
    let end = soon(pair.dialled.closed()).await;
    assert_eq!(end, ConnectionEnd::Closed { code: CloseCode::Dropped, reason: String::new() });
}

#[tokio::test]
async fn a_peer_that_dies_without_a_word_is_seen_as_timed_out() {
    let mortal = Mortal::born(config(2), loopback()).await;
    let caller = bind(hasty(1));
    let connection = soon(caller.connect(&[mortal.addr], None)).await.unwrap();
    mortal.die().await;
    assert_eq!(soon(connection.closed()).await, ConnectionEnd::TimedOut);
}

async fn call(caller: &Endpoint, mortal: &Mortal, expect: PeerId) -> Connection {
    soon(caller.connect(&[mortal.addr], Some(expect))).await.unwrap()
}

#[tokio::test]
async fn a_restarted_peer_is_noticed_at_once() {
    let (caller, peer) = (bind(config(1)), Identity::from_seed([2; 32]).peer_id());
    let mortal = Mortal::born(config(2), loopback()).await;
    let addr = mortal.addr;
    let connection = call(&caller, &mortal, peer).await;
    mortal.die().await;
    let reborn = Mortal::born(config(2), addr).await;
    // Whatever we send next, the new process answers that it does not know this connection. The idle limit is 15 s.
    let asking = tokio::spawn({
        let connection = connection.clone();
        async move { ping(&connection).await }
    });
    let start = Instant::now();
    assert_eq!(within(Duration::from_secs(20), connection.closed()).await, ConnectionEnd::Reset);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(soon(asking).await.unwrap().is_err());
    call(&caller, &reborn, peer).await;
}

#[tokio::test]
async fn somebody_else_at_the_same_place_cannot_end_our_connections() {
    let mortal = Mortal::born(config(2), loopback()).await;
    let addr = mortal.addr;
    let caller = bind(hasty(1));
    let connection = soon(caller.connect(&[addr], None)).await.unwrap();
    mortal.die().await;
    let _stranger = Mortal::born(config(3), addr).await;
    assert!(soon(ping(&connection)).await.is_err());
    assert_eq!(soon(connection.closed()).await, ConnectionEnd::TimedOut);
}

#[tokio::test]
async fn on_a_dead_network_waiting_for_the_end_is_bounded() {
    let mortal = Mortal::born(config(2), loopback()).await;
    let caller = bind(config(1));
    let _connection = soon(caller.connect(&[mortal.addr], None)).await.unwrap();
    mortal.die().await;
    caller.close(&CloseReason::Goodbye(String::new()));
    let start = Instant::now();
    caller.wait_idle(Duration::from_secs(1)).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}
