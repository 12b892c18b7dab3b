//! Times to come.

use std::time::{Duration, Instant};

use super::{Config, Timers};

/// No wait is longer: a hundred years, which every clock can tell. Added to a time as often as need be, it stays within reach.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// So much later, however long that is.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    now + wait.min(LONGEST)
}

impl Config {
    /// With waits that can be added to the time.
    pub(super) fn within_reach(mut self) -> Self {
        let Timers {
            credentials,
            dial,
            hello,
            attempt,
            heartbeat_interval,
            heartbeat_timeout,
            probe_timeout,
            fast_window,
            migrate,
            leave,
            deadline,
            stable,
            ack,
            ack_delay,
        } = &mut self.timers;
        let timers = [
            credentials,
            dial,
            hello,
            attempt,
            heartbeat_interval,
            heartbeat_timeout,
            probe_timeout,
            fast_window,
            migrate,
            leave,
            stable,
            ack,
            ack_delay,
        ];
        let backoff = &mut self.backoff;
        let pauses = [
            &mut backoff.fast_base,
            &mut backoff.fast_cap,
            &mut backoff.rejoin_base,
            &mut backoff.rejoin_cap,
            &mut backoff.first,
            &mut backoff.hint_interval,
        ];
        let others = [&mut self.bounds.send_ttl, &mut self.rejoin_budget.1];
        for wait in timers.into_iter().chain(deadline).chain(pauses).chain(others) {
            *wait = (*wait).min(LONGEST);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_too_long() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::from_secs(1)), now + Duration::from_secs(1));
        assert_eq!(later(later(now, Duration::MAX), Duration::MAX), now + 2 * LONGEST);
    }
}
