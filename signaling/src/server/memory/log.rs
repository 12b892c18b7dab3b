use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::budget::{Budget, Held};
use crate::LogId;
use crate::server::{Delivery, Limits};

/// The deliveries of one session that its client has not acknowledged.
pub(super) struct Log {
    pub(super) id: LogId,
    entries: VecDeque<Delivery>,
    bytes: usize,
    head: u64,
    /// Something that should be in here is not.
    gapped: bool,
    /// What its entries take. Their bodies count for themselves.
    held: Held,
}

/// More has to be kept than may be.
pub(super) struct Overflow;

/// Room for so many is kept when the log is empty.
const IDLE_CAPACITY: usize = 4;
/// What an entry takes beside its body, and what a participant keeps of a rejection, roughly.
const ENTRY_BYTES: usize = 128;
/// Entries are counted so many at a time, and fewer not at all: a client that keeps up costs nobody a look at the common counter.
const ENTRIES_AT_ONCE: usize = 64;
/// The bytes of bodies that a log may keep when the store has none left.
const RESERVE: usize = 16 << 10;

impl Log {
    pub(super) fn new(id: LogId, budget: &Arc<Budget>) -> Self {
        Self { id, entries: VecDeque::new(), bytes: 0, head: 0, gapped: false, held: Held::nothing(budget) }
    }

    /// The newest delivery's number.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Puts a delivery in and numbers it. On overflow all is let go: the history has a gap from then on.
    pub(super) fn push(&mut self, body: Bytes, rejection: bool, limits: &Limits) -> Result<Delivery, Overflow> {
        if self.gapped || !self.has_room_for(body.len(), limits) {
            self.gapped = true;
            self.entries = VecDeque::new();
            self.bytes = 0;
            self.count();
            return Err(Overflow);
        }
        self.head += 1;
        self.bytes += body.len();
        let delivery = Delivery { seq: self.head, body, rejection };
        self.entries.push_back(delivery.clone());
        self.count();
        Ok(delivery)
    }

    fn has_room_for(&self, len: usize, limits: &Limits) -> bool {
        let (entries, bytes) = match self.held.budget().is_spent() {
            false => (limits.replay_capacity, limits.replay_bytes),
            true => (limits.replay_capacity.min(ENTRIES_AT_ONCE - 1), limits.replay_bytes.min(RESERVE)),
        };
        self.entries.len() < entries && self.bytes + len <= bytes
    }

    fn count(&mut self) {
        self.held.set(self.entries.len() / ENTRIES_AT_ONCE * ENTRIES_AT_ONCE * ENTRY_BYTES);
    }

    /// Lets go of everything up to here.
    pub(super) fn acknowledge(&mut self, upto: u64) {
        while self.entries.front().is_some_and(|entry| entry.seq <= upto) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= entry.body.len();
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > IDLE_CAPACITY {
            self.entries = VecDeque::new();
        }
        self.count();
    }

    /// Whether everything after `last_seen` is still there.
    pub(super) fn reaches_back_to(&self, last_seen: u64) -> bool {
        let oldest_missed = self.entries.front().map_or(self.head, |entry| entry.seq - 1);
        !self.gapped && (oldest_missed..=self.head).contains(&last_seen)
    }

    /// Everything that is kept.
    pub(super) fn replay(&self) -> Vec<Delivery> {
        self.entries.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(n: u64) -> Log {
        let mut log = Log::new(LogId::default(), &Budget::new(usize::MAX));
        (0..n).for_each(|_| assert!(log.push(Bytes::from_static(b"12345"), false, &Limits::default()).is_ok()));
        log
    }

    #[test]
    fn it_reaches_back_to_what_was_acknowledged_and_no_further() {
        let mut log = log_of(5);
        assert!((0..=5).all(|seen| log.reaches_back_to(seen)));
        log.acknowledge(3);
        assert!(!log.reaches_back_to(2), "4 is there, 3 is not");
        assert!((3..=5).all(|seen| log.reaches_back_to(seen)));
        assert!(!log.reaches_back_to(6), "nobody has seen what was never sent");
        log.acknowledge(5);
        assert!(log.reaches_back_to(5) && !log.reaches_back_to(4));
        assert_eq!(log.bytes, 0);
        assert!(log_of(0).reaches_back_to(0), "a session to which nothing happened");
    }

    #[test]
    fn of_a_spent_budget_it_keeps_its_reserve() {
        let budget = Budget::new(64 * ENTRY_BYTES);
        let (mut long, mut short) = (Log::new(LogId::default(), &budget), Log::new(LogId::default(), &budget));
        let push = |log: &mut Log, len: usize| log.push(vec![0; len].into(), false, &Limits::default()).is_ok();
        assert!((0..64).all(|_| push(&mut long, 0)) && budget.is_spent());
        assert!((0..63).all(|_| push(&mut short, 256)) && short.bytes < RESERVE);
        assert!(!push(&mut short, 0) && !short.reaches_back_to(63), "one more than the reserve");
        assert!(!push(&mut long, 0));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_full_log_has_a_gap_for_good() {
        let by_count = Limits { replay_capacity: 2, ..Limits::default() };
        let by_bytes = Limits { replay_bytes: 10, ..Limits::default() };
        for limits in [by_count, by_bytes] {
            let mut log = log_of(2);
            assert!(log.push(Bytes::from_static(b"1"), false, &limits).is_err());
            log.acknowledge(2);
            assert!(log.push(Bytes::new(), false, &limits).is_err());
            assert!((0..4).all(|seen| !log.reaches_back_to(seen)));
            assert!(log.replay().is_empty());
        }
    }
}
