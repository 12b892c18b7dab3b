use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::machine::{CallRefusal, MediaHealth, NetHint, Outgoing, SelfUpdate};
use crate::{CallError, CallId, ParticipantId, SendClass, SendId, SendOutcome};

/// What handles ask of the client's task, in order.
pub(super) enum Command {
    Send { id: SendId, class: SendClass, body: Outgoing, ttl: Option<Duration>, done: oneshot::Sender<SendOutcome> },
    Update { id: SendId, update: SelfUpdate, done: oneshot::Sender<SendOutcome> },
    Call(CallCommand),
    Reply { call: CallId, to: ParticipantId, result: Result<Bytes, CallRefusal> },
}

/// A call on its way to the client's task.
pub(super) struct CallCommand {
    pub(super) id: CallId,
    pub(super) to: ParticipantId,
    pub(super) method: String,
    pub(super) payload: Bytes,
    pub(super) timeout: Duration,
    pub(super) done: oneshot::Sender<Result<Bytes, CallError>>,
}

/// What may overtake commands.
pub(super) enum Control {
    Net(NetHint),
    Media(MediaHealth),
    CancelCall(CallId),
}

/// What becomes of a send: ready once that is known. Dropping it does not call the send off.
#[derive(Debug)]
#[must_use = "a send ends in one of many ways"]
pub struct Sent {
    id: SendId,
    state: SentState,
}

#[derive(Debug)]
enum SentState {
    Waiting(oneshot::Receiver<SendOutcome>),
    /// Decided before it reached the client's task.
    Decided(SendOutcome),
}

impl Sent {
    pub(super) fn waiting(id: SendId, outcome: oneshot::Receiver<SendOutcome>) -> Self {
        Self { id, state: SentState::Waiting(outcome) }
    }

    pub(super) fn decided(id: SendId, outcome: SendOutcome) -> Self {
        Self { id, state: SentState::Decided(outcome) }
    }

    /// What receivers see as [`Message::dedupe_id`](crate::Message::dedupe_id).
    #[must_use]
    pub fn id(&self) -> SendId {
        self.id
    }
}

impl Future for Sent {
    type Output = SendOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SendOutcome> {
        match &mut self.state {
            SentState::Decided(outcome) => Poll::Ready(outcome.clone()),
            // The sender is dropped only when the client ends.
            SentState::Waiting(outcome) => Pin::new(outcome).poll(cx).map(|it| it.unwrap_or(SendOutcome::Closed)),
        }
    }
}

/// Why something without an outcome of its own was not handed to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// Too much is waiting already.
    #[error("too many messages are waiting already")]
    Overflow,
    /// The client is closed.
    #[error("the room was closed")]
    Closed,
}
