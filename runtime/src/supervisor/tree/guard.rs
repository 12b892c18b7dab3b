//! What counts as alive, and for how long: each of these undoes on drop what its making did.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Span;

use super::super::catch::PanicMessage;
use super::super::task::TaskError;
use super::{Env, Name, ScopeNode, TaskKind};

/// Lives exactly as long as the task that it stands for.
pub(crate) struct TaskGuard {
    id: u64,
    scope: Arc<ScopeNode>,
    // Given back after the record is gone: whoever waits for this scope then finds the registry empty.
    _token: TaskTrackerToken,
    _place: Option<Place>,
}

impl TaskGuard {
    pub(super) fn new(id: u64, scope: Arc<ScopeNode>, token: TaskTrackerToken, place: Option<Place>) -> Self {
        Self { id, scope, _token: token, _place: place }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn scope(&self) -> &Arc<ScopeNode> {
        &self.scope
    }

    /// A span for the task, below the one of its scope.
    pub(crate) fn span(&self) -> Span {
        let name = self.name();
        tracing::error_span!(parent: &self.scope.span, "task", %name)
    }

    /// As [`ScopeNode::heard`].
    pub(crate) fn heard(&self, panic: PanicMessage) -> TaskError {
        self.scope.heard(&self.name(), panic)
    }

    fn name(&self) -> Name {
        self.scope.lock().tasks.get(&self.id).map_or(Cow::Borrowed("?"), |record| record.name.clone())
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.scope.leave(Some(self.id));
    }
}

/// How a scope with something alive counts in its parent.
pub(super) struct Uplink {
    parent: Arc<ScopeNode>,
    _token: TaskTrackerToken,
}

impl Uplink {
    pub(super) fn new(parent: Arc<ScopeNode>, token: TaskTrackerToken) -> Self {
        Self { parent, _token: token }
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.parent.leave(None);
    }
}

/// One of the places that `max_tasks` allows. Services and farewells need none.
pub(super) struct Place(Arc<Env>);

impl Place {
    pub(super) fn take(env: &Arc<Env>, kind: TaskKind) -> Result<Option<Self>, TaskError> {
        if matches!(kind, TaskKind::Service | TaskKind::Farewell) {
            return Ok(None);
        }
        let place = Self(Arc::clone(env));
        if env.alive.fetch_add(1, Ordering::Relaxed) >= env.max_tasks {
            return Err(TaskError::Full { limit: env.max_tasks });
        }
        Ok(Some(place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}
