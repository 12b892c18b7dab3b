//! The tree behind the scopes: who is whose child, and which tasks are alive.
//!
//! Locks: one a node, held for a few lines and never across an await, a wake-up or a call-out. A node may lock its parent
//! while it holds its own lock, never the other way round: walks downwards let go of a node before they visit its children.
//!
//! Memory: a task is recorded while it lives, a scope while it has a handle, a task or a child scope.

mod ending;
mod guard;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Span;

use super::blocking::BlockingPool;
use super::catch::PanicMessage;
use super::event::Hub;
use super::task::TaskError;

pub(crate) use guard::TaskGuard;
use guard::{Place, Uplink};

pub(crate) type Name = Cow<'static, str>;

/// What all scopes of one supervisor share.
pub(crate) struct Env {
    pub(crate) handle: Handle,
    pub(crate) blocking: Arc<Semaphore>,
    pub(crate) pool: Arc<dyn BlockingPool>,
    pub(crate) max_tasks: usize,
    pub(crate) alive: AtomicUsize,
    pub(crate) ids: AtomicU64,
    pub(crate) hub: Weak<Hub>,
}

/// What a scope is for, which decides where it shows up and what cancels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    /// The supervisor's own scopes, which paths leave out.
    Hidden,
    /// Made by [`Scope::child`](super::Scope::child).
    Plain,
    /// Not cancelled with its parent.
    Shielded,
    /// One run of a service.
    Run,
}

/// What sort of task something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskKind {
    /// An async task.
    Async,
    /// Blocking work on a thread. Once begun it cannot be aborted.
    Blocking,
    /// A service.
    Service,
    /// What [`Supervisor::on_shutdown`](super::Supervisor::on_shutdown) was given.
    Farewell,
}

pub(crate) struct ScopeNode {
    pub(crate) name: Name,
    pub(crate) kind: ScopeKind,
    pub(crate) parent: Option<Arc<ScopeNode>>,
    pub(crate) token: CancellationToken,
    pub(crate) span: Span,
    pub(crate) env: Arc<Env>,
    id: u64,
    /// Counts own tasks and child scopes with something alive. Closed from the start, so that it can always be awaited;
    /// what keeps tasks out is the registry.
    tracker: TaskTracker,
    registry: Mutex<Registry>,
}

/// Everything of a node that changes.
#[derive(Default)]
pub(crate) struct Registry {
    /// Nothing starts here any more, shielded or not.
    sealed: bool,
    /// Own tasks plus child scopes with something alive.
    live: usize,
    /// Present while `live > 0`: the parent counts this scope.
    uplink: Option<Uplink>,
    pub(crate) tasks: BTreeMap<u64, Record>,
    children: BTreeMap<u64, Weak<ScopeNode>>,
}

pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) kind: TaskKind,
    abort: Option<AbortHandle>,
    /// Aborted before the handle was known.
    aborted: bool,
}

impl ScopeNode {
    pub(crate) fn top(name: Name, env: Arc<Env>) -> Arc<Self> {
        let span = tracing::error_span!("supervisor", %name);
        Arc::new(Self {
            name,
            kind: ScopeKind::Hidden,
            parent: None,
            token: CancellationToken::new(),
            span,
            id: env.next_id(),
            env,
            tracker: closed_tracker(),
            registry: Mutex::default(),
        })
    }

    pub(crate) fn child(self: &Arc<Self>, name: Name, kind: ScopeKind) -> Arc<Self> {
        let span = match kind {
            ScopeKind::Hidden => self.span.clone(),
            _ => tracing::error_span!(parent: &self.span, "scope", %name),
        };
        let shielded = kind == ScopeKind::Shielded;
        let token = if shielded { CancellationToken::new() } else { self.token.child_token() };
        let id = self.env.next_id();
        let mut registry = self.lock();
        let child = Arc::new(Self {
            name,
            kind,
            parent: Some(Arc::clone(self)),
            token,
            span,
            id,
            env: Arc::clone(&self.env),
            tracker: closed_tracker(),
            registry: Mutex::new(Registry { sealed: registry.sealed, ..Registry::default() }),
        });
        registry.children.insert(id, Arc::downgrade(&child));
        let sealed = registry.sealed;
        drop(registry);
        if sealed {
            child.token.cancel();
        }
        child
    }

