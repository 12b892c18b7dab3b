//! Requests: a handle at once, one outcome later, as `MOORLINE_EVENT_REQUEST_DONE`.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use moorline_runtime::library::ShareRoot;
use moorline_runtime::node::CommandError;
use moorline_signaling::machine::SelfUpdate;
use moorline_signaling::{CallError, NotSent, ParticipantId, SendOutcome};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, full};
use crate::entry::panic_text;
use crate::happening::{Happening, Hold};
use crate::kinds::{MOORLINE_EVENT_REQUEST_DONE, MOORLINE_KIND_REQUEST};
use crate::library::Object;
use crate::life::{Life, part_of};
use crate::node::Node;
use crate::pending::{Entry, Home, Part};
use crate::queue::Class;
use crate::room::{Outbound, Room};
use crate::status::*;

/// A request in the table of handles.
#[derive(Clone, Copy)]
pub(crate) struct Request(pub(crate) u64);

impl Client {
    /// Starts a request: hands out its handle, and runs `work` until it is done or called off.
    pub(crate) fn request<F>(self: &Arc<Self>, home: Home, life: Option<&Life>, work: F) -> Outcome<u64>
    where
        F: Future<Output = Outcome<Bytes>> + Send + 'static,
    {
        Ok(self.run(self.reserve(home, life)?, work))
    }

    /// Puts a request on the list that has not begun: for work that cannot be taken back once it has.
    fn reserve(self: &Arc<Self>, home: Home, life: Option<&Life>) -> Outcome<Reserved> {
        let place = self.place_for_request()?;
        let canceller = CancellationToken::new();
        let make = |handle| (self.handle, Object::Request(Request(handle)));
        let request = self.library.table.insert_with(MOORLINE_KIND_REQUEST, make).ok_or_else(full)?;
        let reserved = Reserved { home, canceller: canceller.clone(), running: Running::new(self, request, &place) };
        if !self.pending.insert(request, home, Call { canceller, place }) {
            drop(self.library.table.remove(self.handle, request));
            return Err(crate::entry::disposed());
        }
        // Whoever ends a session marks it as ended and then sweeps: either it finds the request, or this finds the mark.
        if life.is_some_and(Life::is_ended) && self.pending.claim(request, drop) {
            drop(self.library.table.remove(self.handle, request));
            return Err(closed());
        }
        Ok(reserved)
    }

    fn run<F>(self: &Arc<Self>, reserved: Reserved, work: F) -> u64
    where
        F: Future<Output = Outcome<Bytes>> + Send + 'static,
    {
        let Reserved { home, canceller, running } = reserved;
        let request = running.request;
        let task = async move {
            let outcome = tokio::select! {
                biased;
                // Whoever called it off has told the outcome.
                () = canceller.cancelled() => return,
                outcome = AssertUnwindSafe(work).catch_unwind() => outcome,
            };
            match outcome {
                Ok(Ok(result)) => running.client.done(request, MOORLINE_OK, result),
                Ok(Err(failure)) => running.client.done(request, failure.status, failure.message.into_owned().into()),
                Err(panic) => running.client.contain(part_of(home), "request", &panic_text(panic)),
            }
        };
        self.scope().spawn("request", task).detach();
        request
    }

    /// A place among the requests that may be under way. A request keeps it until its task is gone and its event was taken: else a caller
    /// who makes requests and calls them off, or takes no events, could be faster than what clears up after it.
    fn place_for_request(&self) -> Outcome<Hold> {
        self.places.clone().try_acquire_owned().map(Hold::new).map_err(|_| {
            let message = "as many requests are under way as may be: take their events, or raise request_capacity";
            Failure::new(MOORLINE_E_TOO_MANY, message)
        })
    }

    /// Tells the outcome of a request, unless that was told.
    fn done(&self, request: u64, status: i32, result: Bytes) {
        self.pending.claim(request, |entry| self.tell_done(request, &entry, status, result));
    }

    pub(crate) fn cancel_request(&self, request: Request) {
        let mut canceller = None;
        self.pending.claim(request.0, |entry| {
            self.tell_done(request.0, &entry, MOORLINE_E_CANCELLED, Bytes::from_static(b"called off"));
            canceller = Some(entry.call.canceller);
        });
        if let Some(canceller) = canceller {
            canceller.cancel();
        }
    }

    /// Ends every request of a part that is under way now.
    pub(crate) fn call_off(&self, part: Part, status: i32, why: &str) {
        let mut cancellers = Vec::new();
        let why = Bytes::from(why.to_owned());
        self.pending.sweep(part, |request, entry| {
            self.tell_done(request, &entry, status, why.clone());
            cancellers.push(entry.call.canceller);
        });
        for canceller in cancellers {
            canceller.cancel();
        }
    }

    fn tell_done(&self, request: u64, entry: &Entry<Call>, status: i32, result: Bytes) {
        drop(self.library.table.remove(self.handle, request));
        let session = match entry.home.session() {
            0 => self.handle,
            session => session,
        };
        let event = Happening::new(MOORLINE_EVENT_REQUEST_DONE, session).request(request).status(status);
        self.queue.push(Class::Must, event.spans([result]).hold(entry.call.place.clone()));
    }
}

/// What the list of requests keeps of one.
pub(crate) struct Call {
    canceller: CancellationToken,
    place: Hold,
}

/// A request that is on the list and has not begun.
struct Reserved {
    home: Home,
    canceller: CancellationToken,
    running: Running,
}

