//! Blocking work: off the async threads, bounded in number, and joined like every other task.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::spawn_blocking;

use super::catch::catch_call;
use super::task::{Task, TaskError};
use super::tree::TaskGuard;

/// One piece of blocking work.
pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// Where blocking work runs. The supervisor bounds how many jobs run at once; the pool only has to run each of them.
///
/// A job that is dropped without having run counts as cancelled. `run` is called from within the tokio runtime and must
/// not block.
pub trait BlockingPool: Send + Sync + 'static {
    /// Starts `job` on another thread, or, in a simulation, runs it on the spot.
    fn run(&self, job: Job);
}

/// The blocking threads of the tokio runtime that the caller is in.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioPool;

impl BlockingPool for TokioPool {
    fn run(&self, job: Job) {
        // Joined through the guard that the job carries, hence the handle is not needed.
        drop(spawn_blocking(job));
    }
}

/// Waits for a free place, unless the scope is cancelled first, and runs `work` there.
pub(crate) fn launch<T, F>(guard: TaskGuard, work: F) -> Task<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let scope = Arc::clone(guard.scope());
    let id = guard.id();
    let guard = Arc::new(guard);
    let queued = Queued { work, held: Arc::clone(&guard) };
    let env = Arc::clone(&scope.env);
    let token = scope.token.clone();
    let waiting = async move {
        let (_guard, queued) = (guard, queued);
        let permit = tokio::select! {
            biased;
            () = token.cancelled() => return Err(TaskError::Cancelled),
            permit = Arc::clone(&env.blocking).acquire_owned() => permit.map_err(|_| TaskError::Cancelled)?,
        };
        let (sender, receiver) = oneshot::channel();
        env.pool.run(Box::new(move || queued.run(permit, sender)));
        receiver.await.unwrap_or(Err(TaskError::Cancelled))
    };
    let handle = scope.env.handle.spawn(waiting);
    scope.attach(id, handle.abort_handle());
    Task::running(handle)
}

/// Work and the guard that outlives it. The work goes on when the waiting side is aborted: both hold the guard, and the
/// scope waits for the later one.
struct Queued<F> {
    // Dropped in this order, also when the pool drops the job unrun.
    work: F,
    held: Arc<TaskGuard>,
}

impl<F> Queued<F> {
    fn run<T>(self, permit: OwnedSemaphorePermit, sender: oneshot::Sender<Result<T, TaskError>>)
    where
        F: FnOnce() -> T,
    {
        let Self { held, work } = self;
        let outcome = held.span().in_scope(|| catch_call(work)).map_err(|panic| held.heard(panic));
        drop(permit);
        // A result that nobody wants is dropped here, while the task still counts as alive. Its destructor is as
        // foreign as the work itself.
        let unwanted = catch_call(move || drop(sender.send(outcome)));
        if let Err(panic) = unwanted {
            held.heard(panic);
        }
    }
}
