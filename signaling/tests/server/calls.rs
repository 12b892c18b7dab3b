//! Calls and rejections.

use std::time::Duration;

use crate::raw::*;

fn call(call_id: u64, to: u64) -> To {
    To::Call(pb::Call { call_id, to, method: "add".into(), payload: b"1+1"[..].into(), timeout_ms: 500 })
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_to_its_target_and_the_reply_back() {
    let world = World::open();
    let (mut ann, anns) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    ann.send(1, 0, call(77, bobs.participant_id)).await;
    let (1, Event::CallRequest(request)) = bob.delivery().await else { panic!() };
    assert_eq!((request.call_id, request.from, request.method.as_str()), (77, anns.participant_id, "add"));
    assert_eq!((&request.payload[..], request.timeout_ms), (&b"1+1"[..], 500));
    let reply = pb::Reply { call_id: 77, to: request.from, status: 1, payload: b"2"[..].into() };
    bob.send(1, 0, To::Reply(reply)).await;
    let (2, Event::CallReply(reply)) = ann.delivery().await else { panic!() };
    assert_eq!((reply.call_id, reply.from, reply.status()), (77, bobs.participant_id, pb::CallStatus::CallOk));
}

#[tokio::test(start_paused = true)]
async fn a_call_to_nobody_is_answered_at_once() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(1, 0, call(77, 12345)).await;
    let (1, Event::CallReply(reply)) = ann.delivery().await else { panic!() };
    assert_eq!((reply.call_id, reply.status()), (77, pb::CallStatus::CallNoSuchParticipant));
}

#[tokio::test(start_paused = true)]
async fn a_call_and_its_answer_survive_the_loss_of_both_connections() {
    let world = World::open();
    let (mut ann, anns) = world.join(&who("ann")).await;
    let (bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    drop(bob);
    ann.send(1, 0, call(5, bobs.participant_id)).await;
    ann.acked(1).await;
    drop(ann);
    let (mut bob, _) = world.resume(&who("bob"), &bobs, 0).await;
    let (1, Event::CallRequest(request)) = bob.delivery().await else { panic!() };
    assert!(matches!(bob.body().await, From::ReplayEnd(_)));
    bob.send(1, 1, To::Reply(pb::Reply { call_id: 5, to: request.from, status: 1, ..Default::default() })).await;
    bob.acked(1).await;
    let (mut ann, _) = world.resume(&who("ann"), &anns, 1).await;
    assert!(matches!(ann.delivery().await, (2, Event::CallReply(reply)) if reply.call_id == 5));
}

#[tokio::test(start_paused = true)]
async fn a_rejection_comes_before_the_acknowledgement_that_covers_it() {
    let world = World::open();
    let (mut ann, anns) = world.join(&who("ann")).await;
    ann.publish(1, "x").await;
    ann.send(2, 0, state(&"k".repeat(257), 1, b"")).await;
    ann.publish(3, "y").await;
    let frame = loop {
        let frame = ann.frame().await;
        if matches!(frame.body, Some(From::Deliver(_))) {
            break frame;
        }
        assert!(frame.ack < 2, "not yet");
    };
    assert!(frame.ack < 2, "nor with it");
    let Some(From::Deliver(pb::Deliver { event: Some(Event::Rejected(rejected)) })) = frame.body else { panic!() };
    assert_eq!((rejected.client_seq, rejected.code()), (2, pb::RejectCode::OverLimit));
    ann.acked(3).await;
    // Until it is acknowledged, every Welcome repeats it, of whichever session.
    drop(ann);
    let mut ann = world.socket().await;
    let welcome = ann.enter(who("ann").recover(pb::Plan::Rejoin, &anns)).await;
    assert_eq!(welcome.rejections, [rejected]);
    assert_eq!(welcome.client_seq_seen, 3);
    ann.send(0, 0, To::AckOnly(pb::AckOnly {})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(ann);
    let mut ann = world.socket().await;
    assert!(ann.enter(who("ann").recover(pb::Plan::Rejoin, &welcome)).await.rejections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_rejected_and_the_session_goes_on() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(1, 0, To::Publish(message(pb::SendClass::Latest, "x"))).await;
    ann.send(2, 0, To::Reply(pb::Reply { call_id: 1, to: 2, status: 4, ..Default::default() })).await;
    for (seq, client_seq) in [(1, 1), (2, 2)] {
        let (at, Event::Rejected(rejected)) = ann.delivery().await else { panic!() };
        assert_eq!((at, rejected.client_seq, rejected.code()), (seq, client_seq, pb::RejectCode::Invalid));
    }
    ann.publish(3, "x").await;
    ann.acked(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_asked_for_is_not_delivered() {
    let world = World::open();
    let (mut ann, anns) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    let (mut eve, _) = world.join(&who("eve")).await;
    let reply = || To::Reply(pb::Reply { call_id: 7, to: anns.participant_id, status: 1, ..Default::default() });
    let rejected = async |raw: &mut Raw, seq| match raw.delivery().await {
        (_, Event::Rejected(rejected)) => {
            assert_eq!((rejected.client_seq, rejected.code()), (seq, pb::RejectCode::Invalid));
        }
        other => panic!("{other:?}"),
    };
    bob.delivery().await;
    bob.send(1, 0, reply()).await;
    rejected(&mut bob, 1).await;
    ann.send(1, 0, call(7, bobs.participant_id)).await;
    assert!(matches!(bob.delivery().await.1, Event::CallRequest(_)));
    eve.send(1, 0, reply()).await;
    rejected(&mut eve, 1).await;
    bob.send(2, 0, reply()).await;
    bob.send(3, 0, reply()).await;
    rejected(&mut bob, 3).await;
    // After its deadline a call is not open.
    ann.send(2, 0, call(7, bobs.participant_id)).await;
    assert!(matches!(bob.delivery().await.1, Event::CallRequest(_)));
    bob.idle(Duration::from_millis(600)).await;
    bob.send(4, 0, reply()).await;
    rejected(&mut bob, 4).await;
    ann.publish(3, "end").await;
    assert!(matches!(ann.delivery().await.1, Event::ParticipantJoined(_)));
    assert!(matches!(ann.delivery().await.1, Event::ParticipantJoined(_)));
    assert!(matches!(ann.delivery().await.1, Event::CallReply(_)));
    while let Ok(frame) = tokio::time::timeout(Duration::from_secs(1), ann.frame()).await {
        assert!(!matches!(frame.body, Some(From::Deliver(_))), "one answer and no more: {frame:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_of_one_wait_for_an_answer() {
    let world = World::new(ServerConfig { limits: Limits { open_calls: 2, ..Limits::default() }, ..config() });
    let (mut ann, _) = world.join(&who("ann")).await;
    let (_bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    for id in 1..=3 {
        ann.send(id, 0, call(id, bobs.participant_id)).await;
    }
    let (_, Event::Rejected(rejected)) = ann.delivery().await else { panic!() };
    assert_eq!((rejected.client_seq, rejected.code()), (3, pb::RejectCode::OverLimit));
    ann.idle(Duration::from_millis(600)).await;
    ann.send(4, 0, call(4, bobs.participant_id)).await;
    assert!(ann.is_silent(Duration::from_millis(100)).await, "their time was over");
}
