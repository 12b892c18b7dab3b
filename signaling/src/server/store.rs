//! Where rooms live: the seam between connections and state.

mod request;

use std::collections::BTreeMap;
use std::future::Future;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Delivery, Outbox};
use crate::{LeftReason, LineageId, LogId, ParticipantId, RejectCode, SessionId};

pub use request::Request;

/// Rooms, participants and sessions.
///
/// [`MemoryStore`](super::MemoryStore) keeps them in this process. Another implementation may keep them elsewhere, for several nodes
/// to share; it has to guarantee what the connections rely on:
///
/// - **One at a time.** What happens in a room happens in one order, and every participant's log has its part in that order. An
///   operation is done completely when its future resolves; a future that is dropped has done all of it or nothing.
/// - **Fencing.** Once `join` or `resume` has replaced a connection, `apply` answers [`Applied::Fenced`] to its seat, changes nothing,
///   and its outbox is ended. This is checked in the same step that applies, not before it.
/// - **Never two.** No moment exists at which a room shows an identity twice.
/// - **No silent hole.** A log has either every delivery since the last acknowledged one, or is known to have a gap.
/// - **Once.** A frame with a sequence number is applied once for a lineage, for as long as the lineage is kept.
///
/// What it may not do is hold up: a connection waits for each answer before it reads its next frame.
pub trait Store: Send + Sync + 'static {
    /// Names one connection of one session. Cheap to clone.
    type Seat: Clone + Send + Sync + 'static;

    /// Lets a client in with a new session: as somebody new or, if its lineage is here, as the participant that it was.
    ///
    /// # Errors
    /// [`JoinError`]; nothing has changed then.
    fn join(&self, join: Join, now: Instant) -> impl Future<Output = Result<Admission<Self::Seat>, JoinError>> + Send;

    /// Lets a client go on with its session.
    ///
    /// # Errors
    /// [`ResumeError`]; nothing has changed then.
    fn resume(
        &self,
        resume: Resume,
        now: Instant,
    ) -> impl Future<Output = Result<Admission<Self::Seat>, ResumeError>> + Send;

    /// Takes note of what a client acknowledges and applies what it asks for.
    fn apply(&self, seat: &Self::Seat, inbound: Inbound, now: Instant) -> impl Future<Output = Applied> + Send;

    /// The connection is gone; the session waits for its client until the window is over. Does nothing if it was replaced.
    fn detach(&self, seat: &Self::Seat, now: Instant) -> impl Future<Output = ()> + Send;

    /// The session is over, and the others are told so at once. Does nothing if the connection was replaced.
    fn leave(&self, seat: &Self::Seat, reason: LeftReason, now: Instant) -> impl Future<Output = ()> + Send;

    /// Ends the sessions that have waited for long enough, and tells when the next one will have.
    fn expire(&self, now: Instant) -> impl Future<Output = Option<Instant>> + Send;

    /// How much there is, from this process's memory.
    fn stats(&self) -> StoreStats;
}

/// A client that wants a new session.
#[derive(Clone, Debug)]
pub struct Join {
    /// The room.
    pub room: String,
    /// The client.
    pub lineage: LineageId,
    /// Who it has proved, or claims, to be. A lineage belongs to its first one.
    pub subject: String,
    /// Under what the room knows it. Ignored if the lineage is here, as are the next three.
    pub identity: String,
    /// For people.
    pub name: String,
    /// Free text.
    pub metadata: String,
    /// Free text.
    pub attributes: BTreeMap<String, String>,
    /// The client's lowest sequence number whose fate it does not know. Counts if the lineage is not here.
    pub first_unacked: u64,
    /// The last session that it knows of, wherever that was. When a join is answered as one of an unknown lineage, and a later one shows
    /// the same session, the answer was lost: it has to be the same again, or what was sent before would be taken for known.
    pub previous: Option<SessionId>,
    /// Its last session was on another node. A store that this node does not share with that one cannot vouch for what the client has
    /// sent since, even if the lineage is still here: it answers as if the lineage were not.
    pub was_elsewhere: bool,
    /// Where its deliveries go.
    pub outbox: Outbox,
}

/// A client that wants to go on.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The room.
    pub room: String,
    /// The client.
    pub lineage: LineageId,
    /// Who it has proved, or claims, to be.
    pub subject: String,
    /// The session.
    pub session: SessionId,
    /// Which connection of the session its resume token was given to.
    pub generation: u64,
    /// The log that it knows.
    pub log: LogId,
    /// Everything up to here it has.
    pub last_seen: u64,
    /// Where its deliveries go.
    pub outbox: Outbox,
}

/// A client that is in.
#[derive(Debug)]
pub struct Admission<Seat> {
    /// Its place.
    pub seat: Seat,
    /// The session.
    pub session: SessionId,
    /// Who it is in the room.
    pub participant: ParticipantId,
    /// The log of its deliveries.
    pub log: LogId,
    /// The newest delivery of the log.
    pub head: u64,
    /// Counts the connections of the session from 1.
    pub generation: u64,
    /// Whether the lineage was here.
    pub lineage_known: bool,
    /// Everything of the lineage up to here was applied or rejected.
    pub client_seq_seen: u64,
    /// The rejections that the client has not acknowledged.
    pub rejections: Vec<Rejection>,
    /// What was missed, in order. Everything after it comes through the outbox.
    pub replay: Vec<Delivery>,
    /// An encoded `Snapshot` of the room; `None` after a resume.
    pub snapshot: Option<Bytes>,
    /// The outbox of the connection that this one replaced.
    pub fenced: Option<Outbox>,
}

/// A frame of the client that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its number.
    pub client_seq: u64,
    /// Why.
    pub code: RejectCode,
    /// For people.
    pub message: String,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The room has as many participants, or as much state, as it may.
    #[error("the room is full")]
    RoomFull,
    /// The store has as many rooms or sessions as it may.
    #[error("the node is full")]
    NodeFull,
    /// The lineage belongs to somebody else.
    #[error("the lineage belongs to another identity")]
    Forbidden,
}

/// Why a session cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Its window is over.
    #[error("the session was kept for as long as promised")]
    Expired,
    /// There is none of that name.
    #[error("there is no such session")]
    UnknownSession,
    /// More was missed than is kept.
    #[error("more was missed than is kept")]
    Gap,
    /// The token was used, or the session is somebody else's.
    #[error("the token does not open this session")]
    Fenced,
}

/// A frame from a client.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Its number if it is reliable, else 0.
    pub seq: u64,
    /// Everything of the log up to here was processed.
    pub ack: u64,
    /// What it asks for, if anything.
    pub request: Option<Request>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied, rejected, or known already. Everything of the lineage up to this number was.
    UpTo(u64),
    /// A number was left out: this one was due.
    OutOfStep(u64),
    /// It acknowledges what was never sent.
    Nonsense,
    /// The connection was replaced. Nothing was done.
    Fenced,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Sessions, those that wait for their client included.
    pub sessions: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Deliveries put into logs since the start.
    pub deliveries: u64,
    /// Logs that overflowed while their client was connected.
    pub slow_consumers: u64,
    /// Ephemeral messages that did not get to one of those they were for.
    pub ephemeral_dropped: u64,
    /// Bytes of rooms' state and of logs, as [`Limits::total_bytes`](super::Limits::total_bytes) counts them.
    pub bytes: usize,
}
