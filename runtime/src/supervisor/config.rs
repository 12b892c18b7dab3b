//! What can be chosen: limits of the whole tree, and the policy of each service.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::blocking::{BlockingPool, TokioPool};

/// Limits and names of one [`Supervisor`](super::Supervisor). The default works.
#[derive(Clone)]
pub struct SupervisorConfig {
    /// Names the tree in logs, spans and snapshots. Default `"supervisor"`.
    pub name: Cow<'static, str>,
    /// How long a farewell may take from the moment that the tree is cancelled. Default 2 s.
    pub shutdown_deadline: Duration,
    /// How long aborted stragglers are given to be dropped before they are reported as still running. Default 100 ms.
    pub abort_grace: Duration,
    /// How many blocking tasks run at once; further ones wait their turn. At least 1. Default 16.
    pub blocking_threads: usize,
    /// How many events a subscriber may be behind before it loses the oldest. At least 1. Default 256.
    pub event_capacity: usize,
    /// How many tasks of all scopes may be alive at once; [`TaskError::Full`](super::TaskError::Full) is what one more
    /// gets. Services and farewells are not counted. Default 131,072.
    pub max_tasks: usize,
    /// Where blocking tasks run. Default: the blocking threads of the tokio runtime.
    pub pool: Arc<dyn BlockingPool>,
}

impl SupervisorConfig {
    /// The defaults under another name.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl Default for SupervisorConfig {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed("supervisor"),
            shutdown_deadline: Duration::from_secs(2),
            abort_grace: Duration::from_millis(100),
            blocking_threads: 16,
            event_capacity: 256,
            max_tasks: 1 << 17,
            pool: Arc::new(TokioPool),
        }
    }
}

impl std::fmt::Debug for SupervisorConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SupervisorConfig")
            .field("name", &self.name)
            .field("shutdown_deadline", &self.shutdown_deadline)
            .field("abort_grace", &self.abort_grace)
            .field("blocking_threads", &self.blocking_threads)
            .field("event_capacity", &self.event_capacity)
            .field("max_tasks", &self.max_tasks)
            .finish_non_exhaustive()
    }
}

/// What the end of a service means while nobody has asked for it. An end is an error, a panic or a return.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Nothing works without it: its end fails the runtime and cancels the whole tree.
    Required,
    /// It runs again after a wait, for as long as the tree is not cancelled.
    Restart(Backoff),
    /// Its end is reported, and the rest goes on without it.
    BestEffort,
}

/// How long a service under [`Policy::Restart`] waits before it runs again.
///
/// The first wait is `initial`, each further one `factor` times as long, never more than `ceiling`. A run of at least
/// `reset_after` counts as healthy: the wait after it is `initial` again. There is no jitter: the service restarts on its
/// own machine, not in a crowd, and equal waits can be tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub ceiling: Duration,
    /// By how much a wait grows. 0 counts as 1.
    pub factor: u32,
    /// How long a run must last for its end to count as the first failure again.
    pub reset_after: Duration,
}

impl Backoff {
    /// Always the same wait. A run of a minute or more starts the count of attempts anew.
    pub fn fixed(wait: Duration) -> Self {
        Self { initial: wait, ceiling: wait, factor: 1, reset_after: Duration::from_secs(60) }
    }

    /// The wait before attempt `attempt`, which counts from 1.
    pub fn wait(&self, attempt: u32) -> Duration {
        let mut wait = self.initial.min(self.ceiling);
        if self.factor > 1 && !wait.is_zero() {
            for _ in 1..attempt {
                if wait >= self.ceiling {
                    break;
                }
                wait = wait.saturating_mul(self.factor).min(self.ceiling);
            }
        }
        wait
    }
}

impl Default for Backoff {
    /// 1 s, doubled up to 60 s, healthy after 60 s.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            ceiling: Duration::from_secs(60),
            factor: 2,
            reset_after: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(initial: u64, ceiling: u64, factor: u32) -> Backoff {
        Backoff {
            initial: Duration::from_secs(initial),
            ceiling: Duration::from_secs(ceiling),
            factor,
            reset_after: Duration::from_secs(60),
        }
    }

    #[test]
    fn waits_grow_to_the_ceiling_and_stay_there() {
        let backoff = backoff(1, 10, 3);
        let waits: Vec<_> = (1..=5).map(|attempt| backoff.wait(attempt).as_secs()).collect();
        assert_eq!(waits, [1, 3, 9, 10, 10]);
        assert_eq!(backoff.wait(u32::MAX).as_secs(), 10);
    }

    #[test]
    fn odd_settings_neither_overflow_nor_spin() {
        assert_eq!(backoff(5, 2, 2).wait(1).as_secs(), 2, "the ceiling holds for the first wait too");
        assert_eq!(backoff(5, 60, 0).wait(4_000_000_000).as_secs(), 5);
        assert_eq!(backoff(0, 60, 2).wait(u32::MAX), Duration::ZERO);
        let endless = Backoff { ceiling: Duration::MAX, ..backoff(1, 0, u32::MAX) };
        assert_eq!(endless.wait(u32::MAX), Duration::MAX);
    }
}