/// The task of a request. However it ends, and if it is never run, the request has an outcome.
struct Running {
    client: Arc<Client>,
    request: u64,
    _place: Hold,
}

impl Running {
    fn new(client: &Arc<Client>, request: u64, place: &Hold) -> Self {
        Self { client: client.clone(), request, _place: place.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.client.done(self.request, MOORLINE_E_CANCELLED, Bytes::from_static(b"its task was cut off"));
    }
}

pub(crate) fn share(client: &Arc<Client>, node: &Arc<Node>, root: ShareRoot) -> Outcome<u64> {
    let commands = node.running()?.commands();
    let work = async move { done(commands.share(root).await) };
    client.request(node.home(), Some(&node.life), work)
}

pub(crate) fn add_peer(client: &Arc<Client>, node: &Arc<Node>, address: SocketAddr) -> Outcome<u64> {
    let commands = node.running()?.commands();
    let work = async move { done(commands.add_peer(address).await) };
    client.request(node.home(), Some(&node.life), work)
}

/// The message is handed over here, on the caller's thread: that is what keeps messages in the order of the calls.
pub(crate) fn send(client: &Arc<Client>, room: &Arc<Room>, message: Outbound) -> Outcome<u64> {
    room.refuse_ended()?;
    let reserved = client.reserve(room.home(), Some(&room.life))?;
    let sent = message.hand_to(&room.signaling);
    Ok(client.run(reserved, async move { sent_outcome(sent.await) }))
}

pub(crate) fn update(client: &Arc<Client>, room: &Arc<Room>, update: SelfUpdate) -> Outcome<u64> {
    room.refuse_ended()?;
    let reserved = client.reserve(room.home(), Some(&room.life))?;
    let sent = room.signaling.update(update);
    Ok(client.run(reserved, async move { sent_outcome(sent.await) }))
}

pub(crate) fn call(
    client: &Arc<Client>,
    room: &Arc<Room>,
    participant: u64,
    method: String,
    payload: Vec<u8>,
    timeout: Duration,
) -> Outcome<u64> {
    room.refuse_ended()?;
    let signaling = room.signaling.clone();
    let work = async move {
        let answer = signaling.call(ParticipantId(participant), method, payload, timeout).await;
        answer.map_err(|error| Failure::new(call_status(&error), error.to_string()))
    };
    client.request(room.home(), Some(&room.life), work)
}

pub(crate) fn not_sent(error: NotSent) -> Failure {
    match error {
        NotSent::Overflow => Failure::new(MOORLINE_E_OVERFLOW, "too many messages are waiting already"),
        _ => closed(),
    }
}

pub(crate) fn closed() -> Failure {
    Failure::new(MOORLINE_E_CLOSED, "the session has ended")
}

pub(crate) fn command_failure(error: &CommandError) -> Failure {
    let status = match error {
        CommandError::Stopping => MOORLINE_E_CLOSED,
        CommandError::NoLibrary => MOORLINE_E_NO_LIBRARY,
        CommandError::TooMany { .. } => MOORLINE_E_TOO_MANY,
        CommandError::AlreadyDownloading { .. } => MOORLINE_E_ALREADY,
        CommandError::UnknownItem { .. } => MOORLINE_E_UNKNOWN_ITEM,
        CommandError::BadName { .. } => MOORLINE_E_INVALID_ARGUMENT,
        _ => MOORLINE_E_INTERNAL,
    };
    Failure::new(status, error.to_string())
}

fn done(answer: Result<(), CommandError>) -> Outcome<Bytes> {
    answer.map(|()| Bytes::new()).map_err(|error| command_failure(&error))
}

fn sent_outcome(outcome: SendOutcome) -> Outcome<Bytes> {
    let (status, why) = match outcome {
        SendOutcome::Acked | SendOutcome::Written => return Ok(Bytes::new()),
        SendOutcome::Dropped => (MOORLINE_E_DROPPED, "there was no connection".into()),
        SendOutcome::Superseded => (MOORLINE_E_SUPERSEDED, "a newer value took its place".into()),
        SendOutcome::Expired => (MOORLINE_E_EXPIRED, "it waited too long for a connection".into()),
        SendOutcome::Overflow => (MOORLINE_E_OVERFLOW, "too many messages are waiting already".into()),
        SendOutcome::Rejected(code, why) => (MOORLINE_E_REJECTED, format!("the server refused it ({code:?}): {why}")),
        SendOutcome::Unknown => (MOORLINE_E_UNKNOWN_OUTCOME, "what became of it was lost with the session".into()),
        SendOutcome::Closed => (MOORLINE_E_CLOSED, "the room was left before it was acknowledged".into()),
    };
    Err(Failure::new(status, why))
}

fn call_status(error: &CallError) -> i32 {
    match error {
        CallError::Failed(_) => MOORLINE_E_CALL_FAILED,
        CallError::NoSuchMethod => MOORLINE_E_NO_SUCH_METHOD,
        CallError::NoSuchParticipant => MOORLINE_E_NO_SUCH_PARTICIPANT,
        CallError::Busy => MOORLINE_E_PEER_BUSY,
        CallError::DeadlineExceeded(_) => MOORLINE_E_TIMEOUT,
        CallError::Rejected(..) => MOORLINE_E_REJECTED,
        CallError::Overflow => MOORLINE_E_OVERFLOW,
        CallError::Lost => MOORLINE_E_UNKNOWN_OUTCOME,
        CallError::Closed => MOORLINE_E_CLOSED,
        _ => MOORLINE_E_INTERNAL,
    }
}
