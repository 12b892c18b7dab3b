//! One error type an operation. The texts say what happened, with whom, and what to do.

mod dial;
mod request;

use std::io;
use std::net::SocketAddr;

use moorline_proto::{ErrorCode, PeerId, VersionRange};
use thiserror::Error;

use crate::{ConnectionEnd, TlsError};

pub use dial::{ConnectError, DialError};
pub use request::RequestError;

/// Why an endpoint could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The socket could not be had.
    #[error("cannot listen on {addr}: {source}{}", advice(source))]
    Socket {
        /// What was asked for.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The configuration contradicts itself.
    #[error("unusable configuration: {0}")]
    Config(String),
    /// The cryptography provider does not fit.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no tokio runtime here to run the endpoint.
    #[error("an endpoint must be started from within a tokio runtime")]
    NoRuntime,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program uses this port: stop it, choose another port, or use port 0 for any"
        }
        io::ErrorKind::AddrNotAvailable => "; this host does not have that address: use [::] for all of its addresses",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need special rights: choose a higher one",
        _ => "",
    }
}

/// Why a peer that knocked was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// It was not done within [`Limits::handshake_timeout`](crate::Limits::handshake_timeout).
    #[error("it did not finish its introduction in time")]
    TimedOut,
    /// It went away, or TLS failed.
    #[error("it left before it was admitted: {0}")]
    Lost(ConnectionEnd),
    /// It speaks other protocol versions.
    #[error("it speaks protocol {theirs}, this program {ours}: the older of the two needs an update")]
    VersionMismatch {
        /// What we speak.
        ours: VersionRange,
        /// What the peer speaks.
        theirs: VersionRange,
    },
    /// It may not come in; it was told so.
    #[error("peer {peer} was refused: {}", refusal_text(*code))]
    Refused {
        /// Who.
        peer: PeerId,
        /// Why.
        code: ErrorCode,
    },
    /// It does not keep to the protocol.
    #[error("it does not keep to the protocol: {0}")]
    Protocol(String),
    /// There are [`Limits::max_connections`](crate::Limits::max_connections) already.
    #[error("there are too many connections already")]
    Overloaded,
}

/// Our words for a refusal, seen from either side.
pub(crate) fn refusal_text(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::PassphraseRequired => "a passphrase is needed, and none was given",
        ErrorCode::PassphraseWrong => "the passphrases are not the same",
        ErrorCode::PassphraseUnexpected => "a passphrase was given, and none is used there",
        ErrorCode::NotAllowed => "the other side is not on the list of allowed peers",
        ErrorCode::TooManyAttempts => "too many wrong passphrases lately; wait a while",
        ErrorCode::UnsupportedVersion => "the protocol versions do not match",
        ErrorCode::Busy => "no connections are taken there now: there are too many, or it is stopping; try again later",
        _ => "no further reason given",
    }
}
