use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use moorline_proto::PeerId;
use thiserror::Error;

/// Who may connect, in either direction. The default lets everyone in.
///
/// Both gates may be set; a peer then has to pass both. They hold for the peers that we dial as for those that dial us, and before
/// a peer has passed, it learns nothing of this one but its public key and its protocol versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Both sides prove to each other that they know this passphrase (SPAKE2, bound to the connection), without saying it and without
    /// giving an eavesdropper or an impostor anything to test guesses against offline. Peers without a passphrase are refused.
    pub passphrase: Option<Passphrase>,
    /// Only these peers. `None`: any peer. An empty set: nobody.
    pub allow: Option<BTreeSet<PeerId>>,
}

impl Access {
    /// Whether everyone may connect.
    pub fn is_open(&self) -> bool {
        self.passphrase.is_none() && self.allow.is_none()
    }

    pub(crate) fn allows(&self, peer: &PeerId) -> bool {
        self.allow.as_ref().is_none_or(|allowed| allowed.contains(peer))
    }
}

/// A secret that the members of a closed group share. Compared byte for byte: spaces and letter case count.
///
/// `Debug` does not show it. Guessing needs a connection per guess and is slowed down by
/// [`Limits::max_unproven_per_ip`](crate::Limits::max_unproven_per_ip); three or four random words are enough.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl Passphrase {
    /// The longest passphrase, in bytes.
    pub const MAX_LEN: usize = 1024;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Passphrase {
    type Err = PassphraseError;

    fn from_str(text: &str) -> Result<Self, PassphraseError> {
        match text.len() {
            0 => Err(PassphraseError::Empty),
            len if len > Self::MAX_LEN => Err(PassphraseError::TooLong { len }),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

/// Why a text cannot be a passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// An empty passphrase would look like protection and be none.
    #[error("the passphrase is empty: give one, or leave the option out to let everyone in")]
    Empty,
    /// Longer than [`Passphrase::MAX_LEN`].
    #[error("the passphrase has {len} bytes, more than {}", Passphrase::MAX_LEN)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_never_empty_and_has_a_limit() {
        assert_eq!("".parse::<Passphrase>(), Err(PassphraseError::Empty));
        assert!("x".repeat(1024).parse::<Passphrase>().is_ok());
        assert_eq!("x".repeat(1025).parse::<Passphrase>(), Err(PassphraseError::TooLong { len: 1025 }));
        assert!(" ".parse::<Passphrase>().is_ok(), "spaces count");
    }

    #[test]
    fn debug_output_does_not_hold_the_passphrase() {
        let access = Access { passphrase: Some("correct horse".parse().unwrap()), allow: None };
        assert!(!format!("{access:?}").contains("horse"));
    }

    #[test]
    fn an_empty_allow_list_allows_nobody() {
        let peer = PeerId::from_bytes([1; 32]);
        let list = |peers: &[PeerId]| Access { passphrase: None, allow: Some(peers.iter().copied().collect()) };
        assert!(Access::default().allows(&peer) && Access::default().is_open());
        assert!(list(&[peer]).allows(&peer));
        assert!(!list(&[]).allows(&peer) && !list(&[]).is_open());
    }
}
