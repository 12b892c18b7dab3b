// Moorline's C interface.
//
// Generated from ffi/src by `cargo xtask codegen`: change that, and not this file.
//
// A program makes a client (moorline_init), starts nodes, joins rooms and asks for things, takes events, and disposes
// of the client. Everything that takes time is asked for with a function that returns at once, and answered by an
// event.
//
// STATUS    Every function returns an int32_t: 0 is ok, everything else is a MOORLINE_E_... . No function throws,
//           unwinds or aborts. The numbers are grouped by who can do something about it, and never get a second
//           meaning; treat one that you do not know by its group. Where a function takes a moorline_error, it may be
//           null; it is yours, and nothing is kept per thread. A function that fails has changed nothing, and has
//           written no other out parameter, unless it says so.
//
// HANDLES   A uint64_t: clients, nodes, rooms, downloads, requests, calls. 0 is never one. A number is not given out
//           again: a stale, made-up or foreign handle is an error value, and no bystander is harmed. A node, room or
//           download is valid until moorline_drop, also after its last event; a request until its
//           MOORLINE_EVENT_REQUEST_DONE; a call until its answer; all of them until moorline_dispose of their client.
//
// MEMORY    What you hand in is borrowed until the function returns. What you are handed (events) is one block: free it
//           with one moorline_free, which frees what its spans lead to as well. Texts are UTF-8 with a length and
//           without a terminating zero. A pointer may be null where its length or count is 0, and where it says so;
//           otherwise null is MOORLINE_E_NULL. The caller sets `struct_size` of each struct that has one, and may then
//           leave the rest zero.
//
// REQUESTS  A function that takes a while hands out a request handle, and later exactly one MOORLINE_EVENT_REQUEST_DONE
//           has it in `request`, whatever happens: success, failure, moorline_cancel, the end of its session, a panic,
//           moorline_dispose. Another thread may take that event before the function has returned the handle to you.
//
// EVENTS    In order, numbered by `sequence`, from a queue with a bound. Take them by moorline_events_poll, with
//           moorline_events_fd to learn when, or by moorline_events_callback. If nobody takes them, the ones that only
//           tell the state of things are merged or dropped, and one MOORLINE_EVENT_LAGGED says how many; ends and
//           answers are never dropped. Texts of peers and participants are untrusted. The events of a node or room wait
//           for moorline_ready, so that none is lost before somebody listens.
//
// THREADS   Every function may be called from every thread at once. No function calls back into yours. No lock is held
//           while your callback runs; it comes from one thread of the client.
//
// FORK      A child made by fork or clone has none of the library's threads. Every function answers MOORLINE_E_FORKED
//           there, at once, and touches nothing of the parent's, neither memory nor sockets. moorline_init starts
//           afresh.
//
// SIGNALS   No function may be called from a signal handler. The library installs no handler and changes no mask of a
//           thread that is not its own.
//
// PANICS    A defect in the library is contained: what its session had under way is cancelled, MOORLINE_EVENT_PANIC
//           says where, the rooms and downloads concerned end with MOORLINE_E_PANIC. The process lives, and other
//           clients do not notice. The message also goes to standard error; nothing else ever does.
//
// What each function promises. A word that is the name of a status (`forked`) is what it answers then. "In a forked
// child": of a process that has clients, before its own moorline_init.
//
// function                    threads         blocks              from a callback  before init      in a forked child  signal handler
// --------------------------  --------------  ------------------  ---------------  ---------------  -----------------  --------------
// moorline_abi_version        any thread      returns at once     yes              yes              forked             never
// moorline_version            any thread      returns at once     yes              yes              forked             never
// moorline_status_name        any thread      returns at once     yes              yes              forked             never
// moorline_init               any thread      takes milliseconds  yes              yes              yes                never
// moorline_dispose            any thread      (1)                 would_deadlock   not_initialized  forked             never
// moorline_free               any thread      returns at once     yes              yes              forked (2)         never
// moorline_kind               any thread      returns at once     yes              not_initialized  forked             never
// moorline_drop               any thread      returns at once     yes              not_initialized  forked             never
// moorline_cancel             any thread      returns at once     yes              not_initialized  forked             never
// moorline_ready              any thread      returns at once     yes              not_initialized  forked             never
// moorline_events_poll        any thread (3)  (4)                 busy             not_initialized  forked             never
// moorline_events_fd          any thread      returns at once     yes              not_initialized  forked             never
// moorline_events_callback    any thread      (5)                 would_deadlock   not_initialized  forked             never
// moorline_node_start         any thread      takes milliseconds  yes              not_initialized  forked             never
// moorline_node_stop          any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_info          any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_peers         any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_offers        any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_items         any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_share         any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_add_peer      any thread      returns at once     yes              not_initialized  forked             never
// moorline_node_download      any thread      returns at once     yes              not_initialized  forked             never
// moorline_download_info      any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_join          any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_leave         any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_info          any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_participants  any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_send          any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_call          any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_update        any thread      returns at once     yes              not_initialized  forked             never
// moorline_room_hint          any thread      returns at once     yes              not_initialized  forked             never
// moorline_call_reply         any thread      returns at once     yes              not_initialized  forked             never
// moorline_call_reject        any thread      returns at once     yes              not_initialized  forked             never
// (1) blocks up to its deadline
// (2) and the memory stays
// (3) several at once share the events
// (4) blocks up to its time-out
// (5) taking it away blocks until the call in progress returns

