//! Who is in a room, and what they tell each other: S5, S7.

use std::time::Duration;

use crate::raw::*;

fn left(event: &Event) -> Option<(u64, pb::LeftReason)> {
    match event {
        Event::ParticipantLeft(left) => Some((left.id, left.reason())),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn s7_a_participant_leaves_once_and_not_before_its_window_is_over() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    let before = tokio::time::Instant::now();
    drop(bob);
    let (_, event) = ann.delivery_while_alive().await;
    assert_eq!(left(&event), Some((bobs.participant_id, pb::LeftReason::TimedOut)));
    let after = before.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&after), "{after:?}");
    ann.quiet(Duration::from_secs(30)).await;
    assert_eq!(world.server.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_leave_is_seen_at_once() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    bob.send(0, 0, To::Leave(pb::Leave::default())).await;
    assert!(matches!(bob.body().await, From::SessionEnded(end) if end.reason() == pb::EndReason::ClientLeft));
    assert_eq!(bob.closed().await, 4002);
    assert_eq!(left(&ann.delivery().await.1), Some((bobs.participant_id, pb::LeftReason::Left)));
    let (_, answer) = world.resume(&who("bob"), &bobs, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::UnknownSession));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_hears_first_what_became_of_its_last_frames() {
    let world = World::open();
    let (mut bob, _) = world.join(&who("bob")).await;
    bob.publish(1, "x").await;
    bob.publish(2, "y").await;
    bob.send(0, 0, To::Leave(pb::Leave::default())).await;
    bob.acked(2).await;
    assert!(matches!(bob.body().await, From::SessionEnded(end) if end.reason() == pb::EndReason::ClientLeft));
}

#[tokio::test(start_paused = true)]
async fn s5_a_frame_that_comes_again_is_applied_once() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    for _ in 0..3 {
        bob.publish(1, "x").await;
    }
    bob.publish(2, "y").await;
    assert_eq!(ann.message().await, (2, "x".into()));
    assert_eq!(ann.message().await, (3, "y".into()));
    bob.acked(2).await;
    drop(bob);
    // The lineage is known over sessions.
    let mut bob = world.socket().await;
    assert_eq!(bob.enter(who("bob").recover(pb::Plan::Rejoin, &bobs)).await.client_seq_seen, 2);
    bob.publish(2, "y").await;
    bob.publish(3, "z").await;
    assert_eq!(ann.message().await, (4, "z".into()));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_comes_after_two_hundred_milliseconds_or_thirty_two_frames() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let before = tokio::time::Instant::now();
    ann.publish(1, "x").await;
    assert_eq!(ann.frame().await.ack, 1);
    assert_eq!(before.elapsed().as_millis(), 200);
    let before = tokio::time::Instant::now();
    for seq in 2..=33 {
        ann.publish(seq, "x").await;
    }
    ann.acked(33).await;
    assert!(before.elapsed() < Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_has_everything_a_newcomer_needs() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(1, 0, state("b", 1, b"1")).await;
    ann.send(2, 0, state("a", 1, b"2")).await;
    ann.send(3, 0, state("b", 2, b"3")).await;
    ann.send(4, 0, state("b", 1, b"4")).await;
    let mut update = pb::ParticipantUpdate { name: Some("Ann".into()), ..Default::default() };
    update.attributes.insert("k".into(), "v".into());
    ann.send(5, 0, To::ParticipantUpdate(update)).await;
    ann.acked(5).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    assert_eq!(identities(&bobs), ["ann", "bob"]);
    let snapshot = bobs.snapshot.unwrap();
    let shown = snapshot.participants.iter().find(|p| p.identity == "ann").unwrap();
    let states: Vec<_> = shown.states.iter().map(|s| (s.key.as_str(), s.rev, &s.payload[..])).collect();
    assert_eq!(states, [("a", 1, &b"2"[..]), ("b", 2, &b"3"[..])]);
    assert_eq!((shown.name.as_str(), shown.attributes["k"].as_str()), ("Ann", "v"));
    ann.send(6, 0, state("b", 3, b"")).await;
    let (1, Event::StateChanged(changed)) = bob.delivery().await else { panic!() };
    assert!(changed.entry.unwrap().payload.is_empty());
    let (_, third) = world.join(&who("cid")).await;
    let snapshot = third.snapshot.unwrap();
    assert_eq!(snapshot.participants.iter().find(|p| p.identity == "ann").unwrap().states.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rooms_do_not_hear_each_other() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, _) = world.join(&Who { room: "attic".into(), ..who("bob") }).await;
    ann.publish(1, "x").await;
    ann.acked(1).await;
    assert!(bob.is_silent(Duration::from_secs(1)).await);
    assert_eq!(world.server.stats().rooms, 2);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_message_is_not_kept_for_who_is_away() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    ann.send(0, 0, To::Publish(message(pb::SendClass::Ephemeral, "now"))).await;
    assert_eq!(bob.message().await, (0, "now".into()));
    drop(bob);
    tokio::time::sleep(Duration::from_millis(10)).await;
    ann.send(0, 0, To::Publish(message(pb::SendClass::Ephemeral, "gone"))).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (mut bob, _) = world.resume(&who("bob"), &bobs, 0).await;
    assert!(matches!(bob.body().await, From::ReplayEnd(pb::ReplayEnd { upto: 0 })));
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_those_it_is_addressed_to() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    let (mut cid, _) = world.join(&who("cid")).await;
    assert!(matches!(bob.delivery().await, (1, Event::ParticipantJoined(_))));
    let to = vec![bobs.participant_id, bobs.participant_id, 12345];
    ann.send(1, 0, To::Publish(pb::Publish { to, ..message(pb::SendClass::Reliable, "you") })).await;
    assert_eq!(bob.message().await, (2, "you".into()));
    assert!(cid.is_silent(Duration::from_secs(1)).await);
}
