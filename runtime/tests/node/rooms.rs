use std::net::SocketAddr;
use std::time::Duration;

use moorline_runtime::node::{DownloadRequest, NodeHandle};
use moorline_runtime::room::{JoinError, Room, RoomConfig, RoomEvents};
use moorline_runtime::signaling::machine::Event;
use moorline_runtime::signaling::server::{Server, ServerConfig, ServerHandle};
use moorline_runtime::signaling::{ClientConfig, CloseReason, SendClass, SendOutcome};
use moorline_runtime::transfer::DownloadOutcome;
use tokio::time::timeout;

use crate::lab::{self, Lab, PATIENCE, offer, stop, tree};

async fn server_at(addr: SocketAddr) -> ServerHandle {
    let listener = tokio::net::TcpListener::bind(addr).await.expect("a loopback port");
    Server::start(ServerConfig::default(), listener).expect("the server starts")
}

async fn server() -> ServerHandle {
    server_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
}

fn room_at(server: &ServerHandle, name: &str) -> RoomConfig {
    let mut client = ClientConfig::new(format!("ws://{}", server.local_addr()), "lobby");
    client.machine.info.name = name.to_owned();
    RoomConfig::new(client)
}

fn join(node: &NodeHandle, config: RoomConfig) -> (Room, RoomEvents) {
    node.join_room(config).expect("the room can be tried")
}

async fn until<T>(events: &mut RoomEvents, what: &str, mut look: impl FnMut(&Event) -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        while let Some(event) = events.next().await {
            if let Some(found) = look(&event) {
                return found;
            }
        }
        panic!("the events ended before {what}");
    });
    found.await.unwrap_or_else(|_| panic!("never saw {what}"))
}

async fn joined(events: &mut RoomEvents) {
    until(events, "the room", |event| matches!(event, Event::Joined { .. }).then_some(())).await;
}