#ifndef MOORLINE_H
#define MOORLINE_H


#include <stdint.h>
#include <string.h>

// It worked.
#define MOORLINE_OK 0

// ---- 1 to 99: the caller's mistake.

// An argument makes no sense; the error says which, and what would.
#define MOORLINE_E_INVALID_ARGUMENT 1

// A pointer that has to lead somewhere is null.
#define MOORLINE_E_NULL 2

// A text is not UTF-8.
#define MOORLINE_E_INVALID_UTF8 3

// No such handle: it is 0, made up, or of something that has been dropped.
#define MOORLINE_E_BAD_HANDLE 4

// The handle is of another kind of thing. That thing is unharmed.
#define MOORLINE_E_WRONG_KIND 5

// The handle belongs to another client. Its thing is unharmed.
#define MOORLINE_E_WRONG_CLIENT 6

// The caller was made for another version of this interface.
#define MOORLINE_E_ABI 7

// `struct_size` is that of no version of this struct.
#define MOORLINE_E_STRUCT_SIZE 8

// The call would wait for itself: a callback cannot wait for its own end.
#define MOORLINE_E_WOULD_DEADLOCK 9

// Events are taken by somebody else: by a callback, or by another thread that disposes of the client.
#define MOORLINE_E_BUSY 10

// ---- 100 to 199: the state of things.

// This process is a fork of the one that initialised the library. Nothing was touched; `moorline_init` starts afresh.
#define MOORLINE_E_FORKED 100

// `moorline_init` was not called in this process.
#define MOORLINE_E_NOT_INITIALIZED 101

// The client is being disposed of.
#define MOORLINE_E_DISPOSED 102

// Called off: by `moorline_cancel`, by `moorline_dispose`, or because of a panic where it was under way.
#define MOORLINE_E_CANCELLED 103

// Not done in time.
#define MOORLINE_E_TIMEOUT 104

// The session has ended, or ended before this was done.
#define MOORLINE_E_CLOSED 105

// The session was not declared ready in time.
#define MOORLINE_E_READY_TIMEOUT 106

// The node was started without a library.
#define MOORLINE_E_NO_LIBRARY 107

// ---- 200 to 299: bounds.

// As many as are allowed exist already.
#define MOORLINE_E_TOO_MANY 200

// Longer than is allowed.
#define MOORLINE_E_TOO_LARGE 201

// The queue is full; it was not sent.
#define MOORLINE_E_OVERFLOW 202

// ---- 300 to 399: peers.

// Nobody offers the item.
#define MOORLINE_E_UNKNOWN_ITEM 300

// The last peer that had it left.
#define MOORLINE_E_PEERS_GONE 301

// The item itself is malformed.
#define MOORLINE_E_BAD_ITEM 302

// The same item is being fetched into the same folder already.
#define MOORLINE_E_ALREADY 303

// Passphrase or allow list stood in the way.
#define MOORLINE_E_ACCESS 304

// ---- 400 to 499: rooms.

// The server did not take the token.
#define MOORLINE_E_AUTH 400

// The server cannot be reached, or not any more.
#define MOORLINE_E_UNREACHABLE 401

// The server ended the session, or removed this participant.
#define MOORLINE_E_SESSION_ENDED 402

// The same identity joined from elsewhere.
#define MOORLINE_E_REPLACED 403

// Client and server do not understand each other.
#define MOORLINE_E_PROTOCOL 404

// The server refused it; it was not applied.
#define MOORLINE_E_REJECTED 405

// There was no connection, and it was not to wait for one.
#define MOORLINE_E_DROPPED 406

// A newer value of the same key took its place.
#define MOORLINE_E_SUPERSEDED 407

// It waited for a connection longer than it was to.
#define MOORLINE_E_EXPIRED 408

// It was sent, and what became of it is not known.
#define MOORLINE_E_UNKNOWN_OUTCOME 409

// The participant called has no such method.
#define MOORLINE_E_NO_SUCH_METHOD 410

// No such participant is in the room.
#define MOORLINE_E_NO_SUCH_PARTICIPANT 411

