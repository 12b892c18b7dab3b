use std::time::Duration;

use moorline_proto::wire::signal as pb;
use moorline_signaling::machine::Event;
use moorline_signaling::{
    ClientConfig, CloseReason, EndReason, Epoch, Events, LossCause, SendClass, SendOutcome, Strategy,
};
use tokio_tungstenite::tungstenite::Message;

use crate::peer::{FromClient, FromServer, Peer, Terms, soon};
use crate::support::{ends_with, joined, joined_with, losses, rest, text_of_next_message, until};

async fn loss(events: &mut Events) -> (Epoch, LossCause) {
    until(events, |event| match event {
        Event::ConnectionLost { epoch, cause } => Some((epoch, cause)),
        Event::Recovered { .. } => panic!("recovered from nothing"),
        _ => None,
    })
    .await
}

async fn recovery(events: &mut Events) -> (Strategy, bool) {
    until(events, |event| match event {
        Event::Recovered { strategy, resumed, .. } => Some((strategy, resumed)),
        Event::ConnectionLost { .. } => panic!("lost once more"),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn after_a_reset_the_session_goes_on() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let (client, mut events, mut conn) = joined(&peer, &terms).await;
    conn.deliver("before").await;
    assert_eq!(text_of_next_message(&mut events).await, "before");
    conn.reset();
    assert!(matches!(loss(&mut events).await, (Epoch(1), LossCause::Transport(_))));
    let (mut conn, hello) = peer.admit(&terms).await;
    let asked = hello.recovery.unwrap();
    assert_eq!((asked.plan(), asked.attempt, asked.last_seen.unwrap().seq), (pb::Plan::Fast, 1, 1));
    assert_eq!(recovery(&mut events).await, (Strategy::Fast, true));
    conn.deliver("after").await;
    assert_eq!(text_of_next_message(&mut events).await, "after");
    client.close();
}

#[tokio::test]
async fn a_session_that_is_gone_is_replaced_over_the_same_connection() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let (client, mut events, conn) = joined(&peer, &terms).await;
    conn.reset();
    loss(&mut events).await;
    let mut conn = peer.accept().await;
    assert_eq!(conn.hello().await.recovery.unwrap().plan(), pb::Plan::Fast);
    conn.send(FromServer::ResumeReject(pb::ResumeReject::default())).await;
    assert_eq!(conn.admit(&terms).await.recovery.unwrap().plan(), pb::Plan::Rejoin);
    assert_eq!(recovery(&mut events).await, (Strategy::Rejoin, false));
    conn.deliver("after").await;
    assert_eq!(text_of_next_message(&mut events).await, "after");
    client.close();
}

#[tokio::test]
async fn every_close_code_without_an_end_of_session_is_a_loss() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let (_client, mut events, mut conn) = joined(&peer, &terms).await;
    for code in [1000, 1001, 1011] {
        conn.close(code).await;
        assert_eq!(loss(&mut events).await.1, LossCause::ClosedByServer(code));
        conn = peer.admit(&terms).await.0;
        assert_eq!(recovery(&mut events).await, (Strategy::Fast, true));
    }
    drop(conn);
    assert_eq!(loss(&mut events).await.1, LossCause::ClosedByServer(1006));
}

#[tokio::test]
async fn an_error_and_the_close_after_it_are_one_loss() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let mut config = ClientConfig::new(peer.url(), "room");
    // Losses that follow so close on each other are paused for.
    config.machine.backoff.fast_base = Duration::from_millis(1);
    config.machine.backoff.fast_cap = Duration::from_millis(5);
    let (client, mut events, mut conn) = joined_with(&peer, &terms, config).await;
    for round in 0..20 {
        // An error, another error, and a close or a reset: all of one connection.
        conn.send_raw(Message::Text("no text here".into())).await;
        conn.send_raw(Message::Binary(vec![0xff; 3].into())).await;
        if round % 2 == 0 {
            drop(conn);
        } else {
            conn.reset();
        }
        assert_eq!(loss(&mut events).await.0, Epoch(round + 1));
        conn = peer.admit(&terms).await.0;
        recovery(&mut events).await;
    }
    client.close();
    conn.serve().await;
    let rest = rest(&mut events).await;
    assert_eq!(losses(&rest), 0);
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let (client, mut events, mut conn) = joined(&peer, &terms).await;
    let sent = client.send(SendClass::Reliable, "once");
    assert!(matches!(conn.recv_body().await, FromClient::Publish(_)));
    conn.reset();
    let (mut conn, _) = peer.admit(&terms).await;
    let FromClient::Publish(again) = conn.recv_body().await else { panic!("no publish") };
    assert_eq!(again.payload, "once");
    conn.send(FromServer::AckOnly(pb::AckOnly {})).await;
    assert_eq!(soon(sent).await, SendOutcome::Acked);
    assert_eq!(recovery_after_loss(&mut events).await, (Strategy::Fast, true));
}

async fn recovery_after_loss(events: &mut Events) -> (Strategy, bool) {
    loss(events).await;
    recovery(events).await
}

#[tokio::test]
async fn the_end_of_the_session_is_no_loss() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    let ended = pb::SessionEnded { reason: pb::EndReason::RoomClosed.into() };
    conn.send(FromServer::SessionEnded(ended)).await;
    // With no close frame at all behind it.
    conn.reset();
    let reason = CloseReason::SessionEnded(EndReason::RoomClosed);
    assert_eq!(soon(client.stopped()).await, reason);
    let rest = rest(&mut events).await;
    assert_eq!(losses(&rest), 0);
    assert!(ends_with(&rest, &reason));
}

#[tokio::test]
async fn another_server_is_tried_when_one_is_gone() {
    let (first, second, terms) = (Peer::bind().await, Peer::bind().await, Terms::default());
    let mut config = ClientConfig::new(first.url(), "room").server(second.url());
    config.machine.backoff.fast_base = Duration::from_millis(10);
    config.machine.backoff.rejoin_base = Duration::from_millis(10);
    let (_client, mut events, conn) = joined_with(&first, &terms, config).await;
    // Nobody else is given the port, and nobody listens.
    let _held = first.stop_listening();
    drop(conn);
    loss(&mut events).await;
    let (_conn, hello) = second.admit(&terms).await;
    assert_ne!(hello.recovery.unwrap().plan(), pb::Plan::Fast);
    let (strategy, resumed) = recovery(&mut events).await;
    assert!(matches!(strategy, Strategy::Rejoin | Strategy::Migrate) && !resumed, "{strategy}");
}
