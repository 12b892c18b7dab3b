//! The tree as it is at one moment, to look at and to print.

use std::fmt;
use std::sync::Arc;

use super::config::Policy;
use super::event::ServiceState;
use super::service::{Phase, ServiceRecord};
use super::tree::{ScopeKind, ScopeNode, TaskKind};

/// All services, scopes and tasks that are alive. Its `Display` is a tree, a line each.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskTree {
    /// Name of the supervisor.
    pub name: String,
    /// How the whole stands: `running`, `stopping`, or `failed` and why.
    pub state: String,
    /// What is directly below it: services first, in the order in which they were spawned.
    pub nodes: Vec<TaskNode>,
}

/// One line of a [`TaskTree`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskNode {
    /// The name that it was given.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// What is below it.
    pub children: Vec<TaskNode>,
}

/// What a line of a [`TaskTree`] stands for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeKind {
    /// A service, alive or not.
    #[non_exhaustive]
    Service {
        /// What its end means.
        policy: Policy,
        /// How it stands.
        state: ServiceState,
    },
    /// A scope.
    #[non_exhaustive]
    Scope {
        /// Whether it was cancelled.
        cancelled: bool,
    },
    /// A task.
    Task(TaskKind),
}

impl TaskTree {
    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&ServiceState> {
        self.nodes.iter().find_map(|node| match &node.kind {
            NodeKind::Service { state, .. } if node.name == name => Some(state),
            _ => None,
        })
    }

    pub(crate) fn take(
        root: &Arc<ScopeNode>,
        farewells: &Arc<ScopeNode>,
        phase: &Phase,
        services: &[Arc<ServiceRecord>],
    ) -> Self {
        let state = match phase {
            Phase::Failed(failure) => format!("failed: {failure}"),
            Phase::Running if !root.token.is_cancelled() => "running".to_owned(),
            Phase::Running | Phase::Stopping => "stopping".to_owned(),
        };
        let mut nodes: Vec<_> = services.iter().map(|service| service_node(service)).collect();
        nodes.extend(below(root));
        let said = below(farewells);
        if !said.is_empty() {
            let kind = NodeKind::Scope { cancelled: false };
            nodes.push(TaskNode { name: farewells.name.to_string(), kind, children: said });
        }
        Self { name: root.name.to_string(), state, nodes }
    }
}

fn service_node(service: &ServiceRecord) -> TaskNode {
    let (state, run) = service.status();
    let kind = NodeKind::Service { policy: service.policy.clone(), state };
    TaskNode { name: service.name.to_owned(), kind, children: run.as_ref().map(below).unwrap_or_default() }
}

/// Own tasks, then child scopes. Services are shown with their own records.
fn below(scope: &Arc<ScopeNode>) -> Vec<TaskNode> {
    let tasks: Vec<_> = scope
        .lock()
        .tasks
        .values()
        .filter(|record| record.kind != TaskKind::Service)
        .map(|record| TaskNode { name: record.name.to_string(), kind: NodeKind::Task(record.kind), children: vec![] })
        .collect();
    let scopes = scope.children().into_iter().filter(|child| child.kind != ScopeKind::Run).map(|child| TaskNode {
        name: child.name.to_string(),
        kind: NodeKind::Scope { cancelled: child.token.is_cancelled() },
        children: below(&child),
    });
    tasks.into_iter().chain(scopes).collect()
}

impl fmt::Display for TaskTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.state)?;
        write_nodes(f, &self.nodes, "")
    }
}

fn write_nodes(f: &mut fmt::Formatter<'_>, nodes: &[TaskNode], indent: &str) -> fmt::Result {
    let mut rest = nodes;
    while let Some(node) = rest.first() {
        // A thousand streams make one line.
        let same = rest.iter().take_while(|other| other.is_like(node)).count();
        rest = &rest[same..];
        let (branch, deeper) = if rest.is_empty() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        write!(f, "\n{indent}{branch}{}", node.name)?;
        if same > 1 {
            write!(f, " x {same}")?;
        }
        node.kind.write_note(f)?;
        write_nodes(f, &node.children, &format!("{indent}{deeper}"))?;
    }
    Ok(())
}

impl TaskNode {
    fn is_like(&self, other: &TaskNode) -> bool {
        match (&self.kind, &other.kind) {
            _ if std::ptr::eq(self, other) => true,
            (NodeKind::Task(a), NodeKind::Task(b)) => a == b && self.name == other.name,
            _ => false,
        }
    }
}

impl NodeKind {
    fn write_note(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { policy, state } => {
                let policy = match policy {
                    Policy::Required => "required",
                    Policy::Restart(_) => "restart",
                    Policy::BestEffort => "best effort",
                };
                write!(f, " [{policy}] {state}")
            }
            Self::Scope { cancelled: true } => f.write_str("/ cancelled"),
            Self::Scope { cancelled: false } => f.write_str("/"),
            Self::Task(TaskKind::Blocking) => f.write_str(" (blocking)"),
            Self::Task(_) => Ok(()),
        }
    }
}
