//! Calls that wait for an answer. Each ends once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{CallId, ParticipantId};

use super::clock::later;

#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) to: ParticipantId,
    pub(super) timeout: Duration,
    deadline: Instant,
}

#[derive(Debug)]
pub(super) struct Calls {
    pending: BTreeMap<CallId, Pending>,
    max: usize,
}

impl Calls {
    pub(super) fn new(max: usize) -> Self {
        Self { pending: BTreeMap::new(), max }
    }

    /// Whether there was room.
    pub(super) fn open(&mut self, id: CallId, to: ParticipantId, timeout: Duration, now: Instant) -> bool {
        if self.pending.len() >= self.max {
            return false;
        }
        self.pending.insert(id, Pending { to, timeout, deadline: later(now, timeout) });
        true
    }

    /// Takes a call out, so that it ends with what follows; `None` if it has ended.
    pub(super) fn take(&mut self, id: CallId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Takes out those whose deadline has come.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<(CallId, Pending)> {
        self.take_all(|_, pending| pending.deadline <= now)
    }

    /// Takes out those that `wanted` says.
    pub(super) fn take_all(&mut self, wanted: impl Fn(CallId, &Pending) -> bool) -> Vec<(CallId, Pending)> {
        self.pending.extract_if(.., |id, pending| wanted(*id, pending)).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.deadline).min()
    }
}
