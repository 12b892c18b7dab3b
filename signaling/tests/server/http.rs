//! The HTTP in front of the WebSocket, over real sockets where that matters.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::raw::*;

async fn ask(world: &World, request: &[u8]) -> String {
    let mut pipe = world.pipe();
    pipe.write_all(request).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), pipe.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn health_tells_whether_clients_may_come() {
    let world = World::open();
    let answer = ask(&world, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(world.server.drain(Drain::default()).await);
    let answer = ask(&world, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn metrics_are_what_prometheus_reads() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.publish(1, "x").await;
    ann.acked(1).await;
    let answer = ask(&world, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", page.len())));
    for line in ["moorline_signal_sessions 1", "moorline_signal_hellos_total{outcome=\"joined\"} 1"] {
        assert!(page.lines().any(|had| had == line), "{line} in {page}");
    }
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        assert!(page.contains(&format!("# TYPE {family} ")) && page.contains(&format!("# HELP {family} ")), "{line}");
        value.parse::<u64>().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn other_requests_are_answered_with_what_is_wrong() {
    let world = World::open();
    let upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 404),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 426),
        ("POST /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 405),
        (format!("POST / HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 13\r\n\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 8\r\n\r\n"), 426),
        (format!("GET / HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\r\n"), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(9_000)), 431),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "A: a\r\n".repeat(65)), 431),
        ("GET / HTTP/1.1\r\nHost: x\r\n".to_owned(), 408),
    ] {
        let answer = ask(&world, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert!(answer.contains("Connection: close"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_trickles_in_is_cut_off_by_the_clock() {
    let world = World::open();
    let mut pipe = world.pipe();
    let before = tokio::time::Instant::now();
    // A byte a second is life, but not enough.
    let answer = async {
        for byte in b"GET / HTTP/1.1\r\n".iter().cycle() {
            if pipe.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answer).await.unwrap();
    assert!(before.elapsed() <= Duration::from_secs(8), "{:?}", before.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.server.stats().connections, 0);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_bound_are_turned_away() {
    for limits in [Limits { max_connections: 1, ..Limits::default() }, Limits { max_pending: 1, ..Limits::default() }] {
        let world = World::new(ServerConfig { limits, ..config() });
        let _waiting = world.socket().await;
        let answer = ask(&world, b"").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}

#[tokio::test]
async fn it_serves_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(config(), listener).unwrap();
    let stream = TcpStream::connect(server.local_addr()).await.unwrap();
    let url = format!("ws://{}/room", server.local_addr());
    let (mut ws, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    use futures_util::{SinkExt as _, StreamExt as _};
    use prost::Message as _;
    let hello = pb::ClientFrame { body: Some(To::Hello(who("ann").hello())), ..Default::default() };
    ws.send(hello.encode_to_vec().into()).await.unwrap();
    let frame = pb::ServerFrame::decode(ws.next().await.unwrap().unwrap().into_data()).unwrap();
    assert!(matches!(frame.body, Some(From::Welcome(_))));
    server.shutdown().await;
}

/// The status of the answer to a WebSocket request with these headers.
async fn status(world: &World, headers: &str) -> u16 {
    let mut pipe = world.pipe();
    let request = format!(
        "GET /room HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    pipe.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    pipe.read_exact(&mut head).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn pages_of_foreign_origins_may_not_connect() {
    let secret = || Some(moorline_signaling::server::token::Secret::new(&[1; 32]).unwrap());
    let origins = |list: &[&str]| list.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>();
    let (ours, theirs) = ("Origin: https://Ours.example\r\n", "Origin: https://theirs.example\r\n");
    let two = format!("{ours}{theirs}");
    for (secret, allowed, of_none, of_ours, of_theirs, of_two) in [
        (None, origins(&[]), 101, 403, 403, 403),
        (None, origins(&["https://ours.example"]), 101, 101, 403, 403),
        (None, origins(&["*"]), 101, 101, 101, 101),
        (secret(), origins(&[]), 101, 101, 101, 101),
        (secret(), origins(&["https://ours.example"]), 101, 101, 403, 403),
    ] {
        let world = World::new(ServerConfig { secret, allowed_origins: allowed, ..config() });
        for (headers, expected) in [("", of_none), (ours, of_ours), (theirs, of_theirs), (two.as_str(), of_two)] {
            assert_eq!(status(&world, headers).await, expected, "{headers}");
        }
    }
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nOrigin: null\r\n\r\n";
    let answer = ask(&World::open(), request).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("--allow-origin"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_turned_away_reads_why_whatever_it_has_sent() {
    let world = World::new(ServerConfig { limits: Limits { max_connections: 0, ..Limits::default() }, ..config() });
    let mut pipe = world.pipe();
    // What is not read when a socket is closed resets it, and the answer may be lost.
    pipe.write_all(&[b'x'; 2 * PIPE]).await.expect("all of it is read");
    let mut answer = String::new();
    pipe.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_close_is_answered_with_its_code() {
    let world = World::open();
    for in_room in [false, true] {
        let mut raw = world.socket().await;
        if in_room {
            raw.enter(who("ann").hello()).await;
        }
        let mut pipe = raw.ws.into_inner();
        // 1000, under a mask of zeros.
        pipe.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await.unwrap();
        let mut answer = Vec::new();
        let before = tokio::time::Instant::now();
        pipe.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [0x88, 0x02, 0x03, 0xe8]);
        assert!(before.elapsed() < Duration::from_secs(1), "the answer does not wait for anything");
    }
}