// The participant called has too much to answer.
#define MOORLINE_E_PEER_BUSY 412

// The handler of the participant called failed.
#define MOORLINE_E_CALL_FAILED 413

// ---- 500 to 599: this machine.

// The operating system refused something.
#define MOORLINE_E_IO 500

// The disk is too full.
#define MOORLINE_E_NO_SPACE 501

// Something else is where the item should go.
#define MOORLINE_E_EXISTS 502

// The address cannot be listened on.
#define MOORLINE_E_BIND 503

// ---- 900 and above: defects of this library.

// A panic, contained. Please report it.
#define MOORLINE_E_PANIC 900

// Something that must not be. Please report it.
#define MOORLINE_E_INTERNAL 901

// The version of this interface: the upper half changes when a caller has to, the lower half when something was added.
#define MOORLINE_ABI_VERSION 65536

// How many `numbers` an event has.
#define MOORLINE_NUMBERS 6

// How many `spans` an event has.
#define MOORLINE_SPANS 5

// A time without end, where a time in milliseconds is asked for.
#define MOORLINE_FOREVER UINT32_MAX

// ---- Kinds of handles.

// A client: what `moorline_init` makes.
#define MOORLINE_KIND_CLIENT 1

// A node.
#define MOORLINE_KIND_NODE 2

// A room.
#define MOORLINE_KIND_ROOM 3

// A download.
#define MOORLINE_KIND_DOWNLOAD 4

// A request that is under way. Dies with its `MOORLINE_EVENT_REQUEST_DONE`.
#define MOORLINE_KIND_REQUEST 5

// A call of another participant that waits for its answer. Dies with the answer, at its time-out, or with its room.
#define MOORLINE_KIND_CALL 6

// ---- Events of clients and requests.

// The client's last event: nothing follows. `status`: ok, or timeout if something had to be cut off. spans: what was cut off.
#define MOORLINE_EVENT_CLIENT_CLOSED 1

// Events were dropped because nobody took them; a snapshot function brings you up to date. `handle`: whose; 0: lines of the log.
// numbers: how many.
#define MOORLINE_EVENT_LAGGED 2

// A panic was contained. `handle`: the session or client it was in. What that had under way was cancelled before this event; the
// sessions concerned end after it. Of a task that a node starts anew by itself this is only news. spans: the task, the message.
#define MOORLINE_EVENT_PANIC 3

// A line of the log. `handle`: 0. numbers: level (1 error to 5 trace). spans: target, message.
#define MOORLINE_EVENT_LOG 4

// A request is done: one for each. `handle`: the session; `request`: which; `status`: how. spans: the result, or why not.
#define MOORLINE_EVENT_REQUEST_DONE 5

// ---- Events of nodes.

// The node runs. spans: peer id, address it listens on.
#define MOORLINE_EVENT_NODE_STARTED 20

// The last event of a node. `status`: why. spans: the same for people.
#define MOORLINE_EVENT_NODE_STOPPED 21

// A service that the node cannot do without died; `MOORLINE_EVENT_NODE_STOPPED` follows. spans: component, error.
#define MOORLINE_EVENT_NODE_FAILED 22

// A peer is connected. numbers: items, round-trip time in microseconds, 1 if it shares. spans: peer id, name, address, program.
#define MOORLINE_EVENT_PEER_UP 23

// A peer is no longer connected. numbers: 1 if it said goodbye. spans: peer id, name, reason.
#define MOORLINE_EVENT_PEER_DOWN 24

// A peer cannot be joined, and trying again will not mend it. `status`: access, or protocol. spans: how it was found, reason.
#define MOORLINE_EVENT_PEER_REFUSED 25

// What connected peers offer changed: see `moorline_node_offers`.
#define MOORLINE_EVENT_OFFERS_CHANGED 26

// What this node shares changed: see `moorline_node_items`. numbers: revision.
#define MOORLINE_EVENT_LIBRARY_CHANGED 27

// A peer began to fetch from this node. spans: peer id, name, item id.
#define MOORLINE_EVENT_UPLOAD_STARTED 28

// A service of the node changed its state. spans: service, state.
#define MOORLINE_EVENT_SERVICE 29

// ---- Events of downloads.

// What is on this disk already is compared with the item. numbers: bytes done, bytes in all.
#define MOORLINE_EVENT_DOWNLOAD_CHECKING 40

// Fetching begins. numbers: bytes, files, chunks, bytes kept from an earlier run. spans: item id, name.
#define MOORLINE_EVENT_DOWNLOAD_PLANNED 41

// How far it is. numbers: verified bytes, bytes in all, bytes a second, sources.
#define MOORLINE_EVENT_DOWNLOAD_PROGRESS 42

