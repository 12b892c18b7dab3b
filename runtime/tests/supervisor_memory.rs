//! Finished tasks and scopes leave nothing behind. The only test of its program: others would be measured with it.

use std::time::Duration;

use moorline_runtime::supervisor::{Supervisor, SupervisorConfig};
use peak_alloc::PeakAlloc;
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const BATCH: usize = 1_000;

/// Spawns twice `BATCH` tasks, half of them in scopes of their own, and waits for them.
async fn batch(supervisor: &Supervisor) {
    let root = supervisor.root();
    for index in 0..BATCH {
        let scope = root.child("connection");
        drop(scope.spawn(format!("stream {index}"), async {}));
        drop(root.spawn("short", async {}));
    }
    timeout(Duration::from_secs(30), root.join()).await.expect("all of them end");
}

#[tokio::test]
async fn a_hundred_thousand_short_tasks_leave_no_record_and_no_memory() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    for _ in 0..10 {
        batch(&supervisor).await;
    }
    let before = ALLOCATOR.current_usage();
    for _ in 0..50 {
        batch(&supervisor).await;
    }
    let grown = ALLOCATOR.current_usage().saturating_sub(before);
    assert_eq!(supervisor.root().alive(), 0);
    assert!(supervisor.snapshot().nodes.is_empty(), "{}", supervisor.snapshot());
    // A byte a task would be more.
    assert!(grown < 50_000, "{grown} bytes are still allocated");
}
