//! How a subtree ends: waited for, closed to newcomers, and, at a deadline, named and aborted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::stragglers::{Straggler, Stragglers};
use super::ScopeNode;

impl ScopeNode {
    /// Waits until nothing in this subtree is alive.
    pub(crate) async fn join(self: &Arc<Self>) {
        self.tracker.wait().await;
        if self.token.is_cancelled() {
            self.fence();
            self.tracker.wait().await;
        }
    }

    /// Waits until nothing is alive, and lets nothing start from then on.
    async fn settled(self: &Arc<Self>) {
        self.fence();
        self.tracker.wait().await;
        // Only a shielded scope can have started something in between; it is cancelled by this.
        self.seal();
        self.tracker.wait().await;
    }

    /// Waits for the subtree to end; at the deadline names what has not, and aborts it.
    pub(crate) async fn wind_down(self: &Arc<Self>, deadline: Duration, grace: Duration) -> Result<(), Stragglers> {
        if timeout(deadline, self.settled()).await.is_ok() {
            return Ok(());
        }
        self.seal();
        let mut named = self.stragglers();
        if named.is_empty() {
            self.tracker.wait().await;
            return Ok(());
        }
        for (_, straggler) in &named {
            tracing::warn!(task = %straggler.task, ?deadline, "still running at the deadline: aborted");
        }
        self.abort_all();
        // What stays after this is blocking work, or code that never awaits.
        let _ = timeout(grace, self.tracker.wait()).await;
        let left = self.stragglers();
        for (id, straggler) in &mut named {
            straggler.still_running = left.iter().any(|(other, _)| other == id);
        }
        Err(Stragglers { deadline, tasks: named.into_iter().map(|(_, straggler)| straggler).collect() })
    }

    /// After this no task can slip in that saw the scope before its cancellation.
    fn fence(self: &Arc<Self>) {
        self.walk(|_, _| {});
    }

    fn seal(self: &Arc<Self>) {
        let mut tokens = vec![];
        self.walk(|node, registry| {
            registry.sealed = true;
            tokens.push(node.token.clone());
        });
        for token in tokens {
            token.cancel();
        }
    }

    fn abort_all(self: &Arc<Self>) {
        let mut handles = vec![];
        self.walk(|_, registry| {
            for record in registry.tasks.values_mut() {
                record.aborted = true;
                handles.extend(record.abort.clone());
            }
        });
        for handle in handles {
            handle.abort();
        }
    }

    fn stragglers(self: &Arc<Self>) -> Vec<(u64, Straggler)> {
        let mut found = vec![];
        self.walk(|node, registry| {
            found.extend(registry.tasks.iter().map(|(id, record)| {
                let task = node.path(&record.name);
                (*id, Straggler { task, kind: record.kind, still_running: true })
            }));
        });
        found.sort_by_key(|(id, _)| *id);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Supervisor, SupervisorConfig};
    use super::super::TaskKind;
    use super::*;

    #[tokio::test]
    async fn a_task_that_is_aborted_before_its_handle_is_known_is_aborted_then() {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let node = &supervisor.shared.root;
        let guard = node.register("early".into(), TaskKind::Async).expect("the scope is open");
        node.abort_all();
        let task = tokio::spawn(std::future::pending::<()>());
        node.attach(guard.id(), task.abort_handle());
        let joined = timeout(Duration::from_secs(5), task).await.expect("aborted in time");
        assert!(joined.unwrap_err().is_cancelled());
    }
}
