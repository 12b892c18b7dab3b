//! Status codes. Grouped by who can do something about them; a number is never given a second meaning.

use std::borrow::Cow;

/// It worked.
pub const MOORLINE_OK: i32 = 0;

// 1 to 99: the caller's mistake.

/// An argument makes no sense; the error says which, and what would.
pub const MOORLINE_E_INVALID_ARGUMENT: i32 = 1;
/// A pointer that has to lead somewhere is null.
pub const MOORLINE_E_NULL: i32 = 2;
/// A text is not UTF-8.
pub const MOORLINE_E_INVALID_UTF8: i32 = 3;
/// No such handle: it is 0, made up, or of something that has been dropped.
pub const MOORLINE_E_BAD_HANDLE: i32 = 4;
/// The handle is of another kind of thing. That thing is unharmed.
pub const MOORLINE_E_WRONG_KIND: i32 = 5;
/// The handle belongs to another client. Its thing is unharmed.
pub const MOORLINE_E_WRONG_CLIENT: i32 = 6;
/// The caller was made for another version of this interface.
pub const MOORLINE_E_ABI: i32 = 7;
/// `struct_size` is that of no version of this struct.
pub const MOORLINE_E_STRUCT_SIZE: i32 = 8;
/// The call would wait for itself: a callback cannot wait for its own end.
pub const MOORLINE_E_WOULD_DEADLOCK: i32 = 9;
/// Events are taken by somebody else: by a callback, or by another thread that disposes of the client.
pub const MOORLINE_E_BUSY: i32 = 10;

// 100 to 199: the state of things.

/// This process is a fork of the one that initialised the library. Nothing was touched; `moorline_init` starts afresh.
pub const MOORLINE_E_FORKED: i32 = 100;
/// `moorline_init` was not called in this process.
pub const MOORLINE_E_NOT_INITIALIZED: i32 = 101;
/// The client is being disposed of.
pub const MOORLINE_E_DISPOSED: i32 = 102;
/// Called off: by `moorline_cancel`, by `moorline_dispose`, or because of a panic where it was under way.
pub const MOORLINE_E_CANCELLED: i32 = 103;
/// Not done in time.
pub const MOORLINE_E_TIMEOUT: i32 = 104;
/// The session has ended, or ended before this was done.
pub const MOORLINE_E_CLOSED: i32 = 105;
/// The session was not declared ready in time.
pub const MOORLINE_E_READY_TIMEOUT: i32 = 106;
/// The node was started without a library.
pub const MOORLINE_E_NO_LIBRARY: i32 = 107;

// 200 to 299: bounds.

/// As many as are allowed exist already.
pub const MOORLINE_E_TOO_MANY: i32 = 200;
/// Longer than is allowed.
pub const MOORLINE_E_TOO_LARGE: i32 = 201;
/// The queue is full; it was not sent.
pub const MOORLINE_E_OVERFLOW: i32 = 202;

// 300 to 399: peers.

/// Nobody offers the item.
pub const MOORLINE_E_UNKNOWN_ITEM: i32 = 300;
/// The last peer that had it left.
pub const MOORLINE_E_PEERS_GONE: i32 = 301;
/// The item itself is malformed.
pub const MOORLINE_E_BAD_ITEM: i32 = 302;
/// The same item is being fetched into the same folder already.
pub const MOORLINE_E_ALREADY: i32 = 303;
/// Passphrase or allow list stood in the way.
pub const MOORLINE_E_ACCESS: i32 = 304;

// 400 to 499: rooms.

/// The server did not take the token.
pub const MOORLINE_E_AUTH: i32 = 400;
/// The server cannot be reached, or not any more.
pub const MOORLINE_E_UNREACHABLE: i32 = 401;
/// The server ended the session, or removed this participant.
pub const MOORLINE_E_SESSION_ENDED: i32 = 402;
/// The same identity joined from elsewhere.
pub const MOORLINE_E_REPLACED: i32 = 403;
/// Client and server do not understand each other.
pub const MOORLINE_E_PROTOCOL: i32 = 404;
/// The server refused it; it was not applied.
pub const MOORLINE_E_REJECTED: i32 = 405;
/// There was no connection, and it was not to wait for one.
pub const MOORLINE_E_DROPPED: i32 = 406;
/// A newer value of the same key took its place.
pub const MOORLINE_E_SUPERSEDED: i32 = 407;
/// It waited for a connection longer than it was to.
pub const MOORLINE_E_EXPIRED: i32 = 408;
/// It was sent, and what became of it is not known.
pub const MOORLINE_E_UNKNOWN_OUTCOME: i32 = 409;
/// The participant called has no such method.
pub const MOORLINE_E_NO_SUCH_METHOD: i32 = 410;
/// No such participant is in the room.
pub const MOORLINE_E_NO_SUCH_PARTICIPANT: i32 = 411;
/// The participant called has too much to answer.
pub const MOORLINE_E_PEER_BUSY: i32 = 412;
/// The handler of the participant called failed.
pub const MOORLINE_E_CALL_FAILED: i32 = 413;

