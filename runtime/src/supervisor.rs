//! Tasks that have a parent, a way to be cancelled and someone who waits for them.
//!
//! A [`Supervisor`] owns a tree of [`Scope`]s. *Services* are the long-lived tasks directly below the root; what their end
//! means is their [`Policy`]. Everything else is a [`Task`] in some scope. The contract:
//!
//! - Every task is named, tracked and cancelled with its scope. Nothing starts in a cancelled scope.
//! - A panic is caught inside its task, logged, announced as an event, and given to whoever awaits the task.
//! - The unasked-for end of a Required service becomes [`RuntimeFailed`], once, and cancels the tree. Farewells
//!   ([`Supervisor::on_shutdown`]) are said after an orderly shutdown and after a failure alike.
//! - [`Supervisor::wait_stopped`] ends by its deadline, names who did not, and aborts them.
//! - A finished task leaves nothing behind, a finished service its last state.
//!
//! Time is tokio's, so that a paused clock drives restarts and deadlines. There is no global state and no randomness.

mod blocking;
mod catch;
mod config;
mod event;
mod exit;
mod farewell;
mod scope;
mod service;
mod snapshot;
mod stragglers;
mod task;
mod tree;

use std::borrow::Cow;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use blocking::{BlockingPool, Job, TokioPool};
pub use config::{Backoff, Policy, SupervisorConfig};
pub use event::{ServiceEvent, ServiceEvents, ServiceState, SupervisorEvent};
pub use exit::{BoxError, Exit, RuntimeFailed, ServiceError, SharedError};
pub use scope::Scope;
pub use snapshot::{NodeKind, TaskNode, TaskTree};
pub use stragglers::{Straggler, Stragglers};
pub use task::{Task, TaskError};
pub use tree::TaskKind;

use event::Hub;
use farewell::Farewells;
use service::{Phase, ServiceRecord, Shared};
use tree::{Env, ScopeKind, ScopeNode};

/// The owner of a tree of tasks.
///
/// All methods take `&self`: put it in an `Arc` to share it. Dropping it cancels the tree as [`shutdown`](Self::shutdown)
/// does; farewells are still said, as long as the tokio runtime lives, but nobody waits and nothing is aborted.
pub struct Supervisor {
    shared: Arc<Shared>,
    farewells: Farewells,
}

impl Supervisor {
    /// An empty tree. Its tasks run on the tokio runtime that this is called in, from whichever thread they are spawned.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: SupervisorConfig) -> Self {
        let hub = Hub::new(config.event_capacity);
        let env = Arc::new(Env {
            handle: Handle::current(),
            blocking: Arc::new(Semaphore::new(config.blocking_threads.clamp(1, Semaphore::MAX_PERMITS))),
            pool: config.pool,
            max_tasks: config.max_tasks,
            alive: AtomicUsize::new(0),
            ids: AtomicU64::new(0),
            hub: Arc::downgrade(&hub),
        });
        let top = ScopeNode::top(config.name.clone(), env);
        let root = top.child(config.name, ScopeKind::Hidden);
        // Below the top and not below the root: a shutdown does not cancel them.
        let farewells = Farewells::new(top.child("farewells".into(), ScopeKind::Plain));
        let shared = Arc::new(Shared {
            top,
            root,
            hub,
            phase: Mutex::new(Phase::Running),
            services: Mutex::default(),
            shutdown_deadline: config.shutdown_deadline,
            abort_grace: config.abort_grace,
        });
        Self { shared, farewells }
    }

    /// The scope that services are children of.
    pub fn root(&self) -> Scope {
        Scope { node: Arc::clone(&self.shared.root) }
    }

    /// Starts a service.
    ///
    /// `factory` is called for every run, with a fresh scope below the root. That scope is cancelled when the run ends,
    /// however it ends; under [`Policy::Restart`] the next run begins when nothing of the last one is alive, or at the
    /// latest after [`SupervisorConfig::shutdown_deadline`], when the rest is aborted. A service is asked to end by the
    /// cancellation of its scope, and is expected to return `Ok` then.
    ///
    /// After the shutdown has begun nothing is started. A service of the same name that is over is forgotten.
    pub fn spawn<F, Fut>(&self, name: &'static str, policy: Policy, factory: F)
    where
        F: FnMut(Scope) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let Ok(guard) = self.shared.root.register(name.into(), TaskKind::Service) else {
            tracing::debug!(service = name, "not started: the supervisor is stopping");
            return;
        };
        let record = Arc::new(ServiceRecord::new(name, policy));
        {
            let mut services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.retain(|other| other.name != name || !other.is_over());
            services.push(Arc::clone(&record));
        }
        drop(task::launch(guard, service::drive(Arc::clone(&self.shared), record, factory)));
    }

    /// Adds something to do when the tree is cancelled, by a shutdown or by a failure, such as to say goodbye to peers.
    ///
    /// Farewells begin at the cancellation, side by side with each other and with the tasks that wind down. Each has
    /// [`SupervisorConfig::shutdown_deadline`]; then it is cut off and named. [`wait_stopped`](Self::wait_stopped) waits for
    /// them. A panic in one is contained like any other.
    pub fn on_shutdown<F, Fut>(&self, name: impl Into<Cow<'static, str>>, farewell: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.farewells.add(Arc::clone(&self.shared), name.into(), farewell);
    }

    /// The events from now on. They end when the supervisor has stopped.
    pub fn events(&self) -> ServiceEvents {
        self.shared.hub.subscribe()
    }

    /// The failure of a Required service, if there was one. It stays: a slow subscriber cannot lose it.
    pub fn failure(&self) -> Option<RuntimeFailed> {
        self.shared.failure()
    }

    /// Waits until the tree is cancelled, and says whether by a failure. Cancel-safe.
    pub async fn failed(&self) -> Option<RuntimeFailed> {
        self.shared.root.token.cancelled().await;
        self.failure()
    }

    /// Cancels the tree. Returns at once; calling it again changes nothing.
    pub fn shutdown(&self) {
        self.shared.shutdown();
    }

    /// Whether the tree is cancelled, by a shutdown or by a failure.
    pub fn is_shutting_down(&self) -> bool {
        self.shared.root.token.is_cancelled()
    }

    /// Waits until the tree is cancelled, and then until every task and every farewell has ended.
    ///
    /// The deadline counts from the cancellation or, if that came later, from this call. At the deadline those that
    /// have not ended are named and aborted; they get [`SupervisorConfig::abort_grace`] to be gone. Blocking work cannot be
    /// aborted and may still run after that; it is reported so.
    ///
    /// Cancel-safe: dropped early it aborts nothing, and it can be called again. Nothing can be spawned after it.
    ///
    /// # Errors
    /// Names the tasks that had not ended, and the farewells that were cut off.
    pub async fn wait_stopped(&self, deadline: Duration) -> Result<(), Stragglers> {
        self.shared.root.token.cancelled().await;
        let result = self.shared.top.wind_down(deadline, self.shared.abort_grace).await;
        self.shared.hub.close();
        let tasks = self.farewells.cut_and(result.err().map(|late| late.tasks).unwrap_or_default());
        if tasks.is_empty() { Ok(()) } else { Err(Stragglers { deadline, tasks }) }
    }

    /// The tree as it is now.
    pub fn snapshot(&self) -> TaskTree {
        let services = self.shared.services.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let phase = self.shared.phase.lock().unwrap_or_else(PoisonError::into_inner).clone();
        TaskTree::take(&self.shared.root, self.farewells.scope(), &phase, &services)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shared.shutdown();
    }
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("name", &self.shared.root.name).finish_non_exhaustive()
    }
}
