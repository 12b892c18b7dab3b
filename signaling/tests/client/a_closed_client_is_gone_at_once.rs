use std::sync::Arc;
use std::time::Duration;

use moorline_signaling::machine::Event;
use moorline_signaling::{CallError, Client, ClientConfig, CloseReason, ParticipantId, SendClass, SendOutcome};
use tokio::time::Instant;

use crate::peer::{Conn, FromClient, Peer, Pipes, Terms, soon};
use crate::support::{ends_with, joined, joined_with, losses, only_tasks_left, rest};

#[tokio::test]
async fn a_close_of_ones_own_is_no_loss() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    let sent = client.send(SendClass::Reliable, "last words");
    client.close();
    client.close();
    assert!(matches!(conn.recv_body().await, FromClient::Publish(_)));
    assert!(matches!(conn.recv_body().await, FromClient::Leave(_)));
    conn.reset();
    assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
    assert_eq!(soon(sent).await, SendOutcome::Closed);
    let rest = rest(&mut events).await;
    assert_eq!(losses(&rest), 0);
    assert!(ends_with(&rest, &CloseReason::UserClosed));
}

#[tokio::test]
async fn a_dead_peer_does_not_hold_up_the_caller() {
    let peer = Peer::bind().await;
    let terms = Terms { max_inflight: 1024, ..Terms::default() };
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let mut config = ClientConfig::new(peer.url(), "room");
        config.machine.bounds.queue_bytes = 64 << 20;
        let (client, events, conn) = joined_with(&peer, &terms, config).await;
        // More than all buffers on the way hold, to a peer that never reads.
        let sent: Vec<_> = (0..500).map(|_| client.send(SendClass::Reliable, vec![0; 60_000])).collect();
        stuck.push((client, events, conn, sent));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;

    let asked = Instant::now();
    let calls = stuck.iter().map(|(client, ..)| {
        let called = Instant::now();
        client.close();
        called.elapsed()
    });
    // A machine that stands still for a moment makes one of them long, a close() that waits for anything all of them.
    let quickest = calls.min().unwrap();
    assert!(quickest < Duration::from_millis(50), "close() took {quickest:?}");
    for (client, mut events, _conn, sent) in stuck {
        assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
        for sent in sent {
            assert_eq!(soon(sent).await, SendOutcome::Closed);
        }
        assert!(ends_with(&rest(&mut events).await, &CloseReason::UserClosed));
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "the goodbyes took {:?}", asked.elapsed());
    only_tasks_left(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_nobody_takes_is_given_a_second() {
    let (pipes, mut connections) = Pipes::new();
    let mut config = ClientConfig::new("ws://peer", "room");
    config.connector = Arc::new(pipes);
    let admitted = async {
        let mut conn = Conn::over(connections.recv().await.unwrap()).await;
        conn.admit(&Terms::default()).await;
        conn
    };
    let (client, _conn) = soon(async { tokio::join!(Client::connect(config), admitted) }).await;
    let (client, mut events) = client.unwrap();
    // More than the pipe holds, to a peer that never reads.
    let sent: Vec<_> = (0..10).map(|_| client.send(SendClass::Reliable, vec![0; 60_000])).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let asked = Instant::now();
    client.close();
    assert_eq!(client.closed().await, CloseReason::UserClosed);
    let closed = asked.elapsed();
    assert!((Duration::from_millis(1_000)..Duration::from_millis(1_050)).contains(&closed), "{closed:?}");
    client.stopped().await;
    assert!(asked.elapsed() - closed < Duration::from_millis(300), "the rest took {:?}", asked.elapsed() - closed);
    for sent in sent {
        assert_eq!(sent.await, SendOutcome::Closed);
    }
    assert!(ends_with(&rest(&mut events).await, &CloseReason::UserClosed));
}

#[tokio::test]
async fn a_close_behind_more_than_the_connection_takes_is_no_loss() {
    let peer = Peer::bind().await;
    let (client, mut events, conn) = joined(&peer, &Terms::default()).await;
    // The client's task does not run before the close, so that all of them are still to be handed over then.
    let sent: Vec<_> = (0..1_000).map(|_| client.send(SendClass::Ephemeral, vec![0; 60_000])).collect();
    client.close();
    assert_eq!(soon(client.closed()).await, CloseReason::UserClosed);
    let rest = rest(&mut events).await;
    assert_eq!(losses(&rest), 0);
    assert!(ends_with(&rest, &CloseReason::UserClosed));
    let mut dropped = 0;
    for sent in sent {
        match soon(sent).await {
            SendOutcome::Written => assert_eq!(dropped, 0, "none is sent after one that was not"),
            SendOutcome::Dropped => dropped += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(dropped > 0);
    drop(conn);
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_the_room() {
    let peer = Peer::bind().await;
    let (client, mut events, mut conn) = joined(&peer, &Terms::default()).await;
    let other = client.clone();
    drop(client);
    let sent = other.send(SendClass::Reliable, "still here");
    assert!(matches!(conn.recv_body().await, FromClient::Publish(_)));
    drop(sent);
    drop(other);
    assert!(matches!(conn.recv_body().await, FromClient::Leave(_)));
    conn.reset();
    assert!(ends_with(&rest(&mut events).await, &CloseReason::UserClosed));
    only_tasks_left(0).await;
}

#[tokio::test]
async fn nobody_listening_does_not_end_the_session() {
    let peer = Peer::bind().await;
    let (client, events, mut conn) = joined(&peer, &Terms::default()).await;
    drop(events);
    for _ in 0..3_000 {
        conn.deliver("to nobody").await;
    }
    drop(client.send(SendClass::Reliable, "alive"));
    assert!(matches!(conn.recv_body().await, FromClient::Publish(_)));
}

#[tokio::test]
async fn a_driver_that_is_never_run_or_dropped_lets_everybody_go() {
    for run in [false, true] {
        let peer = Peer::bind().await;
        let (client, mut events, driver) = Client::prepare(ClientConfig::new(peer.url(), "room")).unwrap();
        let sent = client.send(SendClass::Reliable, "never");
        if run {
            let mut work = Box::pin(driver.run());
            tokio::select! {
                biased;
                reason = &mut work => panic!("{reason}"),
                _ = peer.accept() => {}
            }
        } else {
            drop(driver);
        }
        assert_eq!(soon(sent).await, SendOutcome::Closed);
        assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
        assert_eq!(client.send(SendClass::Reliable, "too late").await, SendOutcome::Closed);
        let call = client.call(ParticipantId(2), "m", "", Duration::from_secs(1));
        assert_eq!(soon(call).await, Err(CallError::Closed));
        let rest = rest(&mut events).await;
        assert_eq!(rest.iter().filter(|event| matches!(event, Event::Closed { .. })).count(), 1);
        only_tasks_left(0).await;
    }
}

#[tokio::test]
async fn a_driver_that_is_dropped_takes_its_connections_with_it() {
    let (peer, terms) = (Peer::bind().await, Terms::default());
    let (client, events, driver) = Client::prepare(ClientConfig::new(peer.url(), "room")).unwrap();
    let mut work = Box::pin(driver.run());
    let (_conn, _) = tokio::select! {
        biased;
        reason = &mut work => panic!("{reason}"),
        joined = peer.admit(&terms) => joined,
    };
    drop(work);
    assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
    let runtime = tokio::runtime::Handle::current();
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "nothing is left once it has stopped");
    drop(events);
}
