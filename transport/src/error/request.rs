use moorline_proto::{ErrorCode, PeerError};
use thiserror::Error;

use crate::ConnectionEnd;

/// Why a request, or serving one, did not work out. The connection lives on except after
/// [`ConnectionLost`](Self::ConnectionLost).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The whole connection ended.
    #[error("{0}")]
    ConnectionLost(ConnectionEnd),
    /// The peer answered with an error.
    #[error("the peer refused: {} ({:?})", .0.message, .0.code)]
    Refused(PeerError),
    /// The writer gave up in the middle.
    #[error("the peer gave up in the middle of it ({0:?})")]
    Aborted(ErrorCode),
    /// The reader no longer wants it.
    #[error("the peer no longer wants it")]
    Stopped,
    /// The peer does not keep to the protocol.
    #[error("the peer does not keep to the protocol: {0}")]
    Protocol(String),
    /// A frame is over its limit: the peer's, or one of our own that was not sent.
    #[error("a frame of {len} bytes is over the limit of {max}")]
    TooLarge {
        /// The frame's length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The peer took too long: see [`Limits`](crate::Limits) for which wait has which bound.
    #[error("the peer took too long to {0}")]
    TimedOut(
        /// What we waited for: "answer", "read on", …
        &'static str,
    ),
    /// The stream ended in an orderly way; there is nothing more to read.
    #[error("there is nothing more to read")]
    Finished,
}
