//! One connection's signs of life. New for every connection: nothing of an old one can kill the next.

use std::time::{Duration, Instant};

use crate::Epoch;

use super::Health;

/// Least time to wait beyond the interval before silence is suspicious: what a scheduler may take.
const SLACK: Duration = Duration::from_millis(100);

/// When a connection was heard of, and what it was asked.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) epoch: Epoch,
    pub(super) last_inbound: Instant,
    /// Silence counts from here: the last frame, or when it was read again after a time in which it was not.
    listens_since: Instant,
    interval: Duration,
    timeout: Duration,
    next_ping: Instant,
    /// The newest ping that was not answered.
    asked: Option<(u64, Instant)>,
    rtt: Duration,
    health: Health,
    /// After a hint: silence until then is a loss.
    verdict: Option<Instant>,
    nonce: u64,
}

/// What a look at the clock brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nothing to do.
    Quiet,
    /// Send a ping with this nonce.
    Ping(u64),
    /// It is dead: nothing came in for this long.
    Lost(Duration),
}

impl Link {
    pub(super) fn new(epoch: Epoch, now: Instant, interval: Duration, timeout: Duration) -> Self {
        Self {
            epoch,
            last_inbound: now,
            listens_since: now,
            interval,
            timeout,
            next_ping: now + interval,
            asked: None,
            rtt: Duration::ZERO,
            health: Health::Ok,
            verdict: None,
            nonce: 0,
        }
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// It is the one in use from now on: what was asked of it before that casts no doubt on it.
    pub(super) fn taken_into_use(mut self) -> Self {
        self.health = Health::Ok;
        self
    }

    /// Any frame that comes in.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.last_inbound, self.listens_since) = (now, now);
        self.health = Health::Ok;
        self.verdict = None;
    }

    pub(super) fn pong(&mut self, now: Instant, nonce: u64) {
        if let Some((_, at)) = self.asked.take_if(|(asked, _)| *asked == nonce) {
            self.rtt = now.saturating_duration_since(at);
        }
    }

    /// Something may be wrong: asks at once. With `verdict`, the answer has to come until then.
    pub(super) fn probe(&mut self, now: Instant, verdict: Option<Duration>) -> u64 {
        self.health = Health::Probing;
        if let Some(patience) = verdict {
            // One more hint does not put off what the first one began.
            self.verdict.get_or_insert(now + patience);
        }
        self.ping(now)
    }

    /// `deaf`: nothing is read at the moment, so silence proves nothing.
    pub(super) fn tick(&mut self, now: Instant, deaf: bool) -> Pulse {
        if !deaf && now >= self.silence_ends() {
            return Pulse::Lost(now.saturating_duration_since(self.last_inbound));
        }
        if !deaf && self.health == Health::Ok && now >= self.suspicious_at() {
            return Pulse::Ping(self.probe(now, None));
        }
        if now >= self.next_ping {
            return Pulse::Ping(self.ping(now));
        }
        Pulse::Quiet
    }

    pub(super) fn deadline(&self, deaf: bool) -> Instant {
        if deaf {
            return self.next_ping;
        }
        let mut at = self.next_ping.min(self.silence_ends());
        if self.health == Health::Ok {
            at = at.min(self.suspicious_at());
        }
        at
    }

    /// It is read again: what came in meanwhile is still to be seen.
    pub(super) fn listens_again(&mut self, now: Instant) {
        self.listens_since = now;
        self.verdict = None;
    }

    fn silence_ends(&self) -> Instant {
        let timeout = self.listens_since + self.timeout;
        self.verdict.map_or(timeout, |verdict| verdict.min(timeout))
    }

    fn suspicious_at(&self) -> Instant {
        self.listens_since + self.interval + self.rtt.max(SLACK)
    }

    fn ping(&mut self, now: Instant) -> u64 {
        self.nonce += 1;
        self.next_ping = now + self.interval;
        self.asked = Some((self.nonce, now));
        self.nonce
    }
}
