//! Scopes: cancelled as a branch, joined as a branch, and no task harms its neighbour.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use moorline_runtime::supervisor::{Supervisor, SupervisorConfig, SupervisorEvent, TaskError};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(5);

fn supervisor() -> Supervisor {
    Supervisor::new(SupervisorConfig::named("test"))
}

#[tokio::test]
async fn a_panic_is_contained_heard_and_named_and_siblings_go_on() {
    let supervisor = supervisor();
    let mut events = supervisor.events();
    let scope = supervisor.root().child("server");
    let (release, held) = oneshot::channel::<u32>();
    let sibling = scope.spawn("sibling", held);
    let mad = scope.spawn(format!("stream {}", 3), async { panic!("lost at {}", "sea") });
    let expected = TaskError::Panicked { task: "server/stream 3".to_owned(), message: "lost at sea".to_owned() };
    assert_eq!(timeout(SOON, mad).await.unwrap(), Err::<(), _>(expected));
    let Some(SupervisorEvent::TaskPanicked { task, message }) = timeout(SOON, events.next()).await.unwrap() else {
        panic!("an event of the panic");
    };
    assert_eq!((task.as_str(), message.as_str()), ("server/stream 3", "lost at sea"));
    assert!(!scope.is_cancelled());
    release.send(7).unwrap();
    assert_eq!(timeout(SOON, sibling).await.unwrap().unwrap(), Ok(7));
}

/// Panics when it is dropped.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("in the destructor");
    }
}

#[tokio::test]
async fn a_panic_in_a_destructor_is_contained_too_also_after_an_abort() {
    let supervisor = supervisor();
    let mut events = supervisor.events();
    let scope = supervisor.root();
    let ended = scope.spawn("ended", async {
        let _mine = Mine;
    });
    assert!(matches!(timeout(SOON, ended).await.unwrap(), Err(TaskError::Panicked { .. })));
    let mine = Mine;
    let aborted = scope.spawn("aborted", async move {
        let _mine = mine;
        pending::<()>().await;
    });
    aborted.abort();
    assert_eq!(timeout(SOON, aborted).await.unwrap(), Err(TaskError::Cancelled));
    timeout(SOON, scope.join()).await.unwrap();
    for expected in ["ended", "aborted"] {
        let Some(SupervisorEvent::TaskPanicked { task, message }) = timeout(SOON, events.next()).await.unwrap() else {
            panic!("an event of the panic in {expected}");
        };
        assert_eq!((task.as_str(), message.as_str()), (expected, "in the destructor"));
    }
}

#[tokio::test]
async fn cancelling_a_child_touches_neither_siblings_nor_parents() {
    let supervisor = supervisor();
    let parent = supervisor.root().child("parent");
    let (left, right) = (parent.child("left"), parent.child("right"));
    let below = left.child("below");
    left.cancel();
    assert!(left.is_cancelled() && below.is_cancelled() && left.child("born later").is_cancelled());
    assert!(!right.is_cancelled() && !parent.is_cancelled() && !supervisor.is_shutting_down());
    assert_eq!(below.spawn("task", async {}).await, Err(TaskError::Cancelled));
    assert_eq!(right.spawn("task", async { 3 }).await, Ok(3));
}

#[tokio::test]
async fn a_deep_tree_is_cancelled_and_joined_from_the_top() {
    let supervisor = supervisor();
    let top = supervisor.root().child("top");
    let ended = Arc::new(AtomicUsize::new(0));
    let mut scope = top.clone();
    for _ in 0..300 {
        scope = scope.child("deeper");
        let (token, ended) = (scope.token().clone(), Arc::clone(&ended));
        drop(scope.spawn("task", async move {
            token.cancelled().await;
            tokio::task::yield_now().await;
            ended.fetch_add(1, Ordering::SeqCst);
        }));
    }
    drop(scope);
    assert_eq!(top.alive(), 300, "a scope without a handle stays as long as a task is in it");
    timeout(Duration::from_millis(20), top.join()).await.expect_err("a join does not cancel");
    top.cancel();
    timeout(SOON, top.join()).await.unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 300);
    assert_eq!(top.alive(), 0);
}

#[tokio::test]
async fn join_waits_for_tasks_that_tasks_spawn() {
    let supervisor = supervisor();
    let scope = supervisor.root().child("scope");
    let inner = scope.clone();
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    drop(scope.spawn("outer", async move {
        let below = inner.child("below");
        drop(below.spawn("inner", async move {
            sleep(Duration::from_millis(20)).await;
            flag.store(true, Ordering::SeqCst);
        }));
    }));
    timeout(SOON, scope.join()).await.unwrap();
    assert!(ended.load(Ordering::SeqCst));
    assert_eq!(scope.spawn("again", async { 1 }).await, Ok(1), "a join closes nothing");
}

