//! Why a frame is not a message.

use crate::manifest::ManifestError;

/// A frame that is not a message. The peer is at fault, or speaks a newer protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not protobuf.
    #[error("a frame is malformed: {0}")]
    Malformed(String),
    /// A request, response or answer of a kind that this version does not know, or of none.
    #[error("a {0} of an unknown kind; the peer may be newer than this program")]
    UnknownKind(&'static str),
    /// A field that must be there.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A field occurs more often than allowed.
    #[error("{field} occurs more than {max} times")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// How often it may.
        max: usize,
    },
    /// A field is longer than allowed.
    #[error("{field} has {len} bytes, over the limit of {max}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
    /// An identifier or a hash of another length than 32 bytes.
    #[error("{field} has {len} bytes, must have 32")]
    NotAnId {
        /// Which field.
        field: &'static str,
        /// How long it is.
        len: usize,
    },
    /// Text that would do more to a terminal than be shown.
    #[error("{field} contains the control character {found:?}")]
    Control {
        /// Which field.
        field: &'static str,
        /// The first one in it.
        found: char,
    },
    /// A number, or a pair of them, that nothing can match.
    #[error("{field} is out of range")]
    OutOfRange {
        /// Which field.
        field: &'static str,
    },
    /// The head of a manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}
