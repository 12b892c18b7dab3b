use std::fmt;
use std::sync::Arc;

use moorline_transport::{Entropy, SeededEntropy};

/// Where all randomness of a simulation comes from: one seed, and a name for each use of it.
///
/// What is drawn under one name does not depend on any other: another host, or one more draw somewhere, reshuffles nothing else. That
/// is what lets a failing scenario shrink.
#[derive(Clone)]
pub struct Seeds([u8; 32]);

impl Seeds {
    /// The streams of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(blake3::derive_key("moorline sim v1: seed of a simulation", &seed.to_le_bytes()))
    }

    /// The 32 bytes that belong to a name, given as a path such as `["ann", "transport", "2"]`.
    #[must_use]
    pub fn derive(&self, path: &[&str]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in path {
            // Length first, so that no two paths read alike.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// As [`derive`](Self::derive), as a number.
    #[must_use]
    pub fn number(&self, path: &[&str]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.derive(path);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// A stream of bytes for a component that takes an [`Entropy`].
    #[must_use]
    pub fn stream(&self, path: &[&str]) -> Arc<dyn Entropy> {
        Arc::new(SeededEntropy::new(self.derive(path)))
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_own_bytes() {
        let seeds = Seeds::new(1);
        assert_eq!(seeds.derive(&["a", "b"]), Seeds::new(1).derive(&["a", "b"]));
        assert_ne!(seeds.derive(&["a", "b"]), Seeds::new(2).derive(&["a", "b"]));
        assert_ne!(seeds.derive(&["a", "b"]), seeds.derive(&["ab"]));
        assert_ne!(seeds.derive(&["a", "b"]), seeds.derive(&["a", "b", ""]));
    }
}
