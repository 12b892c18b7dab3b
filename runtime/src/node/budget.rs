use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What strangers may make this node do, all together: so many at once, and then one in each period.
#[derive(Debug)]
pub(super) struct Budget {
    burst: u32,
    period: Duration,
    /// When all of it is there again. The further ahead, the less is left.
    full: Mutex<Option<Instant>>,
}

impl Budget {
    pub(super) fn new(burst: u32, period: Duration) -> Self {
        Self { burst: burst.max(1), period, full: Mutex::new(None) }
    }

    /// Takes one; `Err` says when there is one again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut held = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let full = held.map_or(now, |full| full.max(now)) + self.period;
        let ready = full.checked_sub(self.period * self.burst).unwrap_or(now);
        if ready > now {
            return Err(ready);
        }
        *held = Some(full);
        Ok(())
    }

    /// Gives one back that was not used.
    pub(super) fn give_back(&self) {
        let mut held = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.and_then(|full| full.checked_sub(self.period));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_and_then_one_a_period() {
        let (budget, start) = (Budget::new(3, PERIOD), Instant::now());
        assert_eq!((0..100).filter(|_| budget.take(start).is_ok()).count(), 3);
        assert_eq!(budget.take(start), Err(start + PERIOD));
        assert_eq!(budget.take(start + PERIOD), Ok(()));
        assert_eq!(budget.take(start + PERIOD), Err(start + PERIOD * 2));
        let later = start + PERIOD * 100;
        assert_eq!((0..100).filter(|_| budget.take(later).is_ok()).count(), 3, "no more than the burst is saved up");
    }

    #[test]
    fn what_was_not_used_is_there_again() {
        let (budget, start) = (Budget::new(1, PERIOD), Instant::now());
        assert_eq!(budget.take(start), Ok(()));
        budget.give_back();
        assert_eq!(budget.take(start), Ok(()));
        assert!(budget.take(start).is_err());
    }
}
