//! Blocking work is bounded, joined and reported like every other task; what it cannot be is aborted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use moorline_runtime::supervisor::{BlockingPool, Job, Supervisor, SupervisorConfig, TaskError, TaskKind};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn blocking_work_is_awaited_by_join_and_by_shutdown() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let scope = supervisor.root().child("library");
    let (release, held) = mpsc::channel::<u32>();
    let work = scope.spawn_blocking("hash", move || held.recv());
    timeout(Duration::from_millis(20), scope.join()).await.expect_err("it still works");
    supervisor.shutdown();
    timeout(Duration::from_millis(20), supervisor.wait_stopped(SOON)).await.expect_err("it still works");
    release.send(8).unwrap();
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
    assert_eq!(work.await.unwrap(), Ok(8));
}

#[tokio::test]
async fn no_more_than_the_configured_number_run_at_once() {
    let supervisor = Supervisor::new(SupervisorConfig { blocking_threads: 3, ..SupervisorConfig::default() });
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            supervisor.root().spawn_blocking("work", move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    for task in tasks {
        timeout(SOON, task).await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn work_that_has_not_begun_when_its_scope_is_cancelled_never_runs() {
    let supervisor = Supervisor::new(SupervisorConfig { blocking_threads: 1, ..SupervisorConfig::default() });
    let (release, held) = mpsc::channel::<()>();
    let first = supervisor.root().spawn_blocking("first", move || held.recv());
    let scope = supervisor.root().child("queued");
    let second = scope.spawn_blocking("second", || panic!("must not run"));
    tokio::task::yield_now().await;
    scope.cancel();
    assert_eq!(timeout(SOON, second).await.unwrap(), Err::<(), _>(TaskError::Cancelled));
    timeout(SOON, scope.join()).await.unwrap();
    release.send(()).unwrap();
    timeout(SOON, first).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_in_blocking_work_is_contained_and_gives_its_place_back() {
    let supervisor = Supervisor::new(SupervisorConfig { blocking_threads: 1, ..SupervisorConfig::default() });
    let scope = supervisor.root().child("library");
    let expected = TaskError::Panicked { task: "library/hash".to_owned(), message: "bad sector".to_owned() };
    assert_eq!(scope.spawn_blocking("hash", || panic!("bad sector")).await, Err::<(), _>(expected));
    assert_eq!(timeout(SOON, scope.spawn_blocking("hash", || 5)).await.unwrap(), Ok(5));
}

#[tokio::test]
async fn aborted_work_that_has_begun_is_still_joined() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let scope = supervisor.root().child("library");
    let (begun, started) = tokio::sync::oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let work = scope.spawn_blocking("hash", move || {
        let _ = begun.send(());
        let _ = held.recv();
    });
    timeout(SOON, started).await.unwrap().unwrap();
    work.abort();
    assert_eq!(timeout(SOON, work).await.unwrap(), Err(TaskError::Cancelled));
    timeout(Duration::from_millis(20), scope.join()).await.expect_err("the thread still works");
    assert_eq!(scope.alive(), 1);
    release.send(()).unwrap();
    timeout(SOON, scope.join()).await.unwrap();
}

#[tokio::test]
async fn a_blocking_straggler_is_reported_as_still_running() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let (begun, started) = tokio::sync::oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    drop(supervisor.root().child("library").spawn_blocking("hash", move || {
        let _ = begun.send(());
        let _ = held.recv();
    }));
    timeout(SOON, started).await.unwrap().unwrap();
    supervisor.shutdown();
    let stragglers = timeout(SOON, supervisor.wait_stopped(Duration::from_millis(50))).await.unwrap().unwrap_err();
    assert_eq!(stragglers.to_string(), "1 task had not ended within 50ms: library/hash (still running)");
    assert_eq!(stragglers.tasks[0].kind, TaskKind::Blocking);
    release.send(()).unwrap();
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
}

/// Runs each job on the spot, as a simulation does.
struct Inline;

impl BlockingPool for Inline {
    fn run(&self, job: Job) {
        job();
    }
}

/// Has no threads left.
struct Broken;

impl BlockingPool for Broken {
    fn run(&self, job: Job) {
        drop(job);
    }
}

#[tokio::test]
async fn the_pool_is_handed_in() {
    let supervisor = Supervisor::new(SupervisorConfig { pool: Arc::new(Inline), ..SupervisorConfig::default() });
    let here = std::thread::current().id();
    assert_eq!(supervisor.root().spawn_blocking("work", || std::thread::current().id()).await, Ok(here));

    let supervisor = Supervisor::new(SupervisorConfig { pool: Arc::new(Broken), ..SupervisorConfig::default() });
    let task = supervisor.root().spawn_blocking("work", || ());
    assert_eq!(timeout(SOON, task).await.unwrap(), Err(TaskError::Cancelled));
    timeout(SOON, supervisor.root().join()).await.unwrap();
}
