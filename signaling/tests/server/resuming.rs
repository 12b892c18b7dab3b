//! What a client finds when it comes back: S1 to S3, S6, S10.

use std::time::Duration;

use crate::raw::*;

#[tokio::test(start_paused = true)]
async fn s1_what_was_missed_comes_once_and_in_order() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    assert!(matches!(ann.delivery().await, (1, Event::ParticipantJoined(_))));
    ann.publish(1, "one").await;
    assert_eq!(bob.message().await, (1, "one".into()));
    drop(bob);
    for seq in 2..=5 {
        ann.publish(seq, &format!("{seq}")).await;
    }
    ann.acked(5).await;
    let (mut bob, answer) = world.resume(&who("bob"), &bobs, 1).await;
    let From::Welcome(welcome) = answer else { panic!("{answer:?}") };
    assert!(welcome.resumed && welcome.snapshot.is_none() && welcome.lineage_known);
    assert_eq!(welcome.session_id, bobs.session_id);
    assert_eq!(welcome.head.as_ref().unwrap().log_id, bobs.head.unwrap().log_id);
    assert_eq!((welcome.head.unwrap().seq, welcome.fence), (5, 2));
    for seq in 2..=5 {
        assert_eq!(bob.message().await, (seq, format!("{seq}")));
    }
    assert!(matches!(bob.body().await, From::ReplayEnd(pb::ReplayEnd { upto: 5 })));
    ann.publish(6, "6").await;
    assert_eq!(bob.message().await, (6, "6".into()));
}

#[tokio::test(start_paused = true)]
async fn s2_an_overflow_while_away_is_a_gap_and_not_a_hole() {
    let world = World::new(ServerConfig { limits: Limits { replay_capacity: 3, ..Limits::default() }, ..config() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (bob, bobs) = world.join(&who("bob")).await;
    // Ann has to take note of Bob, or her own log fills up.
    ann.delivery().await;
    drop(bob);
    tokio::time::sleep(Duration::from_millis(10)).await;
    for seq in 1..=4 {
        ann.publish(seq, "x").await;
    }
    ann.acked(4).await;
    let (mut raw, answer) = world.resume(&who("bob"), &bobs, 0).await;
    let From::ResumeReject(reject) = answer else { panic!("{answer:?}") };
    assert_eq!((reject.reason(), reject.hint_plan()), (pb::RejectReason::Gap, pb::Plan::Rejoin));
    let again = raw.enter(who("bob").recover(pb::Plan::Rejoin, &bobs)).await;
    assert!(again.lineage_known && !again.resumed);
    assert_eq!(again.participant_id, bobs.participant_id);
}

#[tokio::test(start_paused = true)]
async fn s2_what_was_acknowledged_is_not_kept() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.publish(1, "x").await;
    ann.publish(2, "y").await;
    assert_eq!(bob.message().await.0, 1);
    assert_eq!(bob.message().await.0, 2);
    bob.send(0, 2, To::AckOnly(pb::AckOnly {})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(bob);
    let (_, answer) = world.resume(&who("bob"), &bobs, 1).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Gap));
}

#[tokio::test(start_paused = true)]
async fn s3_a_resume_token_is_good_once() {
    let world = World::open();
    let (bob, first) = world.join(&who("bob")).await;
    drop(bob);
    let (mut bob, answer) = world.resume(&who("bob"), &first, 0).await;
    let From::Welcome(second) = answer else { panic!("{answer:?}") };
    assert_ne!(first.resume_token, second.resume_token);
    // The client speaks, so it has the second token.
    bob.send(0, 0, To::Ping(pb::Ping { nonce: 1 })).await;
    while !matches!(bob.body().await, From::Pong(_)) {}
    let (_, answer) = world.resume(&who("bob"), &first, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Fenced));
    let (_, answer) = world.resume(&who("bob"), &second, 0).await;
    assert!(matches!(answer, From::Welcome(welcome) if welcome.fence == 3));
}

#[tokio::test(start_paused = true)]
async fn s3_a_lost_welcome_leaves_the_older_token_good() {
    let world = World::open();
    let (bob, first) = world.join(&who("bob")).await;
    drop(bob);
    for fence in 2..5 {
        // Connections whose Welcome the client never read.
        let (raw, answer) = world.resume(&who("bob"), &first, 0).await;
        assert!(matches!(answer, From::Welcome(welcome) if welcome.fence == fence));
        drop(raw);
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_resume_token_is_good_for_its_session_and_identity() {
    let world = World::open();
    let (_ann, anns) = world.join(&who("ann")).await;
    let (_bob, bobs) = world.join(&who("bob")).await;
    let stolen = pb::Welcome { resume_token: anns.resume_token.clone(), ..bobs.clone() };
    let (_, answer) = world.resume(&who("bob"), &stolen, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Fenced));
    let other = Who { lineage: [9; 16], ..who("bob") };
    let (_, answer) = world.resume(&other, &bobs, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Fenced));
    // With all that bob has, and another name.
    let eve = Who { lineage: who("bob").lineage, ..who("eve") };
    let (_, answer) = world.resume(&eve, &bobs, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Fenced));
    assert_eq!(world.server.stats().attached, 2, "nobody lost anything by it");
}

