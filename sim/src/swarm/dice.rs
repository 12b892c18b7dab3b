use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Draws for a scenario.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// From 0, and below 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Both ends included.
    pub(super) fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.0.next_u64() % (max.saturating_sub(min) + 1)
    }

    /// As likely to be from 1 to 10 as from 10 to 100. Both ends included; neither is 0.
    pub(super) fn log_uniform(&mut self, min: u64, max: u64) -> u64 {
        (self.log_uniform_f64(min as f64, max as f64 + 0.999) as u64).clamp(min, max)
    }

    pub(super) fn log_uniform_f64(&mut self, min: f64, max: f64) -> f64 {
        min * (max / min).powf(self.unit())
    }

    /// One of several; there is at least one.
    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.between(0, from.len().saturating_sub(1) as u64);
        from[usize::try_from(index).unwrap_or(0)].clone()
    }
}
