use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The time of a simulation: what every record is stamped with, and the wall clock of TLS and of the room server.
///
/// Instants of two hosts cannot be compared, since each host has a runtime of its own, and a new one after a crash; this time can.
/// Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch: Duration,
    /// Where the last step ended, in microseconds.
    stepped_us: AtomicU64,
    /// While a host is taken down or set up there is no runtime whose clock could be asked, and the real one must not be.
    between_steps: AtomicBool,
}

impl SimClock {
    /// A clock whose time of day is `epoch` at the start.
    pub(crate) fn new(epoch: SystemTime) -> Self {
        let epoch = epoch.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Arc::new(Inner { epoch, stepped_us: AtomicU64::new(0), between_steps: AtomicBool::new(true) }))
    }

    /// Simulated time since the start. Inside of a step, that of the host that runs.
    #[must_use]
    pub fn now(&self) -> Duration {
        let stepped = Duration::from_micros(self.0.stepped_us.load(Ordering::Relaxed));
        if self.0.between_steps.load(Ordering::Relaxed) {
            return stepped;
        }
        turmoil::sim_elapsed().unwrap_or(stepped)
    }

    /// [`now`](Self::now) in whole microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX)
    }

    /// The time of day.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + self.0.epoch + self.now()
    }

    pub(crate) fn step_begins(&self) {
        self.0.between_steps.store(false, Ordering::Relaxed);
    }

    pub(crate) fn step_ended(&self, elapsed: Duration) {
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.0.stepped_us.store(us, Ordering::Relaxed);
        self.0.between_steps.store(true, Ordering::Relaxed);
    }
}

impl TimeProvider for SimClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.epoch + self.now()))
    }
}
