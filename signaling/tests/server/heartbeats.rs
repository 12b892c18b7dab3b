//! S11, I21.

use std::io::ErrorKind;
use std::time::Duration;

use moorline_signaling::server::close_code;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::raw::*;

#[tokio::test(start_paused = true)]
async fn s11_a_silent_client_is_asked_and_then_dropped() {
    let world = World::open();
    let before = Instant::now();
    let (mut ann, _) = world.join(&who("ann")).await;
    assert!(matches!(ann.body().await, From::Ping(_)));
    assert_eq!(before.elapsed().as_secs(), 5);
    assert!(ann.maybe_frame().await.is_err(), "it is dropped, without a word");
    assert!((12_000..12_100).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    assert_eq!((world.server.stats().attached, world.server.stats().sessions), (0, 1), "its session waits");
}

#[tokio::test(start_paused = true)]
async fn s11_any_frame_is_a_sign_of_life() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    for nonce in 0..10 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        ann.send(0, 0, To::Ping(pb::Ping { nonce })).await;
        let From::Pong(pong) = ann.body().await else { panic!("no ping is needed") };
        assert_eq!(pong.nonce, nonce);
    }
}

#[tokio::test(start_paused = true)]
async fn i21_a_half_open_link_leaves_one_participant() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    // Nothing of what this one does reaches the server any more, and it does not know.
    let (_deaf, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    let before = Instant::now();
    let (_, Event::ParticipantLeft(left)) = ann.delivery_while_alive().await else { panic!() };
    assert_eq!(left.id, bobs.participant_id);
    assert!((22_000..22_100).contains(&before.elapsed().as_millis()), "timeout and window: {:?}", before.elapsed());
}

/// A server whose patience is short, on a real socket, and a client in its room.
async fn impatient() -> (ServerHandle, Raw<TcpStream>) {
    let (heartbeat_interval, heartbeat_timeout) = (Duration::from_millis(100), Duration::from_millis(300));
    let config = ServerConfig { heartbeat_interval, heartbeat_timeout, ..config() };
    let server = Server::start(config, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let mut ann = Raw::over(TcpStream::connect(server.local_addr()).await.unwrap()).await;
    ann.enter(who("ann").hello()).await;
    (server, ann)
}

/// Reads, without a word, until the connection ends: by itself, or with an error.
async fn end_of(raw: &mut Raw<TcpStream>) -> Result<(), ErrorKind> {
    let mut bytes = [0; 1024];
    loop {
        match timeout(Duration::from_secs(10), raw.ws.get_mut().read(&mut bytes)).await.unwrap() {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.kind()),
        }
    }
}

#[tokio::test]
async fn i21_a_silent_client_gets_a_reset_and_its_session_waits() {
    let (server, mut ann) = impatient().await;
    let before = Instant::now();
    assert_eq!(end_of(&mut ann).await, Err(ErrorKind::ConnectionReset));
    assert!(before.elapsed() >= Duration::from_millis(200), "{:?}", before.elapsed());
    assert_eq!((server.stats().attached, server.stats().sessions), (0, 1));
}

#[tokio::test]
async fn i21_a_client_that_talks_gets_a_goodbye_and_no_reset() {
    let (server, mut ann) = impatient().await;
    let stopped = tokio::spawn(server.shutdown());
    assert_eq!(ann.closed().await, close_code::STOPPING);
    assert_eq!(end_of(&mut ann).await, Ok(()));
    drop(ann);
    timeout(Duration::from_secs(10), stopped).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_at_all_is_asked_to_try_again() {
    let world = World::open();
    let mut raw = world.socket().await;
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::TimedOutWaiting, pb::FaultAction::Retry, 4102));
}

#[tokio::test(start_paused = true)]
async fn the_spread_grows_with_the_sessions() {
    let world = World::new(ServerConfig { accept_rate: 100, ..config() });
    let mut all = Vec::new();
    for n in 1..=70u32 {
        let (raw, welcome) = world.join(&who(&format!("{n}"))).await;
        // A hundred are let in at once, and half of that is for those who come back.
        let wanted = if n <= 50 { 1 } else { (n - 50) * 10 };
        assert_eq!(welcome.reconnect_spread_ms, wanted, "{n} sessions");
        all.push(raw);
    }
    let (first, _) = (&mut all[0], ());
    first.send(0, 0, To::Ping(pb::Ping { nonce: 1 })).await;
    let pong = loop {
        if let From::Pong(pong) = first.body().await {
            break pong;
        }
    };
    assert_eq!(pong.reconnect_spread_ms, 200);
}
