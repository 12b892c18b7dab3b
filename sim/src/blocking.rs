use moorline_runtime::supervisor::{BlockingPool, Job};

/// Runs blocking work where it is asked for, in no simulated time.
///
/// A pool of threads would answer at a moment that the operating system chooses, and tokio's paused clock would run on meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnTheSpot;

impl BlockingPool for OnTheSpot {
    fn run(&self, job: Job) {
        job();
    }
}
