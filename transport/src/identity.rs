//! The Ed25519 key that a peer is known by.

mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use moorline_proto::PeerId;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Entropy;
use crate::entropy::draw;

pub use file::IdentityError;

/// A peer's private key (Ed25519). Whoever holds it *is* that peer; its public half is the [`PeerId`].
///
/// Cheap to clone: clones share the key. `Debug` shows the peer id and never the key.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    seed: [u8; 32],
    peer_id: PeerId,
}

impl Identity {
    /// A new identity from 32 bytes of `entropy`.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::from_seed(draw(entropy))
    }

    /// The identity whose Ed25519 private key (RFC 8032, section 5.1.5: the 32-byte seed) is `seed`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are an Ed25519 private key");
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Self(Arc::new(Inner { seed, peer_id: PeerId::from_bytes(public) }))
    }

    /// The identity stored in `path`, made and stored there first if there is none.
    ///
    /// A new file has mode 0600, missing folders are made with mode 0700, and the file appears whole or not at all: of two
    /// programs that start at once, one writes and both use what was written.
    ///
    /// # Errors
    /// [`IdentityError`]: the file cannot be read or written, others than its owner may read it, or its content is not an identity.
    /// An unusable file is never replaced: that would silently make this peer somebody else.
    pub fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Self, IdentityError> {
        file::load_or_create(path, entropy)
    }

    /// The public key, by which others know this peer.
    pub fn peer_id(&self) -> PeerId {
        self.0.peer_id
    }

    /// A key for one purpose, named by `context`, that only the holder of this identity can compute.
    pub(crate) fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0.seed)
    }

    /// The private key as rustls wants it: PKCS#8 version 1 (RFC 8410, section 7).
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        const PREFIX: [u8; 16] =
            [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        let mut der = PREFIX.to_vec();
        der.extend_from_slice(&self.0.seed);
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))
    }

    fn seed(&self) -> &[u8; 32] {
        &self.0.seed
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, key hidden)", self.0.peer_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn the_public_key_is_the_one_that_rfc_8032_names() {
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(Identity::from_seed(seed).peer_id(), PeerId::from_bytes(public));
    }

    #[test]
    fn debug_output_does_not_hold_the_key() {
        let identity = Identity::from_seed([0xa7; 32]);
        let shown = format!("{identity:?} {identity:#?}");
        assert!(shown.contains(&identity.peer_id().to_string()), "{shown}");
        assert!(!shown.to_lowercase().contains("a7a7") && !shown.contains("167, 167"), "{shown}");
    }

    #[test]
    fn keys_for_different_purposes_differ() {
        let identity = Identity::from_seed([1; 32]);
        assert_ne!(identity.derive("one"), identity.derive("two"));
        assert_eq!(identity.derive("one"), Identity::from_seed([1; 32]).derive("one"));
        assert_ne!(identity.derive("one"), Identity::from_seed([2; 32]).derive("one"));
    }

    fn hex(text: &str) -> [u8; 32] {
        let mut out = [0; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
        }
        out
    }
}
