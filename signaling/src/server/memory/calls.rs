use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::budget::{Budget, Held};
use crate::ParticipantId;

/// The calls of one participant that wait for an answer. What answers none of them is not delivered.
pub(super) struct OpenCalls {
    /// By who is to answer, and the caller's name for the call: until when the caller waits.
    open: BTreeMap<(ParticipantId, u64), Instant>,
    held: Held,
}

/// What an open call takes, roughly.
const CALL_BYTES: usize = 64;

impl OpenCalls {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { open: BTreeMap::new(), held: Held::nothing(budget) }
    }

    /// Whether there was room for one more.
    pub(super) fn open(&mut self, to: ParticipantId, call: u64, until: Instant, now: Instant, max: usize) -> bool {
        if self.open.len() >= max {
            self.open.retain(|_, until| *until >= now);
        }
        if self.open.len() >= max || !self.held.try_set((self.open.len() + 1) * CALL_BYTES) {
            return false;
        }
        self.open.insert((to, call), until);
        true
    }

    /// Takes a call out that this participant answers; whether the caller still waits.
    pub(super) fn answer(&mut self, from: ParticipantId, call: u64, now: Instant) -> bool {
        let until = self.open.remove(&(from, call));
        self.held.set(self.open.len() * CALL_BYTES);
        until.is_some_and(|until| until >= now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_answered_once_by_whom_it_was_for_and_in_time() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let (bob, eve) = (ParticipantId(1), ParticipantId(2));
        let budget = Budget::new(usize::MAX);
        let mut calls = OpenCalls::new(&budget);
        assert!(calls.open(bob, 7, now + second, now, 2) && calls.open(bob, 8, now + second, now, 2));
        assert!(!calls.open(bob, 9, now + second, now, 2), "two are open");
        assert!(!calls.answer(eve, 7, now) && !calls.answer(bob, 6, now));
        assert!(calls.answer(bob, 7, now + second) && !calls.answer(bob, 7, now));
        assert!(!calls.answer(bob, 8, now + second * 2), "nobody waits any more");
        assert!((0..2).all(|call| calls.open(bob, call, now, now, 2)));
        assert!(calls.open(bob, 9, now + second * 2, now + second, 2), "those that ended make room");
        drop(calls);
        assert_eq!(budget.used(), 0);
    }
}
