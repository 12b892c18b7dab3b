use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::SimClock;

/// The time of day as a host has it: that of the simulation, and as much more or less as its clock is wrong. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    clock: SimClock,
    /// Milliseconds that it is ahead.
    ahead_ms: Arc<AtomicI64>,
}

impl WallClock {
    pub(crate) fn new(clock: SimClock) -> Self {
        Self { clock, ahead_ms: Arc::default() }
    }

    /// Sets it forward by so many milliseconds, or back.
    pub(crate) fn step(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// What it shows.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead_ms = self.ahead_ms.load(Ordering::Relaxed);
        let (right, wrong_by) = (self.clock.wall(), Duration::from_millis(ahead_ms.unsigned_abs()));
        let shown = if ahead_ms < 0 { right.checked_sub(wrong_by) } else { right.checked_add(wrong_by) };
        shown.unwrap_or(right)
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}
