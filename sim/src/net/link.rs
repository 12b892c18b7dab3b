//! What happens to datagrams on the way from one host to another. Knows no socket and no clock.

use std::fmt;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// IPv4 and UDP headers, in bytes.
const HEADERS: usize = 28;

/// What is wrong with one direction of a link, for datagrams. The default is a clean link. Probabilities are from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkFaults {
    /// Probability that a datagram is lost, each by itself.
    pub loss: f64,
    /// Losses that come in bursts, on top of `loss`.
    pub burst: Option<BurstLoss>,
    /// Probability that a datagram arrives twice, with a delay of its own each time.
    pub duplicate: f64,
    /// Probability that one bit of a datagram is flipped, in each copy by itself.
    pub corrupt: f64,
    /// Each copy takes from nothing to this much longer, in milliseconds: later ones overtake earlier ones.
    pub jitter_ms: f64,
    /// Each copy takes this much longer than the network's own latency, in milliseconds.
    pub latency_ms: f64,
    /// So many bits of packets leave a second, headers included, in units of 1,000 bits. `None`: as many as there are.
    pub rate_kbit: Option<u64>,
    /// With a rate: so much may wait to leave, in KiB; what comes on top is lost.
    pub queue_kib: u64,
    /// Largest packet that gets through, headers included, in bytes.
    pub mtu: u16,
}

impl Default for LinkFaults {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: None,
            duplicate: 0.0,
            corrupt: 0.0,
            jitter_ms: 0.0,
            latency_ms: 0.0,
            rate_kbit: None,
            queue_kib: 256,
            mtu: 1500,
        }
    }
}

/// What is not as on a clean link, for people and for the trace.
impl fmt::Display for LinkFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = Self::default();
        // Two digits behind the point, without what binary fractions add behind them.
        let percents = |p: f64| (p * 10_000.0).round() / 100.0;
        let percent = |name: &str, p: f64| (p > 0.0).then(|| format!("{name} {} %", percents(p)));
        let ms = |name: &str, ms: f64| (ms > 0.0).then(|| format!("{name} {ms} ms"));
        let burst = |b: &BurstLoss| {
            format!("bursts {} % (in {} %, out {} %)", percents(b.loss), percents(b.enter), percents(b.leave))
        };
        let parts = [
            percent("loss", self.loss),
            self.burst.as_ref().map(burst),
            percent("twice", self.duplicate),
            percent("damaged", self.corrupt),
            ms("jitter", self.jitter_ms),
            ms("late", self.latency_ms),
            self.rate_kbit.map(|rate| format!("{rate} kbit/s, queue {} KiB", self.queue_kib)),
            (self.mtu != clean.mtu).then(|| format!("MTU {}", self.mtu)),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "clean" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Loss in bursts (Gilbert and Elliott): the link changes between a good and a bad state with each datagram, and loses in the bad one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstLoss {
    /// Probability, with each datagram, that a good link turns bad.
    pub enter: f64,
    /// Probability, with each datagram, that a bad link turns good: bursts are 1 / `leave` long on average.
    pub leave: f64,
    /// Probability that a bad link loses a datagram.
    pub loss: f64,
}

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// Lost by itself.
    Loss,
    /// Lost in a burst.
    Burst,
    /// The queue before a slow link was full.
    Queue,
    /// Larger than the link takes.
    Mtu,
    /// The way is cut.
    Cut,
    /// There is no host at this address.
    NoHost,
}

impl LossCause {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Loss, Self::Burst, Self::Queue, Self::Mtu, Self::Cut, Self::NoHost];

    /// One word, for the trace.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Burst => "burst",
            Self::Queue => "queue",
            Self::Mtu => "mtu",
            Self::Cut => "cut",
            Self::NoHost => "no-host",
        }
    }
}

/// What arrives of one datagram: once, or twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) first: OneCopy,
    pub(crate) second: Option<OneCopy>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneCopy {
    /// How much later than the network would have it.
    pub(crate) delay: Duration,
    /// This bit arrives flipped.
    pub(crate) flipped: Option<usize>,
}

/// One direction, with its dice and what it remembers.
pub(crate) struct Link {
    faults: LinkFaults,
    dice: ChaCha8Rng,
    bad: bool,
    /// When the last datagram that waits will have left.
    busy_until: Duration,
}

impl Link {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let dice = ChaCha8Rng::from_seed(seed);
        Self { faults: LinkFaults::default(), dice, bad: false, busy_until: Duration::ZERO }
    }

    pub(crate) fn set_faults(&mut self, faults: LinkFaults) {
        if faults.burst.is_none() {
            self.bad = false;
        }
        self.faults = faults;
    }

    pub(crate) fn faults(&self) -> &LinkFaults {
        &self.faults
    }

    /// What becomes of `len` bytes of payload that are sent at `now`.
    pub(crate) fn send(&mut self, now: Duration, len: usize) -> Result<Copies, LossCause> {
        // The same draws for each datagram, whatever becomes of it: without one fault, the others strike the same datagrams.
        let [loss, turn, burst, twice, first, second] = std::array::from_fn(|_| self.unit());
        let (first_flip, second_flip) = (self.flip(len), self.flip(len));
        if let Some(bursts) = &self.faults.burst {
            self.bad = if self.bad { turn >= bursts.leave } else { turn < bursts.enter };
        }
        if len + HEADERS > usize::from(self.faults.mtu) {
            return Err(LossCause::Mtu);
        }
        let waited = self.queue(now, len + HEADERS)?;
        if loss < self.faults.loss {
            return Err(LossCause::Loss);
        }
        if self.bad && self.faults.burst.as_ref().is_some_and(|bursts| burst < bursts.loss) {
            return Err(LossCause::Burst);
        }
        let faults = &self.faults;
        let delay = |jitter: f64| waited + millis(faults.latency_ms) + millis(faults.jitter_ms * jitter);
        let second = (twice < faults.duplicate).then(|| OneCopy { delay: delay(second), flipped: second_flip });
        Ok(Copies { first: OneCopy { delay: delay(first), flipped: first_flip }, second })
    }

    /// Takes a place in the queue, and tells how long it takes from there until the last bit has left.
    fn queue(&mut self, now: Duration, bytes: usize) -> Result<Duration, LossCause> {
        let Some(rate) = self.faults.rate_kbit else { return Ok(Duration::ZERO) };
        // Bits, over thousands of bits a second, are milliseconds.
        let time_for = |bytes: u64| Duration::from_nanos(bytes.saturating_mul(8_000_000) / rate.max(1));
        let backlog = self.busy_until.saturating_sub(now);
        if backlog > time_for(self.faults.queue_kib.saturating_mul(1024)) {
            return Err(LossCause::Queue);
        }
        self.busy_until = self.busy_until.max(now) + time_for(bytes as u64);
        Ok(self.busy_until - now)
    }

    fn flip(&mut self, len: usize) -> Option<usize> {
        let (chance, place) = (self.unit(), self.dice.next_u64());
        let bits = (len as u64).saturating_mul(8);
        (chance < self.faults.corrupt && bits > 0).then(|| usize::try_from(place % bits.max(1)).unwrap_or(0))
    }

    /// From 0, and below 1.
    fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// No time for what is no time: negative, or not a number.
fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests;
