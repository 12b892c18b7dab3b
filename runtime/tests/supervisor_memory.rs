//! Finished tasks and scopes leave nothing behind.

use std::time::Duration;

use moorline_runtime::supervisor::{Supervisor, SupervisorConfig};
use tokio::time::timeout;

const BATCH: usize = 1_000;

/// Spawns `BATCH` tasks, each in a scope of its own, and waits for them.
async fn batch(supervisor: &Supervisor) {
    let root = supervisor.root();
    for index in 0..BATCH {
        let scope = root.child("connection");
        drop(scope.spawn(format!("stream {index}"), async {}));
        drop(root.spawn("short", async {}));
    }
    timeout(Duration::from_secs(30), root.join()).await.expect("all of them end");
}

/// Resident memory of this process in bytes; `None` where the system does not say.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

#[tokio::test]
async fn a_hundred_thousand_short_tasks_leave_no_record_and_no_memory() {
    let supervisor = Supervisor::new(SupervisorConfig::default());
    for _ in 0..10 {
        batch(&supervisor).await;
    }
    let before = resident();
    for _ in 0..50 {
        batch(&supervisor).await;
    }
    let after = resident();
    assert_eq!(supervisor.root().alive(), 0);
    assert!(supervisor.snapshot().nodes.is_empty(), "{}", supervisor.snapshot());
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after.saturating_sub(before);
        // One forgotten record a task would be tens of megabytes.
        assert!(grown < 4 << 20, "resident memory grew by {grown} bytes");
    }
}
