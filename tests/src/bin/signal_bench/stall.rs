//! How long a runtime does not get to a task that is ready, and how long the machine does not get to a thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const TICK: Duration = Duration::from_millis(1);

/// Watches a runtime from inside and the machine from outside.
pub(crate) struct StallWatch {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Duration>,
    thread: thread::JoinHandle<Duration>,
}

impl StallWatch {
    /// Starts a task on the current runtime, and a thread, that want to run every millisecond.
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (in_task, in_thread) = (Arc::clone(&stop), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut longest = Longest::new();
            while !in_task.load(Ordering::Relaxed) {
                tokio::time::sleep(TICK).await;
                longest.tick();
            }
            longest.gap
        });
        let thread = thread::spawn(move || {
            let mut longest = Longest::new();
            while !in_thread.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                longest.tick();
            }
            longest.gap
        });
        Self { stop, task, thread }
    }

    /// The longest time between two ticks: of the task, and of the thread.
    pub(crate) async fn finish(self) -> (Duration, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        (self.task.await.unwrap_or_default(), self.thread.join().unwrap_or_default())
    }
}

struct Longest {
    last: Instant,
    gap: Duration,
}

impl Longest {
    fn new() -> Self {
        Self { last: Instant::now(), gap: Duration::ZERO }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.gap = self.gap.max(now - self.last);
        self.last = now;
    }
}
