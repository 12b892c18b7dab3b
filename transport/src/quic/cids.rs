use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator};
use quinn_proto::InvalidCid;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Connection ids of 8 bytes: 4 random ones and 4 that only this identity can compute from them.
///
/// Random packets that strike the socket are recognised as foreign and dropped without an answer. Ids from before a restart are
/// recognised as our own, and answered with a stateless reset, because the key belongs to the identity and not to the run.
/// (quinn's own generator does the same, but draws from the thread's generator and cannot be seeded.)
pub(super) struct Cids {
    key: [u8; 32],
    rng: ChaCha20Rng,
}

const NONCE: usize = 4;
const LEN: usize = 8;

impl Cids {
    pub(super) fn new(key: [u8; 32], seed: [u8; 32]) -> Self {
        Self { key, rng: ChaCha20Rng::from_seed(seed) }
    }

    fn tag(&self, nonce: &[u8]) -> [u8; LEN - NONCE] {
        let hash = blake3::keyed_hash(&self.key, nonce);
        let mut tag = [0; LEN - NONCE];
        tag.copy_from_slice(&hash.as_bytes()[..LEN - NONCE]);
        tag
    }
}

impl ConnectionIdGenerator for Cids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; LEN];
        self.rng.fill_bytes(&mut id[..NONCE]);
        let tag = self.tag(&id[..NONCE]);
        id[NONCE..].copy_from_slice(&tag);
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        match id.split_at_checked(NONCE) {
            Some((nonce, tag)) if tag == self.tag(nonce) => Ok(()),
            _ => Err(InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_recognised_after_a_restart_and_foreign_ones_are_not() {
        let id = Cids::new([1; 32], [2; 32]).generate_cid();
        assert!(Cids::new([1; 32], [3; 32]).validate(&id).is_ok(), "the same identity, another run");
        assert!(Cids::new([4; 32], [2; 32]).validate(&id).is_err(), "another identity");
        for foreign in [&[][..], &[0; 4], &[0; 8], &[7; 20]] {
            assert!(Cids::new([1; 32], [2; 32]).validate(&ConnectionId::new(foreign)).is_err());
        }
    }

    #[test]
    fn ids_depend_on_the_seed_alone_and_do_not_repeat() {
        let (mut a, mut b) = (Cids::new([1; 32], [2; 32]), Cids::new([1; 32], [2; 32]));
        let first: Vec<_> = (0..100).map(|_| a.generate_cid()).collect();
        assert!(first.iter().all(|id| *id == b.generate_cid()));
        assert_ne!(first[0], first[1]);
    }
}
