use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use moorline_proto::{ErrorCode, PeerId, VersionRange};
use thiserror::Error;

use super::refusal_text;
use crate::ConnectionEnd;

/// Why [`Endpoint::connect`](crate::Endpoint::connect) found no peer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No address was given.
    #[error("there is no address to dial")]
    NoAddress,
    /// This endpoint was closed.
    #[error("this endpoint is closed")]
    Closed,
    /// Every address failed.
    #[error("cannot connect to {}", Listed(.0))]
    Failed(
        /// Each address with its failure, in the order in which the addresses were given. Never empty.
        Vec<(SocketAddr, DialError)>,
    ),
}

impl ConnectError {
    /// The failure that says most: a peer that answered and refused, rather than an address where nobody is.
    pub fn cause(&self) -> Option<&DialError> {
        match self {
            Self::Failed(failures) => failures.iter().map(|(_, cause)| cause).max_by_key(|cause| cause.weight()),
            Self::NoAddress | Self::Closed => None,
        }
    }
}

struct Listed<'a>(&'a [(SocketAddr, DialError)]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (addr, cause)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{addr}: {cause}")?;
        }
        Ok(())
    }
}

/// Why one address did not lead to a connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialError {
    /// This address cannot be dialled from here: no port, the unspecified address, or IPv6 from a socket that has IPv4 alone.
    #[error("this address cannot be dialled from here")]
    BadAddress,
    /// Nobody answered, or the introduction was not done, within
    /// [`Limits::handshake_timeout`](crate::Limits::handshake_timeout).
    #[error("no answer within {0:?}: nobody is there, or a firewall is between")]
    TimedOut(
        /// How long we waited.
        Duration,
    ),
    /// Somebody else is there.
    #[error("another peer answers there: expected {expected}, found {found}")]
    WrongPeer {
        /// Whom we wanted.
        expected: PeerId,
        /// Who answered.
        found: PeerId,
    },
    /// This endpoint itself is there.
    #[error("this is our own address")]
    Ourselves,
    /// The peer speaks other protocol versions.
    #[error("the peer speaks protocol {theirs}, this program {ours}: the older of the two needs an update")]
    VersionMismatch {
        /// What we speak.
        ours: VersionRange,
        /// What the peer speaks.
        theirs: VersionRange,
    },
    /// The peer refused us.
    #[error("refused: {}{}", refusal_text(*code), with_words(words))]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The peer's words, fit for a terminal; may be empty.
        words: String,
    },
    /// The peer could not show that it knows our passphrase. Nothing was told to it.
    #[error("the passphrases are not the same: {peer} did not prove that it knows ours")]
    PassphraseWrong {
        /// Who answered.
        peer: PeerId,
    },
    /// The peer that answered is not on our allow list. Nothing was told to it.
    #[error("{peer} is not on our list of allowed peers")]
    NotAllowed {
        /// Who answered.
        peer: PeerId,
    },
    /// Too many peers at this address did not prove that they know our passphrase: an impostor would get one guess a call.
    #[error("too many failed passphrase proofs with this address; next try in {retry_after:?}")]
    TooManyAttempts {
        /// When the next attempt is allowed.
        retry_after: Duration,
    },
    /// The connection ended in the middle of the introduction.
    #[error("{0}")]
    Lost(ConnectionEnd),
    /// The peer does not keep to the protocol.
    #[error("the peer does not keep to the protocol: {0}")]
    Protocol(String),
    /// Something is wrong on our side.
    #[error("cannot dial: {0}")]
    Local(String),
}

impl DialError {
    fn weight(&self) -> u8 {
        match self {
            Self::BadAddress => 0,
            Self::Ourselves => 1,
            Self::TimedOut(_) => 2,
            Self::Local(_) => 3,
            Self::Lost(_) => 4,
            Self::WrongPeer { .. } => 5,
            Self::Protocol(_) => 6,
            Self::TooManyAttempts { .. } => 7,
            Self::NotAllowed { .. }
            | Self::PassphraseWrong { .. }
            | Self::VersionMismatch { .. }
            | Self::Refused { .. } => 8,
        }
    }
}

fn with_words(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" (\"{words}\")") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_told_and_the_weightiest_failure_is_the_cause() {
        let refused = DialError::Refused { code: ErrorCode::PassphraseRequired, words: String::new() };
        let error = ConnectError::Failed(vec![
            ("10.0.0.1:1".parse().unwrap(), DialError::TimedOut(Duration::from_secs(5))),
            ("[fe80::1]:2".parse().unwrap(), refused.clone()),
            ("10.0.0.3:3".parse().unwrap(), DialError::BadAddress),
        ]);
        assert_eq!(error.cause(), Some(&refused));
        let text = error.to_string();
        for expected in
            ["10.0.0.1:1: no answer within 5s", "[fe80::1]:2: refused: a passphrase is needed", "10.0.0.3:3: "]
        {
            assert!(text.contains(expected), "{text}");
        }
    }
}
