use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_proto::PeerId;
use tokio::time::Instant;

use crate::supervisor::Scope;

use super::budget::Budget;
use super::context::Context;

/// What a [room](crate::room) may do with its node: tell where other nodes are. Nothing else of the node is its business.
#[derive(Clone)]
pub(crate) struct Neighbours {
    context: Arc<Context>,
    /// Parent of the rooms.
    rooms: Scope,
    max_rooms: usize,
    joined: Arc<AtomicU64>,
    /// What participants of all rooms may make this node do. Shared by the rooms.
    budget: Arc<Budget>,
}

impl Neighbours {
    pub(super) fn new(context: Arc<Context>, rooms: Scope, max_rooms: usize) -> Self {
        let budget = Arc::new(Budget::new(MEETINGS_AT_ONCE, MEETING_PERIOD));
        Self { context, rooms, max_rooms, joined: Arc::default(), budget }
    }

    /// Counts the rooms, to tell what one says from what another says.
    pub(crate) fn next_room(&self) -> u64 {
        self.joined.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn own_id(&self) -> PeerId {
        self.context.own_id
    }

    /// Where this node listens; the address may be unspecified.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.context.local_addr
    }

    /// A scope for one more room; `Err` with the limit if there are enough, `None` when the node is stopping.
    pub(crate) fn room_scope(&self) -> Result<Option<Scope>, usize> {
        if self.rooms.is_cancelled() {
            return Ok(None);
        }
        if self.rooms.alive() >= self.max_rooms * ROOM_TASKS {
            return Err(self.max_rooms);
        }
        Ok(Some(self.rooms.child("room")))
    }

    /// A node is said to be there: it is dialled, and only believed when it proves its id. At most so often, over all rooms: `Err` says
    /// when to come again, or that there are too many nodes already.
    pub(crate) fn met(&self, now: Instant, key: String, peer: PeerId, addrs: Vec<SocketAddr>) -> Result<(), NotMet> {
        if peer == self.context.own_id || addrs.is_empty() {
            self.gone(&key);
            return Ok(());
        }
        self.budget.take(now).map_err(NotMet::Before)?;
        if self.context.targets.met(&self.context, key, peer, addrs) {
            return Ok(());
        }
        self.budget.give_back();
        Err(NotMet::TooMany)
    }

    /// It is not said any more. A connection that stands is not touched.
    pub(crate) fn gone(&self, key: &str) {
        self.context.targets.lost(key);
    }
}

/// Why a node is not dialled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotMet {
    /// Too much was announced lately: not before then.
    Before(Instant),
    /// As many as may be are known.
    TooMany,
}

/// Changed announcements that are acted on at once.
const MEETINGS_AT_ONCE: u32 = 64;
/// After that, one in this time.
const MEETING_PERIOD: Duration = Duration::from_secs(1);
/// Tasks of a room.
const ROOM_TASKS: usize = 2;
