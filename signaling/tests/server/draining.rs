//! S8: sending everybody elsewhere. I23.

use std::time::Duration;

use crate::raw::*;

#[tokio::test(start_paused = true)]
async fn s8_a_drain_tells_everybody_and_ends_when_all_have_left() {
    let world = World::new(ServerConfig { accept_rate: 1, ..config() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    let drain = Drain { deadline: Duration::from_secs(20), target: Some("there".into()), ..Drain::default() };
    let draining = world.server.drain(drain);
    let clients = async {
        let From::GoAway(go) = ann.body().await else { panic!() };
        assert_eq!((go.deadline_ms, go.target_node.as_str()), (20_000, "there"));
        assert!(go.spread_ms >= 2_000, "two clients, one a second: {}", go.spread_ms);
        assert!(matches!(bob.body().await, From::GoAway(_)));
        let mut late = world.socket().await;
        late.send(0, 0, To::Hello(who("late").hello())).await;
        let (fault, code) = late.fault().await;
        assert_eq!((fault.code(), fault.action()), (pb::FaultCode::NodeDraining, pb::FaultAction::Move));
        assert_eq!(code, 4300);
        bob.send(0, 0, To::Leave(pb::Leave::default())).await;
        let (_, Event::ParticipantLeft(left)) = ann.delivery().await else { panic!() };
        assert_eq!((left.id, left.reason()), (bobs.participant_id, pb::LeftReason::Migrated));
        ann.send(0, 0, To::Leave(pb::Leave::default())).await;
        assert!(matches!(ann.body().await, From::SessionEnded(_)));
    };
    let (all_left, ()) = tokio::join!(draining, clients);
    assert!(all_left);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_of_a_drain_those_who_stayed_are_put_out() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let before = tokio::time::Instant::now();
    let drain = Drain { deadline: Duration::from_secs(3), ..Drain::default() };
    let client = async {
        assert!(matches!(ann.body().await, From::GoAway(_)));
        assert_eq!(ann.closed().await, 4300);
    };
    let (all_left, ()) = tokio::join!(world.server.drain(drain), client);
    assert!(!all_left);
    assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&before.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_connections_and_ends_all_tasks() {
    let World { server, .. } = {
        let world = World::open();
        let (mut ann, _) = world.join(&who("ann")).await;
        let _silent = world.pipe();
        let _unheard = world.socket().await;
        let stopping = async move {
            assert_eq!(ann.closed().await, 4301);
        };
        let seen = tokio::spawn(stopping);
        let before = tokio::time::Instant::now();
        let World { server, .. } = world;
        server.shutdown().await;
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
        seen.await.unwrap();
        World::open()
    };
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_to_wait_beyond_the_deadline() {
    let world = World::new(ServerConfig { accept_rate: 1, ..config() });
    let mut rooms = Vec::new();
    for n in 0..10 {
        rooms.push(world.join(&who(&format!("p{n}"))).await);
    }
    let drain = Drain { deadline: Duration::from_secs(5), ..Drain::default() };
    let client = async {
        let From::GoAway(go) = rooms[9].0.body().await else { panic!() };
        assert_eq!((go.deadline_ms, go.spread_ms), (5_000, 5_000));
    };
    tokio::join!(world.server.drain(drain), client);
}
