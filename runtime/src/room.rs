//! Rooms of a [node](crate::node): people and programs that meet on a signaling server, and nodes that find each other there.
//!
//! A room is a supervised child of its node. Everything of [`moorline_signaling::Client`] is there: messages, values, calls, recovery. On
//! top of it, participants that are nodes tell each other their peer id and addresses, and connect directly, as peers found by
//! discovery do: they can list and fetch from each other although no multicast leads from one to the other.
//!
//! What a participant says of itself is only believed once the peer at the address has proved, in the QUIC handshake, that it holds the
//! key of the peer id. Until then a participant that lies makes this node send packets to at most 16 addresses: again after pauses that
//! grow to [`DialConfig::retry_ceiling`](crate::node::DialConfig::retry_ceiling), for as long as it is there and says so. However often
//! a participant says something else, that is acted on once in five seconds, on the newest; and all participants of all rooms together
//! have no more than 64 changes acted on at once, and one each second after that.

mod addresses;
mod join;
mod meet;
mod pace;

pub use join::{JoinError, Room, RoomConfig, RoomEvents};