#[tokio::test(start_paused = true)]
async fn s6_a_session_to_which_nothing_happened_can_be_resumed() {
    let world = World::open();
    let (ann, anns) = world.join(&who("ann")).await;
    drop(ann);
    let (mut ann, answer) = world.resume(&who("ann"), &anns, 0).await;
    assert!(matches!(answer, From::Welcome(welcome) if welcome.resumed));
    assert!(matches!(ann.body().await, From::ReplayEnd(pb::ReplayEnd { upto: 0 })));
}

#[tokio::test(start_paused = true)]
async fn a_resume_comes_too_late_when_the_window_is_over() {
    let world = World::open();
    let (ann, anns) = world.join(&who("ann")).await;
    drop(ann);
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    let (ann, answer) = world.resume(&who("ann"), &anns, 0).await;
    let From::Welcome(anns) = answer else { panic!("{answer:?}") };
    drop(ann);
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    let (_, answer) = world.resume(&who("ann"), &anns, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Expired));
    assert_eq!((world.server.stats().sessions, world.server.stats().rooms), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_resume_elsewhere_names_the_reason() {
    let world = World::open();
    let (_, mut anns) = world.join(&who("ann")).await;
    let other = World::new(ServerConfig { node_id: "there".into(), seed: [8; 32], ..config() });
    let (_, answer) = other.resume(&who("ann"), &anns, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::NodeChanged));
    anns.session_id = vec![3; 16].into();
    let (_, answer) = world.resume(&who("ann"), &anns, 0).await;
    assert!(matches!(answer, From::ResumeReject(reject) if reject.reason() == pb::RejectReason::Fenced));
}

#[tokio::test(start_paused = true)]
async fn s10_a_rejoin_has_a_new_log_and_keeps_the_participant() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    assert!(matches!(ann.delivery().await, (1, Event::ParticipantJoined(_))));
    bob.send(1, 0, state("mood", 1, b"fine")).await;
    assert!(matches!(ann.delivery().await, (2, Event::StateChanged(_))));
    drop(bob);
    let mut bob = world.socket().await;
    let again = bob.enter(who("bob").recover(pb::Plan::Rejoin, &bobs)).await;
    assert!(again.lineage_known && !again.resumed);
    assert_ne!(again.session_id, bobs.session_id);
    assert_ne!(again.head.as_ref().unwrap().log_id, bobs.head.as_ref().unwrap().log_id);
    assert_eq!((again.participant_id, again.client_seq_seen), (bobs.participant_id, 1));
    let me = again.snapshot.as_ref().unwrap().participants.iter().find(|p| p.identity == "bob").unwrap();
    assert_eq!(me.states[0].payload, &b"fine"[..], "states are kept");
    bob.publish(2, "back").await;
    assert_eq!(ann.message().await, (3, "back".into()), "and nobody saw a leave or a join");
}

