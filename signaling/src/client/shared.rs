use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::machine::State;
use crate::{CloseReason, LineageId, SessionId};

use super::roster::Roster;

/// What the client's task shows to handles. Only the task writes it, but for `close`.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    /// The session, once there has been one.
    pub(super) session: watch::Sender<Option<SessionId>>,
    pub(super) lineage: LineageId,
    /// Whether the room was ever joined.
    pub(super) joined: watch::Sender<bool>,
    /// The last word. Never taken back.
    pub(super) closed: watch::Sender<Option<CloseReason>>,
    /// Cancelled by a handle that wants the client to close.
    pub(super) close: CancellationToken,
    /// The client's task and those of its connections.
    pub(super) tasks: TaskTracker,
    roster: Mutex<Roster>,
}

impl Shared {
    pub(super) fn new(lineage: LineageId) -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker still takes tasks; it lets those through who wait for it to be empty.
        tasks.close();
        Self {
            state: watch::Sender::new(State::Idle),
            session: watch::Sender::new(None),
            lineage,
            joined: watch::Sender::new(false),
            closed: watch::Sender::new(None),
            close: CancellationToken::new(),
            tasks,
            roster: Mutex::default(),
        }
    }

    /// Never held across anything that can wait or panic.
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.send_if_modified(|shown| {
            let changed = *shown != state;
            *shown = state;
            changed
        });
    }

    /// Waits for the last word.
    pub(super) async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.subscribe();
        // The sender is in `self`, so that it is there for as long as this waits.
        let reason = closed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(CloseReason::UserClosed)
    }
}
