//! Rooms in the memory of this process.

mod budget;
mod calls;
mod log;
mod member;
mod room;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::time::Instant;

use super::store::{Admission, Applied, Inbound, Join, JoinError, Resume, ResumeError, Store, StoreStats};
use super::{Limits, ServerConfig, frames};
use crate::wire::pb;
use crate::{LeftReason, LogId, ParticipantId, SessionId};

use budget::Budget;
use room::{Connection, Room};

/// Keeps rooms in this process, each under a lock of its own that is never held across a wait.
///
/// What it holds dies with the process: clients come back with `Rejoin`, and learn that their lineage is not known.
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Locked before a room, if both are.
    rooms: Mutex<BTreeMap<String, Arc<Mutex<Room>>>>,
    waiting: Mutex<Waiting>,
    resume_window: Duration,
}

/// What rooms need of the store.
struct Shared {
    limits: Limits,
    budget: Arc<Budget>,
    rng: Mutex<ChaCha20Rng>,
    sessions: AtomicUsize,
    deliveries: AtomicU64,
    slow_consumers: AtomicU64,
    ephemeral_dropped: AtomicU64,
}

/// Sessions without a connection, by when their window is over; and those that have lost it.
#[derive(Default)]
struct Waiting {
    queue: BTreeMap<(Instant, SessionId), MemorySeat>,
    /// Where in the queue a session is. It may have come back since.
    due: BTreeMap<SessionId, Instant>,
    expired: BTreeSet<SessionId>,
    expired_order: VecDeque<SessionId>,
}

/// So many sessions that are over are told from those that never were.
const EXPIRED_KEPT: usize = 4_096;

/// A connection's place in a room of a [`MemoryStore`].
#[derive(Clone)]
pub struct MemorySeat {
    room: Arc<Mutex<Room>>,
    connection: Connection,
}

impl MemoryStore {
    /// An empty store with the bounds, the resume window and the seed of this configuration.
    #[must_use]
    pub fn new(config: &ServerConfig) -> Self {
        let mut seed = config.seed;
        // Not the numbers that the server draws from the same seed.
        seed[0] ^= 0xa5;
        Self {
            shared: Arc::new(Shared {
                limits: config.limits.clone(),
                budget: Budget::new(config.limits.total_bytes),
                rng: Mutex::new(ChaCha20Rng::from_seed(seed)),
                sessions: AtomicUsize::new(0),
                deliveries: AtomicU64::new(0),
                slow_consumers: AtomicU64::new(0),
                ephemeral_dropped: AtomicU64::new(0),
            }),
            rooms: Mutex::default(),
            waiting: Mutex::default(),
            resume_window: config.resume_window,
        }
    }

    fn find(&self, name: &str) -> Option<Arc<Mutex<Room>>> {
        lock(&self.rooms).get(name).cloned()
    }

    fn find_or_open(&self, name: &str) -> Result<Arc<Mutex<Room>>, JoinError> {
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.get(name) {
            return Ok(Arc::clone(room));
        }
        if rooms.len() >= self.shared.limits.max_rooms {
            return Err(JoinError::NodeFull);
        }
        let room = Arc::new(Mutex::new(Room::new(name.to_owned(), Arc::clone(&self.shared))));
        rooms.insert(name.to_owned(), Arc::clone(&room));
        Ok(room)
    }

    /// Forgets the room if nobody is in it. Whoever still holds it finds it closed.
    fn forget_if_empty(&self, room: &Arc<Mutex<Room>>) {
        let mut rooms = lock(&self.rooms);
        let mut inner = lock(room);
        if inner.is_empty() && !inner.closed {
            inner.closed = true;
            rooms.remove(&inner.name);
        }
    }

    fn queue(&self, mut detached: Vec<Connection>, room: &Arc<Mutex<Room>>, now: Instant) {
        let mut waiting = lock(&self.waiting);
        let due = now + self.resume_window;
        for connection in detached.drain(..) {
            waiting.push(due, MemorySeat { room: Arc::clone(room), connection });
        }
    }
}

impl Store for MemoryStore {
    type Seat = MemorySeat;

    async fn join(&self, join: Join, now: Instant) -> Result<Admission<MemorySeat>, JoinError> {
        loop {
            let room = self.find_or_open(&join.room)?;
            let (outcome, slow) = {
                let mut inner = lock(&room);
                if inner.closed {
                    // It was forgotten between the look-up and the lock.
                    continue;
                }
                (inner.join(&join), inner.take_detached())
            };
            self.queue(slow, &room, now);
            return match outcome {
                Ok(admission) => Ok(admission.seated(&room)),
                Err(error) => {
                    self.forget_if_empty(&room);
                    Err(error)
                }
            };
        }
    }

    async fn resume(&self, resume: Resume, _now: Instant) -> Result<Admission<MemorySeat>, ResumeError> {
        let outcome = match self.find(&resume.room) {
            Some(room) => lock(&room).resume(&resume).map(|admission| admission.seated(&room)),
            None => Err(ResumeError::UnknownSession),
        };
        match outcome {
            Err(ResumeError::UnknownSession) if lock(&self.waiting).expired.contains(&resume.session) => {
                Err(ResumeError::Expired)
            }
            outcome => outcome,
        }
    }

