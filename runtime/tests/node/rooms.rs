use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use moorline_runtime::node::{DownloadRequest, NodeHandle};
use moorline_runtime::room::{JoinError, Room, RoomConfig, RoomEvents};
use moorline_runtime::signaling::machine::Event;
use moorline_runtime::signaling::server::{Server, ServerConfig, ServerHandle};
use moorline_runtime::signaling::{Client, ClientConfig, CloseReason, SendClass, SendOutcome};
use moorline_runtime::transfer::DownloadOutcome;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::lab::{self, Lab, PATIENCE, offer, stop, tree};

async fn server_at(addr: SocketAddr) -> ServerHandle {
    let listener = tokio::net::TcpListener::bind(addr).await.expect("a loopback port");
    Server::start(ServerConfig::default(), listener).expect("the server starts")
}

async fn server() -> ServerHandle {
    server_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// An address for a server that comes back: its port is none of those that the system hands out by itself.
fn reserved() -> SocketAddr {
    let begin = std::process::id().wrapping_mul(37);
    let addrs =
        (0..10_000).map(|step| SocketAddr::from(([127, 0, 0, 1], 19_000 + (begin.wrapping_add(step) % 10_000) as u16)));
    let free = addrs.into_iter().find(|addr| std::net::TcpListener::bind(addr).is_ok());
    free.expect("one of many ports is free")
}

fn announcement(peer: &[u8], addrs: &[SocketAddr]) -> Vec<u8> {
    use prost::Message as _;
    let addrs = addrs.iter().map(ToString::to_string).collect();
    moorline_proto::wire::signal::NodeAddresses { peer_id: peer.to_vec().into(), addrs }.encode_to_vec()
}

/// Somebody in the room who is no node, and may say anything.
async fn stranger(server: &ServerHandle) -> Client {
    let config = ClientConfig::new(format!("ws://{}", server.local_addr()), "lobby");
    let (client, _) = timeout(PATIENCE, Client::connect(config)).await.expect("in time").expect("joins");
    client
}

/// The connections that are being begun to this socket until then, each known by the id that its first packets bear.
async fn dials(socket: &UdpSocket, until: Instant) -> BTreeSet<Vec<u8>> {
    let (mut seen, mut packet) = (BTreeSet::new(), [0; 2048]);
    while let Ok(received) = timeout_at(until, socket.recv(&mut packet)).await {
        let len = received.expect("a packet");
        // RFC 9000, section 17.2: a long header has the destination's connection id behind the version.
        if let [first, _, _, _, _, cid, rest @ ..] = &packet[..len]
            && first & 0x80 != 0
        {
            seen.insert(rest[..usize::from(*cid).min(rest.len())].to_vec());
        }
    }
    seen
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
    let getter = lab.start("getter", &[lab.item("Doom", &[("doom.wad", b"other content")])]).await;
    let (_room, _events) = join(&sharer, room_at(&server, "sharer"));
    let (room, mut events) = join(&getter, room_at(&server, "getter"));
    joined(&mut events).await;

    for (node, name) in [(&getter, "Quake"), (&sharer, "Doom")] {
        let found = offer(node, name).await;
        let request = DownloadRequest::new(found.summary.id, lab.path("downloads"));
        let download = node.download(request).await.expect("it is on offer");
        let outcome = timeout(PATIENCE, download.outcome()).await.expect("it ends");
        assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{name}: {outcome:?}");
        assert_eq!(tree(&lab.path(name)), tree(&lab.path(&format!("downloads/{name}"))), "{name}");
    }

    assert_eq!(timeout(PATIENCE, room.leave()).await.expect("it leaves"), CloseReason::UserClosed);
    assert_eq!(last(&mut events).await, CloseReason::UserClosed);
    // Who has left the room is still connected: liveness judges that, not the room.
    assert_eq!(getter.peers().len(), 1);
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn a_room_survives_its_server_and_nodes_that_come_meanwhile_are_met() {
    let addr = reserved();
    let (lab, first) = (Lab::new(), server_at(addr).await);
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
    let mut config = lab.config("getter", &[]);
    config.dial.deadline = Duration::from_secs(1);
    let getter = lab::start(config).await;
    let (_room, mut events) = join(&getter, room_at(&server, "getter"));
    joined(&mut events).await;

    // It names the honest node's address, and an id that is not the honest node's.
    let liar = stranger(&server).await;
    let announce = |peer: &[u8]| announcement(peer, &[honest.local_addr()]);
    for nonsense in [b"\xff\xff".to_vec(), announce(&[1; 5]), announce(&[9; 32])] {
        assert_eq!(liar.set_value("moorline.node", nonsense).await, SendOutcome::Acked);
    }
    until(&mut events, "the lie", |event| matches!(event, Event::ValueChanged { rev, .. } if *rev >= 3).then_some(()))
        .await;
    // Longer than a dial may take.
    let looked = timeout(Duration::from_millis(2500), lab::until("a liar", || getter.peers().into_iter().next())).await;
    assert!(looked.is_err(), "{looked:?}");
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

#[tokio::test]
async fn a_participant_that_changes_its_mind_all_the_time_makes_nobody_a_source_of_packets() {
    let (lab, server) = (Lab::new(), server().await);
    let victim = UdpSocket::bind("127.0.0.1:0").await.expect("a loopback port");
    let addr = victim.local_addr().expect("bound");
    let node = lab.start("node", &[]).await;
    let (_room, mut events) = join(&node, room_at(&server, "node"));
    joined(&mut events).await;
    let liar = stranger(&server).await;

    let begun = Instant::now();
    let (changes, counted) = tokio::join!(
        async {
            let mut changes: u16 = 0;
            while begun.elapsed() < Duration::from_secs(3) {
                changes += 1;
                let mut peer = [9; 32];
                peer[..2].copy_from_slice(&changes.to_be_bytes());
                drop(liar.set_value("moorline.node", announcement(&peer, &[addr])));
                // Each one is seen, or it would not be one of many.
                let seen = |event: &Event| matches!(event, Event::ValueChanged { .. }).then_some(());
                until(&mut events, "the change", seen).await;
            }
            changes
        },
        dials(&victim, begun + Duration::from_secs(4)),
    );
    assert!(changes > 20, "too few to mean anything: {changes}");
    assert!((1..=2).contains(&counted.len()), "{} dials for {changes} changes", counted.len());
    // The newest one counts in the end.
    let next = dials(&victim, begun + Duration::from_secs(9)).await;
    assert!(next.difference(&counted).next().is_some(), "what it said last was forgotten");
    stop(&node).await;
}

#[tokio::test]
async fn a_node_that_is_nowhere_any_more_is_not_dialled_any_more() {
    let (lab, server) = (Lab::new(), server().await);
    let place = UdpSocket::bind("127.0.0.1:0").await.expect("a loopback port");
    let addr = place.local_addr().expect("bound");
    let mut config = lab.config("node", &[]);
    config.dial.deadline = Duration::from_millis(200);
    config.dial.retry_ceiling = Duration::from_millis(250);
    let node = lab::start(config).await;
    let (_room, mut events) = join(&node, room_at(&server, "node"));
    joined(&mut events).await;
    let stranger = stranger(&server).await;
    assert_eq!(stranger.set_value("moorline.node", announcement(&[9; 32], &[addr])).await, SendOutcome::Acked);
    assert!(dials(&place, Instant::now() + Duration::from_secs(2)).await.len() >= 2, "it is dialled again and again");
    assert_eq!(stranger.set_value("moorline.node", announcement(&[9; 32], &[])).await, SendOutcome::Acked);
    until(&mut events, "the change", |event| matches!(event, Event::ValueChanged { rev: 2.., .. }).then_some(())).await;
    // What was under way has come to its end.
    dials(&place, Instant::now() + Duration::from_millis(500)).await;
    assert_eq!(dials(&place, Instant::now() + Duration::from_secs(2)).await, BTreeSet::new());
    stop(&node).await;
}

#[tokio::test]
async fn a_node_for_which_there_was_no_room_is_met_when_there_is() {
    let (lab, server) = (Lab::new(), server().await);
    let mut config = lab.config("node", &[]);
    config.limits.targets = 1;
    let node = lab::start(config).await;
    let (_room, mut events) = join(&node, room_at(&server, "node"));
    joined(&mut events).await;
    let occupier = stranger(&server).await;
    let nowhere = announcement(&[9; 32], &[SocketAddr::from(([127, 0, 0, 1], 9))]);
    assert_eq!(occupier.set_value("moorline.node", nowhere).await, SendOutcome::Acked);
    let changed = |event: &Event| matches!(event, Event::ValueChanged { .. }).then_some(());
    until(&mut events, "the first", changed).await;

    let late = lab.start("late", &[lab.item("Quake", &[("pak0", b"x")])]).await;
    let told = stranger(&server).await;
    let there = announcement(late.peer_id().as_bytes(), &[late.local_addr()]);
    assert_eq!(told.set_value("moorline.node", there).await, SendOutcome::Acked);
    until(&mut events, "the second", changed).await;
    sleep(Duration::from_millis(500)).await;
    assert!(node.peers().is_empty(), "there is room for one alone: {:?}", node.peers());
    drop(occupier);
    offer(&node, "Quake").await;
    stop(&node).await;
    stop(&late).await;
}
