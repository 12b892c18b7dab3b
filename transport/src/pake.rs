//! Proof that both ends know the passphrase, bound to one TLS connection.
//!
//! SPAKE2 (RFC 9382 gives the idea; the crate `spake2` fixes the group and the hash) turns the passphrase into a key that both
//! ends share only if they know the same passphrase, and gives neither an eavesdropper nor an impostor anything to test guesses
//! against offline. Each end then shows that it has the key by a MAC over the TLS exporter (RFC 5705), both identities and
//! what was said: a man in the middle, who has another TLS session with either side, can pass the messages on, but not the proof.

use bytes::Bytes;
use moorline_proto::PeerId;
use spake2::{Ed25519Group, Identity, Password, Spake2};

use crate::entropy::EntropyRng;
use crate::{Entropy, Passphrase};

/// Keying material that both ends of one TLS session compute, and nobody else.
pub(crate) type Exporter = [u8; 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The end that dialled.
    Initiator,
    /// The end that was dialled.
    Responder,
}

/// The two identities, as TLS proved them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parties {
    pub(crate) initiator: PeerId,
    pub(crate) responder: PeerId,
}

/// One end's half of the exchange. Single use: each attempt needs a new one.
pub(crate) struct Exchange {
    spake: Spake2<Ed25519Group>,
    parties: Parties,
}

/// The peer's half is not a SPAKE2 message.
#[derive(Debug)]
pub(crate) struct BadMessage;

impl Exchange {
    /// Starts an exchange; the bytes go to the other end and reveal nothing.
    pub(crate) fn start(role: Role, passphrase: &Passphrase, parties: Parties, entropy: &dyn Entropy) -> (Self, Bytes) {
        let password = Password::new(passphrase.as_bytes());
        let initiator = Identity::new(parties.initiator.as_bytes());
        let responder = Identity::new(parties.responder.as_bytes());
        let rng = EntropyRng(entropy);
        let (spake, message) = match role {
            Role::Initiator => Spake2::start_a_with_rng(&password, &initiator, &responder, rng),
            Role::Responder => Spake2::start_b_with_rng(&password, &initiator, &responder, rng),
        };
        (Self { spake, parties }, message.into())
    }

    /// Takes the other end's half. The key is right only if the passphrases are the same: [`ProofKey::confirms`] tells.
    pub(crate) fn finish(self, message: &[u8], exporter: &Exporter) -> Result<ProofKey, BadMessage> {
        let shared = self.spake.finish(message).map_err(|_| BadMessage)?;
        let mut hasher = blake3::Hasher::new_derive_key("moorline hello v1: key that confirms a passphrase");
        for part in [&shared[..], exporter, self.parties.initiator.as_bytes(), self.parties.responder.as_bytes()] {
            absorb(&mut hasher, part);
        }
        Ok(ProofKey(*hasher.finalize().as_bytes()))
    }
}

/// What an exchange yields: equal on both ends if, and only if, passphrase, TLS session and identities are.
pub(crate) struct ProofKey([u8; 32]);

impl ProofKey {
    /// The proof that the end in `role` shows, over what was `said` so far.
    pub(crate) fn confirmation(&self, role: Role, said: &[&[u8]]) -> Bytes {
        Bytes::copy_from_slice(self.mac(role, said).as_bytes())
    }

    /// Whether `shown` is the proof of the end in `role`. Takes the same time for every wrong proof.
    pub(crate) fn confirms(&self, role: Role, said: &[&[u8]], shown: &[u8]) -> bool {
        let Ok(shown) = <[u8; 32]>::try_from(shown) else { return false };
        // blake3::Hash compares in constant time.
        self.mac(role, said) == blake3::Hash::from_bytes(shown)
    }

    fn mac(&self, role: Role, said: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(match role {
            Role::Initiator => b"initiator",
            Role::Responder => b"responder",
        });
        for part in said {
            absorb(&mut hasher, part);
        }
        hasher.finalize()
    }
}

/// Length first, so that no two lists of parts read alike.
fn absorb(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_be_bytes());
    hasher.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsEntropy;

    const PARTIES: fn() -> Parties =
        || Parties { initiator: PeerId::from_bytes([1; 32]), responder: PeerId::from_bytes([2; 32]) };

    /// What each end believes.
    struct View {
        passphrase: &'static str,
        parties: Parties,
        exporter: Exporter,
    }

    fn same() -> (View, View) {
        let view = || View { passphrase: "open sesame", parties: PARTIES(), exporter: [7; 32] };
        (view(), view())
    }

    fn keys((a, b): &(View, View)) -> (ProofKey, ProofKey) {
        let start =
            |role, view: &View| Exchange::start(role, &view.passphrase.parse().unwrap(), view.parties, &OsEntropy);
        let (initiator, from_initiator) = start(Role::Initiator, a);
        let (responder, from_responder) = start(Role::Responder, b);
        (
            initiator.finish(&from_responder, &a.exporter).unwrap(),
            responder.finish(&from_initiator, &b.exporter).unwrap(),
        )
    }

    fn convinced(views: &(View, View)) -> bool {
        let (initiator, responder) = keys(views);
        let said: &[&[u8]] = &[b"hello", b"reply"];
        let forth = responder.confirms(Role::Initiator, said, &initiator.confirmation(Role::Initiator, said));
        let back = initiator.confirms(Role::Responder, said, &responder.confirmation(Role::Responder, said));
        assert_eq!(forth, back);
        forth
    }

    #[test]
    fn the_same_passphrase_on_the_same_connection_convinces() {
        assert!(convinced(&same()));
    }

    #[test]
    fn anything_else_does_not() {
        let mut views = same();
        views.1.passphrase = "open sesame!";
        assert!(!convinced(&views), "another passphrase");

        let mut views = same();
        views.1.exporter = [8; 32];
        assert!(!convinced(&views), "another TLS session: a relay");

        let mut views = same();
        views.1.parties.initiator = PeerId::from_bytes([3; 32]);
        assert!(!convinced(&views), "another initiator");

        let mut views = same();
        views.1.parties.responder = PeerId::from_bytes([3; 32]);
        assert!(!convinced(&views), "another responder");
    }

    #[test]
    fn a_proof_holds_for_one_role_one_transcript_and_one_run() {
        let (initiator, responder) = keys(&same());
        let proof = initiator.confirmation(Role::Initiator, &[b"hello"]);
        assert!(responder.confirms(Role::Initiator, &[b"hello"], &proof));
        assert!(!responder.confirms(Role::Responder, &[b"hello"], &proof), "reflected");
        assert!(!responder.confirms(Role::Initiator, &[b"hellO"], &proof), "other words");
        assert!(!responder.confirms(Role::Initiator, &[b"hel", b"lo"], &proof), "cut elsewhere");
        assert!(!responder.confirms(Role::Initiator, &[b"hello"], &proof[..31]), "cut short");
        assert!(!responder.confirms(Role::Initiator, &[b"hello"], &[]), "empty");
        let (_, later) = keys(&same());
        assert!(!later.confirms(Role::Initiator, &[b"hello"], &proof), "replayed");
    }

    #[test]
    fn malformed_and_reflected_messages_are_refused() {
        let start = || Exchange::start(Role::Initiator, &"x".parse().unwrap(), PARTIES(), &OsEntropy);
        for message in [&b""[..], &[0x42], &[0x42; 34], &[0xff; 33]] {
            assert!(start().0.finish(message, &[0; 32]).is_err(), "{message:?}");
        }
        let (own, message) = start();
        assert!(own.finish(&message, &[0; 32]).is_err(), "our own message sent back");
    }
}
