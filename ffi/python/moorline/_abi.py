"""The C interface as ctypes sees it. Generated from ffi/src by `cargo xtask codegen`: change that, and not this file.

Names are those of moorline.h without the prefix. What each thing means is said there.
"""

from __future__ import annotations

from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_int32, c_uint8, c_uint32, c_uint64, c_void_p

OK = 0
E_INVALID_ARGUMENT = 1
E_NULL = 2
E_INVALID_UTF8 = 3
E_BAD_HANDLE = 4
E_WRONG_KIND = 5
E_WRONG_CLIENT = 6
E_ABI = 7
E_STRUCT_SIZE = 8
E_WOULD_DEADLOCK = 9
E_BUSY = 10
E_FORKED = 100
E_NOT_INITIALIZED = 101
E_DISPOSED = 102
E_CANCELLED = 103
E_TIMEOUT = 104
E_CLOSED = 105
E_READY_TIMEOUT = 106
E_NO_LIBRARY = 107
E_TOO_MANY = 200
E_TOO_LARGE = 201
E_OVERFLOW = 202
E_UNKNOWN_ITEM = 300
E_PEERS_GONE = 301
E_BAD_ITEM = 302
E_ALREADY = 303
E_ACCESS = 304
E_AUTH = 400
E_UNREACHABLE = 401
E_SESSION_ENDED = 402
E_REPLACED = 403
E_PROTOCOL = 404
E_REJECTED = 405
E_DROPPED = 406
E_SUPERSEDED = 407
E_EXPIRED = 408
E_UNKNOWN_OUTCOME = 409
E_NO_SUCH_METHOD = 410
E_NO_SUCH_PARTICIPANT = 411
E_PEER_BUSY = 412
E_CALL_FAILED = 413
E_IO = 500
E_NO_SPACE = 501
E_EXISTS = 502
E_BIND = 503
E_PANIC = 900
E_INTERNAL = 901
ABI_VERSION = 65536
NUMBERS = 6
SPANS = 5
FOREVER = 4294967295
KIND_CLIENT = 1
KIND_NODE = 2
KIND_ROOM = 3
KIND_DOWNLOAD = 4
KIND_REQUEST = 5
KIND_CALL = 6
EVENT_CLIENT_CLOSED = 1
EVENT_LAGGED = 2
EVENT_PANIC = 3
EVENT_LOG = 4
EVENT_REQUEST_DONE = 5
EVENT_NODE_STARTED = 20
EVENT_NODE_STOPPED = 21
EVENT_NODE_FAILED = 22
EVENT_PEER_UP = 23
EVENT_PEER_DOWN = 24
EVENT_PEER_REFUSED = 25
EVENT_OFFERS_CHANGED = 26
EVENT_LIBRARY_CHANGED = 27
EVENT_UPLOAD_STARTED = 28
EVENT_SERVICE = 29
EVENT_DOWNLOAD_CHECKING = 40
EVENT_DOWNLOAD_PLANNED = 41
EVENT_DOWNLOAD_PROGRESS = 42
EVENT_DOWNLOAD_SOURCE_DROPPED = 43
EVENT_DOWNLOAD_ALONE = 44
EVENT_DOWNLOAD_ENDED = 45
EVENT_ROOM_JOINED = 60
EVENT_ROOM_STATE = 61
EVENT_ROOM_CONNECTION_LOST = 62
EVENT_ROOM_RECOVERED = 63
EVENT_ROOM_RESYNC = 64
EVENT_ROOM_MESSAGE = 65
EVENT_ROOM_PARTICIPANT_JOINED = 66
EVENT_ROOM_PARTICIPANT_UPDATED = 67
EVENT_ROOM_PARTICIPANT_LEFT = 68
EVENT_ROOM_VALUE = 69
EVENT_ROOM_CALL = 70
EVENT_ROOM_DISCONNECTED = 71
RECORD_NODE = 100
RECORD_PEER = 101
RECORD_OFFER = 102
RECORD_PROVIDER = 103
RECORD_ITEM = 104
RECORD_DOWNLOAD = 105
RECORD_ROOM = 106
RECORD_PARTICIPANT = 107
RECORD_ATTRIBUTE = 108
RECORD_VALUE = 109
FLAG_READY = 1
FLAG_CHILDREN = 2
FLAG_NO_MULTICAST = 4
FLAG_LIBRARY = 8
FLAG_END_WHEN_ALONE = 16
FLAG_SHARE = 32
FLAG_NO_MEETING = 64
SEND_RELIABLE = 0
SEND_LATEST = 1
SEND_EPHEMERAL = 2
REJECT_FAILED = 0
REJECT_NO_SUCH_METHOD = 1
REJECT_BUSY = 2
HINT_OFFLINE = 0
HINT_ONLINE = 1
HINT_PATH_CHANGED = 2
HINT_RETRY_NOW = 3

