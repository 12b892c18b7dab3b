//! Numbers that C and Rust share: what handles and events are. Never given a second meaning.
//!
//! Each event says below what its `numbers` and `spans` hold, in this order; what is not named is 0 or empty. Texts of peers
//! and participants are untrusted. Ids of peers and items are 52 characters of base32.

/// The version of this interface: the upper half changes when a caller has to, the lower half when something was added.
pub const MOORLINE_ABI_VERSION: u32 = 0x0001_0000;

/// How many `numbers` an event has.
pub const MOORLINE_NUMBERS: usize = 6;
/// How many `spans` an event has.
pub const MOORLINE_SPANS: usize = 5;

/// A time without end, where a time in milliseconds is asked for.
pub const MOORLINE_FOREVER: u32 = u32::MAX;

// Kinds of handles.

/// A client: what `moorline_init` makes.
pub const MOORLINE_KIND_CLIENT: u32 = 1;
/// A node.
pub const MOORLINE_KIND_NODE: u32 = 2;
/// A room.
pub const MOORLINE_KIND_ROOM: u32 = 3;
/// A download.
pub const MOORLINE_KIND_DOWNLOAD: u32 = 4;
/// A request that is under way. Dies with its `MOORLINE_EVENT_REQUEST_DONE`.
pub const MOORLINE_KIND_REQUEST: u32 = 5;
/// A call of another participant that waits for its answer. Dies with the answer, at its time-out, or with its room.
pub const MOORLINE_KIND_CALL: u32 = 6;

// Events of clients and requests.

/// The client's last event: nothing follows. `status`: ok, or timeout if something had to be cut off. spans: what was cut off.
pub const MOORLINE_EVENT_CLIENT_CLOSED: u32 = 1;
/// Events were dropped because nobody took them; a snapshot function brings you up to date. `handle`: whose; 0: lines of the log.
/// numbers: how many.
pub const MOORLINE_EVENT_LAGGED: u32 = 2;
/// A panic was contained. `handle`: the session or client it was in. What that had under way was cancelled before this event; the
/// sessions concerned end after it. Of a task that a node starts anew by itself this is only news. spans: the task, the message.
pub const MOORLINE_EVENT_PANIC: u32 = 3;
/// A line of the log. `handle`: 0. numbers: level (1 error to 5 trace). spans: target, message.
pub const MOORLINE_EVENT_LOG: u32 = 4;
/// A request is done: one for each. `handle`: the session; `request`: which; `status`: how. spans: the result, or why not.
pub const MOORLINE_EVENT_REQUEST_DONE: u32 = 5;

// Events of nodes.

/// The node runs. spans: peer id, address it listens on.
pub const MOORLINE_EVENT_NODE_STARTED: u32 = 20;
/// The last event of a node. `status`: why. spans: the same for people.
pub const MOORLINE_EVENT_NODE_STOPPED: u32 = 21;
/// A service that the node cannot do without died; `MOORLINE_EVENT_NODE_STOPPED` follows. spans: component, error.
pub const MOORLINE_EVENT_NODE_FAILED: u32 = 22;
/// A peer is connected. numbers: items, round-trip time in microseconds, 1 if it shares. spans: peer id, name, address, program.
pub const MOORLINE_EVENT_PEER_UP: u32 = 23;
/// A peer is no longer connected. numbers: 1 if it said goodbye. spans: peer id, name, reason.
pub const MOORLINE_EVENT_PEER_DOWN: u32 = 24;
/// A peer cannot be joined, and trying again will not mend it. `status`: access, or protocol. spans: how it was found, reason.
pub const MOORLINE_EVENT_PEER_REFUSED: u32 = 25;
/// What connected peers offer changed: see `moorline_node_offers`.
pub const MOORLINE_EVENT_OFFERS_CHANGED: u32 = 26;
/// What this node shares changed: see `moorline_node_items`. numbers: revision.
pub const MOORLINE_EVENT_LIBRARY_CHANGED: u32 = 27;
/// A peer began to fetch from this node. spans: peer id, name, item id.
pub const MOORLINE_EVENT_UPLOAD_STARTED: u32 = 28;
/// A service of the node changed its state. spans: service, state.
pub const MOORLINE_EVENT_SERVICE: u32 = 29;

