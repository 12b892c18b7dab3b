//! One connection a session, one participant an identity: S4, I26, I27.

use std::time::Duration;

use crate::raw::*;

#[tokio::test(start_paused = true)]
async fn s4_the_older_connection_is_closed_before_the_newer_one_is_in() {
    let world = World::open();
    let (mut old, first) = world.join(&who("bob")).await;
    let (_new, answer) = world.resume(&who("bob"), &first, 0).await;
    assert!(matches!(answer, From::Welcome(_)));
    // It is there already: the Welcome came after it.
    let code = tokio::time::timeout(Duration::ZERO, old.closed()).await.unwrap();
    assert_eq!(code, 4201, "and nothing else was said");
}

#[tokio::test(start_paused = true)]
async fn i26_frames_of_a_fenced_connection_are_not_applied() {
    let limits = Limits { frames_per_second: 10, frame_burst: 5, ..Limits::default() };
    let world = World::new(ServerConfig { limits, ..config() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut old, first) = world.join(&who("bob")).await;
    ann.delivery().await;
    // More at once than are read at once, so that most are still on their way when the fence goes up.
    for seq in 1..=20 {
        old.publish(seq, &format!("old {seq}")).await;
    }
    let mut new = world.socket().await;
    let welcome = new.enter(who("bob").recover(pb::Plan::Rejoin, &first)).await;
    let seen = welcome.client_seq_seen;
    assert!((1..20).contains(&seen), "{seen} of 20 were applied before: nothing was fenced off");
    for seq in 1..=25 {
        old.send_if_open(seq, &format!("late {seq}")).await;
    }
    for seq in seen + 1..=20 {
        new.publish(seq, &format!("new {seq}")).await;
    }
    new.publish(21, "end").await;
    let mut got = Vec::new();
    loop {
        let (_, text) = ann.message().await;
        if text == "end" {
            break;
        }
        got.push(text);
    }
    let expected: Vec<_> =
        (1..=20).map(|seq| if seq <= seen { format!("old {seq}") } else { format!("new {seq}") }).collect();
    assert_eq!(got, expected);
}

#[tokio::test(start_paused = true)]
async fn i27_an_identity_is_never_there_twice() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut old, olds) = world.join(&who("bob")).await;
    assert!(matches!(ann.delivery().await, (1, Event::ParticipantJoined(_))));
    let (mut new, news) = world.join(&Who { lineage: [9; 16], ..who("bob") }).await;
    assert!(matches!(old.body().await, From::SessionEnded(end) if end.reason() == pb::EndReason::IdentityReplaced));
    assert_eq!(old.closed().await, 4004);
    assert_eq!(identities(&news), ["ann", "bob"]);
    let (2, Event::ParticipantLeft(left)) = ann.delivery().await else { panic!("first the one goes") };
    assert_eq!((left.id, left.reason()), (olds.participant_id, pb::LeftReason::Replaced));
    let (3, Event::ParticipantJoined(joined)) = ann.delivery().await else { panic!("then the other comes") };
    assert_eq!(joined.id, news.participant_id);
    drop(old);
    ann.quiet(Duration::from_secs(11)).await;
    new.publish(1, "here").await;
    assert_eq!(world.server.stats().sessions, 2, "the loss of the old connection ended nothing");
}

#[tokio::test(start_paused = true)]
async fn a_lineage_belongs_to_its_identity() {
    let world = World::open();
    let (mut bob, _) = world.join(&who("bob")).await;
    let mut eve = world.socket().await;
    eve.send(0, 0, To::Hello(Who { lineage: who("bob").lineage, ..who("eve") }.hello())).await;
    let (fault, code) = eve.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Forbidden, pb::FaultAction::End, 4003));
    assert!(bob.is_silent(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_fence_does_not_wait_for_a_socket_that_takes_nothing() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let mut old = Raw::over(world.pipe_of(512)).await;
    let first = old.enter(who("bob").hello()).await;
    ann.delivery().await;
    for seq in 1..=20 {
        ann.publish(seq, &"x".repeat(1000)).await;
    }
    ann.acked(20).await;
    let before = tokio::time::Instant::now();
    let (mut new, answer) = world.resume(&who("bob"), &first, 0).await;
    assert!(matches!(answer, From::Welcome(welcome) if welcome.resumed));
    assert!(before.elapsed() < Duration::from_millis(100), "{:?}", before.elapsed());
    assert_eq!(new.message().await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn s4_the_newer_connection_waits_for_the_close_of_the_older_one_but_not_for_long() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let mut old = Raw::over(world.pipe_of(512)).await;
    let first = old.enter(who("bob").hello()).await;
    ann.delivery().await;
    // Fills the pipe but for a few bytes: there is no space for a close frame.
    ann.publish(1, &"x".repeat(475)).await;
    ann.acked(1).await;
    let before = tokio::time::Instant::now();
    let (_new, answer) = world.resume(&who("bob"), &first, 0).await;
    assert!(matches!(answer, From::Welcome(_)));
    assert!((1_000..1_010).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
}
