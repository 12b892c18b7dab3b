//! The words of a room, as applications use them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::{CallId, ParticipantId, StreamPos};

/// How a message is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendClass {
    /// In order, queued while there is no connection, sent again after a loss, acknowledged by the server.
    Reliable,
    /// The value of a key of this participant, to be known to whoever is in the room or comes later. While it is queued, a newer value
    /// of the same key takes its place. Empty removes the key.
    Latest(String),
    /// Sent at once if there is a connection, dropped if not; once or not at all.
    Ephemeral,
    /// As [`Ephemeral`](Self::Ephemeral), for what makes sense within one connection only: offers, answers, candidates.
    EpochBound,
}

/// What became of a send. There is exactly one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The server applied it, once.
    Acked,
    /// Ephemeral or bound to its connection: it was handed to the connection.
    Written,
    /// Ephemeral or bound to its connection: there was none, or it was behind when the client closed. It was not sent.
    Dropped,
    /// A newer value of the same key took its place in the queue. It was not sent.
    Superseded,
    /// It waited for a connection longer than it was to. It was not sent.
    Expired,
    /// The queue was full. It was not sent.
    Overflow,
    /// The server refused it. It was not applied.
    Rejected(RejectCode, String),
    /// It was sent, and what became of it was lost with the server's memory of this client: it was applied once, or not at all.
    Unknown,
    /// The client closed before it was acknowledged. If it was never sent, it was not applied.
    Closed,
}

/// Why the server did not apply a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectCode {
    /// The token does not allow it.
    NotAllowed,
    /// Longer or more than the limits allow.
    OverLimit,
    /// The room has no space for more metadata, attributes and values.
    RoomStateFull,
    /// It makes no sense.
    Invalid,
}

/// Somebody in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// Names it in this room.
    pub id: ParticipantId,
    /// Who it is, by its token or its own word; unique in the room.
    pub identity: String,
    /// For people. Untrusted text.
    pub name: String,
    /// Free text about it. Untrusted.
    pub metadata: String,
    /// Untrusted.
    pub attributes: BTreeMap<String, String>,
    /// Values that it announced with [`SendClass::Latest`], by key. Untrusted.
    pub values: BTreeMap<String, StateValue>,
}

/// The newest value of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateValue {
    /// Grows with each change.
    pub rev: u64,
    /// The value.
    pub payload: Bytes,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the history; `None` if it has none, being ephemeral.
    pub pos: Option<StreamPos>,
    /// Who sent it.
    pub from: ParticipantId,
    /// Whether it is kept and sent again.
    pub reliable: bool,
    /// Free for applications to sort by.
    pub topic: String,
    /// The content.
    pub payload: Bytes,
    /// The [`SendId`](crate::SendId) that its sender gave it.
    pub dedupe_id: u64,
}

/// Another participant's request, to be answered with a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// To answer with, together with `from`.
    pub id: CallId,
    /// Who asks.
    pub from: ParticipantId,
    /// What for.
    pub method: String,
    /// The argument.
    pub payload: Bytes,
    /// How long it waits for the answer.
    pub timeout: Duration,
}

/// Why a call brought no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The handler failed, and says so.
    #[error("the handler failed: {0}")]
    Failed(String),
    /// The participant has no handler of that name.
    #[error("the participant has no such method")]
    NoSuchMethod,
    /// Nobody of that id is in the room, or it left before it answered.
    #[error("no such participant is in the room")]
    NoSuchParticipant,
    /// The participant has too many calls to answer already.
    #[error("the participant has too many calls to answer")]
    Busy,
    /// No answer in time. The handler may have run.
    #[error("no answer within {0:?}")]
    DeadlineExceeded(Duration),
    /// The server did not pass it on.
    #[error("the server refused the call ({0:?}): {1}")]
    Rejected(RejectCode, String),
    /// The client's queue, or its table of open calls, is full. It was not sent.
    #[error("too many calls or messages are waiting already")]
    Overflow,
    /// A new session took the place of the one in which the call was made, and the answer had not come by then: the server lost its memory
    /// of this client, or the client rejoined or moved to another node, as it does when the server asks for it. Whether the handler ran
    /// is not known.
    #[error("the answer was lost with the session")]
    Lost,
    /// The client closed first.
    #[error("the room was closed")]
    Closed,
}

