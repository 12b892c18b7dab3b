//! S11, I21.

use std::time::Duration;

use tokio::time::Instant;

use crate::raw::*;

#[tokio::test(start_paused = true)]
async fn s11_a_silent_client_is_asked_and_then_dropped() {
    let world = World::open();
    let before = Instant::now();
    let (mut ann, _) = world.join(&who("ann")).await;
    assert!(matches!(ann.body().await, From::Ping(_)));
    assert_eq!(before.elapsed().as_secs(), 5);
    assert!(ann.maybe_frame().await.is_err(), "it is dropped, without a word");
    assert!((12_000..12_100).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    assert_eq!((world.server.stats().attached, world.server.stats().sessions), (0, 1), "its session waits");
}

#[tokio::test(start_paused = true)]
async fn s11_any_frame_is_a_sign_of_life() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    for nonce in 0..10 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        ann.send(0, 0, To::Ping(pb::Ping { nonce })).await;
        let From::Pong(pong) = ann.body().await else { panic!("no ping is needed") };
        assert_eq!(pong.nonce, nonce);
    }
}

#[tokio::test(start_paused = true)]
async fn i21_a_half_open_link_leaves_one_participant() {
    let world = World::open();
    let (mut ann, _) = world.join(&who("ann")).await;
    // Nothing of what this one does reaches the server any more, and it does not know.
    let (_deaf, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    let before = Instant::now();
    let (_, Event::ParticipantLeft(left)) = ann.delivery_while_alive().await else { panic!() };
    assert_eq!(left.id, bobs.participant_id);
    assert!((22_000..22_100).contains(&before.elapsed().as_millis()), "timeout and window: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_at_all_is_asked_to_try_again() {
    let world = World::open();
    let mut raw = world.socket().await;
    let (fault, code) = raw.fault().await;
    assert_eq!((fault.code(), fault.action(), code), (pb::FaultCode::TimedOutWaiting, pb::FaultAction::Retry, 4102));
}

#[tokio::test(start_paused = true)]
async fn the_spread_grows_with_the_sessions() {
    let world = World::new(ServerConfig { accept_rate: 100, ..config() });
    let mut all = Vec::new();
    for n in 1..=70u32 {
        let (raw, welcome) = world.join(&who(&format!("{n}"))).await;
        // A hundred are let in at once, and half of that is for those who come back.
        let wanted = if n <= 50 { 1 } else { (n - 50) * 10 };
        assert_eq!(welcome.reconnect_spread_ms, wanted, "{n} sessions");
        all.push(raw);
    }
    let (first, _) = (&mut all[0], ());
    first.send(0, 0, To::Ping(pb::Ping { nonce: 1 })).await;
    let pong = loop {
        if let From::Pong(pong) = first.body().await {
            break pong;
        }
    };
    assert_eq!(pong.reconnect_spread_ms, 200);
}
