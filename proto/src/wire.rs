//! The generated protobuf types, for tools that inspect raw frames. Everything else goes through the crate's own types,
//! which check what they decode; these do not, and they change shape whenever the schema grows.

/// Version 1 of the peer protocol, generated from `schema/moorline/v1/peer.proto`.
#[rustfmt::skip]
#[allow(missing_docs, reason = "prost puts no comments on what it adds to the schema")]
#[allow(clippy::all, clippy::needless_pass_by_value, reason = "generated")]
pub mod v1;

/// Version 1 of the room protocol, generated from `schema/moorline/signal/v1/room.proto`.
#[rustfmt::skip]
#[allow(missing_docs, reason = "prost puts no comments on what it adds to the schema")]
#[allow(clippy::all, clippy::needless_pass_by_value, reason = "generated")]
pub mod signal;