    async fn apply(&self, seat: &MemorySeat, inbound: Inbound, now: Instant) -> Applied {
        let (applied, slow) = {
            let mut room = lock(&seat.room);
            (room.apply(&seat.connection, inbound, now), room.take_detached())
        };
        if !slow.is_empty() {
            self.queue(slow, &seat.room, now);
        }
        applied
    }

    async fn detach(&self, seat: &MemorySeat, now: Instant) {
        let detached = lock(&seat.room).detach(&seat.connection);
        if detached {
            self.queue(vec![seat.connection], &seat.room, now);
        }
    }

    async fn leave(&self, seat: &MemorySeat, reason: LeftReason, now: Instant) {
        let slow = {
            let mut room = lock(&seat.room);
            room.leave(&seat.connection, reason);
            room.take_detached()
        };
        self.queue(slow, &seat.room, now);
        self.forget_if_empty(&seat.room);
    }

    async fn expire(&self, now: Instant) -> Option<Instant> {
        loop {
            let seat = {
                let mut waiting = lock(&self.waiting);
                let due = waiting.queue.first_key_value()?.0.0;
                if due > now {
                    return Some(due);
                }
                waiting.pop()?
            };
            let (ended, slow) = {
                let mut room = lock(&seat.room);
                (room.time_out(&seat.connection), room.take_detached())
            };
            self.queue(slow, &seat.room, now);
            if ended {
                lock(&self.waiting).remember(seat.connection.session);
                self.forget_if_empty(&seat.room);
            }
        }
    }

    fn stats(&self) -> StoreStats {
        StoreStats {
            sessions: self.shared.sessions.load(Ordering::Relaxed),
            rooms: lock(&self.rooms).len(),
            deliveries: self.shared.deliveries.load(Ordering::Relaxed),
            slow_consumers: self.shared.slow_consumers.load(Ordering::Relaxed),
            ephemeral_dropped: self.shared.ephemeral_dropped.load(Ordering::Relaxed),
            bytes: self.shared.budget.used(),
        }
    }
}

impl Waiting {
    /// A session is in the queue once, however often its connection is lost.
    fn push(&mut self, due: Instant, seat: MemorySeat) {
        let session = seat.connection.session;
        if let Some(earlier) = self.due.insert(session, due) {
            self.queue.remove(&(earlier, session));
        }
        self.queue.insert((due, session), seat);
    }

    /// The first in the queue.
    fn pop(&mut self) -> Option<MemorySeat> {
        let ((_, session), seat) = self.queue.pop_first()?;
        self.due.remove(&session);
        Some(seat)
    }

    fn remember(&mut self, session: SessionId) {
        if self.expired.insert(session) {
            self.expired_order.push_back(session);
        }
        if self.expired_order.len() > EXPIRED_KEPT
            && let Some(oldest) = self.expired_order.pop_front()
        {
            self.expired.remove(&oldest);
        }
    }
}

impl Shared {
    /// The body of a frame with this delivery, which counts for as long as somebody has it.
    fn encode(&self, event: pb::deliver::Event) -> Bytes {
        self.budget.hold(frames::deliver(event))
    }

    fn session_id(&self) -> SessionId {
        SessionId::from_bytes(self.random())
    }

    fn log_id(&self) -> LogId {
        LogId::from_bytes(self.random())
    }

    /// Not 0.
    fn participant_id(&self) -> ParticipantId {
        ParticipantId(lock(&self.rng).next_u64().max(1))
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        lock(&self.rng).fill_bytes(&mut bytes);
        bytes
    }

    /// Takes a place for a session.
    fn open_session(&self) -> Result<(), JoinError> {
        self.sessions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < self.limits.max_sessions).then_some(n + 1))
            .map(drop)
            .map_err(|_| JoinError::NodeFull)
    }

    fn close_session(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Locks what a panic cannot leave half done: the task that panicked took its own connection with it, and the rest is kept usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_waits_in_one_place_however_often_it_is_lost() {
        let store = MemoryStore::new(&ServerConfig::default());
        let room = Arc::new(Mutex::new(Room::new("lobby".into(), Arc::clone(&store.shared))));
        let session = SessionId::from_bytes([1; 16]);
        for generation in 1..=10 {
            let connection = Connection { participant: ParticipantId(1), session, generation };
            store.queue(vec![connection], &room, Instant::now());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        let mut waiting = lock(&store.waiting);
        assert_eq!((waiting.queue.len(), waiting.due.len()), (1, 1));
        let (&(due, _), seat) = waiting.queue.first_key_value().unwrap();
        assert_eq!(
            (due, seat.connection.generation),
            (Instant::now() + store.resume_window - Duration::from_millis(100), 10)
        );
        assert!(waiting.pop().is_some() && waiting.due.is_empty());
    }
}
