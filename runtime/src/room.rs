//! Rooms of a [node](crate::node): people and programs that meet on a signaling server, and nodes that find each other there.
//!
//! A room is a supervised child of its node. Everything of [`moorline_signaling::Client`] is there: messages, values, calls, recovery. On
//! top of it, participants that are nodes tell each other their peer id and addresses, and connect directly, as peers found by
//! discovery do: they can list and fetch from each other although no multicast leads from one to the other.
//!
//! What a participant says of itself is only believed once the peer at the address has proved, in the QUIC handshake, that it holds the
//! key of the peer id. A participant that lies makes this node send some packets to at most 16 addresses.

mod addresses;
mod join;
mod meet;

pub use join::{JoinError, Room, RoomConfig, RoomEvents};
