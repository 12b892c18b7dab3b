//! The place where tasks are spawned.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::catch::catch;
use super::config::Backoff;
use super::stragglers::Stragglers;
use super::task::{self, Task, TaskError};
use super::tree::{ScopeKind, ScopeNode, TaskKind};

/// A branch of the tree: it can be cancelled, waited for and looked at together with everything below it.
///
/// Cancelling asks: a task goes on until it looks at its scope ([`cancelled`](Self::cancelled)) and ends by itself.
/// Nothing new starts in a cancelled scope. A scope stays in the tree for as long as it has a handle, a task or a child;
/// dropping the handles cancels nothing.
///
/// Names show up in logs and snapshots: make them short, and never out of what a peer sent.
#[derive(Clone)]
pub struct Scope {
    pub(crate) node: Arc<ScopeNode>,
}

impl Scope {
    /// A scope below this one: cancelled with it, joined with it.
    pub fn child(&self, name: impl Into<Cow<'static, str>>) -> Scope {
        Scope { node: self.node.child(name.into(), ScopeKind::Plain) }
    }

    /// A scope below this one for what has to be done *after* a cancellation, such as to write down how far one got:
    /// joined with its parent but not cancelled with it. Its tasks must be short: they are bounded only by the deadline of
    /// whoever stops the tree, at which they are named and aborted like all others.
    pub fn shielded(&self, name: impl Into<Cow<'static, str>>) -> Scope {
        Scope { node: self.node.child(name.into(), ScopeKind::Shielded) }
    }

    /// The name of this scope.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// The names from the top of the tree down to this scope, joined by slashes.
    pub fn path(&self) -> String {
        self.node.path("")
    }

    /// The cancellation of this scope, for code that wants a token. Cancelling the token is cancelling the scope.
    pub fn token(&self) -> &CancellationToken {
        &self.node.token
    }

    /// Waits until this scope is cancelled. Cancel-safe.
    pub async fn cancelled(&self) {
        self.node.token.cancelled().await;
    }

    /// Whether this scope is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.node.token.is_cancelled()
    }

    /// Cancels this scope and all below it, except what is [shielded](Self::shielded). Siblings and parents are untouched.
    pub fn cancel(&self) {
        self.node.token.cancel();
    }

    /// How many tasks are alive in this scope and below it.
    pub fn alive(&self) -> usize {
        self.node.alive()
    }

    /// Starts a task. A panic in it is caught, logged and announced, and harms nobody else.
    ///
    /// If the scope is cancelled already the future is dropped unpolled and the handle yields [`TaskError::Cancelled`];
    /// [`TaskError::Full`] if too many tasks are alive.
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let name = name.into();
        let future = moorline_sim_point::task(&name, future);
        match self.node.register(name, TaskKind::Async) {
            Ok(guard) => task::launch(guard, future),
            Err(error) => self.refuse(error),
        }
    }

    /// Starts a task that others rely on. When it panics, which is caught and announced as ever, `make` is asked for another future a
    /// while later, and so on until one returns or the scope is cancelled. It counts as one task all the while, and `make` lives as long.
    ///
    /// Cancelling the scope ends a wait, with `Ok(())`, but no future that runs: that one has to look at the scope itself.
    ///
    /// For what has to survive with its own state, and for limits and states to be seen, there are services
    /// ([`Supervisor::spawn`](super::Supervisor::spawn)).
    pub fn spawn_anew<F, Fut>(&self, name: impl Into<Cow<'static, str>>, backoff: Backoff, mut make: F) -> Task<()>
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let node = Arc::clone(&self.node);
        let own = name.clone();
        let work = async move {
            let mut attempt: u32 = 0;
            loop {
                let started = Instant::now();
                let run = moorline_sim_point::task(&own, async { make().await });
                let Err(panic) = catch(run).await else { return };
                drop(node.heard(&own, panic));
                attempt = if started.elapsed() >= backoff.reset_after { 1 } else { attempt.saturating_add(1) };
                tokio::select! {
                    biased;
                    () = node.token.cancelled() => return,
                    () = sleep(backoff.wait(attempt)) => {}
                }
            }
        };
        match self.node.register(name, TaskKind::Async) {
            Ok(guard) => task::launch(guard, work),
            Err(error) => self.refuse(error),
        }
    }

    /// Runs `work` on a thread where it may block. The number that run at once is bounded
    /// ([`SupervisorConfig::blocking_threads`](super::SupervisorConfig::blocking_threads)); the others wait, and those that
    /// still wait when the scope is cancelled yield [`TaskError::Cancelled`] without having run.
    ///
    /// Work that has begun goes on to its end, whatever happens: let long work look at [`token`](Self::token) between units.
    pub fn spawn_blocking<T, F>(&self, name: impl Into<Cow<'static, str>>, work: F) -> Task<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let name = name.into();
        let point = name.clone();
        match self.node.register(name, TaskKind::Blocking) {
            Ok(guard) => blocking::launch(guard, move || moorline_sim_point::run(&point, work)),
            Err(error) => self.refuse(error),
        }
    }

    /// Waits until no task is alive in this scope or below it. It cancels nothing and has no deadline: see
    /// [`stop`](Self::stop) for both. Cancel-safe. A task must not join a scope that it runs in.
    pub async fn join(&self) {
        self.node.join().await;
    }

    /// Cancels the scope and waits for all below it. What has not ended by `deadline` is named, aborted and given
    /// `grace` to be gone. Nothing starts in the scope afterwards, shielded or not.
    ///
    /// If this future is dropped, the scope stays cancelled, and nothing is aborted.
    ///
    /// # Errors
    /// The tasks that had not ended by themselves.
    pub async fn stop(&self, deadline: Duration, grace: Duration) -> Result<(), Stragglers> {
        self.cancel();
        self.node.wind_down(deadline, grace).await
    }

    fn refuse<T>(&self, error: TaskError) -> Task<T> {
        if matches!(error, TaskError::Full { .. }) {
            tracing::error!(scope = %self.path(), %error, "a task was not started");
        }
        Task::refused(error)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("path", &self.path())
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
