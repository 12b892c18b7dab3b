//! A service under `Restart` comes back after a wait that grows to a ceiling, until the tree is cancelled.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_runtime::supervisor::{
    Backoff, BoxError, Policy, Scope, ServiceState, Supervisor, SupervisorConfig, SupervisorEvent, TaskError,
};
use tokio::time::{Instant, sleep, timeout};

type Run = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Seconds from the start at which each run began.
type Starts = Arc<Mutex<Vec<u64>>>;

fn failing(starts: &Starts, lasting: Duration) -> impl FnMut(Scope) -> Run + Send + 'static {
    let starts = Arc::clone(starts);
    let zero = Instant::now();
    move |_| {
        starts.lock().unwrap().push(zero.elapsed().as_secs());
        Box::pin(async move {
            sleep(lasting).await;
            Err("no network".into())
        })
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn restart_with_a_fixed_wait_goes_on_until_shutdown_and_stops_while_waiting() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let starts = Starts::default();
    supervisor.spawn("discovery", Policy::Restart(Backoff::fixed(seconds(5))), failing(&starts, Duration::ZERO));
    sleep(seconds(52)).await;
    assert_eq!(*starts.lock().unwrap(), [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]);
    assert!(supervisor.failure().is_none());

    let before = Instant::now();
    supervisor.shutdown();
    supervisor.wait_stopped(seconds(2)).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO, "a waiting service stops at once");
    sleep(seconds(60)).await;
    assert_eq!(starts.lock().unwrap().len(), 11, "and does not come back");
    assert_eq!(supervisor.snapshot().service("discovery").unwrap().to_string(), "stopped");
}

#[tokio::test(start_paused = true)]
async fn waits_grow_to_the_ceiling_and_a_healthy_run_resets_them() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let backoff = Backoff { initial: seconds(1), ceiling: seconds(6), factor: 2, reset_after: seconds(60) };
    let starts = Starts::default();
    let zero = Instant::now();
    let log = Arc::clone(&starts);
    supervisor.spawn("liveness", Policy::Restart(backoff), move |_| {
        let run = {
            let mut log = log.lock().unwrap();
            log.push(zero.elapsed().as_secs());
            log.len()
        };
        async move {
            // The sixth run is healthy: 60 s, exactly what counts as that.
            sleep(if run == 6 { seconds(60) } else { Duration::ZERO }).await;
            Err("no answer".into())
        }
    });
    sleep(seconds(90)).await;
    // Waits 1, 2, 4, 6, 6; the run of 60 s; waits 1, 2, 4.
    assert_eq!(*starts.lock().unwrap(), [0, 1, 3, 7, 13, 19, 80, 82, 86]);
}

#[tokio::test(start_paused = true)]
async fn a_run_just_short_of_healthy_resets_nothing() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let backoff = Backoff { initial: seconds(1), ceiling: seconds(100), factor: 10, reset_after: seconds(60) };
    let starts = Starts::default();
    supervisor.spawn("liveness", Policy::Restart(backoff), failing(&starts, seconds(59)));
    sleep(seconds(300)).await;
    // Runs of 59 s; waits 1, 10, 100.
    assert_eq!(*starts.lock().unwrap(), [0, 60, 129, 288]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_plain_return_restart_too_and_every_state_is_announced() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let mut events = supervisor.events();
    let mut run = 0;
    supervisor.spawn("discovery", Policy::Restart(Backoff::fixed(seconds(5))), move |scope: Scope| {
        run += 1;
        async move {
            match run {
                1 => panic!("daemon died"),
                2 => Ok(()),
                _ => {
                    scope.cancelled().await;
                    Ok(())
                }
            }
        }
    });
    let mut told = vec![];
    while told.len() < 5 {
        if let Some(SupervisorEvent::Service(service)) = timeout(seconds(60), events.next()).await.unwrap() {
            told.push(format!("{} {}", service.name, service.state));
        }
    }
    supervisor.shutdown();
    supervisor.wait_stopped(seconds(2)).await.unwrap();
    while let Some(SupervisorEvent::Service(service)) = timeout(seconds(60), events.next()).await.unwrap() {
        told.push(format!("{} {}", service.name, service.state));
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    discovery running
    discovery restarting in 5s (attempt 1): panicked: daemon died
    discovery running
    discovery restarting in 5s (attempt 2): ended unexpectedly
    discovery running
    discovery stopped
    ");
}

#[tokio::test(start_paused = true)]
async fn the_time_until_the_next_run_counts_down() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let starts = Starts::default();
    supervisor.spawn("discovery", Policy::Restart(Backoff::fixed(seconds(5))), failing(&starts, Duration::ZERO));
    sleep(seconds(3)).await;
    let snapshot = supervisor.snapshot();
    let Some(ServiceState::Restarting { attempt: 1, next_in, .. }) = snapshot.service("discovery") else {
        panic!("{snapshot}");
    };
    assert_eq!(*next_in, seconds(2));
}

#[tokio::test(start_paused = true)]
async fn the_next_run_begins_only_when_the_last_one_has_left() {
    let supervisor = Supervisor::new(SupervisorConfig { shutdown_deadline: seconds(2), ..SupervisorConfig::default() });
    let starts = Starts::default();
    let log = Arc::clone(&starts);
    let zero = Instant::now();
    supervisor.spawn("discovery", Policy::Restart(Backoff::fixed(seconds(5))), move |scope: Scope| {
        let run = {
            let mut log = log.lock().unwrap();
            log.push(zero.elapsed().as_secs());
            log.len()
        };
        async move {
            // Left over from the first run: 6 s, one more than the wait. From the second: for ever.
            let leftover = if run == 1 { seconds(6) } else { seconds(1_000_000) };
            scope.spawn("leftover", sleep(leftover));
            Err("lost".into())
        }
    });
    sleep(seconds(15)).await;
    // 6: when the leftover had gone. 13: 5 s of waiting and the 2 s that stragglers are given, then they are aborted.
    assert_eq!(*starts.lock().unwrap(), [0, 6, 13]);
    assert_eq!(
        supervisor.root().alive(),
        2,
        "the service and the leftover of its last run:\n{}",
        supervisor.snapshot()
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_others_rely_on_runs_again_after_a_panic_which_is_told_each_time() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let mut events = supervisor.events();
    let scope = supervisor.root().child("targets");
    let (zero, mut runs) = (Instant::now(), 0);
    let task = scope.spawn_anew("dial", Backoff::fixed(seconds(3)), move || {
        runs += 1;
        async move { assert!(runs > 2, "run {runs}") }
    });
    assert_eq!(scope.alive(), 1);
    task.await.unwrap();
    assert_eq!((zero.elapsed(), scope.alive()), (seconds(6), 0));
    for run in 1..=2 {
        let Some(SupervisorEvent::TaskPanicked { task, message }) = events.next().await else { panic!("a panic") };
        assert_eq!((task.as_str(), message), ("targets/dial", format!("run {run}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_would_run_again_does_not_in_a_cancelled_scope() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let scope = supervisor.root().child("targets");
    let task = scope.spawn_anew("dial", Backoff::fixed(seconds(3_600)), || async { panic!("at once") });
    sleep(seconds(1)).await;
    let before = Instant::now();
    scope.cancel();
    task.await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    let refused = scope.spawn_anew("dial", Backoff::fixed(seconds(1)), || async {}).await;
    assert_eq!(refused, Err(TaskError::Cancelled));
}
