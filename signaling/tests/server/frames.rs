//! What is not a frame, or makes no sense.

use std::time::Duration;

use futures_util::SinkExt as _;
use proptest::prelude::*;
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::raw::*;

async fn refused_for_good(raw: &mut Raw) {
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Protocol, pb::FaultAction::End, 4000));
}

#[tokio::test(start_paused = true)]
async fn text_garbage_and_too_much_end_the_connection() {
    let world = World::open();
    for in_room in [false, true] {
        for bad in [Message::text("hello"), Message::binary(vec![0xff; 10]), Message::binary(vec![0; (128 << 10) + 1])]
        {
            let mut raw = world.socket().await;
            if in_room {
                raw.enter(who("ann").hello()).await;
            }
            // The server may have said its word before all of it is written.
            let _ = tokio::time::timeout(Duration::from_secs(5), raw.ws.send(bad)).await;
            refused_for_good(&mut raw).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_before_hello_and_no_second_one_after_it() {
    let world = World::open();
    let mut raw = world.socket().await;
    raw.publish(1, "x").await;
    refused_for_good(&mut raw).await;
    let (mut raw, _) = world.join(&who("ann")).await;
    raw.send(0, 0, To::Hello(who("ann").hello())).await;
    refused_for_good(&mut raw).await;
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_missing_call_for_a_rejoin() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.publish(1, "x").await;
    ann.publish(3, "x").await;
    let (fault, code) = ann.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Protocol, pb::FaultAction::JoinAnew, 4200));
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.send(0, 17, To::AckOnly(pb::AckOnly {})).await;
    assert_eq!(ann.fault().await.1, 4200, "what was never sent is not acknowledged");
}

#[tokio::test(start_paused = true)]
async fn numbers_go_with_their_bodies() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    ann.publish(0, "x").await;
    refused_for_good(&mut ann).await;
    let (mut bob, _) = world.join(&who("bob")).await;
    bob.send(1, 0, To::Ping(pb::Ping { nonce: 1 })).await;
    refused_for_good(&mut bob).await;
}

#[tokio::test(start_paused = true)]
async fn another_version_is_told_both_versions() {
    let world = World::open();
    let mut raw = world.socket().await;
    raw.send(0, 0, To::Hello(pb::Hello { proto_versions: vec![2, 3], ..who("ann").hello() })).await;
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::Version, pb::FaultAction::End, 4001));
    assert!(fault.message.contains("version 1") && fault.message.contains("[2, 3]"), "{}", fault.message);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_the_future_is_passed_over() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    // Field 20, empty.
    ann.send_bytes(vec![0xa2, 0x01, 0x00]).await;
    ann.publish(1, "x").await;
    ann.acked(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_hello_over_the_limits_is_refused() {
    let world = World::open();
    let long = |change: fn(&mut pb::Hello)| {
        let mut hello = who("ann").hello();
        change(&mut hello);
        hello
    };
    for hello in [
        long(|hello| hello.room = String::new()),
        long(|hello| hello.room = "r".repeat(257)),
        long(|hello| hello.lineage_id = vec![1; 15].into()),
        long(|hello| hello.session_id = vec![1; 17].into()),
        long(|hello| hello.caps = vec!["c".into(); 33]),
        long(|hello| hello.proto_versions = vec![1; 17]),
        long(|hello| hello.client_info.as_mut().unwrap().metadata = "m".repeat(4097)),
        long(|hello| hello.recovery = Some(pb::RecoveryInfo { first_unacked: u64::MAX, ..Default::default() })),
    ] {
        let mut raw = world.socket().await;
        raw.send(0, 0, To::Hello(hello)).await;
        refused_for_good(&mut raw).await;
    }
}

/// Whatever bytes come as frames, the server goes on.
fn survives(in_room: bool, frames: Vec<Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::open();
        let mut raw = world.socket().await;
        if in_room {
            raw.enter(who("ann").hello()).await;
        }
        for frame in frames {
            let _ = raw.ws.send(Message::binary(frame)).await;
        }
        raw.idle(Duration::from_millis(300)).await;
        world.join(&who("bob")).await;
        assert_eq!(world.server.stats().panics, 0);
    });
}

fn any_text() -> impl Strategy<Value = String> {
    "\\PC{0,20}"
}

fn any_body() -> impl Strategy<Value = To> {
    prop_oneof![
        (any::<u64>(), any::<i32>(), any::<Vec<u8>>(), any_text(), any::<Vec<u64>>()).prop_map(
            |(dedupe_id, class, payload, topic, to)| To::Publish(pb::Publish {
                dedupe_id,
                class: class % 6,
                payload: payload.into(),
                topic,
                to
            })
        ),
        (any_text(), any::<u64>(), any::<Vec<u8>>()).prop_map(|(key, rev, payload)| To::StateUpdate(pb::StateUpdate {
            key,
            rev,
            payload: payload.into()
        })),
        (any::<u64>(), any::<u64>(), any_text()).prop_map(|(call_id, to, method)| To::Call(pb::Call {
            call_id,
            to,
            method,
            ..Default::default()
        })),
        (any::<u64>(), any::<u64>(), 0..7).prop_map(|(call_id, to, status)| To::Reply(pb::Reply {
            call_id,
            to,
            status,
            ..Default::default()
        })),
        any_text().prop_map(|auth_token| To::TokenUpdate(pb::TokenUpdate { auth_token })),
        any_text().prop_map(|reason| To::Leave(pb::Leave { reason })),
        any::<u64>().prop_map(|nonce| To::Ping(pb::Ping { nonce })),
        (any::<Vec<u8>>(), any::<u64>(), 0..5, any::<Vec<u8>>()).prop_map(|(id, seq, plan, token)| {
            let mut hello = who("ann").hello();
            hello.session_id = vec![id.first().copied().unwrap_or_default(); 16].into();
            let log_id = vec![1; id.len() % 18].into();
            hello.recovery = Some(pb::RecoveryInfo {
                plan,
                first_unacked: seq,
                resume_token: token.into(),
                last_seen: Some(pb::StreamPos { log_id, seq }),
                ..Default::default()
            });
            To::Hello(hello)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_server_panic(in_room: bool, frames: Vec<Vec<u8>>) {
        survives(in_room, frames);
    }

    #[test]
    fn no_frames_make_the_server_panic(in_room: bool, frames in prop::collection::vec((0u64..5, 0u64..3, any_body()), 0..20)) {
        let frames = frames.into_iter().map(|(seq, ack, body)| pb::ClientFrame { seq, ack, body: Some(body) });
        survives(in_room, frames.map(|frame| frame.encode_to_vec()).collect());
    }
}
