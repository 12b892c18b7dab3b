//! What only threads can get wrong: a task that slips in while its scope is being closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use moorline_runtime::supervisor::{Policy, Supervisor, SupervisorConfig, SupervisorEvent};
use tokio::time::timeout;

const ROUNDS: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_runs_after_the_join_of_a_cancelled_scope() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let late = Arc::new(AtomicUsize::new(0));
    for round in 0..ROUNDS {
        let scope = supervisor.root().child("scope");
        let joined = Arc::new(AtomicBool::new(false));
        let spawning = scope.child("below");
        let spawner = std::thread::spawn({
            let (joined, late) = (Arc::clone(&joined), Arc::clone(&late));
            move || {
                while !spawning.is_cancelled() {
                    let (joined, late) = (Arc::clone(&joined), Arc::clone(&late));
                    drop(spawning.spawn("task", async move {
                        late.fetch_add(usize::from(joined.load(Ordering::SeqCst)), Ordering::SeqCst);
                    }));
                }
            }
        });
        for _ in 0..round % 100 {
            std::hint::spin_loop();
        }
        scope.cancel();
        timeout(Duration::from_secs(10), scope.join()).await.expect("the join ends");
        joined.store(true, Ordering::SeqCst);
        spawner.join().expect("the spawner ends");
        assert_eq!(scope.alive(), 0, "round {round}");
    }
    assert_eq!(late.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_services_that_fail_at_the_same_time_one_fails_the_runtime() {
    for _ in 0..500 {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let mut events = supervisor.events();
        let gate = Arc::new(tokio::sync::Barrier::new(2));
        for name in ["first", "second"] {
            let gate = Arc::clone(&gate);
            supervisor.spawn(name, Policy::Required, move |_| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.wait().await;
                    Err("broken".into())
                }
            });
        }
        timeout(Duration::from_secs(10), supervisor.wait_stopped(Duration::from_secs(10))).await.unwrap().unwrap();
        let mut failures = 0;
        while let Some(event) = events.next().await {
            failures += usize::from(matches!(event, SupervisorEvent::RuntimeFailed(_)));
        }
        assert_eq!(failures, 1);
    }
}
