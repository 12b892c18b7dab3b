//! Any sequence of spawning, cancelling, aborting and ending does to the tree what it does to a simple model of it.

use std::time::Duration;

use moorline_runtime::supervisor::{Scope, Supervisor, SupervisorConfig, Task, TaskError};
use proptest::prelude::*;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// One step. Numbers pick a scope or a task among those that there are.
#[derive(Debug, Clone)]
enum Op {
    Child(usize),
    Shielded(usize),
    Spawn(usize, Manner),
    Release(usize),
    Abort(usize),
    Cancel(usize),
    Forget(usize),
}

/// How a task behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Ends when it is released or its scope is cancelled.
    Polite,
    /// Ends when it is released.
    Stubborn,
    /// Panics when it is released.
    Mad,
}

struct ModelScope {
    parent: Option<usize>,
    shielded: bool,
    cancelled: bool,
    path: String,
}

struct ModelTask {
    scope: usize,
    manner: Manner,
    /// `None` while it runs.
    outcome: Option<Result<(), TaskError>>,
}

/// The model, and beside it the real thing.
struct World {
    supervisor: Supervisor,
    /// `None` once the handle is dropped; the scope may live on through its tasks and children.
    handles: Vec<Option<Scope>>,
    releases: Vec<Option<oneshot::Sender<()>>>,
    running: Vec<Option<Task<()>>>,
    scopes: Vec<ModelScope>,
    tasks: Vec<ModelTask>,
}

impl World {
    fn new() -> Self {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let root = ModelScope { parent: None, shielded: false, cancelled: false, path: String::new() };
        Self {
            handles: vec![Some(supervisor.root())],
            supervisor,
            releases: vec![],
            running: vec![],
            scopes: vec![root],
            tasks: vec![],
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Child(scope) => self.child(scope, false),
            Op::Shielded(scope) => self.child(scope, true),
            Op::Spawn(scope, manner) => self.spawn(scope, manner),
            Op::Release(task) if !self.tasks.is_empty() => self.release(task % self.tasks.len()),
            Op::Abort(task) if !self.tasks.is_empty() => {
                let task = task % self.tasks.len();
                if let Some(running) = &self.running[task] {
                    running.abort();
                    self.end(task, Err(TaskError::Cancelled));
                }
            }
            Op::Release(_) | Op::Abort(_) => {}
            Op::Cancel(scope) => {
                // The root is left to the shutdown at the end.
                let scope = scope % self.scopes.len();
                if let (Some(handle), true) = (&self.handles[scope], scope > 0) {
                    handle.cancel();
                    self.cancelled(scope);
                }
            }
            Op::Forget(scope) => {
                let scope = scope % self.scopes.len();
                if scope > 0 {
                    self.handles[scope] = None;
                }
            }
        }
    }

    fn child(&mut self, scope: usize, shielded: bool) {
        let parent = scope % self.scopes.len();
        let Some(handle) = &self.handles[parent] else { return };
        let name = format!("s{}", self.scopes.len());
        let child = if shielded { handle.shielded(name.clone()) } else { handle.child(name.clone()) };
        let above = &self.scopes[parent];
        let path = if above.path.is_empty() { name } else { format!("{}/{name}", above.path) };
        let cancelled = above.cancelled && !shielded;
        self.scopes.push(ModelScope { parent: Some(parent), shielded, cancelled, path });
        self.handles.push(Some(child));
    }

    fn spawn(&mut self, scope: usize, manner: Manner) {
        let scope = scope % self.scopes.len();
        let Some(handle) = &self.handles[scope] else { return };
        let (release, released) = oneshot::channel();
        let token = handle.token().clone();
        let task = handle.spawn(format!("t{}", self.tasks.len()), async move {
            match manner {
                Manner::Polite => tokio::select! {
                    biased;
                    () = token.cancelled() => {}
                    _ = released => {}
                },
                Manner::Stubborn => drop(released.await),
                Manner::Mad => {
                    let _ = released.await;
                    panic!("released");
                }
            }
        });
        self.releases.push(Some(release));
        self.running.push(Some(task));
        let outcome = self.scopes[scope].cancelled.then_some(Err(TaskError::Cancelled));
        self.tasks.push(ModelTask { scope, manner, outcome });
    }

    fn release(&mut self, task: usize) {
        if let Some(release) = self.releases[task].take() {
            let _ = release.send(());
            let path = self.path(task);
            self.end(
                task,
                match self.tasks[task].manner {
                    Manner::Mad => Err(TaskError::Panicked { task: path, message: "released".to_owned() }),
                    Manner::Polite | Manner::Stubborn => Ok(()),
                },
            );
        }
    }

