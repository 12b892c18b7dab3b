//! How many a second.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of permits that fills at an even rate.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    held: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second: f64::from(per_second.max(1)), burst, held: burst, filled_at: now }
    }

    /// Takes a permit, or tells how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.held >= 1.0 {
            self.held -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.held) / self.per_second))
    }

    /// Takes permits for what has happened already, be there as many or not. How long until the next may be taken.
    pub(crate) fn charge(&mut self, now: Instant, permits: usize) -> Option<Duration> {
        self.fill(now);
        self.held -= permits as f64;
        (self.held < 0.0).then(|| Duration::from_secs_f64(-self.held / self.per_second))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at);
        self.filled_at = now;
        self.held = (self.held + passed.as_secs_f64() * self.per_second).min(self.burst);
    }
}

/// What a client that came too early is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ComeLater {
    pub(crate) retry_after: Duration,
    pub(crate) spread: Duration,
}

/// Lets arrivals in at a rate, and gives whoever has to come again a time of its own, so that they return as evenly as they are let in.
#[derive(Debug)]
pub(crate) struct Arrivals {
    bucket: Bucket,
    each: Duration,
    /// Until when the permits to come are promised to those who were sent away.
    promised_until: Instant,
}

/// Nobody is sent away for longer. Whoever sends nonsense is given a time as well, and may never come: a client gives up after 30 s, by
/// default, and must not spend them on places that nobody takes.
const LONGEST_PROMISE: Duration = Duration::from_secs(10);
/// Clocks and networks are not more exact than this.
const LEAST_SPREAD: Duration = Duration::from_millis(50);

/// How many are let in at once: what comes in a quarter of a second, at least 100.
pub(crate) fn burst(rate: u32) -> u32 {
    (rate / 4).max(100)
}

impl Arrivals {
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        let rate = rate.max(1);
        Self { bucket: Bucket::new(rate, burst(rate), now), each: Duration::from_secs(1) / rate, promised_until: now }
    }

    /// Lets one in, or names its time.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), ComeLater> {
        let Err(wait) = self.bucket.take(now) else { return Ok(()) };
        let from = self.promised_until.max(now + wait);
        if from > now + LONGEST_PROMISE {
            // There is no time of its own left. All of these at the same time would be a herd.
            return Err(ComeLater { retry_after: LONGEST_PROMISE / 2, spread: LONGEST_PROMISE / 2 });
        }
        self.promised_until = from + self.each;
        Err(ComeLater { retry_after: from - now, spread: self.each.max(LEAST_SPREAD) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 3, start);
        assert_eq!((0..5).filter(|_| bucket.take(start).is_ok()).count(), 3);
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(start + Duration::from_millis(100)), Ok(()));
        let later = start + Duration::from_secs(60);
        assert_eq!((0..5).filter(|_| bucket.take(later).is_ok()).count(), 3, "it holds no more than its burst");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_sent_away_for_long_however_many_came_before() {
        let now = Instant::now();
        let mut arrivals = Arrivals::new(10, now);
        let longest =
            (0..5_000).filter_map(|_| arrivals.admit(now).err()).map(|later| later.retry_after + later.spread);
        assert!(longest.max() <= Some(LONGEST_PROMISE + LEAST_SPREAD * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn those_sent_away_come_back_evenly() {
        let now = Instant::now();
        let mut arrivals = Arrivals::new(1_000, now);
        let refused: Vec<_> = (0..5_250).filter_map(|_| arrivals.admit(now).err()).collect();
        assert_eq!(refused.len(), 5_000);
        let mut by_tenth = [0; 51];
        refused.iter().for_each(|later| by_tenth[later.retry_after.as_millis() as usize / 100] += 1);
        assert!(by_tenth[..50].iter().all(|&n| (95..=105).contains(&n)), "{by_tenth:?}");
    }
}
