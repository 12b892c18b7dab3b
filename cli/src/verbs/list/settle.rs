//! When a picture of the network is complete enough to show. Pure: the time is handed in.

use std::time::{Duration, Instant};

/// Waits until nothing new appeared for a while, within an upper bound.
#[derive(Clone, Debug)]
pub(in crate::verbs) struct Settle {
    quiet: Duration,
    latest: Instant,
    seen: Option<u64>,
    until: Instant,
    fixed: bool,
}

impl Settle {
    /// Done when what is seen stays the same for `quiet`, at the latest after `longest`.
    pub(in crate::verbs) fn new(now: Instant, quiet: Duration, longest: Duration) -> Self {
        let latest = now + longest;
        Self { quiet, latest, seen: None, until: latest, fixed: false }
    }

    /// Done after exactly `time`.
    pub(in crate::verbs) fn fixed(now: Instant, time: Duration) -> Self {
        Self { fixed: true, ..Self::new(now, time, time) }
    }

    /// Notes what is seen now, as a value that changes with it. `pending`: something is known to be on its way.
    /// As long as nothing at all was ever seen (0), only the upper bound counts.
    pub(in crate::verbs) fn observe(&mut self, now: Instant, seen: u64, pending: bool) {
        if pending || seen == 0 || self.fixed {
            self.seen = None;
            self.until = self.latest;
        } else if self.seen != Some(seen) {
            self.seen = Some(seen);
            self.until = (now + self.quiet).min(self.latest);
        }
    }

    /// Whether a picture that is known to be complete may be shown before the time is over.
    pub(in crate::verbs) fn may_end_early(&self) -> bool {
        !self.fixed
    }

    /// When it is done, as things stand.
    pub(in crate::verbs) fn until(&self) -> Instant {
        self.until
    }

    /// The same, but not before `other`, which has a bound of its own. A fixed time is kept all the same.
    pub(in crate::verbs) fn until_also(&self, other: Option<Instant>) -> Instant {
        other.filter(|_| !self.fixed).map_or(self.until, |other| self.until.max(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(1500);
    const LONGEST: Duration = Duration::from_secs(4);

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_empty_network_is_watched_for_the_longest_time() {
        let start = Instant::now();
        let mut settle = Settle::new(start, QUIET, LONGEST);
        settle.observe(start, 0, false);
        assert_eq!(settle.until(), at(start, 4000));
    }

    #[test]
    fn each_new_thing_starts_the_quiet_time_anew_up_to_the_bound() {
        let start = Instant::now();
        let mut settle = Settle::new(start, QUIET, LONGEST);
        settle.observe(at(start, 100), 1, false);
        assert_eq!(settle.until(), at(start, 1600));
        settle.observe(at(start, 500), 1, false);
        assert_eq!(settle.until(), at(start, 1600), "nothing new");
        settle.observe(at(start, 1000), 2, false);
        assert_eq!(settle.until(), at(start, 2500));
        settle.observe(at(start, 3000), 3, false);
        assert_eq!(settle.until(), at(start, 4000));
    }

    #[test]
    fn what_is_on_its_way_is_waited_for() {
        let start = Instant::now();
        let mut settle = Settle::new(start, QUIET, LONGEST);
        settle.observe(at(start, 100), 1, true);
        assert_eq!(settle.until(), at(start, 4000));
        settle.observe(at(start, 200), 1, false);
        assert_eq!(settle.until(), at(start, 1700));
    }

    #[test]
    fn something_else_may_hold_it_up_beyond_the_bound() {
        let start = Instant::now();
        let mut settle = Settle::new(start, QUIET, LONGEST);
        settle.observe(at(start, 100), 1, false);
        assert_eq!(settle.until_also(Some(at(start, 8000))), at(start, 8000));
        assert_eq!(settle.until_also(Some(at(start, 1000))), at(start, 1600));
        assert_eq!(settle.until_also(None), at(start, 1600));
        assert_eq!(Settle::fixed(start, QUIET).until_also(Some(at(start, 8000))), at(start, 1500));
    }

    #[test]
    fn a_fixed_time_is_kept() {
        let start = Instant::now();
        let mut settle = Settle::fixed(start, Duration::from_secs(10));
        settle.observe(at(start, 100), 1, false);
        settle.observe(at(start, 3000), 1, false);
        assert_eq!(settle.until(), at(start, 10_000));
    }
}
