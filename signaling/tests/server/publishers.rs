//! Whoever reads is not cut off, however fast others publish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use moorline_signaling::client::{BoxFuture, Connector, Stream};
use moorline_signaling::machine::Event as Told;
use moorline_signaling::{Client, ClientConfig, Events, ParticipantId, SendClass, SendOutcome};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::raw::*;

/// The way to a world.
struct Way(mpsc::UnboundedSender<DuplexStream>);

impl Connector for Way {
    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        let (near, far) = tokio::io::duplex(PIPE);
        let sent = self.0.send(far);
        Box::pin(async move {
            sent.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

async fn client(world: &World, name: &str, seed: u8) -> (Client, Events) {
    let mut config = ClientConfig::new("ws://here", "lobby");
    config.machine.info.identity = name.into();
    config.connector = Arc::new(Way(world.dial.clone()));
    config.seed = Some([seed; 32]);
    config.suspend_clock = None;
    Client::connect(config).await.unwrap()
}

/// Publishes so many payloads of this size, as many at a time as the client takes.
async fn publish(client: &Client, count: usize, size: usize, at_once: usize) {
    let mut sends = JoinSet::new();
    for n in 0..count {
        let mut payload = vec![b'x'; size];
        payload[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let outcome = client.send(SendClass::Reliable, payload);
        sends.spawn(async move { assert_eq!(outcome.await, SendOutcome::Acked) });
        if sends.len() >= at_once {
            sends.join_next().await.unwrap().unwrap();
        }
    }
    sends.join_all().await;
}

/// Reads so many messages of this one, all of them in order.
async fn hear(events: &mut Events, from: &[ParticipantId], count: usize) {
    let mut next = vec![0; from.len()];
    while next.iter().sum::<usize>() < count * from.len() {
        match events.next().await.expect("the client lives") {
            Told::Message(message) => {
                let of = from.iter().position(|id| *id == message.from).unwrap();
                assert_eq!(message.payload[..8], (next[of] as u64).to_be_bytes());
                next[of] += 1;
            }
            Told::ConnectionLost { cause, .. } => panic!("{cause}"),
            Told::ResyncRequired { .. } => panic!("something was lost"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_payloads_as_fast_as_one_may_send_them_reach_all_who_read() {
    const COUNT: usize = 300;
    let world = World::open();
    let (ann, _anns) = client(&world, "ann", 1).await;
    let (_bob, mut bobs) = client(&world, "bob", 2).await;
    let (_cid, mut cids) = client(&world, "cid", 3).await;
    let from = [ann.participant().unwrap()];
    // As much as the queue of a client takes.
    let all = async {
        tokio::join!(publish(&ann, COUNT, 64 << 10, 60), hear(&mut bobs, &from, COUNT), hear(&mut cids, &from, COUNT))
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    assert_eq!(world.server.stats().slow_consumers, 0);
}

/// What comes in during a round trip of half a second fits into what is kept of it.
#[tokio::test(start_paused = true)]
async fn two_who_publish_as_fast_as_they_may_do_not_cut_off_one_who_is_far_away() {
    for (size, at_least) in [(1, 3_800), (64 << 10, 40)] {
        let world = World::open();
        let (mut far, fars) = world.join(&who("far")).await;
        let (mut ann, _) = world.join(&who("ann")).await;
        let (mut bob, _) = world.join(&who("bob")).await;
        let payload = "x".repeat(size);
        let until = tokio::time::Instant::now() + Duration::from_millis(500);
        let publishing = [&mut ann, &mut bob].map(|raw| async {
            for seq in 1.. {
                let publish = message(pb::SendClass::Reliable, &payload);
                raw.send(seq, 0, To::Publish(pb::Publish { to: vec![fars.participant_id], ..publish })).await;
            }
        });
        let _ = tokio::time::timeout_at(until, join_all(publishing)).await;
        let mut last = 0;
        while let Ok(frame) = tokio::time::timeout(Duration::from_millis(100), far.maybe_frame()).await {
            let seq = frame.expect("it is not cut off").seq;
            last = last.max(seq);
            if seq > 0 && seq % 32 == 0 {
                far.send(0, seq, To::AckOnly(pb::AckOnly {})).await;
            }
        }
        assert!(last > at_least, "they were fast: {last}");
        assert_eq!(world.server.stats().slow_consumers, 0);
    }
}
