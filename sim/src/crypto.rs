//! TLS whose every random byte comes from the seed.
//!
//! rustls takes its sources as `&'static`, while a simulation has one for each host and ends. So the statics are numbered slots without
//! a state, and what stands in a slot belongs to the thread, of which each simulation has its own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use curve25519_dalek::MontgomeryPoint;
use moorline_transport::{Entropy, SeededEntropy};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// So many hosts of one simulation can speak TLS.
pub const MAX_TLS_HOSTS: usize = 256;

thread_local! {
    static STREAMS: RefCell<BTreeMap<usize, SeededEntropy>> = const { RefCell::new(BTreeMap::new()) };
}

static SLOTS: [Slot; MAX_TLS_HOSTS] = {
    let mut slots = [const { Slot(0) }; MAX_TLS_HOSTS];
    let mut number = 0;
    while number < MAX_TLS_HOSTS {
        slots[number] = Slot(number);
        number += 1;
    }
    slots
};

/// The TLS randomness of one host, as long as the thread of the simulation lasts.
#[derive(Clone, Copy, Debug)]
pub struct TlsRandomness(&'static Slot);

impl TlsRandomness {
    /// The one of the host with this number; `None` from [`MAX_TLS_HOSTS`] on.
    #[must_use]
    pub fn of_host(number: usize) -> Option<Self> {
        SLOTS.get(number).map(Self)
    }

    /// From now on this thread draws this host's randomness from `seed`.
    pub fn seed(self, seed: [u8; 32]) {
        STREAMS.with_borrow_mut(|streams| streams.insert(self.0.0, SeededEntropy::new(seed)));
    }

    /// What the transport uses by default, with X25519 and all randomness from here. Handshakes fail on a thread without a
    /// [`seed`](Self::seed).
    #[must_use]
    pub fn provider(self) -> CryptoProvider {
        CryptoProvider { secure_random: self.0, kx_groups: vec![self.0], ..moorline_transport::default_provider() }
    }
}

/// A number, and nothing else: see the top of this file.
#[derive(Debug)]
struct Slot(usize);

impl SecureRandom for Slot {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        STREAMS.with_borrow(|streams| streams.get(&self.0).map(|stream| stream.fill(out)).ok_or(GetRandomFailed))
    }
}

impl SupportedKxGroup for Slot {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        self.fill(&mut secret)?;
        let public = MontgomeryPoint::mul_base_clamped(secret).to_bytes();
        Ok(Box::new(KeyExchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// X25519 (RFC 7748).
struct KeyExchange {
    secret: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for KeyExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = || Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        let peer = MontgomeryPoint(peer.try_into().map_err(|_| invalid())?);
        let shared = peer.mul_clamped(self.secret).to_bytes();
        // RFC 8446, section 7.4.2: a point of small order gives zeros.
        if shared == [0; 32] {
            return Err(invalid());
        }
        Ok(SharedSecret::from(&shared[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748, section 5.2, first vector: checks the multiplication with what the RFC prints.
    #[test]
    fn the_key_exchange_is_x25519() {
        let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let shared = Box::new(KeyExchange { secret: scalar, public: [0; 32] }).complete(&point).unwrap();
        let expected = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(shared.secret_bytes(), expected);
    }

    fn hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn a_point_of_small_order_is_refused() {
        let exchange = || Box::new(KeyExchange { secret: [1; 32], public: [0; 32] });
        assert!(exchange().complete(&[0; 32]).is_err());
        assert!(exchange().complete(&[9; 31]).is_err());
    }

    #[test]
    fn a_host_draws_from_its_own_seed() {
        let (ann, bob) = (TlsRandomness::of_host(0).unwrap(), TlsRandomness::of_host(1).unwrap());
        let draw = |host: TlsRandomness| {
            let mut out = [0; 16];
            host.0.fill(&mut out).map(|()| out)
        };
        assert!(draw(ann).is_err(), "nothing is drawn without a seed");
        ann.seed([1; 32]);
        bob.seed([1; 32]);
        let first = draw(ann).unwrap();
        assert_ne!(draw(ann).unwrap(), first);
        assert_eq!(draw(bob).unwrap(), first);
        assert!(TlsRandomness::of_host(MAX_TLS_HOSTS).is_none());
    }
}
