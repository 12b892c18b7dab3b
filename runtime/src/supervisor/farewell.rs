//! What is still said when everything else is told to stop.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::event::SupervisorEvent;
use super::service::Shared;
use super::stragglers::Straggler;
use super::task;
use super::tree::{Name, ScopeNode, TaskKind};

/// The farewells of one supervisor: each a task that waits for the cancellation of the tree.
pub(crate) struct Farewells {
    scope: Arc<ScopeNode>,
    /// Those that were cut off. At most one entry a farewell.
    cut: Arc<Mutex<Vec<Straggler>>>,
}

impl Farewells {
    pub(crate) fn new(scope: Arc<ScopeNode>) -> Self {
        Self { scope, cut: Arc::default() }
    }

    pub(crate) fn scope(&self) -> &Arc<ScopeNode> {
        &self.scope
    }

    pub(crate) fn add<F, Fut>(&self, shared: Arc<Shared>, name: Name, farewell: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let path = self.scope.path(&name);
        let point = name.clone();
        let Ok(guard) = self.scope.register(name, TaskKind::Farewell) else {
            tracing::warn!(farewell = %path, "a farewell came after the end and is not said");
            return;
        };
        let cut = Arc::clone(&self.cut);
        let work = async move {
            shared.root.token.cancelled().await;
            let after: Duration = shared.shutdown_deadline;
            if timeout(after, async { farewell().await }).await.is_err() {
                tracing::warn!(farewell = %path, ?after, "a farewell was cut off at the deadline");
                let straggler = Straggler { task: path.clone(), kind: TaskKind::Farewell, still_running: false };
                cut.lock().unwrap_or_else(PoisonError::into_inner).push(straggler);
                shared.hub.emit(SupervisorEvent::FarewellCut { name: path, after });
            }
        };
        drop(task::launch(guard, moorline_sim_point::task(&point, work)));
    }

    /// Those that were cut off, and after them the `late` ones of the whole tree. A farewell that is being cut off at this
    /// very moment may be among both; it is named once.
    pub(crate) fn cut_and(&self, late: Vec<Straggler>) -> Vec<Straggler> {
        let mut all = self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let cut = all.len();
        for straggler in late {
            if !all[..cut].iter().any(|other| other.task == straggler.task) {
                all.push(straggler);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Supervisor, SupervisorConfig};
    use super::*;

    #[tokio::test]
    async fn a_farewell_that_is_seen_late_and_cut_is_named_once() {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let straggler =
            |task: &str| Straggler { task: task.to_owned(), kind: TaskKind::Farewell, still_running: false };
        supervisor.farewells.cut.lock().unwrap().push(straggler("farewells/goodbye"));
        let named = supervisor.farewells.cut_and(["a", "farewells/goodbye", "a"].map(straggler).to_vec());
        assert_eq!(named.iter().map(|one| one.task.as_str()).collect::<Vec<_>>(), ["farewells/goodbye", "a", "a"]);
    }
}