// Events of downloads.

/// What is on this disk already is compared with the item. numbers: bytes done, bytes in all.
pub const MOORLINE_EVENT_DOWNLOAD_CHECKING: u32 = 40;
/// Fetching begins. numbers: bytes, files, chunks, bytes kept from an earlier run. spans: item id, name.
pub const MOORLINE_EVENT_DOWNLOAD_PLANNED: u32 = 41;
/// How far it is. numbers: verified bytes, bytes in all, bytes a second, sources.
pub const MOORLINE_EVENT_DOWNLOAD_PROGRESS: u32 = 42;
/// A source is no longer used. spans: peer id, name, reason.
pub const MOORLINE_EVENT_DOWNLOAD_SOURCE_DROPPED: u32 = 43;
/// The last source left, and the download waits for another one.
pub const MOORLINE_EVENT_DOWNLOAD_ALONE: u32 = 44;
/// The last event of a download. `status`: ok if the item is in its place, whole and verified. numbers: bytes, fetched bytes, bytes
/// kept from earlier runs, milliseconds, 1 if it was there already. spans: item id, path (if ok), or why not (if not).
pub const MOORLINE_EVENT_DOWNLOAD_ENDED: u32 = 45;

// Events of rooms.

/// The room was joined. numbers: own participant, participants, what the token allows (1 publish, 2 call, 4 update self). spans: session,
/// server.
pub const MOORLINE_EVENT_ROOM_JOINED: u32 = 60;
/// What the room does changed. numbers: from and to: 0 idle, 1 connecting, 2 live, 3 recovering, 4 migrating, 5 leaving, 6 closed.
/// spans: why.
pub const MOORLINE_EVENT_ROOM_STATE: u32 = 61;
/// The connection is lost and a recovery begins. numbers: epoch. spans: why.
pub const MOORLINE_EVENT_ROOM_CONNECTION_LOST: u32 = 62;
/// There is a connection again. numbers: epoch, 1 if nothing was missed, deliveries replayed, sends repeated, downtime in milliseconds.
/// spans: strategy.
pub const MOORLINE_EVENT_ROOM_RECOVERED: u32 = 63;
/// Deliveries were lost: see `moorline_room_participants`. numbers: own participant, participants.
pub const MOORLINE_EVENT_ROOM_RESYNC: u32 = 64;
/// A message. numbers: sender, 1 if reliable, the sender's number of it. spans: payload, topic.
pub const MOORLINE_EVENT_ROOM_MESSAGE: u32 = 65;
/// Somebody came. numbers: participant. spans: identity, name, metadata.
pub const MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED: u32 = 66;
/// Somebody says something else of itself. numbers: participant. spans: identity, name, metadata.
pub const MOORLINE_EVENT_ROOM_PARTICIPANT_UPDATED: u32 = 67;
/// Somebody went. numbers: participant, reason (1 left, 2 timed out, 3 replaced, 4 removed, 5 migrated, 0 unknown). spans: identity, name,
/// metadata.
pub const MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT: u32 = 68;
/// A participant announced a value. numbers: participant, revision. spans: value (empty: it is gone), key.
pub const MOORLINE_EVENT_ROOM_VALUE: u32 = 69;
/// A participant calls: answer with `moorline_call_reply` or `moorline_call_reject`. `request`: the call's handle. numbers: participant,
/// time-out in milliseconds. spans: payload, method.
pub const MOORLINE_EVENT_ROOM_CALL: u32 = 70;
/// The last event of a room. `status`: why: closed if this side left. spans: the same for people.
pub const MOORLINE_EVENT_ROOM_DISCONNECTED: u32 = 71;

