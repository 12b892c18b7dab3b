//! The end of a Required service is the end of the runtime, said once; what a BestEffort service does is its own affair,
//! but never silent.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use moorline_runtime::supervisor::{
    Backoff, BoxError, Exit, Policy, RuntimeFailed, Scope, ServiceError, ServiceEvents, ServiceState, Supervisor,
    SupervisorConfig, SupervisorEvent,
};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

/// All events until the stream ends.
async fn drain(mut events: ServiceEvents) -> Vec<SupervisorEvent> {
    let mut all = vec![];
    while let Some(event) = timeout(SOON, events.next()).await.expect("the stream ends in time") {
        all.push(event);
    }
    all
}

fn failures(events: &[SupervisorEvent]) -> Vec<&RuntimeFailed> {
    events
        .iter()
        .filter_map(|event| match event {
            SupervisorEvent::RuntimeFailed(failure) => Some(failure),
            _ => None,
        })
        .collect()
}

async fn until_cancelled(scope: Scope) -> Result<(), BoxError> {
    scope.cancelled().await;
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_required_service_fails_the_runtime_once_and_cancels_the_tree() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let events = supervisor.events();
    supervisor.spawn("bystander", Policy::Required, until_cancelled);
    supervisor.spawn("server", Policy::Required, |_| async { Err("no port left".into()) });
    let failure = timeout(SOON, supervisor.failed()).await.unwrap().expect("failed, not shut down");
    assert_eq!(failure.to_string(), "server failed: no port left");
    assert!(supervisor.is_shutting_down());
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();

    let events = drain(events).await;
    let failures = failures(&events);
    assert_eq!(failures.len(), 1, "{events:?}");
    assert_eq!(failures[0].component, "server");
    assert!(matches!(&failures[0].error, ServiceError::Failed(error) if error.to_string() == "no port left"));
    assert_eq!(supervisor.failure().unwrap().component, "server", "kept as state");
}

#[tokio::test]
async fn a_panic_in_a_required_service_fails_the_runtime_once() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let events = supervisor.events();
    supervisor.spawn("server", Policy::Required, |_| async { panic!("index {} of 3", 7) });
    let failure = timeout(SOON, supervisor.failed()).await.unwrap().unwrap();
    assert_eq!(failure.to_string(), "server panicked: index 7 of 3");
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
    assert_eq!(failures(&drain(events).await).len(), 1);
}

#[tokio::test]
async fn a_panic_in_the_factory_itself_counts_as_a_panic_of_the_service() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    supervisor.spawn("server", Policy::Required, |_| -> std::future::Ready<Result<(), _>> { panic!("no config") });
    let failure = timeout(SOON, supervisor.failed()).await.unwrap().unwrap();
    assert_eq!(failure.to_string(), "server panicked: no config");
}

#[tokio::test]
async fn a_required_service_that_just_returns_has_failed() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    supervisor.spawn("server", Policy::Required, |_| async { Ok(()) });
    let failure = timeout(SOON, supervisor.failed()).await.unwrap().unwrap();
    assert_eq!(failure.to_string(), "server ended unexpectedly");
    assert!(matches!(failure.error, ServiceError::EndedUnexpectedly));
    let snapshot = supervisor.snapshot();
    assert!(matches!(snapshot.service("server"), Some(ServiceState::Failed { exit: Exit::Completed })), "{snapshot}");
}

#[tokio::test]
async fn when_two_required_services_fail_together_one_failure_is_told_and_both_are_visible() {
    for _ in 0..50 {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let events = supervisor.events();
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
        timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
        let events = drain(events).await;
        assert_eq!(failures(&events).len(), 1, "{events:?}");
        let over = events
            .iter()
            .filter(|event| {
                matches!(event, SupervisorEvent::Service(service)
                    if matches!(service.state, ServiceState::Failed { .. } | ServiceState::Stopped { exit: Exit::Failed(_) }))
            })
            .count();
        assert_eq!(over, 2, "{events:?}");
    }
}

#[tokio::test]
async fn an_error_on_the_way_down_is_visible_but_fails_nothing() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let events = supervisor.events();
    supervisor.spawn("server", Policy::Required, |scope: Scope| async move {
        scope.cancelled().await;
        Err("could not flush".into())
    });
    supervisor.shutdown();
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
    assert!(supervisor.failure().is_none());
    assert!(timeout(SOON, supervisor.failed()).await.unwrap().is_none());
    let events = drain(events).await;
    assert!(failures(&events).is_empty(), "{events:?}");
    assert_eq!(supervisor.snapshot().service("server").unwrap().to_string(), "stopped: could not flush");
}

/// When it is woken, notes which events have been told so far.
struct Eavesdropper {
    events: Mutex<ServiceEvents>,
    told: Mutex<Option<Vec<SupervisorEvent>>>,
}

impl Wake for Eavesdropper {
    fn wake(self: Arc<Self>) {
        let mut events = self.events.lock().unwrap();
        let mut told = vec![];
        while let Poll::Ready(Some(event)) = pin!(events.next()).poll(&mut Context::from_waker(Waker::noop())) {
            told.push(event);
        }
        *self.told.lock().unwrap() = Some(told);
    }
}

#[tokio::test]
async fn the_scope_of_a_failed_service_is_cancelled_before_anyone_hears_of_the_failure() {
    let backoff = Backoff::fixed(Duration::from_secs(60));
    for policy in [Policy::Required, Policy::BestEffort, Policy::Restart(backoff)] {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let mut events = supervisor.events();
        let eavesdropper = Arc::new(Eavesdropper { events: Mutex::new(supervisor.events()), told: Mutex::default() });
        let waker = Waker::from(Arc::clone(&eavesdropper));
        let waiting = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&waiting);
        supervisor.spawn("library", policy.clone(), move |scope: Scope| {
            // Woken by the cancellation itself, and not by a scheduler some time later.
            let mut cancelled = Box::pin(scope.token().clone().cancelled_owned());
            assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            *keep.lock().unwrap() = Some(cancelled);
            async { panic!("boom") }
        });
        for _ in ["running", "failed or restarting"] {
            timeout(SOON, events.next()).await.unwrap().unwrap();
        }
        let told = eavesdropper.told.lock().unwrap().take().expect("the scope was cancelled");
        let [SupervisorEvent::Service(service)] = told.as_slice() else {
            panic!("{policy:?}: {told:?}");
        };
        assert!(matches!(service.state, ServiceState::Running), "{policy:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_best_effort_service_ends_visibly_and_the_rest_goes_on() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let mut events = supervisor.events();
    supervisor.spawn("done", Policy::BestEffort, |_| async { Ok(()) });
    supervisor.spawn("broken", Policy::BestEffort, |_| async { Err(std::io::Error::other("inotify limit").into()) });
    supervisor.spawn("mad", Policy::BestEffort, |_| async { panic!("mad") });
    let mut ends = std::collections::BTreeMap::new();
    while ends.len() < 3 {
        let SupervisorEvent::Service(service) = timeout(SOON, events.next()).await.unwrap().unwrap() else {
            panic!("only services speak here");
        };
        if !matches!(service.state, ServiceState::Running) {
            ends.insert(service.name, service.state.to_string());
        }
    }
    let expected = [("broken", "failed: inotify limit"), ("done", "ended"), ("mad", "failed: panicked: mad")];
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), expected.map(|(name, state)| (name, state.to_owned())));
    for (name, state) in expected {
        assert_eq!(supervisor.snapshot().service(name).unwrap().to_string(), state);
    }
    assert!(!supervisor.is_shutting_down());
    assert!(supervisor.failure().is_none());
}
