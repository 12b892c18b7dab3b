use std::fmt;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};

/// Where every random byte of an endpoint comes from: QUIC connection ids, packet padding, token keys, passphrase proofs.
///
/// One implementation is handed in per endpoint, so that a simulation can replace all of it by one seed. TLS draws its own
/// randomness from the [`CryptoProvider`](rustls::crypto::CryptoProvider) of the configuration, which is handed in as well.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out` with unpredictable bytes. Must not block for long and must not fail.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's randomness. The right choice everywhere outside of simulations.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// If the operating system has no source of randomness at all. No key of this program would be worth anything then.
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system provides randomness");
    }
}

/// Reproducible bytes (ChaCha20) from a seed, for simulations and tests. Never for real keys.
///
/// The same seed yields the same bytes in the same order of calls.
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// A stream of bytes that depends on `seed` alone.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(out);
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededEntropy(..)")
    }
}

/// Draws `N` bytes.
pub(crate) fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// Lends an [`Entropy`] to libraries that ask for a `rand_core` generator.
pub(crate) struct EntropyRng<'a>(pub(crate) &'a dyn Entropy);

impl RngCore for EntropyRng<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(draw(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(draw(self.0))
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(dest);
        Ok(())
    }
}

impl CryptoRng for EntropyRng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
        let (a, b, c) = (SeededEntropy::new([1; 32]), SeededEntropy::new([1; 32]), SeededEntropy::new([2; 32]));
        let bytes: [u8; 64] = draw(&a);
        assert_eq!(bytes, draw::<64>(&b));
        assert_ne!(bytes, draw::<64>(&c));
        assert_ne!(bytes, draw::<64>(&a), "the stream moves on");
    }

    #[test]
    fn the_operating_system_does_not_repeat_itself() {
        assert_ne!(draw::<32>(&OsEntropy), draw::<32>(&OsEntropy));
    }
}
