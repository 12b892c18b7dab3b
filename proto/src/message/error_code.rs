//! Kinds of failure.

use std::fmt;

use super::{DecodeError, check, limits};
use crate::wire::v1;

/// Why something was refused or failed; also the code of a reset stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The answering side failed; its log says how.
    Internal,
    /// The request makes no sense to the answering side.
    BadRequest,
    /// No common protocol version.
    UnsupportedVersion,
    /// This peer asks for a passphrase, and none was offered.
    PassphraseRequired,
    /// The passphrases differ.
    PassphraseWrong,
    /// A passphrase was offered, and this peer has none.
    PassphraseUnexpected,
    /// The asker's key is not on the allow list.
    NotAllowed,
    /// Too many failed attempts from this address; wait.
    TooManyAttempts,
    /// No such item, page, chunk or picture.
    NotFound,
    /// The content changed since it was listed.
    Changed,
    /// It exists but cannot be served now.
    Unavailable,
    /// More was asked for than is served at once.
    TooLarge,
    /// A limit on concurrent work is reached; try again.
    Busy,
    /// A code that this version does not know. Never one of the above.
    Unknown(u32),
}

/// Every known code, its number in the schema, and what it says.
const TABLE: [(ErrorCode, v1::ErrorCode, &str); 13] = {
    use v1::ErrorCode as Wire;
    [
        (ErrorCode::Internal, Wire::Internal, "internal error"),
        (ErrorCode::BadRequest, Wire::BadRequest, "bad request"),
        (ErrorCode::UnsupportedVersion, Wire::UnsupportedVersion, "no common protocol version"),
        (ErrorCode::PassphraseRequired, Wire::PassphraseRequired, "a passphrase is required"),
        (ErrorCode::PassphraseWrong, Wire::PassphraseWrong, "the passphrase is wrong"),
        (ErrorCode::PassphraseUnexpected, Wire::PassphraseUnexpected, "no passphrase is in use here"),
        (ErrorCode::NotAllowed, Wire::NotAllowed, "not on the allow list"),
        (ErrorCode::TooManyAttempts, Wire::TooManyAttempts, "too many attempts, wait"),
        (ErrorCode::NotFound, Wire::NotFound, "not found"),
        (ErrorCode::Changed, Wire::Changed, "changed since it was listed"),
        (ErrorCode::Unavailable, Wire::Unavailable, "not available now"),
        (ErrorCode::TooLarge, Wire::TooLarge, "too much at once"),
        (ErrorCode::Busy, Wire::Busy, "busy, try again"),
    ]
};

impl ErrorCode {
    /// The number that travels.
    pub fn code(self) -> u32 {
        match self {
            ErrorCode::Unknown(code) => code,
            known => TABLE.iter().find(|(code, ..)| *code == known).map_or(0, |(_, wire, _)| *wire as u32),
        }
    }

    /// The kind of failure that `code` stands for; [`Unknown`](Self::Unknown) if none.
    pub fn from_code(code: u32) -> Self {
        let known = TABLE.iter().find(|(_, wire, _)| *wire as u32 == code);
        known.map_or(ErrorCode::Unknown(code), |(known, ..)| *known)
    }

    pub(super) fn to_wire(self) -> i32 {
        self.code().cast_signed()
    }

    pub(super) fn from_wire(code: i32) -> Self {
        Self::from_code(code.cast_unsigned())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, TABLE.iter().find(|(code, ..)| code == self)) {
            (_, Some((_, _, text))) => f.pad(text),
            (code, None) => write!(f, "error {}", code.code()),
        }
    }
}

/// A request that failed, as the peer tells it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PeerError {
    /// The kind of failure.
    pub code: ErrorCode,
    /// For people: what happened, to what.
    pub message: String,
}

impl PeerError {
    pub(super) fn to_wire(&self) -> v1::PeerError {
        v1::PeerError { code: self.code.to_wire(), message: self.message.clone() }
    }

    pub(super) fn from_wire(wire: v1::PeerError) -> Result<Self, DecodeError> {
        check::lines("message", &wire.message, limits::MAX_MESSAGE)?;
        Ok(Self { code: ErrorCode::from_wire(wire.code), message: wire.message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stands_for_one_code() {
        for number in 0..64 {
            let code = ErrorCode::from_code(number);
            assert_eq!(code.code(), number);
            let in_schema = v1::ErrorCode::try_from(number.cast_signed());
            let known = !matches!(code, ErrorCode::Unknown(_));
            assert_eq!(known, number != 0 && in_schema.is_ok(), "{number}");
        }
        assert_eq!(ErrorCode::from_wire(-1).to_wire(), -1);
    }
}
