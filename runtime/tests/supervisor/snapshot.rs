//! The printed tree.

use std::future::pending;
use std::time::Duration;

use moorline_runtime::supervisor::{Backoff, Policy, Scope, Supervisor, SupervisorConfig};
use tokio::time::sleep;

async fn until_cancelled(scope: Scope) -> Result<(), moorline_runtime::supervisor::BoxError> {
    let connection = scope.child("connection 4q7z");
    for _ in 0..3 {
        drop(connection.spawn("stream", pending::<()>()));
    }
    drop(scope.spawn("accept", pending::<()>()));
    scope.cancelled().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_tree_prints_every_service_with_its_state_and_every_task_below_it() {
    let supervisor = Supervisor::new(SupervisorConfig::named("node"));
    insta::assert_snapshot!(supervisor.snapshot(), @"node (running)");

    supervisor.spawn("quic-server", Policy::Required, until_cancelled);
    supervisor.spawn("discovery", Policy::Restart(Backoff::fixed(Duration::from_secs(5))), |_| async {
        Err(std::io::Error::other("no interface").into())
    });
    supervisor.spawn("library-monitor", Policy::BestEffort, |_| async { Ok(()) });
    supervisor.on_shutdown("goodbye", || async {});
    let download = supervisor.root().child("download");
    drop(download.spawn("writer", pending::<()>()));
    drop(download.shielded("journal").spawn("flush", pending::<()>()));
    drop(supervisor.root().child("gone"));
    drop(supervisor.root().spawn("finished", async {}));
    sleep(Duration::from_secs(2)).await;
    insta::assert_snapshot!(supervisor.snapshot(), @"
    node (running)
    ├─ quic-server [required] running
    │  ├─ accept
    │  └─ connection 4q7z/
    │     └─ stream x 3
    ├─ discovery [restart] restarting in 3s (attempt 1): no interface
    ├─ library-monitor [best effort] ended
    ├─ download/
    │  ├─ writer
    │  └─ journal/
    │     └─ flush
    └─ farewells/
       └─ goodbye
    ");

    supervisor.shutdown();
    sleep(Duration::from_millis(1)).await;
    insta::assert_snapshot!(supervisor.snapshot(), @"
    node (stopping)
    ├─ quic-server [required] stopped
    │  ├─ accept
    │  └─ connection 4q7z/ cancelled
    │     └─ stream x 3
    ├─ discovery [restart] stopped
    ├─ library-monitor [best effort] ended
    └─ download/ cancelled
       ├─ writer
       └─ journal/
          └─ flush
    ");
}

#[tokio::test(start_paused = true)]
async fn a_failed_tree_says_so_in_its_first_line() {
    let supervisor = Supervisor::new(SupervisorConfig::named("node"));
    supervisor.spawn("quic-server", Policy::Required, |_| async { panic!("no socket") });
    supervisor.failed().await;
    supervisor.wait_stopped(Duration::from_secs(1)).await.unwrap();
    insta::assert_snapshot!(supervisor.snapshot(), @"
    node (failed: quic-server panicked: no socket)
    └─ quic-server [required] failed: panicked: no socket
    ");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_over_is_replaced_by_its_namesake() {
    let supervisor = Supervisor::new(SupervisorConfig::named("node"));
    for _ in 0..100 {
        supervisor.spawn("scan", Policy::BestEffort, |_| async { Ok(()) });
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(supervisor.snapshot().nodes.len(), 1);
}