#: Each status as a word.
STATUS_NAMES = {
    OK: "ok",
    E_INVALID_ARGUMENT: "invalid_argument",
    E_NULL: "null",
    E_INVALID_UTF8: "invalid_utf8",
    E_BAD_HANDLE: "bad_handle",
    E_WRONG_KIND: "wrong_kind",
    E_WRONG_CLIENT: "wrong_client",
    E_ABI: "abi",
    E_STRUCT_SIZE: "struct_size",
    E_WOULD_DEADLOCK: "would_deadlock",
    E_BUSY: "busy",
    E_FORKED: "forked",
    E_NOT_INITIALIZED: "not_initialized",
    E_DISPOSED: "disposed",
    E_CANCELLED: "cancelled",
    E_TIMEOUT: "timeout",
    E_CLOSED: "closed",
    E_READY_TIMEOUT: "ready_timeout",
    E_NO_LIBRARY: "no_library",
    E_TOO_MANY: "too_many",
    E_TOO_LARGE: "too_large",
    E_OVERFLOW: "overflow",
    E_UNKNOWN_ITEM: "unknown_item",
    E_PEERS_GONE: "peers_gone",
    E_BAD_ITEM: "bad_item",
    E_ALREADY: "already",
    E_ACCESS: "access",
    E_AUTH: "auth",
    E_UNREACHABLE: "unreachable",
    E_SESSION_ENDED: "session_ended",
    E_REPLACED: "replaced",
    E_PROTOCOL: "protocol",
    E_REJECTED: "rejected",
    E_DROPPED: "dropped",
    E_SUPERSEDED: "superseded",
    E_EXPIRED: "expired",
    E_UNKNOWN_OUTCOME: "unknown_outcome",
    E_NO_SUCH_METHOD: "no_such_method",
    E_NO_SUCH_PARTICIPANT: "no_such_participant",
    E_PEER_BUSY: "peer_busy",
    E_CALL_FAILED: "call_failed",
    E_IO: "io",
    E_NO_SPACE: "no_space",
    E_EXISTS: "exists",
    E_BIND: "bind",
    E_PANIC: "panic",
    E_INTERNAL: "internal",
}