// A source is no longer used. spans: peer id, name, reason.
#define MOORLINE_EVENT_DOWNLOAD_SOURCE_DROPPED 43

// The last source left, and the download waits for another one.
#define MOORLINE_EVENT_DOWNLOAD_ALONE 44

// The last event of a download. `status`: ok if the item is in its place, whole and verified. numbers: bytes, fetched bytes, bytes
// kept from earlier runs, milliseconds, 1 if it was there already. spans: item id, path (if ok), or why not (if not).
#define MOORLINE_EVENT_DOWNLOAD_ENDED 45

// ---- Events of rooms.

// The room was joined. numbers: own participant, participants, what the token allows (1 publish, 2 call, 4 update self). spans: session,
// server.
#define MOORLINE_EVENT_ROOM_JOINED 60

// What the room does changed. numbers: from and to: 0 idle, 1 connecting, 2 live, 3 recovering, 4 migrating, 5 leaving, 6 closed.
// spans: why.
#define MOORLINE_EVENT_ROOM_STATE 61

// The connection is lost and a recovery begins. numbers: epoch. spans: why.
#define MOORLINE_EVENT_ROOM_CONNECTION_LOST 62

// There is a connection again. numbers: epoch, 1 if nothing was missed, deliveries replayed, sends repeated, downtime in milliseconds.
// spans: strategy.
#define MOORLINE_EVENT_ROOM_RECOVERED 63

// Deliveries were lost: see `moorline_room_participants`. numbers: own participant, participants.
#define MOORLINE_EVENT_ROOM_RESYNC 64

// A message. numbers: sender, 1 if reliable, the sender's number of it. spans: payload, topic.
#define MOORLINE_EVENT_ROOM_MESSAGE 65

// Somebody came. numbers: participant. spans: identity, name, metadata.
#define MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED 66

// Somebody says something else of itself. numbers: participant. spans: identity, name, metadata.
#define MOORLINE_EVENT_ROOM_PARTICIPANT_UPDATED 67

// Somebody went. numbers: participant, reason (1 left, 2 timed out, 3 replaced, 4 removed, 5 migrated, 0 unknown). spans: identity, name,
// metadata.
#define MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT 68

// A participant announced a value. numbers: participant, revision. spans: value (empty: it is gone), key.
#define MOORLINE_EVENT_ROOM_VALUE 69

// A participant calls: answer with `moorline_call_reply` or `moorline_call_reject`. `request`: the call's handle. numbers: participant,
// time-out in milliseconds. spans: payload, method.
#define MOORLINE_EVENT_ROOM_CALL 70

// The last event of a room. `status`: why: closed if this side left. spans: the same for people.
#define MOORLINE_EVENT_ROOM_DISCONNECTED 71

// ---- Records of snapshots; they look like events and are none.

// A node. numbers: peers, downloads, tasks, 1 while it runs. spans: peer id, address, tree of tasks.
#define MOORLINE_RECORD_NODE 100

// A connected peer, as with `MOORLINE_EVENT_PEER_UP`.
#define MOORLINE_RECORD_PEER 101

// An item that peers offer. numbers: bytes, files, providers. spans: item id, name, version, title.
#define MOORLINE_RECORD_OFFER 102

// A peer that has the offer before it. spans: peer id, name, address, its name of the item.
#define MOORLINE_RECORD_PROVIDER 103

// An item that this node shares. numbers: bytes, files. spans: item id, name, version, title.
#define MOORLINE_RECORD_ITEM 104

// A download, as with `MOORLINE_EVENT_DOWNLOAD_PROGRESS`; `status`: ok while it goes on or is finished, else why it ended. spans: item
// id, name.
#define MOORLINE_RECORD_DOWNLOAD 105

// A room. numbers: state (see `MOORLINE_EVENT_ROOM_STATE`), own participant or 0, participants. spans: session.
#define MOORLINE_RECORD_ROOM 106

// A participant, this one included. numbers: participant. spans: identity, name, metadata.
#define MOORLINE_RECORD_PARTICIPANT 107

// An attribute of the participant before it. numbers: participant. spans: value, key.
#define MOORLINE_RECORD_ATTRIBUTE 108

// A value that the participant before it announced. numbers: participant, revision. spans: value, key.
#define MOORLINE_RECORD_VALUE 109

// ---- Flags and choices.

// Events of the session need not wait for `moorline_ready`.
#define MOORLINE_FLAG_READY 1

// Node: what `share` names are folders; every child of them is an item.
#define MOORLINE_FLAG_CHILDREN 2

// Node: do not look for peers by multicast DNS, and do not announce this one.
#define MOORLINE_FLAG_NO_MULTICAST 4

// Node: has a library even if it shares nothing yet.
#define MOORLINE_FLAG_LIBRARY 8

