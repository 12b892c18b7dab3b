//! A shutdown is seen by whoever waits for it, says farewell, ends by its deadline, and names who did not make it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use moorline_runtime::supervisor::{
    Backoff, Exit, Policy, Scope, ServiceState, Supervisor, SupervisorConfig, SupervisorEvent, TaskError, TaskKind,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(5);
const HOURS: Duration = Duration::from_secs(36_000);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sets a flag when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn wait_stopped_sees_a_shutdown_that_comes_later_and_one_that_came_before() {
    let supervisor = Arc::new(Supervisor::new(SupervisorConfig::default()));
    supervisor.spawn("server", Policy::Required, |scope: Scope| async move {
        scope.cancelled().await;
        sleep(seconds(1)).await;
        Ok(())
    });
    let waiting = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.wait_stopped(seconds(2)).await }
    });
    sleep(HOURS).await;
    assert!(!waiting.is_finished(), "the deadline does not run before the shutdown");
    let before = Instant::now();
    supervisor.shutdown();
    supervisor.shutdown();
    waiting.await.unwrap().unwrap();
    assert_eq!(before.elapsed(), seconds(1), "no longer than it takes");
    supervisor.wait_stopped(seconds(2)).await.unwrap();
    assert!(supervisor.failure().is_none());
}