#: Each kind of event as a word.
EVENT_NAMES = {
    EVENT_CLIENT_CLOSED: "client_closed",
    EVENT_LAGGED: "lagged",
    EVENT_PANIC: "panic",
    EVENT_LOG: "log",
    EVENT_REQUEST_DONE: "request_done",
    EVENT_NODE_STARTED: "node_started",
    EVENT_NODE_STOPPED: "node_stopped",
    EVENT_NODE_FAILED: "node_failed",
    EVENT_PEER_UP: "peer_up",
    EVENT_PEER_DOWN: "peer_down",
    EVENT_PEER_REFUSED: "peer_refused",
    EVENT_OFFERS_CHANGED: "offers_changed",
    EVENT_LIBRARY_CHANGED: "library_changed",
    EVENT_UPLOAD_STARTED: "upload_started",
    EVENT_SERVICE: "service",
    EVENT_DOWNLOAD_CHECKING: "download_checking",
    EVENT_DOWNLOAD_PLANNED: "download_planned",
    EVENT_DOWNLOAD_PROGRESS: "download_progress",
    EVENT_DOWNLOAD_SOURCE_DROPPED: "download_source_dropped",
    EVENT_DOWNLOAD_ALONE: "download_alone",
    EVENT_DOWNLOAD_ENDED: "download_ended",
    EVENT_ROOM_JOINED: "room_joined",
    EVENT_ROOM_STATE: "room_state",
    EVENT_ROOM_CONNECTION_LOST: "room_connection_lost",
    EVENT_ROOM_RECOVERED: "room_recovered",
    EVENT_ROOM_RESYNC: "room_resync",
    EVENT_ROOM_MESSAGE: "room_message",
    EVENT_ROOM_PARTICIPANT_JOINED: "room_participant_joined",
    EVENT_ROOM_PARTICIPANT_UPDATED: "room_participant_updated",
    EVENT_ROOM_PARTICIPANT_LEFT: "room_participant_left",
    EVENT_ROOM_VALUE: "room_value",
    EVENT_ROOM_CALL: "room_call",
    EVENT_ROOM_DISCONNECTED: "room_disconnected",
}

#: Each kind of record as a word.
RECORD_NAMES = {
    RECORD_NODE: "node",
    RECORD_PEER: "peer",
    RECORD_OFFER: "offer",
    RECORD_PROVIDER: "provider",
    RECORD_ITEM: "item",
    RECORD_DOWNLOAD: "download",
    RECORD_ROOM: "room",
    RECORD_PARTICIPANT: "participant",
    RECORD_ATTRIBUTE: "attribute",
    RECORD_VALUE: "value",
}


class Span(Structure):
    """Bytes that somebody else owns. UTF-8 where text is meant, not terminated. `data` may be null if `length` is 0."""

    _fields_ = [
        ("data", c_void_p),
        ("length", c_uint64),
    ]


class Event(Structure):
    """Something that happened, or one row of a snapshot. Which `numbers` and `spans` mean what stands with each `MOORLINE_EVENT_...`."""

    _fields_ = [
        ("kind", c_uint32),
        ("status", c_int32),
        ("handle", c_uint64),
        ("request", c_uint64),
        ("sequence", c_uint64),
        ("numbers", c_uint64 * 6),
        ("spans", Span * 5),
    ]


class Error(Structure):
    """Where a function says what was wrong. Set `struct_size`; the rest is written only if the function fails."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("status", c_int32),
        ("length", c_uint32),
        ("reserved", c_uint32),
        ("message", c_uint8 * 496),
    ]


class InitOptions(Structure):
    """How a client is made. Zero in any field but the first two means the default."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("threads", c_uint32),
        ("event_capacity", c_uint32),
        ("request_capacity", c_uint32),
        ("log_level", c_uint32),
    ]


class NodeOptions(Structure):
    """How a node is made. Empty spans and zeros mean the default."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("listen", Span),
        ("name", Span),
        ("identity", Span),
        ("cache", Span),
        ("passphrase", Span),
        ("share", POINTER(Span)),
        ("allow", POINTER(Span)),
        ("peers", POINTER(Span)),
        ("share_count", c_uint32),
        ("allow_count", c_uint32),
        ("peer_count", c_uint32),
        ("shutdown_deadline_ms", c_uint32),
        ("ready_timeout_ms", c_uint32),
        ("reserved", c_uint32),
    ]


class DownloadOptions(Structure):
    """What to fetch. Empty spans and zeros mean the default."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("item", Span),
        ("into", Span),
        ("name", Span),
        ("from_", Span),
        ("wait_ms", c_uint32),
        ("reserved", c_uint32),
    ]


class RoomOptions(Structure):
    """Which room to join. Empty spans and zeros mean the default."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("url", Span),
        ("room", Span),
        ("token", Span),
        ("name", Span),
        ("identity", Span),
        ("metadata", Span),
        ("deadline_ms", c_uint32),
        ("ready_timeout_ms", c_uint32),
    ]


class SendOptions(Structure):
    """How a message is sent. Null where it is asked for: reliable, to everyone else."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("delivery", c_uint32),
        ("topic", Span),
        ("to", POINTER(c_uint64)),
        ("to_count", c_uint32),
        ("ttl_ms", c_uint32),
    ]


