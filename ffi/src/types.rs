//! The structs that cross the boundary. Fixed widths, no holes whose content matters, sizes that may grow at the end.

use std::ffi::c_void;

use crate::kinds::{MOORLINE_NUMBERS, MOORLINE_SPANS};

/// Bytes that somebody else owns. UTF-8 where text is meant, not terminated. `data` may be null if `length` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes.
    pub length: u64,
}

/// Something that happened, or one row of a snapshot. Which `numbers` and `spans` mean what stands with each `MOORLINE_EVENT_...`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `MOORLINE_EVENT_...` or `MOORLINE_RECORD_...`.
    pub kind: u32,
    /// `MOORLINE_OK`, or how something ended.
    pub status: i32,
    /// The session or client that it concerns.
    pub handle: u64,
    /// The request that it answers, or the call to be answered; else 0.
    pub request: u64,
    /// Counts the events of a client from 1; 0 in snapshots.
    pub sequence: u64,
    /// By kind.
    pub numbers: [u64; MOORLINE_NUMBERS],
    /// By kind.
    pub spans: [Span; MOORLINE_SPANS],
}

/// Where a function says what was wrong. Set `struct_size`; the rest is written only if the function fails.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Error {
    /// `sizeof(moorline_error)`.
    pub struct_size: u32,
    /// The status that the function returned.
    pub status: i32,
    /// Length of the message in bytes, without the terminating zero.
    pub length: u32,
    /// Zero.
    pub reserved: u32,
    /// What was wrong and what to do: UTF-8, terminated by a zero, cut if it does not fit.
    pub message: [u8; 496],
}

/// How a client is made. Zero in any field but the first two means the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct InitOptions {
    /// `sizeof(moorline_init_options)`.
    pub struct_size: u32,
    /// `MOORLINE_ABI_VERSION` of the header that the caller was made with.
    pub abi_version: u32,
    /// Threads for the network. Default 2, at most 64.
    pub threads: u32,
    /// Events that may wait to be taken. Default 4,096, at most 1,048,576.
    pub event_capacity: u32,
    /// Requests that may be under way. Default 4,096, at most 1,048,576.
    pub request_capacity: u32,
    /// Lines of the log that become events: 0 none, 1 errors, up to 5 everything.
    pub log_level: u32,
}

/// How a node is made. Empty spans and zeros mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NodeOptions {
    /// `sizeof(moorline_node_options)`.
    pub struct_size: u32,
    /// `MOORLINE_FLAG_...`: READY, CHILDREN, NO_MULTICAST, LIBRARY.
    pub flags: u32,
    /// Address to listen on, `ip:port`. Default: any address, any port.
    pub listen: Span,
    /// What others see. Default: the beginning of the peer id.
    pub name: Span,
    /// File with the key of this peer; made if it is missing. Default: a key for this run only.
    pub identity: Span,
    /// Folder in which hashes are kept. Default: a folder below the system's for temporary files.
    pub cache: Span,
    /// Only who knows it gets in. Default: everyone gets in.
    pub passphrase: Span,
    /// Files and folders to share: `share_count` of them.
    pub share: *const Span,
    /// Ids of the only peers that get in: `allow_count` of them. None: everyone.
    pub allow: *const Span,
    /// Addresses of peers to connect to, `ip:port`: `peer_count` of them.
    pub peers: *const Span,
    /// How many.
    pub share_count: u32,
    /// How many.
    pub allow_count: u32,
    /// How many.
    pub peer_count: u32,
    /// Milliseconds for goodbyes when the node stops. Default 2,000.
    pub shutdown_deadline_ms: u32,
    /// Milliseconds until the node stops if `moorline_ready` is not called. Default 15,000.
    pub ready_timeout_ms: u32,
    /// Zero.
    pub reserved: u32,
}

/// What to fetch. Empty spans and zeros mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DownloadOptions {
    /// `sizeof(moorline_download_options)`.
    pub struct_size: u32,
    /// `MOORLINE_FLAG_...`: END_WHEN_ALONE, SHARE.
    pub flags: u32,
    /// The item: its id, or a name under which it is on offer.
    pub item: Span,
    /// The folder that receives it.
    pub into: Span,
    /// The name to give it. Default: that under which it is on offer.
    pub name: Span,
    /// Id of the only peer to fetch from. Default: everyone who has it.
    pub from: Span,
    /// Milliseconds to wait for somebody to offer it. Default 10,000.
    pub wait_ms: u32,
    /// Zero.
    pub reserved: u32,
}

/// Which room to join. Empty spans and zeros mean the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RoomOptions {
    /// `sizeof(moorline_room_options)`.
    pub struct_size: u32,
    /// `MOORLINE_FLAG_...`: READY, NO_MEETING.
    pub flags: u32,
    /// The server: `ws://host:port/path` or `wss://...`. Several, separated by spaces: the first choice first.
    pub url: Span,
    /// The room.
    pub room: Span,
    /// The token, where the server asks for one.
    pub token: Span,
    /// What others see.
    pub name: Span,
    /// Who this is, where no token says so. Default: made up by the server.
    pub identity: Span,
    /// Free text.
    pub metadata: Span,
    /// Milliseconds from a loss, or from the start, to giving up. Default 30,000; `MOORLINE_FOREVER`: never.
    pub deadline_ms: u32,
    /// Milliseconds until the room is left if `moorline_ready` is not called. Default 15,000.
    pub ready_timeout_ms: u32,
}

/// How a message is sent. Null where it is asked for: reliable, to everyone else.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// `sizeof(moorline_send_options)`.
    pub struct_size: u32,
    /// `MOORLINE_SEND_...`.
    pub delivery: u32,
    /// Topic; with `MOORLINE_SEND_LATEST` the key.
    pub topic: Span,
    /// Participants to send to, `to_count` of them. None: everyone else.
    pub to: *const u64,
    /// How many.
    pub to_count: u32,
    /// Milliseconds to wait for a connection. Default 30,000.
    pub ttl_ms: u32,
}

/// What a participant says of itself from now on. A span whose `data` is null leaves things as they are.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct UpdateOptions {
    /// `sizeof(moorline_update_options)`.
    pub struct_size: u32,
    /// How many attributes.
    pub attribute_count: u32,
    /// The new name.
    pub name: Span,
    /// The new metadata.
    pub metadata: Span,
    /// Keys of attributes.
    pub keys: *const Span,
    /// Their values; an empty one removes its key.
    pub values: *const Span,
}

/// Takes events, in order, from one thread of the client, which may call every function but `moorline_dispose` and
/// `moorline_events_callback`. The events are valid until it returns. It must not throw: what it throws is contained where that is
/// possible, and counts as a panic of the client.
pub type EventCallback = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, events: *const Event, count: u32)>;
