use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use moorline_signaling::client::{BoxFuture, Connector, Stream};
use moorline_signaling::machine::{Event, MediaHealth, NetHint};
use moorline_signaling::{Client, ClientConfig, Events, LossCause};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::peer::{Conn, FromClient, Peer, Pipes, Terms, end_of, soon};
use crate::support::{joined as joined_by_tcp, until};

async fn joined(config: ClientConfig) -> (Client, Events, Conn<DuplexStream>, mpsc::Receiver<DuplexStream>) {
    let (pipes, mut connections) = Pipes::new();
    let mut config = config;
    config.connector = Arc::new(pipes);
    let admitted = async {
        let mut conn = Conn::over(connections.recv().await.unwrap()).await;
        conn.admit(&Terms::default()).await;
        conn
    };
    let (client, conn) = soon(async { tokio::join!(Client::connect(config), admitted) }).await;
    let (client, events) = client.unwrap();
    (client, events, conn, connections)
}

async fn loss(events: &mut Events) -> LossCause {
    loop {
        if let Event::ConnectionLost { cause, .. } = events.next().await.unwrap() {
            return cause;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_noticed_after_the_timeout_and_told_before_the_socket_is_closed() {
    let (_client, mut events, mut conn, _connections) = joined(ClientConfig::new("ws://peer", "room")).await;
    let since = Instant::now();
    // Pings come, and then the end: the news of it has to be there already.
    while conn.recv().await.is_some() {}
    let noticed = since.elapsed();
    assert!((Duration::from_secs(12)..Duration::from_millis(12_200)).contains(&noticed), "{noticed:?}");
    let news = news_of_loss(&mut events);
    assert!(matches!(news, Some(LossCause::Silence(_))), "{news:?}");
}

/// The loss that the application has been told of already.
fn news_of_loss(events: &mut Events) -> Option<LossCause> {
    std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::ConnectionLost { cause, .. } => Some(cause),
        _ => None,
    })
}

#[tokio::test]
async fn the_silent_side_gets_a_reset_after_the_loss_is_told() {
    let peer = Peer::bind().await;
    let (_client, mut events, mut conn) = joined_by_tcp(&peer, &Terms::impatient()).await;
    assert_eq!(end_of(conn.stream()).await, Err(ErrorKind::ConnectionReset));
    let news = news_of_loss(&mut events);
    assert!(matches!(news, Some(LossCause::Silence(_))), "{news:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_a_hint_gets_a_reset_too() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined_by_tcp(&peer, &Terms::default()).await;
    let since = Instant::now();
    client.hint(NetHint::PathChanged);
    assert_eq!(end_of(conn.stream()).await, Err(ErrorKind::ConnectionReset));
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    let news = news_of_loss(&mut events);
    assert!(matches!(news, Some(LossCause::Silence(_))), "{news:?}");
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_gets_a_goodbye_and_no_reset() {
    let peer = Peer::bind().await;
    let (_client, mut events, mut conn) = joined_by_tcp(&peer, &Terms::default()).await;
    conn.send_raw("words".into()).await;
    while conn.recv().await.is_some() {}
    assert_eq!(end_of(conn.stream()).await, Ok(()));
    let news = news_of_loss(&mut events);
    assert!(matches!(news, Some(LossCause::Protocol(_))), "{news:?}");
}

/// A network that has a reset of its own.
struct OwnNetwork(Pipes, Arc<AtomicUsize>);

impl Connector for OwnNetwork {
    fn connect<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.0.connect(host, port, within)
    }

    fn reset(&self, stream: &dyn Stream) {
        let stream: &dyn std::any::Any = stream;
        assert!(stream.is::<DuplexStream>());
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_may_reset_in_its_own_way() {
    let (pipes, mut connections) = Pipes::new();
    let resets = Arc::new(AtomicUsize::new(0));
    let mut config = ClientConfig::new("ws://peer", "room");
    config.connector = Arc::new(OwnNetwork(pipes, resets.clone()));
    let admitted = async {
        let mut conn = Conn::over(connections.recv().await.unwrap()).await;
        conn.admit(&Terms::default()).await;
        conn
    };
    let (client, mut conn) = soon(async { tokio::join!(Client::connect(config), admitted) }).await;
    let (_client, _events) = client.unwrap();
    while conn.recv().await.is_some() {}
    assert_eq!(resets.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn anything_that_comes_in_is_a_sign_of_life() {
    let (_client, mut events, mut conn, _connections) = joined(ClientConfig::new("ws://peer", "room")).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        conn.deliver("still here").await;
        until(&mut events, |event| match event {
            Event::Message(_) => Some(()),
            Event::ConnectionLost { cause, .. } => panic!("{cause}"),
            _ => None,
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspend_asks_for_a_sign_of_life_at_once() {
    let slept = Arc::new(AtomicU64::new(0));
    let clock = slept.clone();
    let mut config = ClientConfig::new("ws://peer", "room");
    config.suspend_clock = Some(Arc::new(move || Some(Duration::from_secs(clock.load(Ordering::Relaxed)))));
    let (client, mut events, mut conn, _connections) = joined(config).await;
    slept.store(3_600, Ordering::Relaxed);
    let since = Instant::now();
    // Anything wakes the client up.
    client.media(MediaHealth::Healthy);
    let ping = conn.recv().await.and_then(|frame| frame.body);
    assert!(matches!(ping, Some(FromClient::Ping(_))), "{ping:?}");
    assert_eq!(since.elapsed(), Duration::ZERO);
    assert!(matches!(loss(&mut events).await, LossCause::Silence(_)));
    assert!(since.elapsed() < Duration::from_millis(2_100), "{:?}", since.elapsed());
}