#[tokio::test]
async fn dropping_a_task_detaches_it_and_abort_ends_it() {
    let supervisor = supervisor();
    let scope = supervisor.root().child("scope");
    let (sender, receiver) = oneshot::channel();
    drop(scope.spawn("detached", async move {
        tokio::task::yield_now().await;
        let _ = sender.send(5);
    }));
    assert_eq!(timeout(SOON, receiver).await.unwrap(), Ok(5));

    let task = scope.spawn("aborted", pending::<()>());
    task.abort();
    assert_eq!(timeout(SOON, task).await.unwrap(), Err(TaskError::Cancelled));
    timeout(SOON, scope.join()).await.unwrap();
}

/// Remembers how many tasks were alive when it was dropped.
struct Witness(moorline_runtime::supervisor::Scope, Arc<AtomicUsize>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.1.store(self.0.alive(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_task_counts_as_alive_until_all_that_it_owns_is_dropped_however_it_ends() {
    let supervisor = supervisor();
    let scope = supervisor.root().child("scope");
    for ending in ["returns", "panics", "aborted waiting", "aborted unpolled"] {
        let alive = Arc::new(AtomicUsize::new(0));
        let witness = Witness(scope.clone(), Arc::clone(&alive));
        let task = scope.spawn(ending, async move {
            let _witness = &witness;
            match ending {
                "returns" => {}
                "panics" => panic!("at once"),
                _ => pending::<()>().await,
            }
        });
        if ending == "aborted waiting" {
            tokio::task::yield_now().await;
        }
        if ending.starts_with("aborted") {
            task.abort();
        }
        drop(task);
        timeout(SOON, scope.join()).await.unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 1, "{ending}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shielded_scope_outlives_the_cancellation_and_is_still_joined() {
    let supervisor = supervisor();
    let download = supervisor.root().child("download");
    let cleanup = download.shielded("cleanup");
    download.cancel();
    let journal = cleanup.spawn("journal", sleep(Duration::from_secs(1)));
    assert!(!cleanup.is_cancelled());
    let before = Instant::now();
    supervisor.shutdown();
    supervisor.wait_stopped(Duration::from_secs(2)).await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    assert_eq!(journal.await, Ok(()));
    assert!(cleanup.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn stopping_a_scope_names_its_stragglers_and_leaves_the_rest_alone() {
    let supervisor = supervisor();
    let (one, other) = (supervisor.root().child("one"), supervisor.root().child("other"));
    drop(one.child("peer").spawn("hangs", pending::<()>()));
    let shielded = one.shielded("shielded");
    drop(shielded.spawn("hangs too", pending::<()>()));
    let bystander = other.spawn("bystander", sleep(Duration::from_secs(60)));
    let stragglers = one.stop(Duration::from_secs(3), Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(stragglers.names(), ["one/peer/hangs", "one/shielded/hangs too"]);
    assert_eq!(one.alive(), 0);
    assert_eq!(shielded.spawn("late", async {}).await, Err(TaskError::Cancelled));
    assert_eq!(bystander.await, Ok(()));
}

#[tokio::test]
async fn one_task_more_than_allowed_is_refused_and_a_place_is_free_again_when_one_ends() {
    let supervisor = Supervisor::new(SupervisorConfig { max_tasks: 3, ..SupervisorConfig::default() });
    let scope = supervisor.root().child("scope");
    let mut tasks: Vec<_> = (0..3).map(|_| scope.spawn("held", pending::<()>())).collect();
    assert_eq!(scope.spawn("one more", async {}).await, Err(TaskError::Full { limit: 3 }));
    assert_eq!(supervisor.root().spawn_blocking("one more", || ()).await, Err(TaskError::Full { limit: 3 }));
    let last = tasks.pop().unwrap();
    last.abort();
    last.await.unwrap_err();
    assert_eq!(scope.spawn("again", async { 4 }).await, Ok(4));
}

#[test]
fn tasks_can_be_spawned_from_outside_of_the_runtime_and_a_dead_runtime_cancels_them() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let supervisor = runtime.block_on(async { supervisor() });
    let scope = supervisor.root();
    let task = scope.spawn("from a plain thread", async { 9 });
    assert_eq!(runtime.block_on(task), Ok(9));
    drop(scope.spawn("hangs", pending::<()>()));
    runtime.shutdown_timeout(SOON);
    assert_eq!(scope.alive(), 0);
    drop(scope.spawn("after the end", async {}));
    assert_eq!(scope.alive(), 0);
}
