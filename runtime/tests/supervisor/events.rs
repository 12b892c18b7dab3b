//! Events are bounded: who is slow is told how much it missed, and what must not be lost is state.

use std::time::Duration;

use moorline_runtime::supervisor::{Policy, Supervisor, SupervisorConfig, SupervisorEvent};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_slow_subscriber_learns_how_many_events_it_missed_and_the_failure_is_not_lost() {
    let supervisor = Supervisor::new(SupervisorConfig { event_capacity: 4, ..SupervisorConfig::default() });
    let mut events = supervisor.events();
    supervisor.spawn("server", Policy::Required, |_| async { Err("gone".into()) });
    timeout(SOON, supervisor.failed()).await.unwrap().unwrap();
    timeout(SOON, supervisor.root().join()).await.unwrap();
    // Running, Failed, RuntimeFailed were told: one more fits.
    drop(supervisor);
    let supervisor = Supervisor::new(SupervisorConfig { event_capacity: 4, ..SupervisorConfig::default() });
    let mut slow = supervisor.events();
    for _ in 0..10 {
        let _ = supervisor.root().spawn("mad", async { panic!("again") }).await;
    }
    assert!(matches!(timeout(SOON, slow.next()).await.unwrap(), Some(SupervisorEvent::Missed(6))));
    for _ in 0..4 {
        assert!(matches!(timeout(SOON, slow.next()).await.unwrap(), Some(SupervisorEvent::TaskPanicked { .. })));
    }
    let mut told = 0;
    while let Some(event) = timeout(SOON, events.next()).await.unwrap() {
        assert!(!matches!(event, SupervisorEvent::Missed(_)), "exactly the capacity is not too much");
        told += 1;
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn the_failure_is_kept_for_one_who_missed_the_event() {
    let supervisor = Supervisor::new(SupervisorConfig { event_capacity: 1, ..SupervisorConfig::default() });
    let mut slow = supervisor.events();
    supervisor.spawn("server", Policy::Required, |_| async { Err("gone".into()) });
    timeout(SOON, supervisor.failed()).await.unwrap().unwrap();
    for _ in 0..3 {
        supervisor.on_shutdown("mad", || async { panic!("drowns the rest") });
    }
    timeout(SOON, supervisor.wait_stopped(SOON)).await.unwrap().unwrap();
    assert!(matches!(timeout(SOON, slow.next()).await.unwrap(), Some(SupervisorEvent::Missed(_))));
    assert_eq!(supervisor.failure().unwrap().to_string(), "server failed: gone");
}
