use std::sync::Arc;
use std::time::Duration;

/// Less than this is no suspend: the two clocks are not read in the same instant.
const JUMP: Duration = Duration::from_secs(2);

/// For how long the computer has slept since some moment that does not change; `None` where that is not known. Called each time the
/// client's task wakes: it has to be quick.
pub type SuspendClock = Arc<dyn Fn() -> Option<Duration> + Send + Sync>;

/// The clock of this system, if it has one.
#[cfg(target_os = "linux")]
pub(super) fn system_clock() -> Option<SuspendClock> {
    use rustix::time::{ClockId, clock_gettime};
    // CLOCK_BOOTTIME goes on while the computer sleeps, CLOCK_MONOTONIC does not: clock_gettime(2).
    Some(Arc::new(|| {
        let boot = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
        let awake = Duration::try_from(clock_gettime(ClockId::Monotonic)).ok()?;
        Some(boot.saturating_sub(awake))
    }))
}

/// The clock of this system, if it has one.
#[cfg(not(target_os = "linux"))]
pub(super) fn system_clock() -> Option<SuspendClock> {
    None
}

/// Notices a suspend between two looks at the clock.
pub(super) struct SuspendWatch {
    clock: Option<SuspendClock>,
    slept: Option<Duration>,
}

impl SuspendWatch {
    pub(super) fn new(clock: Option<SuspendClock>) -> Self {
        let slept = clock.as_ref().and_then(|clock| clock());
        Self { clock, slept }
    }

    /// Whether the computer has slept since the last time.
    pub(super) fn resumed(&mut self) -> bool {
        let Some(clock) = &self.clock else { return false };
        let Some(now) = clock() else { return false };
        let before = self.slept.replace(now);
        before.is_some_and(|before| now.saturating_sub(before) > JUMP)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_jump_is_noticed_once() {
        let slept = Arc::new(AtomicU64::new(100));
        let clock = slept.clone();
        let mut watch =
            SuspendWatch::new(Some(Arc::new(move || Some(Duration::from_secs(clock.load(Ordering::Relaxed))))));
        assert!(!watch.resumed());
        slept.store(103, Ordering::Relaxed);
        assert!(watch.resumed());
        assert!(!watch.resumed());
        slept.store(105, Ordering::Relaxed);
        assert!(!watch.resumed(), "two seconds are within what clocks differ by");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_clock_of_linux_stands_still_while_the_computer_is_awake() {
        let mut watch = SuspendWatch::new(system_clock());
        assert!(watch.slept.is_some());
        assert!(!watch.resumed());
    }
}
