//! The handle of one spawned task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tracing::Instrument;

use super::catch::catch_call;
use super::tree::TaskGuard;

/// A task in a [`Scope`](super::Scope). Awaiting it gives what the task returned, or why it did not.
///
/// Dropping the handle detaches the task: it goes on, and its scope still waits for it. Awaiting `&mut task` is
/// cancel-safe. Like every future it must not be polled again once it has given its result.
pub struct Task<T> {
    state: State<T>,
}

enum State<T> {
    Running(JoinHandle<Result<T, TaskError>>),
    Refused(Option<TaskError>),
}

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It was aborted, or it never started because its scope was cancelled before.
    #[error("the task was cancelled")]
    Cancelled,
    /// It panicked. The panic was logged and announced as an event already.
    #[error("the task {task} panicked: {message}")]
    Panicked {
        /// Path of the task, its name last.
        task: String,
        /// What the panic said.
        message: String,
    },
    /// It never started: as many tasks as the supervisor allows were alive.
    #[error(
        "the task was not started: {limit} tasks are alive already; raise SupervisorConfig::max_tasks or spawn fewer at once"
    )]
    Full {
        /// The limit that was reached.
        limit: usize,
    },
}

impl<T> Task<T> {
    /// Stops the task at its next await, without telling it. It counts as running until it is dropped.
    ///
    /// Blocking work that has begun cannot be stopped: it goes on, and its scope waits for it.
    pub fn abort(&self) {
        if let State::Running(handle) = &self.state {
            handle.abort();
        }
    }

    /// Whether the result is there.
    pub fn is_finished(&self) -> bool {
        match &self.state {
            State::Running(handle) => handle.is_finished(),
            State::Refused(_) => true,
        }
    }

    /// Lets the task run on without its handle: what dropping the handle does, said aloud.
    pub fn detach(self) {
        drop(self);
    }

    pub(crate) fn running(handle: JoinHandle<Result<T, TaskError>>) -> Self {
        Self { state: State::Running(handle) }
    }

    pub(crate) fn refused(error: TaskError) -> Self {
        Self { state: State::Refused(Some(error)) }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(TaskError::Cancelled))),
            State::Running(handle) => Pin::new(handle).poll(cx).map(|joined| match joined {
                Ok(outcome) => outcome,
                Err(_) => Err(TaskError::Cancelled),
            }),
        }
    }
}

// `T` is never stored in the handle itself.
impl<T> Unpin for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// Starts `future` under `guard`: tracked from here until the future has been dropped.
pub(crate) fn launch<F>(guard: TaskGuard, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let scope = Arc::clone(guard.scope());
    let id = guard.id();
    let span = guard.span();
    let tracked = Tracked { future: Some(Box::pin(future)), guard };
    let handle = scope.env.handle.spawn(tracked.instrument(span));
    scope.attach(id, handle.abort_handle());
    Task::running(handle)
}

/// A future and the guard that outlives it. Nothing of the future, not even its destructor after an abort, panics past
/// this point.
struct Tracked<F> {
    future: Option<Pin<Box<F>>>,
    guard: TaskGuard,
}

impl<F: Future> Future for Tracked<F> {
    type Output = Result<F::Output, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let outcome = match catch_call(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(self.guard.heard(panic)),
        };
        let destroyed = self.destroy();
        Poll::Ready(outcome.and_then(|output| destroyed.map(|()| output)))
    }
}

impl<F> Tracked<F> {
    fn destroy(&mut self) -> Result<(), TaskError> {
        let future = self.future.take();
        catch_call(|| drop(future)).map_err(|panic| self.guard.heard(panic))
    }
}

impl<F> Drop for Tracked<F> {
    fn drop(&mut self) {
        // Heard where it happens; an aborted task has no result to put it in.
        let _ = self.destroy();
    }
}