class UpdateOptions(Structure):
    """What a participant says of itself from now on. A span whose `data` is null leaves things as they are."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("attribute_count", c_uint32),
        ("name", Span),
        ("metadata", Span),
        ("keys", POINTER(Span)),
        ("values", POINTER(Span)),
    ]


#: Takes events, in order, from one thread of the client, which may call every function but `moorline_dispose` and
#: `moorline_events_callback`. The events are valid until it returns. It must not throw: what it throws is contained where that is
#: possible, and counts as a panic of the client.
EventCallback = CFUNCTYPE(None, c_void_p, POINTER(Event), c_uint32)


#: The parameters of each function. All return a status.
FUNCTIONS = {
    "moorline_abi_version": [POINTER(c_uint32)],
    "moorline_version": [POINTER(Span)],
    "moorline_status_name": [c_int32, POINTER(Span)],
    "moorline_init": [POINTER(InitOptions), POINTER(c_uint64), POINTER(Error)],
    "moorline_dispose": [c_uint64, c_uint32, POINTER(POINTER(Event)), POINTER(c_uint32), POINTER(Error)],
    "moorline_free": [c_void_p],
    "moorline_kind": [c_uint64, c_uint64, POINTER(c_uint32)],
    "moorline_drop": [c_uint64, c_uint64],
    "moorline_cancel": [c_uint64, c_uint64],
    "moorline_ready": [c_uint64, c_uint64],
    "moorline_events_poll": [c_uint64, c_uint32, c_uint32, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_events_fd": [c_uint64, POINTER(c_int32)],
    "moorline_events_callback": [c_uint64, EventCallback, c_void_p],
    "moorline_node_start": [c_uint64, POINTER(NodeOptions), POINTER(c_uint64), POINTER(Error)],
    "moorline_node_stop": [c_uint64, c_uint64],
    "moorline_node_info": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_node_peers": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_node_offers": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_node_items": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_node_share": [c_uint64, c_uint64, c_char_p, c_uint64, c_uint32, POINTER(c_uint64), POINTER(Error)],
    "moorline_node_add_peer": [c_uint64, c_uint64, c_char_p, c_uint64, POINTER(c_uint64), POINTER(Error)],
    "moorline_node_download": [c_uint64, c_uint64, POINTER(DownloadOptions), POINTER(c_uint64), POINTER(Error)],
    "moorline_download_info": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_room_join": [c_uint64, c_uint64, POINTER(RoomOptions), POINTER(c_uint64), POINTER(Error)],
    "moorline_room_leave": [c_uint64, c_uint64],
    "moorline_room_info": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_room_participants": [c_uint64, c_uint64, POINTER(POINTER(Event)), POINTER(c_uint32)],
    "moorline_room_send": [
        c_uint64, c_uint64, POINTER(SendOptions), c_char_p, c_uint64, POINTER(c_uint64), POINTER(Error)
    ],
    "moorline_room_call": [
        c_uint64, c_uint64, c_uint64, c_char_p, c_uint64, c_char_p, c_uint64, c_uint32, POINTER(c_uint64), POINTER(Error)
    ],
    "moorline_room_update": [c_uint64, c_uint64, POINTER(UpdateOptions), POINTER(c_uint64), POINTER(Error)],
    "moorline_room_hint": [c_uint64, c_uint64, c_uint32],
    "moorline_call_reply": [c_uint64, c_uint64, c_char_p, c_uint64, POINTER(Error)],
    "moorline_call_reject": [c_uint64, c_uint64, c_uint32, c_char_p, c_uint64, POINTER(Error)],
}


def bind(library: CDLL) -> CDLL:
    """Tells ctypes the signature of every function of the library. An AttributeError if one is missing."""
    for name, parameters in FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = parameters
        function.restype = c_int32
    return library
