//! A defect in what serves one connection stays there, and one in what serves all does not stop it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use moorline_signaling::LeftReason;
use moorline_signaling::server::store::{
    Admission, Applied, Inbound, Join, JoinError, Request, Resume, ResumeError, Store, StoreStats,
};
use moorline_signaling::server::{Listener, MemorySeat, MemoryStore};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::raw::*;

/// A store with a defect.
struct Defective(MemoryStore, AtomicBool);

impl Defective {
    fn new() -> Self {
        Self(MemoryStore::new(&config()), AtomicBool::new(false))
    }
}

impl Store for Defective {
    type Seat = MemorySeat;

    async fn join(&self, join: Join, now: Instant) -> Result<Admission<MemorySeat>, JoinError> {
        self.0.join(join, now).await
    }

    async fn resume(&self, resume: Resume, now: Instant) -> Result<Admission<MemorySeat>, ResumeError> {
        self.0.resume(resume, now).await
    }

    async fn apply(&self, seat: &MemorySeat, inbound: Inbound, now: Instant) -> Applied {
        if let Some(Request::Publish { topic, .. }) = &inbound.request {
            assert_ne!(topic, "defect", "on purpose");
        }
        self.0.apply(seat, inbound, now).await
    }

    async fn detach(&self, seat: &MemorySeat, now: Instant) {
        self.0.detach(seat, now).await;
    }

    async fn leave(&self, seat: &MemorySeat, reason: LeftReason, now: Instant) {
        self.0.leave(seat, reason, now).await;
    }

    async fn expire(&self, now: Instant) -> Option<Instant> {
        assert!(!self.1.swap(false, Ordering::Relaxed), "on purpose");
        self.0.expire(now).await
    }

    fn stats(&self) -> StoreStats {
        self.0.stats()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_loses_one_connection_and_no_session() {
    let world = World::over(config(), Defective::new());
    let (mut ann, _) = world.join(&who("ann")).await;
    let (mut bob, bobs) = world.join(&who("bob")).await;
    ann.delivery().await;
    let defect = pb::Publish { topic: "defect".into(), ..message(pb::SendClass::Reliable, "x") };
    bob.send(1, 0, To::Publish(defect)).await;
    assert!(bob.maybe_frame().await.is_err());
    assert_eq!(world.server.stats().panics, 1);
    let (mut bob, answer) = world.resume(&who("bob"), &bobs, 0).await;
    assert!(matches!(answer, From::Welcome(welcome) if welcome.client_seq_seen == 0));
    bob.publish(1, "fine").await;
    assert_eq!(ann.message().await, (2, "fine".into()));
    drop(bob);
    let (_, Event::ParticipantLeft(left)) = ann.delivery_while_alive().await else { panic!() };
    assert_eq!(left.id, bobs.participant_id);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_after_a_panic_of_what_ends_them() {
    let store = Defective::new();
    store.1.store(true, Ordering::Relaxed);
    let world = World::over(config(), store);
    world.join(&who("ann")).await;
    assert_eq!((world.server.stats().panics, world.server.stats().sessions), (1, 1));
    tokio::time::sleep(config().resume_window + std::time::Duration::from_secs(1)).await;
    assert_eq!((world.server.stats().panics, world.server.stats().sessions), (1, 0));
    world.server.shutdown().await;
}

/// Panics once, and accepts then.
struct Startled(mpsc::UnboundedReceiver<DuplexStream>, bool);

impl Listener for Startled {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        assert!(std::mem::replace(&mut self.1, true), "on purpose");
        match self.0.recv().await {
            Some(pipe) => Ok((pipe, self.local_addr()?)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_accepted_after_a_panic_of_what_accepts_them() {
    let (dial, pipes) = mpsc::unbounded_channel();
    let world = World { server: Server::start(config(), Startled(pipes, false)).unwrap(), dial };
    world.join(&who("ann")).await;
    assert_eq!(world.server.stats().panics, 1);
    world.server.shutdown().await;
}