#[tokio::test(start_paused = true)]
async fn stragglers_are_named_and_aborted_at_the_deadline() {
    let supervisor = Supervisor::new(SupervisorConfig::named("node"));
    let mut events = supervisor.events();
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Flag(Arc::clone(&dropped));
    let peer = supervisor.root().child("peers").child("4q7z");
    drop(peer.spawn("ping", async move {
        let _flag = flag;
        pending::<()>().await;
    }));
    supervisor.spawn("server", Policy::Required, |_| pending());
    supervisor.spawn("polite", Policy::Required, |scope: Scope| async move {
        scope.cancelled().await;
        Ok(())
    });
    sleep(seconds(1)).await;
    supervisor.shutdown();
    let before = Instant::now();
    let stragglers = supervisor.wait_stopped(seconds(2)).await.unwrap_err();
    assert_eq!(before.elapsed(), seconds(2), "aborted tasks are gone at once");
    assert_eq!(stragglers.names(), ["peers/4q7z/ping", "server"]);
    assert_eq!(stragglers.tasks[1].kind, TaskKind::Service);
    assert!(stragglers.tasks.iter().all(|straggler| !straggler.still_running));
    assert!(dropped.load(Ordering::SeqCst), "what the task owned is gone");
    assert_eq!(supervisor.root().alive(), 0);
    assert!(matches!(supervisor.snapshot().service("server"), Some(ServiceState::Stopped { exit: Exit::Aborted })));
    let mut last = vec![];
    while let Some(SupervisorEvent::Service(service)) = events.next().await {
        last.push(format!("{} {}", service.name, service.state));
    }
    assert_eq!(last.last().unwrap(), "server stopped: aborted");
    supervisor.wait_stopped(seconds(2)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_aborts_nothing() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    drop(supervisor.root().spawn("slow", sleep(seconds(3))));
    supervisor.shutdown();
    timeout(seconds(1), supervisor.wait_stopped(seconds(5))).await.unwrap_err();
    assert_eq!(supervisor.root().alive(), 1);
    supervisor.wait_stopped(seconds(5)).await.unwrap();
}

#[tokio::test]
async fn farewells_are_said_after_a_shutdown_and_after_a_failure() {
    for fails in [false, true] {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let said = Arc::new(AtomicUsize::new(0));
        for name in ["goodbye", "unannounce"] {
            let said = Arc::clone(&said);
            supervisor.on_shutdown(name, move || async move {
                tokio::task::yield_now().await;
                said.fetch_add(1, Ordering::SeqCst);
            });
        }
        sleep(Duration::from_millis(5)).await;
        assert_eq!(said.load(Ordering::SeqCst), 0, "not before time");
        if fails {
            supervisor.spawn("server", Policy::Required, |_| async { panic!("lost the socket") });
        } else {
            supervisor.shutdown();
        }
        timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
        assert_eq!(said.load(Ordering::SeqCst), 2, "fails: {fails}");
        assert_eq!(supervisor.failure().is_some(), fails);
    }
}

#[tokio::test(start_paused = true)]
async fn a_farewell_that_hangs_is_cut_at_the_deadline_and_named_and_the_others_are_said() {
    let supervisor = Supervisor::new(SupervisorConfig { shutdown_deadline: seconds(2), ..SupervisorConfig::default() });
    let mut events = supervisor.events();
    let (sender, receiver) = oneshot::channel();
    supervisor.on_shutdown("goodbye", pending);
    supervisor.on_shutdown("unannounce", || async move {
        let _ = sender.send(());
    });
    supervisor.on_shutdown("mad", || async { panic!("bad farewell") });
    let before = Instant::now();
    supervisor.shutdown();
    let stragglers = supervisor.wait_stopped(HOURS).await.unwrap_err();
    assert_eq!(before.elapsed(), seconds(2));
    assert_eq!(stragglers.names(), ["farewells/goodbye"]);
    receiver.await.unwrap();
    let mut told = vec![];
    while let Some(event) = events.next().await {
        told.push(match event {
            SupervisorEvent::FarewellCut { name, after } => format!("cut {name} after {after:?}"),
            SupervisorEvent::TaskPanicked { task, message } => format!("panic in {task}: {message}"),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["panic in farewells/mad: bad farewell", "cut farewells/goodbye after 2s"]);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_wait_names_a_hanging_farewell_itself_and_equal_deadlines_name_it_once() {
    for deadline in [1, 2] {
        let supervisor =
            Supervisor::new(SupervisorConfig { shutdown_deadline: seconds(2), ..SupervisorConfig::default() });
        supervisor.on_shutdown("goodbye", pending);
        supervisor.shutdown();
        let before = Instant::now();
        let stragglers = supervisor.wait_stopped(seconds(deadline)).await.unwrap_err();
        assert_eq!(before.elapsed(), seconds(deadline));
        assert_eq!(stragglers.names(), ["farewells/goodbye"]);
        assert_eq!(stragglers.tasks[0].kind, TaskKind::Farewell);
    }
}

#[tokio::test]
async fn nothing_starts_after_the_shutdown_has_begun() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let scope = supervisor.root().child("late");
    supervisor.shutdown();
    let ran = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ran);
    let task = scope.spawn("task", async move { flag.store(true, Ordering::SeqCst) });
    assert!(task.is_finished());
    assert_eq!(timeout(SOON, task).await.unwrap(), Err(TaskError::Cancelled));
    let flag = Arc::clone(&ran);
    let task = scope.spawn_blocking("work", move || flag.store(true, Ordering::SeqCst));
    assert_eq!(timeout(SOON, task).await.unwrap(), Err(TaskError::Cancelled));
    let flag = Arc::clone(&ran);
    supervisor.spawn("service", Policy::Restart(Backoff::default()), move |_| {
        flag.store(true, Ordering::SeqCst);
        async { Ok(()) }
    });
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
    let flag = Arc::clone(&ran);
    supervisor.on_shutdown("too late", move || async move { flag.store(true, Ordering::SeqCst) });
    let flag = Arc::clone(&ran);
    let task = scope.shielded("cleanup").spawn("task", async move { flag.store(true, Ordering::SeqCst) });
    assert_eq!(timeout(SOON, task).await.unwrap(), Err(TaskError::Cancelled), "not even behind a shield");
    tokio::task::yield_now().await;
    assert!(!ran.load(Ordering::SeqCst));
    assert!(supervisor.events().next().await.is_none(), "a late subscriber is not left waiting");
}

#[tokio::test]
async fn a_farewell_that_comes_during_the_shutdown_is_still_said() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let (release, held) = oneshot::channel::<()>();
    drop(supervisor.root().spawn("holds the tree open", held));
    supervisor.shutdown();
    let (sender, receiver) = oneshot::channel();
    supervisor.on_shutdown("goodbye", || async move {
        let _ = sender.send(());
    });
    timeout(SOON, receiver).await.unwrap().unwrap();
    release.send(()).unwrap();
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_the_supervisor_cancels_everything_and_still_says_farewell() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let root = supervisor.root();
    let mut events = supervisor.events();
    let (sender, receiver) = oneshot::channel();
    supervisor.on_shutdown("goodbye", || async move {
        let _ = sender.send(());
    });
    supervisor.spawn("server", Policy::Required, |scope: Scope| async move {
        scope.cancelled().await;
        Ok(())
    });
    let deep = root.child("a").child("b");
    let token = deep.token().clone();
    let task = deep.spawn("task", async move { token.cancelled().await });
    drop(supervisor);
    timeout(SOON, task).await.unwrap().unwrap();
    timeout(SOON, receiver).await.unwrap().unwrap();
    timeout(SOON, root.join()).await.unwrap();
    while let Some(event) = timeout(SOON, events.next()).await.expect("the events end") {
        assert!(!matches!(event, SupervisorEvent::RuntimeFailed(_)), "{event:?}");
    }
}
