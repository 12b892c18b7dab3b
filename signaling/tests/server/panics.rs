//! A defect in what serves one connection stays there.

use moorline_signaling::LeftReason;
use moorline_signaling::server::store::{
    Admission, Applied, Inbound, Join, JoinError, Request, Resume, ResumeError, Store, StoreStats,
};
use moorline_signaling::server::{MemorySeat, MemoryStore};
use tokio::time::Instant;

use crate::raw::*;

/// A store with a defect.
struct Defective(MemoryStore);

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
        self.0.expire(now).await
    }

    fn stats(&self) -> StoreStats {
        self.0.stats()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_loses_one_connection_and_no_session() {
    let world = World::over(config(), Defective(MemoryStore::new(&config())));
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
