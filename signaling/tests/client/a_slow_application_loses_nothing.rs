use std::time::Duration;

use moorline_proto::wire::signal as pb;
use moorline_signaling::machine::{Event, State};
use moorline_signaling::{ClientConfig, CloseReason, Events, SendClass};
use tokio::time::timeout;

use crate::peer::{FromClient, FromServer, Peer, Terms, soon};
use crate::support::{ends_with, joined_with, losses, rest};

fn config(peer: &Peer) -> ClientConfig {
    let mut config = ClientConfig::new(peer.url(), "room");
    config.event_queue = 8;
    config
}

/// Sends messages until the client takes no more; returns how many went out.
async fn fill(conn: &mut crate::peer::Conn<tokio::net::TcpStream>, text: &str) -> usize {
    let mut sent = 0;
    while timeout(Duration::from_millis(300), conn.deliver(text)).await.is_ok() {
        sent += 1;
    }
    sent
}

#[tokio::test]
async fn nothing_is_read_while_its_queue_is_full_and_the_connection_lives() {
    let terms = Terms { heartbeat_interval_ms: 200, heartbeat_timeout_ms: 2_000, ..Terms::default() };
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined_with(&peer, &terms, config(&peer)).await;
    // A frame that was cut off in the middle is finished by the next flush.
    let sent = fill(&mut conn, &"x".repeat(60_000)).await;
    assert!(sent > 8, "buffers hold some");

    // Twice the time after which silence would be a loss, and no word of ours gets through.
    tokio::time::sleep(Duration::from_millis(4_000)).await;
    let mut pings = 0;
    while let Ok(Some(frame)) = timeout(Duration::from_millis(50), conn.recv()).await {
        pings += usize::from(matches!(frame.body, Some(FromClient::Ping(_))));
    }
    assert!(pings >= 4, "heartbeats go on: {pings}");
    drop(client.send(SendClass::Reliable, "so do sends"));
    assert!(matches!(conn.recv_body().await, FromClient::Publish(_)));

    let mut received = 0;
    let mut marker = Box::pin(async {
        conn.deliver("the last").await;
        conn.serve().await;
    });
    loop {
        let event = tokio::select! {
            biased;
            event = soon(events.next()) => event.unwrap(),
            () = &mut marker => panic!("the client is gone"),
        };
        match event {
            Event::Message(message) if message.payload == "the last" => break,
            Event::Message(_) => received += 1,
            Event::ConnectionLost { cause, .. } => panic!("{cause}"),
            _ => {}
        }
    }
    // The one that did not fit any more was begun.
    assert!(received == sent || received == sent + 1, "{received} of {sent}");
}

/// Takes what has to do with the join, so that the queue is empty.
fn drain(events: &mut Events) {
    while events.try_next().is_some() {}
}

#[tokio::test]
async fn it_can_close_with_a_full_queue_and_still_hears_everything() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined_with(&peer, &Terms::default(), config(&peer)).await;
    drain(&mut events);
    for _ in 0..8 {
        conn.deliver("waits").await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.close();
    while !matches!(conn.recv_body().await, FromClient::Leave(_)) {}
    conn.send(FromServer::SessionEnded(pb::SessionEnded { reason: 1 })).await;
    assert_eq!(soon(client.closed()).await, CloseReason::UserClosed);
    let rest = rest(&mut events).await;
    assert_eq!(rest.iter().filter(|event| matches!(event, Event::Message(_))).count(), 8);
    assert!(ends_with(&rest, &CloseReason::UserClosed));
}

#[tokio::test]
async fn it_is_brought_back_into_the_room_before_it_reads_on() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let mut config = config(&peer);
    config.event_queue = 2;
    let (client, mut events, mut conn) = joined_with(&peer, &terms, config).await;
    drain(&mut events);
    conn.deliver("first").await;
    conn.deliver("second").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    conn.reset();
    // The news of the loss stands behind the messages.
    assert!(matches!(events.next().await, Some(Event::Message(_))));
    let (_conn, _) = peer.admit(&terms).await;
    let mut state = client.watch_state();
    soon(state.wait_for(|state| matches!(state, State::Live { .. }))).await.unwrap();
    client.close();
    let rest = rest(&mut events).await;
    assert!(matches!(rest[0], Event::Message(_)));
    assert_eq!(losses(&rest), 1);
}