// Download: end when nobody is left who has the item.
#define MOORLINE_FLAG_END_WHEN_ALONE 16

// Download: offer the item to others once it is whole. Needs a library.
#define MOORLINE_FLAG_SHARE 32

// Room: do not tell this node's addresses, and do not connect to the nodes in the room.
#define MOORLINE_FLAG_NO_MEETING 64

// Kept, in order, sent again after a loss, acknowledged.
#define MOORLINE_SEND_RELIABLE 0

// The newest value of a key (`topic`), known to whoever comes later.
#define MOORLINE_SEND_LATEST 1

// At once, or not at all.
#define MOORLINE_SEND_EPHEMERAL 2

// The handler failed; the message says how.
#define MOORLINE_REJECT_FAILED 0

// There is no such method.
#define MOORLINE_REJECT_NO_SUCH_METHOD 1

// There is too much to do.
#define MOORLINE_REJECT_BUSY 2

// There is no network.
#define MOORLINE_HINT_OFFLINE 0

// There is a network again.
#define MOORLINE_HINT_ONLINE 1

// It is another network: what is open may be dead.
#define MOORLINE_HINT_PATH_CHANGED 2

// Somebody wants the connection now.
#define MOORLINE_HINT_RETRY_NOW 3

// Bytes that somebody else owns. UTF-8 where text is meant, not terminated. `data` may be null if `length` is 0.
typedef struct moorline_span {
    // The first byte.
    const uint8_t *data;
    // How many bytes.
    uint64_t length;
} moorline_span;

// How a client is made. Zero in any field but the first two means the default.
typedef struct moorline_init_options {
    // `sizeof(moorline_init_options)`.
    uint32_t struct_size;
    // `MOORLINE_ABI_VERSION` of the header that the caller was made with.
    uint32_t abi_version;
    // Threads for the network. Default 2, at most 64.
    uint32_t threads;
    // Events that may wait to be taken. Default 4,096, at most 1,048,576.
    uint32_t event_capacity;
    // Requests that may be under way. Default 4,096, at most 1,048,576.
    uint32_t request_capacity;
    // Lines of the log that become events: 0 none, 1 errors, up to 5 everything.
    uint32_t log_level;
} moorline_init_options;

// Where a function says what was wrong. Set `struct_size`; the rest is written only if the function fails.
typedef struct moorline_error {
    // `sizeof(moorline_error)`.
    uint32_t struct_size;
    // The status that the function returned.
    int32_t status;
    // Length of the message in bytes, without the terminating zero.
    uint32_t length;
    // Zero.
    uint32_t reserved;
    // What was wrong and what to do: UTF-8, terminated by a zero, cut if it does not fit.
    uint8_t message[496];
} moorline_error;

// Something that happened, or one row of a snapshot. Which `numbers` and `spans` mean what stands with each `MOORLINE_EVENT_...`.
typedef struct moorline_event {
    // `MOORLINE_EVENT_...` or `MOORLINE_RECORD_...`.
    uint32_t kind;
    // `MOORLINE_OK`, or how something ended.
    int32_t status;
    // The session or client that it concerns.
    uint64_t handle;
    // The request that it answers, or the call to be answered; else 0.
    uint64_t request;
    // Counts the events of a client from 1; 0 in snapshots.
    uint64_t sequence;
    // By kind.
    uint64_t numbers[MOORLINE_NUMBERS];
    // By kind.
    struct moorline_span spans[MOORLINE_SPANS];
} moorline_event;

// Takes events, in order, from one thread of the client, which may call every function but `moorline_dispose` and
// `moorline_events_callback`. The events are valid until it returns. It must not throw: what it throws is contained where that is
// possible, and counts as a panic of the client.
typedef void (*moorline_event_callback)(void *user_data, const struct moorline_event *events, uint32_t count);

// How a node is made. Empty spans and zeros mean the default.
typedef struct moorline_node_options {
    // `sizeof(moorline_node_options)`.
    uint32_t struct_size;
    // `MOORLINE_FLAG_...`: READY, CHILDREN, NO_MULTICAST, LIBRARY.
    uint32_t flags;
    // Address to listen on, `ip:port`. Default: any address, any port.
    struct moorline_span listen;
    // What others see. Default: the beginning of the peer id.
    struct moorline_span name;
    // File with the key of this peer; made if it is missing. Default: a key for this run only.
    struct moorline_span identity;
    // Folder in which hashes are kept. Default: a folder below the system's for temporary files.
    struct moorline_span cache;
    // Only who knows it gets in. Default: everyone gets in.
    struct moorline_span passphrase;
    // Files and folders to share: `share_count` of them.
    const struct moorline_span *share;
    // Ids of the only peers that get in: `allow_count` of them. None: everyone.
    const struct moorline_span *allow;
    // Addresses of peers to connect to, `ip:port`: `peer_count` of them.
    const struct moorline_span *peers;
    // How many.
    uint32_t share_count;
    // How many.
    uint32_t allow_count;
    // How many.
    uint32_t peer_count;
    // Milliseconds for goodbyes when the node stops. Default 2,000.
    uint32_t shutdown_deadline_ms;
    // Milliseconds until the node stops if `moorline_ready` is not called. Default 15,000.
    uint32_t ready_timeout_ms;
    // Zero.
    uint32_t reserved;
} moorline_node_options;

