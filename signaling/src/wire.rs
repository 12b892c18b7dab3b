//! Frames: what both sides put into WebSocket messages, and the limits on it.

use bytes::Bytes;
use prost::Message as _;

pub(crate) use moorline_proto::wire::signal as pb;

/// The version of the protocol that this crate speaks.
pub(crate) const PROTO_VERSION: u32 = 1;

/// Limits of the protocol, in bytes unless said otherwise. Both sides hold each other to them.
pub mod limits {
    /// A frame from a client.
    pub const MAX_CLIENT_FRAME: usize = 128 << 10;
    /// A frame from a server.
    pub const MAX_SERVER_FRAME: usize = 4 << 20;
    /// The payload of a message, a value, a call or its answer.
    pub const MAX_PAYLOAD: usize = 64 << 10;
    /// A name, an identity, a room, a key, a topic, a method, the text of an error.
    pub const MAX_TEXT: usize = 256;
    /// The metadata of a participant.
    pub const MAX_METADATA: usize = 4 << 10;
    /// Keys and values of the attributes of a participant together.
    pub const MAX_ATTRIBUTES: usize = 4 << 10;
    /// Values that one participant announces (a number).
    pub const MAX_VALUES: usize = 64;
    /// Participants that a message is addressed to (a number).
    pub const MAX_RECIPIENTS: usize = 64;
    /// An access token.
    pub const MAX_TOKEN: usize = 8 << 10;
    /// A resume token.
    pub const MAX_RESUME_TOKEN: usize = 256;
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("a frame of {len} bytes is over the limit of {max}")]
    TooLong { len: usize, max: usize },
    #[error("not a frame: {0}")]
    Garbled(#[from] prost::DecodeError),
}

/// Decodes what a server sent.
pub(crate) fn decode_server_frame(bytes: Bytes) -> Result<pb::ServerFrame, BadFrame> {
    check_length(bytes.len(), limits::MAX_SERVER_FRAME)?;
    Ok(pb::ServerFrame::decode(bytes)?)
}

/// Decodes what a client sent.
#[cfg(feature = "server")]
pub(crate) fn decode_client_frame(bytes: Bytes) -> Result<pb::ClientFrame, BadFrame> {
    check_length(bytes.len(), limits::MAX_CLIENT_FRAME)?;
    Ok(pb::ClientFrame::decode(bytes)?)
}

fn check_length(len: usize, max: usize) -> Result<(), BadFrame> {
    if len > max { Err(BadFrame::TooLong { len, max }) } else { Ok(()) }
}

/// Encodes a frame of the client.
pub(crate) fn encode(frame: &pb::ClientFrame) -> Bytes {
    frame.encode_to_vec().into()
}