    fn path(&self, task: usize) -> String {
        let scope = &self.scopes[self.tasks[task].scope].path;
        if scope.is_empty() { format!("t{task}") } else { format!("{scope}/t{task}") }
    }

    fn end(&mut self, task: usize, outcome: Result<(), TaskError>) {
        self.tasks[task].outcome.get_or_insert(outcome);
    }

    fn cancelled(&mut self, scope: usize) {
        self.scopes[scope].cancelled = true;
        for task in 0..self.tasks.len() {
            if self.tasks[task].scope == scope && self.tasks[task].manner == Manner::Polite {
                self.end(task, Ok(()));
            }
        }
        for child in scope + 1..self.scopes.len() {
            if self.scopes[child].parent == Some(scope) && !self.scopes[child].shielded {
                self.cancelled(child);
            }
        }
    }

    fn is_below(&self, mut scope: usize, top: usize) -> bool {
        while scope != top {
            let Some(parent) = self.scopes[scope].parent else { return false };
            scope = parent;
        }
        true
    }

    fn alive_below(&self, top: usize) -> usize {
        self.tasks.iter().filter(|task| task.outcome.is_none() && self.is_below(task.scope, top)).count()
    }

    async fn check(&mut self) -> Result<(), TestCaseError> {
        for (scope, handle) in self.handles.iter().enumerate() {
            if let Some(handle) = handle {
                prop_assert_eq!(handle.alive(), self.alive_below(scope), "alive in {}", &self.scopes[scope].path);
                prop_assert_eq!(handle.is_cancelled(), self.scopes[scope].cancelled, "{}", &self.scopes[scope].path);
                let joined = tokio::time::timeout(Duration::ZERO, handle.join()).await.is_ok();
                prop_assert_eq!(joined, self.alive_below(scope) == 0, "join of {}", &self.scopes[scope].path);
            }
        }
        for (task, running) in self.running.iter_mut().enumerate() {
            let finished = running.as_ref().is_none_or(Task::is_finished);
            prop_assert_eq!(finished, self.tasks[task].outcome.is_some(), "t{}", task);
            if finished && let Some(running) = running.take() {
                prop_assert_eq!(Some(running.await), self.tasks[task].outcome.clone(), "t{}", task);
            }
        }
        Ok(())
    }

    /// Shuts down: the polite end, all others are named, and nothing is left.
    async fn finish(mut self) -> Result<(), TestCaseError> {
        self.supervisor.shutdown();
        self.cancelled(0);
        let before = Instant::now();
        let stopped = self.supervisor.wait_stopped(Duration::from_secs(2)).await;
        let expected: Vec<String> = (0..self.tasks.len())
            .filter(|task| self.tasks[*task].outcome.is_none())
            .map(|task| self.path(task))
            .collect();
        let named = stopped.err().map(|stragglers| stragglers.tasks).unwrap_or_default();
        prop_assert!(named.iter().all(|straggler| !straggler.still_running));
        let named: Vec<String> = named.into_iter().map(|straggler| straggler.task).collect();
        let deadline = if expected.is_empty() { 0 } else { 2 };
        prop_assert_eq!(before.elapsed().as_secs(), deadline);
        prop_assert_eq!(named, expected);
        prop_assert_eq!(self.supervisor.root().alive(), 0);
        for scope in 0..self.scopes.len() {
            if let Some(handle) = &self.handles[scope] {
                prop_assert!(handle.is_cancelled());
                prop_assert_eq!(handle.spawn("late", async {}).await, Err(TaskError::Cancelled));
            }
        }
        self.handles.clear();
        prop_assert!(self.supervisor.snapshot().nodes.is_empty(), "{}", self.supervisor.snapshot());
        Ok(())
    }
}

fn op() -> impl Strategy<Value = Op> {
    let manner = prop_oneof![Just(Manner::Polite), Just(Manner::Stubborn), Just(Manner::Mad)];
    let any = 0..64usize;
    prop_oneof![
        3 => any.clone().prop_map(Op::Child),
        1 => any.clone().prop_map(Op::Shielded),
        6 => (any.clone(), manner).prop_map(|(scope, manner)| Op::Spawn(scope, manner)),
        3 => any.clone().prop_map(Op::Release),
        1 => any.clone().prop_map(Op::Abort),
        1 => any.clone().prop_map(Op::Cancel),
        1 => any.prop_map(Op::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_behaves_like_its_model(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for op in &ops {
                world.apply(op);
                // With a paused clock this lets everything run that can.
                sleep(Duration::from_millis(1)).await;
                world.check().await?;
            }
            world.finish().await
        })?;
    }
}