// What to fetch. Empty spans and zeros mean the default.
typedef struct moorline_download_options {
    // `sizeof(moorline_download_options)`.
    uint32_t struct_size;
    // `MOORLINE_FLAG_...`: END_WHEN_ALONE, SHARE.
    uint32_t flags;
    // The item: its id, or a name under which it is on offer.
    struct moorline_span item;
    // The folder that receives it.
    struct moorline_span into;
    // The name to give it. Default: that under which it is on offer.
    struct moorline_span name;
    // Id of the only peer to fetch from. Default: everyone who has it.
    struct moorline_span from;
    // Milliseconds to wait for somebody to offer it. Default 10,000.
    uint32_t wait_ms;
    // Zero.
    uint32_t reserved;
} moorline_download_options;

// Which room to join. Empty spans and zeros mean the default.
typedef struct moorline_room_options {
    // `sizeof(moorline_room_options)`.
    uint32_t struct_size;
    // `MOORLINE_FLAG_...`: READY, NO_MEETING.
    uint32_t flags;
    // The server: `ws://host:port/path` or `wss://...`. Several, separated by spaces: the first choice first.
    struct moorline_span url;
    // The room.
    struct moorline_span room;
    // The token, where the server asks for one.
    struct moorline_span token;
    // What others see.
    struct moorline_span name;
    // Who this is, where no token says so. Default: made up by the server.
    struct moorline_span identity;
    // Free text.
    struct moorline_span metadata;
    // Milliseconds from a loss, or from the start, to giving up. Default 30,000; `MOORLINE_FOREVER`: never.
    uint32_t deadline_ms;
    // Milliseconds until the room is left if `moorline_ready` is not called. Default 15,000.
    uint32_t ready_timeout_ms;
} moorline_room_options;

// How a message is sent. Null where it is asked for: reliable, to everyone else.
typedef struct moorline_send_options {
    // `sizeof(moorline_send_options)`.
    uint32_t struct_size;
    // `MOORLINE_SEND_...`.
    uint32_t delivery;
    // Topic; with `MOORLINE_SEND_LATEST` the key.
    struct moorline_span topic;
    // Participants to send to, `to_count` of them. None: everyone else.
    const uint64_t *to;
    // How many.
    uint32_t to_count;
    // Milliseconds to wait for a connection. Default 30,000.
    uint32_t ttl_ms;
} moorline_send_options;

// What a participant says of itself from now on. A span whose `data` is null leaves things as they are.
typedef struct moorline_update_options {
    // `sizeof(moorline_update_options)`.
    uint32_t struct_size;
    // How many attributes.
    uint32_t attribute_count;
    // The new name.
    struct moorline_span name;
    // The new metadata.
    struct moorline_span metadata;
    // Keys of attributes.
    const struct moorline_span *keys;
    // Their values; an empty one removes its key.
    const struct moorline_span *values;
} moorline_update_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the interface that this library speaks: compare its upper half with that of `MOORLINE_ABI_VERSION`.
//
// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
int32_t moorline_abi_version(uint32_t *version);

// The version of the library, as text that is valid for ever.
//
// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
int32_t moorline_version(struct moorline_span *text);

// The name of a status, as text that is valid for ever: `bad_handle`, for instance; `unknown` for a number that is no status.
//
// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked.
int32_t moorline_status_name(int32_t status,
                             struct moorline_span *text);

// Makes a client: threads, a queue of events, and a place for nodes and rooms. Several may exist at once and do not notice one
// another. `client` receives its handle. In a process that was forked from one with clients, it starts afresh: handles from before
// the fork stay invalid.
//
// Contract: any thread; takes milliseconds; callback: yes; before `moorline_init`: yes; fork: yes.
int32_t moorline_init(const struct moorline_init_options *init,
                      uint64_t *client,
                      struct moorline_error *error);

