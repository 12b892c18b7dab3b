//! Bounds, each at its edge: S9 and more.

use std::time::Duration;

use tokio::time::Instant;

use crate::raw::*;

fn with(limits: Limits) -> World {
    World::new(ServerConfig { limits, ..config() })
}

#[tokio::test(start_paused = true)]
async fn s9_too_many_arrivals_are_told_when_to_come_before_their_token_is_looked_at() {
    let secret = moorline_signaling::server::token::Secret::new(&[1; 32]).unwrap();
    let world = World::new(ServerConfig { accept_rate: 10, secret: Some(secret), ..config() });
    let mut times = Vec::new();
    for _ in 0..120 {
        let mut raw = world.socket().await;
        raw.send(0, 0, To::Hello(who("ann").hello())).await;
        let (fault, code) = raw.fault().await;
        match fault.code() {
            pb::FaultCode::TokenRejected => assert_eq!(code, 4101),
            pb::FaultCode::RateLimited => {
                assert_eq!((fault.action(), code), (pb::FaultAction::Retry, 4100));
                times.push(fault.retry_after_ms);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(times.len(), 20, "a hundred at once, no more");
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (99..=101).contains(gap)), "one every 100 ms: {gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_hello_is_no_second_arrival() {
    let world = World::new(ServerConfig { accept_rate: 1, ..config() });
    let mut all = Vec::new();
    for n in 0..100 {
        let who = who(&format!("{n}"));
        let mut raw = world.rejected(&who).await;
        raw.enter(who.recover(pb::Plan::Rejoin, &forgotten())).await;
        all.push(raw);
    }
    let mut late = world.socket().await;
    late.send(0, 0, To::Hello(who("late").hello())).await;
    assert_eq!(late.fault().await.0.code(), pb::FaultCode::RateLimited, "a hundred were let in, each once");
}

#[tokio::test(start_paused = true)]
async fn a_room_holds_so_many_participants() {
    let world = with(Limits { max_participants: 2, ..Limits::default() });
    let (_ann, _) = world.join(&who("ann")).await;
    let (_bob, _) = world.join(&who("bob")).await;
    let mut cid = world.socket().await;
    cid.send(0, 0, To::Hello(who("cid").hello())).await;
    let (fault, code) = cid.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::RoomFull, pb::FaultAction::Retry, 4103));
    // One that takes the place of another one is not one more.
    world.join(&Who { lineage: [9; 16], ..who("bob") }).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_holds_so_many_sessions_and_rooms() {
    for limits in [Limits { max_sessions: 1, ..Limits::default() }, Limits { max_rooms: 1, ..Limits::default() }] {
        let world = with(limits);
        let (_ann, _) = world.join(&who("ann")).await;
        let mut bob = world.socket().await;
        bob.send(0, 0, To::Hello(Who { room: "attic".into(), ..who("bob") }.hello())).await;
        let (fault, code) = bob.fault().await;
        assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::NodeFull, pb::FaultAction::Move, 4302));
        assert_eq!((world.server.stats().sessions, world.server.stats().rooms), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_holds_so_much_state() {
    let world = with(Limits { room_state_bytes: 1_000, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(1, 0, state("a", 1, &[1; 900])).await;
    ann.send(2, 0, state("b", 1, &[1; 200])).await;
    let (1, Event::Rejected(rejected)) = ann.delivery().await else { panic!() };
    assert_eq!((rejected.client_seq, rejected.code()), (2, pb::RejectCode::RoomStateFull));
    ann.send(3, 0, state("a", 2, b"")).await;
    ann.send(4, 0, state("b", 1, &[1; 900])).await;
    ann.acked(4).await;
    let mut bob = world.socket().await;
    let mut hello = who("bob").hello();
    hello.client_info.as_mut().unwrap().metadata = "m".repeat(200);
    bob.send(0, 0, To::Hello(hello)).await;
    assert_eq!(bob.fault().await.0.code(), pb::FaultCode::RoomFull);
}

#[tokio::test(start_paused = true)]
async fn a_participant_announces_so_many_keys() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    for seq in 1..=65 {
        ann.send(seq, 0, state(&format!("{seq}"), 1, b"x")).await;
    }
    let (1, Event::Rejected(rejected)) = ann.delivery().await else { panic!() };
    assert_eq!((rejected.client_seq, rejected.code()), (65, pb::RejectCode::OverLimit));
}

#[tokio::test(start_paused = true)]
async fn s2_a_client_that_does_not_read_has_to_join_anew() {
    let world = with(Limits { replay_capacity: 50, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    ann.send(0, 1, To::AckOnly(pb::AckOnly {})).await;
    for seq in 1..=51 {
        ann.publish(seq, "x").await;
    }
    ann.acked(51).await;
    let (fault, code) = bob.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::SlowConsumer, pb::FaultAction::JoinAnew, 4203));
    let (_, answer) = world.resume(&who("bob"), &bobs, 50).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Gap));
    assert_eq!(world.server.stats().slow_consumers, 1);
    // And it is gone when it does not come back at all.
    ann.idle(Duration::from_secs(11)).await;
    assert_eq!(world.server.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_given_up() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let mut bob = Raw::over(world.pipe_of(512)).await;
    bob.enter(who("bob").hello()).await;
    ann.delivery().await;
    let before = Instant::now();
    ann.publish(1, &"x".repeat(10_000)).await;
    ann.acked(1).await;
    while world.server.stats().attached == 2 {
        ann.idle(Duration::from_millis(100)).await;
    }
    assert!((10_000..10_500).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_read_no_faster_than_allowed() {
    let world = with(Limits { frames_per_second: 10, frame_burst: 5, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let before = Instant::now();
    for seq in 1..=25 {
        ann.publish(seq, "x").await;
    }
    ann.acked(25).await;
    assert!((1_500..2_500).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn ephemeral_messages_beyond_what_waits_for_a_socket_are_dropped() {
    let world = with(Limits { ephemeral_capacity: 4, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let mut bob = Raw::over(world.pipe_of(512)).await;
    bob.enter(who("bob").hello()).await;
    ann.delivery().await;
    for n in 0..100 {
        let text = format!("{n:0>300}");
        ann.send(0, 0, To::Publish(message(pb::SendClass::Ephemeral, &text))).await;
    }
    ann.publish(1, "end").await;
    let mut got = 0;
    while bob.message().await.0 == 0 {
        got += 1;
    }
    assert!((4..20).contains(&got), "{got}");
}

/// Everything that a world holds.
fn held(world: &World) -> usize {
    world.server.stats().bytes
}

#[tokio::test(start_paused = true)]
async fn all_rooms_together_hold_so_many_bytes_of_state() {
    let world = with(Limits { total_bytes: 10_000, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, _) = world.join(&Who { room: "attic".into(), ..who("bob") }).await;
    let joined = held(&world);
    ann.send(1, 0, state("a", 1, &[1; 6_000])).await;
    ann.acked(1).await;
    bob.send(1, 0, state("b", 1, &[1; 6_000])).await;
    let (1, Event::Rejected(rejected)) = bob.delivery().await else { panic!() };
    assert_eq!((rejected.client_seq, rejected.code()), (1, pb::RejectCode::RoomStateFull));
    bob.send(2, 1, state("b", 1, &[1; 3_000])).await;
    bob.acked(2).await;
    // Not even a newcomer's metadata has space, but one that was here comes back.
    let mut cid = world.socket().await;
    let mut hello = who("cid").hello();
    hello.client_info.as_mut().unwrap().metadata = "m".repeat(1_000);
    cid.send(0, 0, To::Hello(hello)).await;
    let (fault, code) = cid.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::NodeFull, pb::FaultAction::Move, 4302));
    let mut ann = world.socket().await;
    ann.enter(who("ann").hello()).await;
    // What is taken back, and what leaves with its owner, is space for others.
    ann.send(2, 0, state("a", 2, b"")).await;
    ann.acked(2).await;
    assert!((joined + 3_000..joined + 3_100).contains(&held(&world)), "{} + 3,000 are {}", joined, held(&world));
    bob.send(0, 0, To::Leave(pb::Leave::default())).await;
    assert!(matches!(bob.body().await, From::SessionEnded(_)));
    assert!(held(&world) < joined);
    ann.send(0, 0, To::Leave(pb::Leave::default())).await;
    assert!(matches!(ann.body().await, From::SessionEnded(_)));
    assert_eq!(held(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_counts_once_until_the_last_has_acknowledged_it() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, _) = world.join(&who("bob")).await;
    let (mut cid, _) = world.join(&who("cid")).await;
    for (raw, head) in [(&mut ann, 2), (&mut bob, 1)] {
        raw.send(0, head, To::AckOnly(pb::AckOnly {})).await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let before = held(&world);
    ann.publish(1, &"x".repeat(10_000)).await;
    ann.acked(1).await;
    assert!((10_000..10_100).contains(&(held(&world) - before)), "{}", held(&world) - before);
    bob.send(0, 2, To::AckOnly(pb::AckOnly {})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(held(&world) > before);
    cid.send(0, 1, To::AckOnly(pb::AckOnly {})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(held(&world), before);
}

#[tokio::test(start_paused = true)]
async fn of_a_spent_budget_those_who_keep_up_are_told_and_those_who_do_not_are_cut_off() {
    let world = with(Limits { total_bytes: 20_000, ..Limits::default() });
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(1, 0, state("a", 1, &[1; 19_000])).await;
    ann.acked(1).await;
    let (mut bob, _) = world.join(&who("bob")).await;
    let (mut cid, _) = world.join(&who("cid")).await;
    bob.delivery().await;
    for seq in 2..=40 {
        ann.publish(seq, &"x".repeat(1_000)).await;
        let heard = bob.message().await.0;
        bob.send(0, heard, To::AckOnly(pb::AckOnly {})).await;
    }
    assert_eq!(cid.fault().await.0.code(), pb::FaultCode::SlowConsumer);
    assert_eq!(world.server.stats().slow_consumers, 1);
}
