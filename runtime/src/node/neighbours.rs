use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moorline_proto::PeerId;

use crate::supervisor::Scope;

use super::context::Context;

/// What a [room](crate::room) may do with its node: tell where other nodes are. Nothing else of the node is its business.
#[derive(Clone)]
pub(crate) struct Neighbours {
    context: Arc<Context>,
    /// Parent of the rooms.
    rooms: Scope,
    max_rooms: usize,
    joined: Arc<AtomicU64>,
}

impl Neighbours {
    pub(super) fn new(context: Arc<Context>, rooms: Scope, max_rooms: usize) -> Self {
        Self { context, rooms, max_rooms, joined: Arc::default() }
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

    /// A node is said to be there: it is dialled, and only believed when it proves its id.
    pub(crate) fn met(&self, key: String, peer: PeerId, addrs: Vec<SocketAddr>) {
        if peer != self.context.own_id && !addrs.is_empty() {
            self.context.targets.met(&self.context, key, peer, addrs);
        }
    }

    /// It is not said any more. A connection that stands is not touched.
    pub(crate) fn gone(&self, key: &str) {
        self.context.targets.lost(key);
    }
}

/// Tasks of a room.
const ROOM_TASKS: usize = 2;