// Ends a client: calls off its requests, leaves rooms, stops nodes with their goodbyes, joins the callback in progress, ends all
// threads, and makes every handle of it invalid. Waits at most `deadline_ms` (0: 5,000); what has not ended by then is cut off, named in
// `error`, and the status is timeout: if only a callback has not returned, call again to go on waiting. When it is ok, nothing of
// the client runs any more, and no callback ever will.
//
// `events` and `count` receive the events that nobody took, to be freed with `moorline_free`; the last is
// `MOORLINE_EVENT_CLIENT_CLOSED`. Both may be null. With a callback set, the callback gets them.
//
// Contract: any thread; blocks up to its deadline; callback: would_deadlock; fork: forked.
int32_t moorline_dispose(uint64_t client,
                         uint32_t deadline_ms,
                         const struct moorline_event **events,
                         uint32_t *count,
                         struct moorline_error *error);

// Frees what a function handed out for freeing. Null is fine.
//
// Contract: any thread; returns at once; callback: yes; before `moorline_init`: yes; fork: forked, and the memory stays.
int32_t moorline_free(const void *memory);

// What kind of thing a handle is: `MOORLINE_KIND_...`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_kind(uint64_t client, uint64_t handle, uint32_t *kind);

// Lets go of a node, room or download. One that has not ended is ended as by `moorline_node_stop`, `moorline_room_leave` or
// `moorline_cancel`: in good order, with its last event. The handle is invalid from here on; dropping it again is bad_handle, and
// harmless. Requests, calls and clients are not dropped: wrong_kind.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_drop(uint64_t client,
                      uint64_t handle);

// Calls off a request or a download. It ends as cancelled, with its last event, unless it had ended in the same moment. Whether the
// other side has acted on it already is not known.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_cancel(uint64_t client,
                        uint64_t handle);

// Says that somebody listens to the events of a node or room. Until then they are held back, so that none is lost between making it
// and listening; without it the session ends after its `ready_timeout_ms`, with ready_timeout. More than once changes nothing.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_ready(uint64_t client,
                       uint64_t session);

// Takes up to `capacity` events (at most 65,536), in order. Waits up to `timeout_ms` for the first one: 0 does not wait,
// `MOORLINE_FOREVER` does not give up. `*count` is 0 and `*events` null if none came. Free `*events` with `moorline_free`: that frees
// what its spans lead to as well. busy while a callback is set. When the client is disposed of meanwhile, it returns at once.
//
// Contract: any thread, several at once share the events; blocks up to its time-out; callback: busy; fork: forked.
int32_t moorline_events_poll(uint64_t client,
                             uint32_t capacity,
                             uint32_t timeout_ms,
                             const struct moorline_event **events,
                             uint32_t *count);

// A descriptor that is readable while events wait: for `poll`, `epoll` and event loops. It belongs to the client: do not read, write or
// close it. Linux only; elsewhere invalid_argument.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_events_fd(uint64_t client,
                           int32_t *descriptor);

// Has events handed to `callback`, in order, from one thread that the client keeps for it, with no lock held. Null takes it away again:
// then no call of it is in progress any more when this returns. `user_data` is handed back as it is.
//
// Contract: any thread; taking it away blocks until the call in progress returns; callback: would_deadlock; fork: forked.
int32_t moorline_events_callback(uint64_t client,
                                 moorline_event_callback callback,
                                 void *user_data);

// Starts a node. `node` receives its handle. If it cannot be started (its address is taken, a folder cannot be opened), the status and
// `error` say why, and there is no handle. Its events wait for `moorline_ready`: `MOORLINE_EVENT_NODE_STARTED` is the first,
// `MOORLINE_EVENT_NODE_STOPPED` the last.
//
// Contract: any thread; takes milliseconds; callback: yes; fork: forked.
int32_t moorline_node_start(uint64_t client,
                            const struct moorline_node_options *settings,
                            uint64_t *node,
                            struct moorline_error *error);

// Stops a node: its rooms are left, its downloads keep what they have, peers are told goodbye. `MOORLINE_EVENT_NODE_STOPPED` follows.
// The handle stays valid until it is dropped. Again changes nothing.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_stop(uint64_t client,
                           uint64_t node);

// One `MOORLINE_RECORD_NODE`. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_info(uint64_t client, uint64_t node, const struct moorline_event **events, uint32_t *count);

// A `MOORLINE_RECORD_PEER` for each connected peer. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_peers(uint64_t client, uint64_t node, const struct moorline_event **events, uint32_t *count);

// What connected peers offer: a `MOORLINE_RECORD_OFFER` for each item, and after it a `MOORLINE_RECORD_PROVIDER` for each peer that
// has it. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_offers(uint64_t client,
                             uint64_t node,
                             const struct moorline_event **events,
                             uint32_t *count);

// What this node shares: a `MOORLINE_RECORD_ITEM` for each item that is on offer. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_items(uint64_t client, uint64_t node, const struct moorline_event **events, uint32_t *count);