// Records of snapshots; they look like events and are none.

/// A node. numbers: peers, downloads, tasks, 1 while it runs. spans: peer id, address, tree of tasks.
pub const MOORLINE_RECORD_NODE: u32 = 100;
/// A connected peer, as with `MOORLINE_EVENT_PEER_UP`.
pub const MOORLINE_RECORD_PEER: u32 = 101;
/// An item that peers offer. numbers: bytes, files, providers. spans: item id, name, version, title.
pub const MOORLINE_RECORD_OFFER: u32 = 102;
/// A peer that has the offer before it. spans: peer id, name, address, its name of the item.
pub const MOORLINE_RECORD_PROVIDER: u32 = 103;
/// An item that this node shares. numbers: bytes, files. spans: item id, name, version, title.
pub const MOORLINE_RECORD_ITEM: u32 = 104;
/// A download, as with `MOORLINE_EVENT_DOWNLOAD_PROGRESS`; `status`: ok while it goes on or is finished, else why it ended. spans: item
/// id, name.
pub const MOORLINE_RECORD_DOWNLOAD: u32 = 105;
/// A room. numbers: state (see `MOORLINE_EVENT_ROOM_STATE`), own participant or 0, participants. spans: session.
pub const MOORLINE_RECORD_ROOM: u32 = 106;
/// A participant, this one included. numbers: participant. spans: identity, name, metadata.
pub const MOORLINE_RECORD_PARTICIPANT: u32 = 107;
/// An attribute of the participant before it. numbers: participant. spans: value, key.
pub const MOORLINE_RECORD_ATTRIBUTE: u32 = 108;
/// A value that the participant before it announced. numbers: participant, revision. spans: value, key.
pub const MOORLINE_RECORD_VALUE: u32 = 109;

// Flags and choices.

/// Events of the session need not wait for `moorline_ready`.
pub const MOORLINE_FLAG_READY: u32 = 1;
/// Node: what `share` names are folders; every child of them is an item.
pub const MOORLINE_FLAG_CHILDREN: u32 = 2;
/// Node: do not look for peers by multicast DNS, and do not announce this one.
pub const MOORLINE_FLAG_NO_MULTICAST: u32 = 4;
/// Node: has a library even if it shares nothing yet.
pub const MOORLINE_FLAG_LIBRARY: u32 = 8;
/// Download: end when nobody is left who has the item.
pub const MOORLINE_FLAG_END_WHEN_ALONE: u32 = 16;
/// Download: offer the item to others once it is whole. Needs a library.
pub const MOORLINE_FLAG_SHARE: u32 = 32;
/// Room: do not tell this node's addresses, and do not connect to the nodes in the room.
pub const MOORLINE_FLAG_NO_MEETING: u32 = 64;

/// Kept, in order, sent again after a loss, acknowledged.
pub const MOORLINE_SEND_RELIABLE: u32 = 0;
/// The newest value of a key (`topic`), known to whoever comes later.
pub const MOORLINE_SEND_LATEST: u32 = 1;
/// At once, or not at all.
pub const MOORLINE_SEND_EPHEMERAL: u32 = 2;

/// The handler failed; the message says how.
pub const MOORLINE_REJECT_FAILED: u32 = 0;
/// There is no such method.
pub const MOORLINE_REJECT_NO_SUCH_METHOD: u32 = 1;
/// There is too much to do.
pub const MOORLINE_REJECT_BUSY: u32 = 2;

/// There is no network.
pub const MOORLINE_HINT_OFFLINE: u32 = 0;
/// There is a network again.
pub const MOORLINE_HINT_ONLINE: u32 = 1;
/// It is another network: what is open may be dead.
pub const MOORLINE_HINT_PATH_CHANGED: u32 = 2;
/// Somebody wants the connection now.
pub const MOORLINE_HINT_RETRY_NOW: u32 = 3;