    /// Admits one task, or says why not. The check and the entry are one step: what [`join`](Self::join) has seen
    /// empty after a cancellation stays empty.
    pub(crate) fn register(self: &Arc<Self>, name: Name, kind: TaskKind) -> Result<TaskGuard, TaskError> {
        let mut registry = self.lock();
        if registry.sealed || self.token.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        let place = Place::take(&self.env, kind)?;
        let id = self.env.next_id();
        registry.tasks.insert(id, Record { name, kind, abort: None, aborted: false });
        let token = self.enter(&mut registry);
        drop(registry);
        Ok(TaskGuard::new(id, Arc::clone(self), token, place))
    }

    /// Hands in the abort handle of a task that has just been started.
    pub(crate) fn attach(&self, id: u64, handle: AbortHandle) {
        let mut registry = self.lock();
        let Some(record) = registry.tasks.get_mut(&id) else {
            return;
        };
        if record.aborted {
            drop(registry);
            handle.abort();
        } else {
            record.abort = Some(handle);
        }
    }

    /// Names from below the supervisor's own scopes down to this one, joined by slashes; then `leaf`, unless empty.
    pub(crate) fn path(&self, leaf: &str) -> String {
        let mut names = if leaf.is_empty() { vec![] } else { vec![leaf] };
        let mut node = Some(self);
        while let Some(this) = node {
            if this.kind != ScopeKind::Hidden {
                names.push(&this.name);
            }
            node = this.parent.as_deref();
        }
        names.reverse();
        names.join("/")
    }

    /// How many tasks of this subtree are alive.
    pub(crate) fn alive(self: &Arc<Self>) -> usize {
        let mut count = 0;
        self.walk(|_, registry| count += registry.tasks.len());
        count
    }

    pub(crate) fn children(&self) -> Vec<Arc<ScopeNode>> {
        self.lock().children.values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a panic of the task `name` in this scope heard: in the log and as an event.
    pub(crate) fn heard(&self, name: &str, panic: PanicMessage) -> TaskError {
        let task = self.path(name);
        let message = panic.0;
        tracing::error!(%task, %message, "a task panicked");
        if let Some(hub) = self.env.hub.upgrade() {
            hub.task_panicked(&task, &message);
        }
        TaskError::Panicked { task, message }
    }

    /// Counts one more thing alive in this scope and, with the first, this scope in its parent.
    fn enter(&self, registry: &mut Registry) -> TaskTrackerToken {
        registry.live += 1;
        if registry.live == 1 {
            registry.uplink =
                self.parent.as_ref().map(|parent| Uplink::new(Arc::clone(parent), parent.enter(&mut parent.lock())));
        }
        self.tracker.token()
    }

    /// Undoes one [`enter`](Self::enter). Record and uplink are dropped without the lock.
    fn leave(&self, task: Option<u64>) {
        let mut registry = self.lock();
        let record = task.and_then(|id| registry.tasks.remove(&id));
        registry.live -= 1;
        let uplink = if registry.live == 0 { registry.uplink.take() } else { None };
        drop(registry);
        drop((record, uplink));
    }

    /// Visits this node and all below it, each under its own lock only.
    fn walk(self: &Arc<Self>, mut visit: impl FnMut(&ScopeNode, &mut Registry)) {
        let mut pending = vec![Arc::clone(self)];
        while let Some(node) = pending.pop() {
            let mut registry = node.lock();
            visit(&node, &mut registry);
            pending.extend(registry.children.values().filter_map(Weak::upgrade));
        }
    }
}

impl Drop for ScopeNode {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.lock().children.remove(&self.id);
        }
    }
}

impl Env {
    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}

fn closed_tracker() -> TaskTracker {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
}

#[cfg(test)]
mod tests {
    use super::super::{Supervisor, SupervisorConfig};
    use super::*;

    #[tokio::test]
    async fn a_sealed_scope_refuses_before_its_token_is_cancelled() {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let node = supervisor.shared.root.child("scope".into(), ScopeKind::Plain);
        node.lock().sealed = true;
        assert!(matches!(node.register("task".into(), TaskKind::Async), Err(TaskError::Cancelled)));
        let child = node.child("child".into(), ScopeKind::Shielded);
        assert!(matches!(child.register("task".into(), TaskKind::Farewell), Err(TaskError::Cancelled)));
    }
}
