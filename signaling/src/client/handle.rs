use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::machine::{CallRefusal, MediaHealth, NetHint, Outgoing, SelfUpdate, State};
use crate::{
    CallError, CallId, CallRequest, CloseReason, LineageId, Participant, ParticipantId, SendClass, SendId, SendOutcome,
    SessionId,
};

use super::command::{CallCommand, Command, Control, NotSent, Sent};
use super::shared::Shared;

/// Longer waits are cut to this, so that no time is out of reach of a clock. A month.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A handle on a client. Clones are handles on the same client; dropping the last one closes it, with a goodbye.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What the clones of a [`Client`] have in common.
struct Handle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    controls: mpsc::Sender<Control>,
    /// Ids given out so far. Of sends and of calls alike: they only must not repeat.
    ids: AtomicU64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close.cancel();
    }
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>, controls: mpsc::Sender<Control>) -> Self {
        Self { handle: Arc::new(Handle { shared, commands, controls, ids: AtomicU64::new(0) }) }
    }

    /// Sends to everyone else in the room; see [`publish`](Self::publish).
    pub fn send(&self, class: SendClass, payload: impl Into<Bytes>) -> Sent {
        self.publish(class, Outgoing { payload: payload.into(), ..Outgoing::default() })
    }

    /// Sends a message. Never waits; what becomes of it is in the future, which may be dropped. Sends of one class arrive in the order
    /// of the calls. [`SendOutcome::Overflow`] at once if too many are waiting already.
    pub fn publish(&self, class: SendClass, body: Outgoing) -> Sent {
        self.dispatch(class, body, None)
    }

    /// As [`publish`](Self::publish), for a message that waits for a connection at most this long, in place of
    /// [`Bounds::send_ttl`](crate::machine::Bounds::send_ttl).
    pub fn publish_within(&self, class: SendClass, body: Outgoing, ttl: Duration) -> Sent {
        self.dispatch(class, body, Some(ttl.min(LONGEST)))
    }

    /// Announces the value of a key of this participant; empty: removes it. Short for a send of [`SendClass::Latest`].
    pub fn set_value(&self, key: impl Into<String>, payload: impl Into<Bytes>) -> Sent {
        self.send(SendClass::Latest(key.into()), payload)
    }

    /// Changes what this participant says of itself.
    pub fn update(&self, update: SelfUpdate) -> Sent {
        self.submit(|id, done| Command::Update { id, update, done })
    }

    /// Calls a participant, and waits for its answer, recoveries included, as long as the session goes on: a new one, also that of a
    /// [`Migrate`](crate::Strategy::Migrate), ends a call that was sent before with [`CallError::Lost`]. Dropping the future forgets the
    /// call; whether the handler runs is open then.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        to: ParticipantId,
        method: impl Into<String> + Send,
        payload: impl Into<Bytes> + Send,
        timeout: Duration,
    ) -> Result<Bytes, CallError> {
        let id = CallId(self.next_id());
        let (done, outcome) = oneshot::channel();
        let timeout = timeout.min(LONGEST);
        let call = CallCommand { id, to, method: method.into(), payload: payload.into(), timeout, done };
        self.handle.commands.try_send(Command::Call(call)).map_err(|error| match error {
            TrySendError::Full(_) => CallError::Overflow,
            TrySendError::Closed(_) => CallError::Closed,
        })?;
        let mut forget = ForgetCall { client: self, id: Some(id) };
        let result = outcome.await;
        forget.id = None;
        result.unwrap_or(Err(CallError::Closed))
    }

    /// Answers a call of another participant. A second answer to the same call changes nothing.
    ///
    /// # Errors
    /// If it was not handed over. The caller then waits in vain, until its timeout.
    pub fn reply(&self, request: &CallRequest, result: Result<Bytes, CallRefusal>) -> Result<(), NotSent> {
        let command = Command::Reply { call: request.id, to: request.from, result };
        self.handle.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => NotSent::Overflow,
            TrySendError::Closed(_) => NotSent::Closed,
        })
    }

    /// Who is in the room, by id, this participant included. May be ahead of [`Events`](super::Events) that have not been read yet. Cheap
    /// if nothing has changed since the last time; a copy of all if something has.
    #[must_use]
    pub fn participants(&self) -> Arc<[Participant]> {
        self.handle.shared.roster().snapshot()
    }

    /// This participant's id, once the room was joined. A [`Rejoin`](crate::Strategy::Rejoin) may change it.
    #[must_use]
    pub fn participant(&self) -> Option<ParticipantId> {
        self.handle.shared.roster().own()
    }

    /// The session, once the room was joined. A [`Rejoin`](crate::Strategy::Rejoin) or [`Migrate`](crate::Strategy::Migrate) changes it.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        *self.handle.shared.session.borrow()
    }

    /// What all sessions of this client have in common. A secret of client and server.
    #[must_use]
    pub fn lineage(&self) -> LineageId {
        self.handle.shared.lineage
    }

    /// Where the client is.
    #[must_use]
    pub fn state(&self) -> State {
        *self.handle.shared.state.borrow()
    }

    /// Follows [`state`](Self::state). States that pass quickly may be skipped; the last one is [`State::Closed`].
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<State> {
        self.handle.shared.state.subscribe()
    }

    /// Tells what is known of the network. It is advice; lost if the client is overrun with it.
    pub fn hint(&self, hint: NetHint) {
        drop(self.handle.controls.try_send(Control::Net(hint)));
    }

    /// Tells how the path beside the room is. It is advice; lost if the client is overrun with it.
    pub fn media(&self, health: MediaHealth) {
        drop(self.handle.controls.try_send(Control::Media(health)));
    }

    /// Asks the client to leave the room, or to give up joining it. Returns at once, and never waits for the other side; the second time
    /// changes nothing. What was sent before is sent before the goodbye if there is a connection, as far as the server takes it within
    /// three quarters of [`Timers::leave`](crate::machine::Timers::leave).
    pub fn close(&self) {
        self.handle.shared.close.cancel();
    }

    /// Waits for the end, and tells why. Does not ask for it: see [`close`](Self::close). Cancel-safe, and may be called by many, and
    /// again.
    pub async fn closed(&self) -> CloseReason {
        self.handle.shared.closed().await
    }

    /// As [`closed`](Self::closed), but waits until no task and no socket of the client is left.
    pub async fn stopped(&self) -> CloseReason {
        let reason = self.closed().await;
        self.handle.shared.tasks.wait().await;
        reason
    }

    fn dispatch(&self, class: SendClass, body: Outgoing, ttl: Option<Duration>) -> Sent {
        self.submit(|id, done| Command::Send { id, class, body, ttl, done })
    }

    fn submit(&self, command: impl FnOnce(SendId, oneshot::Sender<SendOutcome>) -> Command) -> Sent {
        let id = SendId(self.next_id());
        let (done, outcome) = oneshot::channel();
        match self.handle.commands.try_send(command(id, done)) {
            Ok(()) => Sent::waiting(id, outcome),
            Err(TrySendError::Full(_)) => Sent::decided(id, SendOutcome::Overflow),
            Err(TrySendError::Closed(_)) => Sent::decided(id, SendOutcome::Closed),
        }
    }

    fn next_id(&self) -> u64 {
        self.handle.ids.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Calls a call off unless it has ended. A message that does not fit is no loss: the call's own timeout ends it.
struct ForgetCall<'a> {
    client: &'a Client,
    id: Option<CallId>,
}

impl Drop for ForgetCall<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            drop(self.client.handle.controls.try_send(Control::CancelCall(id)));
        }
    }
}
