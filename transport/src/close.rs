//! Why connections end: what we tell the peer, and what the peer told us.

use std::fmt;

use moorline_proto::Goodbye;
use moorline_proto::limits::MAX_REASON;
use quinn::{ConnectionError, VarInt};

use crate::text::{clean, clean_bytes};

/// Why we close a connection. The peer is told, and sees a [`ConnectionEnd`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// An orderly end: we are leaving, for this reason (may be empty).
    Goodbye(String),
    /// The peer broke the protocol.
    Protocol(String),
    /// The peer may not be here.
    Unauthorized(String),
    /// The peer sent content that is not what it should be.
    BadContent(String),
    /// We cannot take on more.
    Overloaded,
    /// There is another connection between the same two peers, which stays.
    Duplicate,
    /// Something failed on our side.
    Internal,
    /// The peer did not answer pings.
    Unresponsive,
}

/// The kind of a close, as it travels. See [`CloseReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCode {
    /// The connection was let go without a word, for example because the program dropped its last handle.
    Dropped,
    /// An orderly end.
    Goodbye,
    /// We broke the protocol, the peer says.
    Protocol,
    /// We may not be there.
    Unauthorized,
    /// We sent bad content, the peer says.
    BadContent,
    /// The peer cannot take on more.
    Overloaded,
    /// Another connection between the same two peers stays.
    Duplicate,
    /// Something failed on the peer's side.
    Internal,
    /// We did not answer its pings, the peer says.
    Unresponsive,
    /// A later protocol's code.
    Unknown(u64),
}

impl CloseReason {
    /// The kind of this reason.
    pub fn code(&self) -> CloseCode {
        match self {
            Self::Goodbye(_) => CloseCode::Goodbye,
            Self::Protocol(_) => CloseCode::Protocol,
            Self::Unauthorized(_) => CloseCode::Unauthorized,
            Self::BadContent(_) => CloseCode::BadContent,
            Self::Overloaded => CloseCode::Overloaded,
            Self::Duplicate => CloseCode::Duplicate,
            Self::Internal => CloseCode::Internal,
            Self::Unresponsive => CloseCode::Unresponsive,
        }
    }

    /// What goes into the QUIC CONNECTION_CLOSE frame (RFC 9000, section 19.19).
    pub(crate) fn to_wire(&self) -> (VarInt, Vec<u8>) {
        let bytes = match self {
            Self::Goodbye(reason) => Goodbye { reason: clean(reason, MAX_REASON) }.encode().to_vec(),
            Self::Protocol(reason) | Self::Unauthorized(reason) | Self::BadContent(reason) => {
                clean(reason, MAX_REASON).into_bytes()
            }
            Self::Overloaded | Self::Duplicate | Self::Internal | Self::Unresponsive => Vec::new(),
        };
        (self.code().to_wire(), bytes)
    }
}

impl CloseCode {
    fn to_wire(self) -> VarInt {
        let code = match self {
            // What quinn sends when the last handle is dropped.
            Self::Dropped => 0,
            Self::Goodbye => 1,
            Self::Protocol => 2,
            Self::Unauthorized => 3,
            Self::BadContent => 4,
            Self::Overloaded => 5,
            Self::Duplicate => 6,
            Self::Internal => 7,
            Self::Unresponsive => 8,
            Self::Unknown(code) => code,
        };
        VarInt::from_u64(code).unwrap_or(VarInt::MAX)
    }

    fn from_wire(code: VarInt) -> Self {
        match code.into_inner() {
            0 => Self::Dropped,
            1 => Self::Goodbye,
            2 => Self::Protocol,
            3 => Self::Unauthorized,
            4 => Self::BadContent,
            5 => Self::Overloaded,
            6 => Self::Duplicate,
            7 => Self::Internal,
            8 => Self::Unresponsive,
            code => Self::Unknown(code),
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped => f.write_str("it let go without a word"),
            Self::Goodbye => f.write_str("goodbye"),
            Self::Protocol => f.write_str("it says that we broke the protocol"),
            Self::Unauthorized => f.write_str("it does not let us in"),
            Self::BadContent => f.write_str("it says that we sent bad content"),
            Self::Overloaded => f.write_str("it is overloaded"),
            Self::Duplicate => f.write_str("it keeps another connection between us"),
            Self::Internal => f.write_str("something failed on its side"),
            Self::Unresponsive => f.write_str("it says that we did not answer its pings"),
            Self::Unknown(code) => write!(f, "for a reason that this version does not know, code {code}"),
        }
    }
}

/// How a connection ended, seen from this side. `Display` is a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// The peer said goodbye: an orderly end, with its reason (may be empty).
    Goodbye(String),
    /// The peer closed the connection for another reason.
    Closed {
        /// The kind of reason.
        code: CloseCode,
        /// The peer's words, fit for a terminal; may be empty.
        reason: String,
    },
    /// Nothing was heard for [`Limits::idle_timeout`](crate::Limits::idle_timeout): the peer crashed, or the network is gone.
    TimedOut,
    /// The peer answered that it does not know this connection: it was restarted.
    Reset,
    /// This side closed it.
    Local,
    /// QUIC itself failed: one side broke its rules, or the local socket is gone.
    Transport(String),
}

impl ConnectionEnd {
    pub(crate) fn from_quinn(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => match CloseCode::from_wire(close.error_code) {
                CloseCode::Goodbye => Self::Goodbye(match Goodbye::decode(&close.reason) {
                    Ok(goodbye) => clean(&goodbye.reason, MAX_REASON),
                    // A malformed goodbye is one all the same.
                    Err(_) => String::new(),
                }),
                code => Self::Closed { code, reason: clean_bytes(&close.reason, MAX_REASON) },
            },
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Reset,
            ConnectionError::LocallyClosed => Self::Local,
            // The texts of the others hold words of the peer.
            other => Self::Transport(clean(&other.to_string(), MAX_REASON)),
        }
    }
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goodbye(reason) if reason.is_empty() => f.write_str("the peer said goodbye"),
            Self::Goodbye(reason) => write!(f, "the peer said goodbye: {reason}"),
            Self::Closed { code, reason } if reason.is_empty() => write!(f, "the peer closed the connection: {code}"),
            Self::Closed { code, reason } => write!(f, "the peer closed the connection: {code}: {reason}"),
            Self::TimedOut => f.write_str("the peer fell silent: it crashed, or the network between us is gone"),
            Self::Reset => f.write_str("the peer no longer knows this connection: it was restarted"),
            Self::Local => f.write_str("this side closed the connection"),
            Self::Transport(problem) => write!(f, "the connection broke: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_wire() {
        for code in (0..10).chain([u64::from(u32::MAX)]) {
            let wire = VarInt::from_u64(code).unwrap();
            assert_eq!(CloseCode::from_wire(wire).to_wire(), wire);
        }
    }

    #[test]
    fn every_reason_fits_into_a_packet() {
        let long = "é\n".repeat(5000);
        let reasons =
            [CloseReason::Goodbye(long.clone()), CloseReason::Protocol(long.clone()), CloseReason::BadContent(long)];
        for reason in reasons {
            let (_, bytes) = reason.to_wire();
            assert!(!bytes.is_empty() && bytes.len() <= MAX_REASON + 8, "{}", bytes.len());
        }
    }
}