// Shares one more file or folder; with `MOORLINE_FLAG_CHILDREN` in `flags`, every child of it. Done when it is accepted; it is on offer
// once it is hashed. `request` receives the handle of the request.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_share(uint64_t client,
                            uint64_t node,
                            const uint8_t *path,
                            uint64_t path_length,
                            uint32_t flags,
                            uint64_t *request,
                            struct moorline_error *error);

// Connects to a peer at `ip:port`, and stays connected for as long as the node runs. Done when it is accepted; the peer shows up by
// `MOORLINE_EVENT_PEER_UP`. `request` receives the handle of the request.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_add_peer(uint64_t client,
                               uint64_t node,
                               const uint8_t *address,
                               uint64_t address_length,
                               uint64_t *request,
                               struct moorline_error *error);

// Fetches an item from everyone who has it. `download` receives its handle at once; `MOORLINE_EVENT_DOWNLOAD_ENDED` is its last event.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_node_download(uint64_t client,
                               uint64_t node,
                               const struct moorline_download_options *wanted,
                               uint64_t *download,
                               struct moorline_error *error);

// One `MOORLINE_RECORD_DOWNLOAD`. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_download_info(uint64_t client,
                               uint64_t download,
                               const struct moorline_event **events,
                               uint32_t *count);

// Joins a room, with a node, which then meets the nodes in the room, or with 0 for `node`, without one. `room` receives its handle at
// once: whether it succeeds is told by `MOORLINE_EVENT_ROOM_JOINED`, or by `MOORLINE_EVENT_ROOM_DISCONNECTED`, which is the last event in
// any case. Leaving or dropping the room calls the joining off. Its events wait for `moorline_ready`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_join(uint64_t client,
                           uint64_t node,
                           const struct moorline_room_options *settings,
                           uint64_t *room,
                           struct moorline_error *error);

// Leaves a room with a goodbye, or gives up joining it. `MOORLINE_EVENT_ROOM_DISCONNECTED` follows, within about a second whatever the
// server does. The handle stays valid until it is dropped. Again changes nothing.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_leave(uint64_t client,
                            uint64_t room);

// One `MOORLINE_RECORD_ROOM`. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_info(uint64_t client, uint64_t room, const struct moorline_event **events, uint32_t *count);

// Who is in the room: a `MOORLINE_RECORD_PARTICIPANT` each, this one included, followed by its `MOORLINE_RECORD_ATTRIBUTE` and
// `MOORLINE_RECORD_VALUE`. May be ahead of events that were not taken yet. Free `*events` with `moorline_free`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_participants(uint64_t client,
                                   uint64_t room,
                                   const struct moorline_event **events,
                                   uint32_t *count);

// Sends a message. Messages of one class arrive in the order of the calls. `settings` may be null. `request` receives the handle of the
// request: it is done, with ok, when the server has the message (reliable, latest), or when it was handed to the connection.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_send(uint64_t client,
                           uint64_t room,
                           const struct moorline_send_options *settings,
                           const uint8_t *payload,
                           uint64_t payload_length,
                           uint64_t *request,
                           struct moorline_error *error);

// Calls a participant. `request` receives the handle of the request: it is done with ok and the answer, or with the reason that there
// is none, at the latest after `timeout_ms` (0: 10,000).
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_call(uint64_t client,
                           uint64_t room,
                           uint64_t participant,
                           const uint8_t *method,
                           uint64_t method_length,
                           const uint8_t *payload,
                           uint64_t payload_length,
                           uint32_t timeout_ms,
                           uint64_t *request,
                           struct moorline_error *error);

// Changes what this participant says of itself. `request` receives the handle of the request: it is done when the server has taken it.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_update(uint64_t client,
                             uint64_t room,
                             const struct moorline_update_options *update,
                             uint64_t *request,
                             struct moorline_error *error);

// Tells a room what the system knows of the network: `MOORLINE_HINT_...`.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_room_hint(uint64_t client, uint64_t room, uint32_t advice);

// Answers a call. The call's handle is invalid afterwards, also if the answer could not be handed over.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_call_reply(uint64_t client,
                            uint64_t call,
                            const uint8_t *payload,
                            uint64_t payload_length,
                            struct moorline_error *error);

// Answers a call with a refusal: `MOORLINE_REJECT_...`, and a message for people that goes with `MOORLINE_REJECT_FAILED`. The call's
// handle is invalid afterwards.
//
// Contract: any thread; returns at once; callback: yes; fork: forked.
int32_t moorline_call_reject(uint64_t client,
                             uint64_t call,
                             uint32_t reason,
                             const uint8_t *message,
                             uint64_t message_length,
                             struct moorline_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus


// A text that ends with a zero, as a span. Null is an empty span.
static inline moorline_span moorline_text(const char *text)
{
    moorline_span span;
    span.data = (const uint8_t *)text;
    span.length = text ? strlen(text) : 0;
    return span;
}

#endif // MOORLINE_H