// 500 to 599: this machine.

/// The operating system refused something.
pub const MOORLINE_E_IO: i32 = 500;
/// The disk is too full.
pub const MOORLINE_E_NO_SPACE: i32 = 501;
/// Something else is where the item should go.
pub const MOORLINE_E_EXISTS: i32 = 502;
/// The address cannot be listened on.
pub const MOORLINE_E_BIND: i32 = 503;

// 900 and above: defects of this library.

/// A panic, contained. Please report it.
pub const MOORLINE_E_PANIC: i32 = 900;
/// Something that must not be. Please report it.
pub const MOORLINE_E_INTERNAL: i32 = 901;

/// What each status is called.
const NAMES: &[(i32, &str)] = &[
    (MOORLINE_OK, "ok"),
    (MOORLINE_E_INVALID_ARGUMENT, "invalid_argument"),
    (MOORLINE_E_NULL, "null"),
    (MOORLINE_E_INVALID_UTF8, "invalid_utf8"),
    (MOORLINE_E_BAD_HANDLE, "bad_handle"),
    (MOORLINE_E_WRONG_KIND, "wrong_kind"),
    (MOORLINE_E_WRONG_CLIENT, "wrong_client"),
    (MOORLINE_E_ABI, "abi"),
    (MOORLINE_E_STRUCT_SIZE, "struct_size"),
    (MOORLINE_E_WOULD_DEADLOCK, "would_deadlock"),
    (MOORLINE_E_BUSY, "busy"),
    (MOORLINE_E_FORKED, "forked"),
    (MOORLINE_E_NOT_INITIALIZED, "not_initialized"),
    (MOORLINE_E_DISPOSED, "disposed"),
    (MOORLINE_E_CANCELLED, "cancelled"),
    (MOORLINE_E_TIMEOUT, "timeout"),
    (MOORLINE_E_CLOSED, "closed"),
    (MOORLINE_E_READY_TIMEOUT, "ready_timeout"),
    (MOORLINE_E_NO_LIBRARY, "no_library"),
    (MOORLINE_E_TOO_MANY, "too_many"),
    (MOORLINE_E_TOO_LARGE, "too_large"),
    (MOORLINE_E_OVERFLOW, "overflow"),
    (MOORLINE_E_UNKNOWN_ITEM, "unknown_item"),
    (MOORLINE_E_PEERS_GONE, "peers_gone"),
    (MOORLINE_E_BAD_ITEM, "bad_item"),
    (MOORLINE_E_ALREADY, "already"),
    (MOORLINE_E_ACCESS, "access"),
    (MOORLINE_E_AUTH, "auth"),
    (MOORLINE_E_UNREACHABLE, "unreachable"),
    (MOORLINE_E_SESSION_ENDED, "session_ended"),
    (MOORLINE_E_REPLACED, "replaced"),
    (MOORLINE_E_PROTOCOL, "protocol"),
    (MOORLINE_E_REJECTED, "rejected"),
    (MOORLINE_E_DROPPED, "dropped"),
    (MOORLINE_E_SUPERSEDED, "superseded"),
    (MOORLINE_E_EXPIRED, "expired"),
    (MOORLINE_E_UNKNOWN_OUTCOME, "unknown_outcome"),
    (MOORLINE_E_NO_SUCH_METHOD, "no_such_method"),
    (MOORLINE_E_NO_SUCH_PARTICIPANT, "no_such_participant"),
    (MOORLINE_E_PEER_BUSY, "peer_busy"),
    (MOORLINE_E_CALL_FAILED, "call_failed"),
    (MOORLINE_E_IO, "io"),
    (MOORLINE_E_NO_SPACE, "no_space"),
    (MOORLINE_E_EXISTS, "exists"),
    (MOORLINE_E_BIND, "bind"),
    (MOORLINE_E_PANIC, "panic"),
    (MOORLINE_E_INTERNAL, "internal"),
];

/// The name of a status as a word, or `unknown`.
pub(crate) fn name(status: i32) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == status).map_or("unknown", |(_, name)| name)
}

/// A status that is not ok, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: i32,
    pub(crate) message: Cow<'static, str>,
}

impl Failure {
    pub(crate) fn new(status: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn internal(message: &'static str) -> Self {
        Self::new(MOORLINE_E_INTERNAL, message)
    }
}

/// What the body of every function returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_number_and_a_name_of_its_own() {
        let mut numbers: Vec<_> = NAMES.iter().map(|(number, _)| number).collect();
        let mut names: Vec<_> = NAMES.iter().map(|(_, name)| name).collect();
        numbers.sort();
        names.sort();
        numbers.dedup();
        names.dedup();
        assert_eq!((numbers.len(), names.len()), (NAMES.len(), NAMES.len()));
        assert_eq!(name(MOORLINE_E_FORKED), "forked");
        assert_eq!(name(-1), "unknown");
    }
}
