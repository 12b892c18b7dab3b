//! Slows down guessing of the passphrase: failed proofs are counted per address and in total.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Limits;

/// Two leaky buckets for each attempt: that of its address, and that of the whole endpoint (an attacker on the local network can
/// take as many addresses as it likes). Each failure adds a drop, each drop leaks away after a fixed time, a full bucket refuses.
/// An attempt that is still running counts as nothing yet, but only so many may run at once for one address.
pub(crate) struct Attempts {
    per_ip: Bucket,
    total: Bucket,
    max_running: u32,
    max_addresses: usize,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    drops: u32,
    leak: Duration,
}

struct State {
    /// By address; [`TOTAL`] stands for the endpoint.
    records: BTreeMap<IpAddr, Record>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    /// When the bucket will be empty: the number of drops in it is the time until then divided by the leak time.
    empty_at: Instant,
    running: u32,
}

/// No peer has the unspecified address.
const TOTAL: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A permitted attempt. Dropping it without [`proven`](Self::proven) counts as a failure, whatever the reason.
pub(crate) struct Attempt {
    attempts: Arc<Attempts>,
    ip: IpAddr,
    proven: bool,
}

/// Too many failures: try again after this time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) retry_after: Duration,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            per_ip: Bucket { drops: limits.max_unproven_per_ip, leak: limits.unproven_forgiven_after },
            total: Bucket { drops: limits.max_unproven_total, leak: limits.unproven_forgiven_after_total },
            max_running: limits.max_proofs_running_per_ip,
            max_addresses: limits.max_tracked_addresses,
            state: Mutex::new(State { records: BTreeMap::new() }),
        })
    }

    /// Permission for one attempt from (or towards) `ip`.
    pub(crate) fn begin(self: &Arc<Self>, ip: IpAddr) -> Result<Attempt, TooMany> {
        let (now, ip) = (Instant::now(), ip.to_canonical());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let total = state.records.get(&TOTAL).map_or(Duration::ZERO, |record| self.total.wait(record, now));
        let wait = match state.records.get(&ip) {
            Some(record) if record.running >= self.max_running => total.max(Duration::from_secs(1)),
            Some(record) => total.max(self.per_ip.wait(record, now)),
            None => total,
        };
        if !wait.is_zero() {
            return Err(TooMany { retry_after: wait });
        }
        if !state.records.contains_key(&ip) && !state.make_room(self.max_addresses, now) {
            return Err(TooMany { retry_after: Duration::from_secs(1) });
        }
        state.records.entry(ip).or_insert(Record { empty_at: now, running: 0 }).running += 1;
        Ok(Attempt { attempts: Arc::clone(self), ip, proven: false })
    }

    fn end(&self, ip: IpAddr, proven: bool) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !proven {
            let record = state.records.entry(TOTAL).or_insert(Record { empty_at: now, running: 0 });
            record.empty_at = record.empty_at.max(now) + self.total.leak;
        }
        if let Some(record) = state.records.get_mut(&ip) {
            record.running = record.running.saturating_sub(1);
            if !proven {
                record.empty_at = record.empty_at.max(now) + self.per_ip.leak;
            }
            if record.running == 0 && record.empty_at <= now {
                state.records.remove(&ip);
            }
        }
    }
}

impl Bucket {
    /// How long until one more drop fits.
    fn wait(self, record: &Record, now: Instant) -> Duration {
        let level = record.empty_at.saturating_duration_since(now);
        level.saturating_sub(self.leak.saturating_mul(self.drops.saturating_sub(1)))
    }
}

impl State {
    /// Makes sure that one more address fits in. `false`: all of them are busy with attempts.
    fn make_room(&mut self, max: usize, now: Instant) -> bool {
        if self.records.len() < max {
            return true;
        }
        self.records.retain(|_, record| record.running > 0 || record.empty_at > now);
        if self.records.len() < max {
            return true;
        }
        // Forget the address that has the least to answer for; the total still remembers its failures.
        let idle = self.records.iter().filter(|(ip, record)| record.running == 0 && **ip != TOTAL);
        let least = idle.min_by_key(|(_, record)| record.empty_at).map(|(ip, _)| *ip);
        least.is_some_and(|ip| self.records.remove(&ip).is_some())
    }
}

impl Attempt {
    /// The peer proved that it knows the passphrase: nothing to count.
    pub(crate) fn proven(mut self) {
        self.proven = true;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.attempts.end(self.ip, self.proven);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAK: Duration = Duration::from_secs(10);

    fn attempts() -> Arc<Attempts> {
        Attempts::new(&Limits {
            max_unproven_per_ip: 3,
            unproven_forgiven_after: LEAK,
            max_unproven_total: 6,
            unproven_forgiven_after_total: LEAK,
            max_proofs_running_per_ip: 4,
            max_tracked_addresses: 4,
            ..Limits::default()
        })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn fail(attempts: &Arc<Attempts>, ip: IpAddr) {
        drop(attempts.begin(ip).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_failures_are_free_and_then_one_at_a_time() {
        let attempts = attempts();
        for _ in 0..3 {
            fail(&attempts, ip(1));
        }
        assert_eq!(attempts.begin(ip(1)).err(), Some(TooMany { retry_after: LEAK }));
        fail(&attempts, ip(2));
        tokio::time::advance(LEAK - Duration::from_millis(1)).await;
        assert!(attempts.begin(ip(1)).is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        fail(&attempts, ip(1));
        assert!(attempts.begin(ip(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn success_costs_nothing_and_leaves_nothing_behind() {
        let attempts = attempts();
        for _ in 0..100 {
            attempts.begin(ip(1)).unwrap().proven();
        }
        assert!(attempts.state.lock().unwrap().records.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_run_at_once_are_bounded_and_all_their_failures_count() {
        let attempts = attempts();
        let running: Vec<_> = (0..4).map(|_| attempts.begin(ip(1)).unwrap()).collect();
        assert!(attempts.begin(ip(1)).is_err(), "a fifth at once");
        drop(running);
        tokio::time::advance(LEAK).await;
        assert!(attempts.begin(ip(1)).is_err(), "four failures need two leaks");
        tokio::time::advance(LEAK).await;
        assert!(attempts.begin(ip(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_do_not_buy_more_guesses_in_total() {
        let attempts = attempts();
        for last in 0..6 {
            fail(&attempts, ip(last));
        }
        assert_eq!(attempts.begin(ip(100)).err(), Some(TooMany { retry_after: LEAK }));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_stays_small_and_forgets_the_least_guilty_first() {
        let attempts = attempts();
        fail(&attempts, ip(1));
        fail(&attempts, ip(1));
        fail(&attempts, ip(2));
        fail(&attempts, ip(3));
        fail(&attempts, ip(4));
        let state = attempts.state.lock().unwrap();
        assert_eq!(state.records.len(), 4);
        assert!(state.records.contains_key(&ip(1)) && state.records.contains_key(&TOTAL));
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_full_of_running_attempts_refuses() {
        let attempts = attempts();
        let _running: Vec<_> = (0..4).map(|last| attempts.begin(ip(last)).unwrap()).collect();
        assert!(attempts.begin(ip(9)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv4_address_is_the_same_in_its_mapped_form() {
        let attempts = attempts();
        for _ in 0..3 {
            fail(&attempts, "::ffff:10.0.0.1".parse().unwrap());
        }
        assert!(attempts.begin(ip(1)).is_err());
    }
}