#[tokio::test(start_paused = true)]
async fn a_lineage_that_is_not_known_goes_on_where_the_client_says() {
    let world = World::open();
    let mut bob = world.socket().await;
    let mut hello = who("bob").hello();
    hello.recovery = Some(pb::RecoveryInfo { plan: 2, first_unacked: 41, ..Default::default() });
    let welcome = bob.enter(hello).await;
    assert!(!welcome.lineage_known);
    assert_eq!(welcome.client_seq_seen, 40);
    bob.publish(41, "x").await;
    bob.acked(41).await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_says_when_it_is_done() {
    let world = World::open();
    let mut bob = world.socket().await;
    let mut hello = who("bob").hello();
    let from = vec![5; 16];
    let recovery = pb::RecoveryInfo { plan: 3, previous_session_id: from.clone().into(), ..Default::default() };
    hello.recovery = Some(recovery);
    bob.enter(hello).await;
    let From::MigrateDone(done) = bob.body().await else { panic!() };
    assert_eq!(done.from_session, from);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_on_another_node_since_is_the_same_participant_and_counts_anew() {
    let world = World::open();
    let (mut ann, mut bob) = (world.socket().await, world.socket().await);
    ann.enter(who("ann").hello()).await;
    let bobs = bob.enter(who("bob").hello()).await;
    bob.publish(1, "before").await;
    bob.acked(1).await;
    drop(bob);
    let mut hello = who("bob").recover(pb::Plan::Rejoin, &bobs);
    let recovery = hello.recovery.as_mut().unwrap();
    (recovery.from_node, recovery.first_unacked) = ("elsewhere".into(), 7);
    let mut bob = world.socket().await;
    let again = bob.enter(hello).await;
    assert!(!again.lineage_known, "what it sent to the other node is not known here");
    assert_eq!((again.participant_id, again.client_seq_seen), (bobs.participant_id, 6));
    bob.publish(7, "after").await;
    bob.acked(7).await;
    let From::Deliver(joined) = ann.body().await else { panic!("bob joined before") };
    assert!(matches!(joined.event, Some(Event::ParticipantJoined(_))));
    for (seq, text) in [(2, "before"), (3, "after")] {
        assert_eq!(ann.message().await, (seq, text.into()), "nobody saw a leave or a join");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lineage_that_was_unknown_stays_so_until_the_client_has_heard_it() {
    let world = World::open();
    let mut lost = pb::Welcome { session_id: vec![9; 16].into(), client_seq_seen: 4, ..Default::default() };
    for _ in 0..2 {
        // The first answer never arrives: the client shows the old session once more.
        let mut bob = world.socket().await;
        let welcome = bob.enter(who("bob").recover(pb::Plan::Rejoin, &lost)).await;
        assert!(!welcome.lineage_known, "of what it sent to a server that is gone, nothing is known");
        assert_eq!(welcome.client_seq_seen, 4);
    }
    let mut bob = world.socket().await;
    lost = bob.enter(who("bob").recover(pb::Plan::Rejoin, &lost)).await;
    let mut bob = world.socket().await;
    assert!(bob.enter(who("bob").recover(pb::Plan::Rejoin, &lost)).await.lineage_known, "now it has");
}

fn metric(world: &World, name: &str) -> u64 {
    let metrics = world.server.metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix("moorline_signal_")?.strip_prefix(name));
    value.unwrap_or_else(|| panic!("no {name} in {metrics}")).trim().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_cannot_resume_is_let_in_by_a_second_hello_on_the_same_connection() {
    let world = World::open();
    let mut ann = world.rejected(&who("ann")).await;
    assert_eq!(metric(&world, "pending_connections"), 1, "it is not in yet");
    let welcome = ann.enter(who("ann").recover(pb::Plan::Rejoin, &forgotten())).await;
    assert!(!welcome.resumed && !welcome.lineage_known);
    ann.publish(1, "x").await;
    ann.acked(1).await;
    assert_eq!(metric(&world, "pending_connections"), 0);
    let hellos = ["joined", "rejoined", "resumed", "resume_rejected", "refused"];
    let counts = hellos.map(|outcome| metric(&world, &format!("hellos_total{{outcome=\"{outcome}\"}}")));
    assert_eq!(counts, [1, 0, 0, 1, 0], "each Hello counts once");
    assert_eq!(metric(&world, "resume_rejects_total{reason=\"fenced\"}"), 1);
    assert_eq!(metric(&world, "connections_total"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_resumption_that_cannot_be_had_is_out_of_step() {
    let world = World::open();
    let mut ann = world.rejected(&who("ann")).await;
    ann.send(0, 0, To::Hello(who("ann").resume(&forgotten(), 0))).await;
    let (fault, code) = ann.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Protocol, pb::FaultAction::JoinAnew, 4200));
    assert_eq!(metric(&world, "resume_rejects_total{reason=\"fenced\"}"), 1, "no more than one a connection");
    assert_eq!(metric(&world, "hellos_total{outcome=\"refused\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_rejection_nothing_but_hello_is_heard() {
    let world = World::open();
    let mut ann = world.rejected(&who("ann")).await;
    ann.publish(1, "x").await;
    let (fault, code) = ann.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Protocol, pb::FaultAction::End, 4000));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_after_a_rejection_is_asked_to_try_again() {
    let world = World::open();
    let mut ann = world.socket().await;
    // The second wait is as long as the first, however long that was.
    tokio::time::sleep(Duration::from_secs(4)).await;
    ann.send(0, 0, To::Hello(who("ann").resume(&forgotten(), 0))).await;
    assert!(matches!(ann.body().await, From::ResumeReject(_)));
    let before = tokio::time::Instant::now();
    let (fault, code) = ann.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::TimedOutWaiting, pb::FaultAction::Retry, 4102));
    assert!((5_000..5_100).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(metric(&world, "pending_connections"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_hello_comes_too_late_for_a_node_that_is_drained() {
    let world = World::open();
    let (mut bob, _) = world.join(&who("bob")).await;
    let mut ann = world.rejected(&who("ann")).await;
    let late = async {
        assert!(matches!(bob.body().await, From::GoAway(_)));
        ann.send(0, 0, To::Hello(who("ann").recover(pb::Plan::Rejoin, &forgotten()))).await;
        let (fault, code) = ann.fault().await;
        assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::NodeDraining, pb::FaultAction::Move, 4300));
        bob.send(0, 0, To::Leave(pb::Leave::default())).await;
    };
    tokio::join!(world.server.drain(Drain::default()), late);
}