/// How a lost connection is made good, escalating in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The same session over a new connection: what was missed is sent again.
    Fast,
    /// A new session of the same lineage.
    Rejoin,
    /// A new session of the same lineage on another node.
    Migrate,
    /// None: the client closes.
    Disconnect,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Rejoin => "rejoin",
            Self::Migrate => "migrate",
            Self::Disconnect => "disconnect",
        })
    }
}

/// Why a connection is taken for lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LossCause {
    /// The other side closed it without ending the session. Any code, 1000 included; 1006 if it gave none (RFC 6455, section 7.1.5).
    #[error("closed with code {0}")]
    ClosedByServer(u16),
    /// Reading or writing failed.
    #[error("{0}")]
    Transport(String),
    /// Nothing came in for this long.
    #[error("nothing came in for {0:?}")]
    Silence(Duration),
    /// What came in makes no sense.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The server says that something is wrong.
    #[error("the server reports a fault: {0}")]
    Fault(String),
}

/// Why somebody is no longer in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftReason {
    /// On purpose.
    Left,
    /// Its connection was lost and did not come back in time.
    TimedOut,
    /// The same identity joined anew.
    Replaced,
    /// The server put it out.
    Removed,
    /// It went to another node.
    Migrated,
    /// A reason that this version does not know.
    Unknown,
}

/// Why the server ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// As the client wished.
    ClientLeft,
    /// The server put the client out.
    Removed,
    /// The room is closed.
    RoomClosed,
    /// The token ran out and no other came.
    TokenRanOut,
    /// A reason that this version does not know.
    Unknown,
}

/// The last word of a client: why it is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it, or dropped it.
    #[error("closed by the application")]
    UserClosed,
    /// The server ended the session.
    #[error("the server ended the session: {0:?}")]
    SessionEnded(EndReason),
    /// The same identity joined anew.
    #[error("the same identity joined from elsewhere")]
    Replaced,
    /// No connection within the deadline. With what stood in the way last.
    #[error("no connection within {after:?}; last: {last}")]
    Deadline {
        /// Since the loss, or since `Connect`.
        after: Duration,
        /// What the last attempt failed with.
        last: String,
    },
    /// As many attempts as were allowed have failed.
    #[error("{attempts} attempts failed; last: {last}")]
    AttemptsExhausted {
        /// How many.
        attempts: u32,
        /// What the last one failed with.
        last: String,
    },
    /// Too many new sessions in too short a time.
    #[error("too many rejoins: {limit} within {window:?}")]
    RateLimited {
        /// How many are allowed.
        limit: u32,
        /// Within this.
        window: Duration,
    },
    /// The server did not take the token, and not a fresh one either, or none could be had.
    #[error("not let in: {0}")]
    AuthRejected(String),
    /// The server says that trying again is of no use.
    #[error("the server refuses: {message} ({code})")]
    Unrecoverable {
        /// The code of the fault, or the WebSocket close code.
        code: u16,
        /// For people.
        message: String,
    },
    /// Client and server do not understand each other.
    #[error("client and server do not understand each other: {0}")]
    ProtocolError(String),
    /// A defect in this program: the client's task panicked.
    #[error("the client failed: {0}")]
    Internal(String),
}

/// The name of a server process, as far as it is known: its own, from `Welcome`, or the URL that leads to it.
pub type NodeName = String;

/// What the token allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// To send messages and to announce values.
    pub publish: bool,
    /// To call participants.
    pub call: bool,
    /// To change its own name, metadata and attributes.
    pub update_self: bool,
}