async fn last(events: &mut RoomEvents) -> CloseReason {
    let reason = until(events, "the end", |event| match event {
        Event::Closed { reason } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.await;
    assert!(timeout(PATIENCE, events.next()).await.expect("no more").is_none(), "something follows the end");
    reason
}

#[tokio::test]
async fn nodes_that_discovery_cannot_join_meet_in_a_room_and_fetch_from_each_other() {
    let (lab, server) = (Lab::new(), server().await);
    let sharer = lab.start("sharer", &[lab.item("Quake", &[("pak0", b"content"), ("maps/dm6", b"more")])]).await;
    let getter = lab.start("getter", &[]).await;
    let (_room, _events) = join(&sharer, room_at(&server, "sharer"));
    let (room, mut events) = join(&getter, room_at(&server, "getter"));
    joined(&mut events).await;

    let found = offer(&getter, "Quake").await;
    let request = DownloadRequest::new(found.summary.id, lab.path("downloads"));
    let download = getter.download(request).await.expect("it is on offer");
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("it ends");
    assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    assert_eq!(tree(&lab.path("Quake")), tree(&lab.path("downloads/Quake")));

    assert_eq!(timeout(PATIENCE, room.leave()).await.expect("it leaves"), CloseReason::UserClosed);
    assert_eq!(last(&mut events).await, CloseReason::UserClosed);
    // Who has left the room is still connected: liveness judges that, not the room.
    assert_eq!(getter.peers().len(), 1);
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn a_room_survives_its_server_and_nodes_that_come_meanwhile_are_met() {
    let (lab, first) = (Lab::new(), server().await);
    let addr = first.local_addr();
    let getter = lab.start("getter", &[]).await;
    let (_room, mut events) = join(&getter, room_at(&first, "getter"));
    joined(&mut events).await;
    first.shutdown().await;
    until(&mut events, "a loss", |event| matches!(event, Event::ConnectionLost { .. }).then_some(())).await;

    let second = server_at(addr).await;
    let sharer = lab.start("sharer", &[lab.item("Doom", &[("doom.wad", b"x")])]).await;
    let (_other, _others) = join(&sharer, room_at(&second, "sharer"));
    until(&mut events, "a recovery", |event| matches!(event, Event::Recovered { .. }).then_some(())).await;
    offer(&getter, "Doom").await;
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn the_end_of_a_node_is_the_end_of_its_rooms_with_a_goodbye() {
    let (lab, server) = (Lab::new(), server().await);
    let (leaver, stayer) = (lab.start("leaver", &[]).await, lab.start("stayer", &[]).await);
    let (_stays, mut seen) = join(&stayer, room_at(&server, "stayer"));
    joined(&mut seen).await;
    let (room, mut events) = join(&leaver, room_at(&server, "leaver"));
    joined(&mut events).await;

    stop(&leaver).await;
    assert_eq!(last(&mut events).await, CloseReason::UserClosed);
    assert_eq!(leaver.alive_tasks(), 0, "{}", leaver.services());
    until(&mut seen, "the goodbye", |event| match event {
        Event::ParticipantLeft { participant, reason } => {
            assert_eq!(participant.name, "leaver");
            assert_eq!(*reason, moorline_runtime::signaling::LeftReason::Left);
            Some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(room.client().send(SendClass::Reliable, "too late").await, SendOutcome::Closed);
    assert!(matches!(leaver.join_room(room_at(&server, "leaver")), Err(JoinError::Stopping)));
    stop(&stayer).await;
}

#[tokio::test]
async fn an_application_that_reads_no_events_holds_up_neither_the_end_nor_the_last_event() {
    let (lab, server) = (Lab::new(), server().await);
    let (deaf, loud) = (lab.start("deaf", &[]).await, lab.start("loud", &[]).await);
    let (_deaf, mut unread) = join(&deaf, room_at(&server, "deaf"));
    joined(&mut unread).await;
    let (room, mut events) = join(&loud, room_at(&server, "loud"));
    joined(&mut events).await;
    let sent: Vec<_> = (0..500).map(|_| room.client().send(SendClass::Reliable, "hear me")).collect();
    for outcome in sent {
        assert_eq!(outcome.await, SendOutcome::Acked);
    }
    let started = std::time::Instant::now();
    stop(&deaf).await;
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    assert_eq!(last(&mut unread).await, CloseReason::UserClosed);
    stop(&loud).await;
}

#[tokio::test]
async fn a_participant_that_lies_about_its_node_is_not_believed() {
    let (lab, server) = (Lab::new(), server().await);
    let honest = lab.start("honest", &[lab.item("Quake", &[("pak0", b"x")])]).await;
    let getter = lab.start("getter", &[]).await;
    let (_room, mut events) = join(&getter, room_at(&server, "getter"));
    joined(&mut events).await;

    // It names the honest node's address, and an id that is not the honest node's.
    let liar = ClientConfig::new(format!("ws://{}", server.local_addr()), "lobby");
    let (liar, _) =
        timeout(PATIENCE, moorline_runtime::signaling::Client::connect(liar)).await.expect("joins").expect("joins");
    let announce = |peer: &[u8]| {
        use prost::Message as _;
        moorline_proto::wire::signal::NodeAddresses {
            peer_id: peer.to_vec().into(),
            addrs: vec![honest.local_addr().to_string()],
        }
        .encode_to_vec()
    };
    for nonsense in [b"\xff\xff".to_vec(), announce(&[1; 5]), announce(&[9; 32])] {
        assert_eq!(liar.set_value("moorline.node", nonsense).await, SendOutcome::Acked);
    }
    until(&mut events, "the lie", |event| matches!(event, Event::ValueChanged { rev, .. } if *rev >= 3).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(getter.peers().is_empty(), "{:?}", getter.peers());
    // The truth is believed.
    assert_eq!(liar.set_value("moorline.node", announce(honest.peer_id().as_bytes())).await, SendOutcome::Acked);
    lab::until("the honest node", || (getter.peers().len() == 1).then_some(())).await;
    stop(&getter).await;
    stop(&honest).await;
}

#[tokio::test]
async fn rooms_are_bounded() {
    let (lab, server) = (Lab::new(), server().await);
    let mut config = lab.config("node", &[]);
    config.limits.rooms = 2;
    let node = lab::start(config).await;
    let held = [join(&node, room_at(&server, "a")), join(&node, room_at(&server, "b"))];
    assert!(matches!(node.join_room(room_at(&server, "c")), Err(JoinError::TooMany { limit: 2 })));
    for (room, _) in &held {
        room.leave().await;
    }
    let (_room, mut events) = join(&node, room_at(&server, "c"));
    joined(&mut events).await;
    stop(&node).await;
}
