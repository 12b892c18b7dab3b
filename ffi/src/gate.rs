//! Calls in progress: counted so that `dispose` can wait for them, without the threads that make them ever meeting.

use std::cell::Cell;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, PoisonError, lock};

/// Counters that threads are spread over. A power of two.
const LANES: usize = 16;

/// Open until it is closed; then nobody enters any more, and one can wait for those inside.
pub(crate) struct Gate {
    lanes: [Lane; LANES],
    closed: AtomicU64,
    turn: Mutex<()>,
    left: Condvar,
}

/// A counter with a cache line, and the one beside it, to itself.
#[repr(align(128))]
struct Lane(AtomicU64);

/// Somebody inside. Dropping it is leaving.
pub(crate) struct Inside<'a> {
    gate: &'a Gate,
    lane: usize,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            lanes: std::array::from_fn(|_| Lane(AtomicU64::new(0))),
            closed: AtomicU64::new(0),
            turn: Mutex::new(()),
            left: Condvar::new(),
        }
    }

    /// Goes in, unless the gate is closed.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let lane = lane();
        // Counted before looking: whoever closes sees the count, or this one sees that it is closed. (Both are one total order.)
        self.lanes[lane].0.fetch_add(1, Ordering::SeqCst);
        let inside = Inside { gate: self, lane };
        (self.closed.load(Ordering::SeqCst) == 0).then_some(inside)
    }

    /// Closes the gate. True for the first who does.
    pub(crate) fn close(&self) -> bool {
        self.closed.swap(1, Ordering::SeqCst) == 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst) != 0
    }

    /// Waits until nobody is inside of a closed gate. False if that was not so in time.
    pub(crate) fn wait_empty(&self, deadline: Instant) -> bool {
        let mut turn = lock(&self.turn);
        loop {
            if self.inside() == 0 {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // Who leaves after this count was taken sees that the gate is closed, and waits for `turn` before it wakes anybody.
            turn = self.left.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn inside(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.0.load(Ordering::SeqCst)).fold(0, u64::wrapping_add)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gate.lanes[self.lane].0.fetch_sub(1, Ordering::SeqCst);
        if self.gate.closed.load(Ordering::SeqCst) != 0 {
            drop(lock(&self.gate.turn));
            self.gate.left.notify_all();
        }
    }
}

/// This thread's lane, dealt out in turn.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    LANE.with(|own| {
        if own.get() == usize::MAX {
            own.set(NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
        }
        own.get()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_closed_gate_lets_nobody_in_and_waits_for_those_inside() {
        let gate = Gate::new();
        let inside = gate.enter().expect("open");
        assert!(gate.close() && !gate.close(), "one closes it");
        assert!(gate.enter().is_none());
        assert!(!gate.wait_empty(Instant::now()), "somebody is inside");
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(gate.wait_empty(Instant::now() + Duration::from_secs(10))));
            drop(inside);
        });
    }
}
