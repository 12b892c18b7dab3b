//! Many seeds, side by side.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Report, RunError, RunOptions, Scenario, run};

/// What a long enough sweep has to have tried; see [`Sweep::never`].
pub const SOMETIMES: &[&str] = &[
    "call.answered",
    "call.failed",
    "closed.auth",
    "closed.deadline",
    "crash.fetching",
    "crash.recovering",
    "crash_at.fetching",
    "crash_at.recovering",
    "deaf",
    "fetch.alone",
    "fetch.cancelled",
    "fetch.failed",
    "fetch.finished",
    "fetch.liar-named",
    "fetch.many-sources",
    "fetch.resumed",
    "left.replaced",
    "left.timed-out",
    "lost.silence",
    "message",
    "node.in-a-room",
    "node.lost-a-room",
    "panic.fetching",
    "panic.recovering",
    "peer.goodbye",
    "peer.lost.fetching",
    "recovered.fast",
    "recovered.migrate",
    "recovered.rejoin",
    "recovered.replayed",
    "recovered.resent",
    "resync",
    "sent.acked",
    "sent.unknown",
    "stop.fetching",
    "stop.recovering",
    "token.renewed",
    "value",
];

/// So many seeds try everything in [`SOMETIMES`], with room to spare.
const LONG: u64 = 400;

/// What came of a sweep.
#[derive(Debug, Default)]
pub struct Sweep {
    /// How many seeds were played.
    pub runs: u64,
    /// The first seed that was not, for want of time.
    pub next: Option<u64>,
    /// Those that failed, by seed, without their traces.
    pub failed: BTreeMap<u64, Report>,
    /// Counters of all runs together.
    pub counters: BTreeMap<String, u64>,
    /// Simulated time together.
    pub simulated: Duration,
    /// Processor time together.
    pub cpu: Duration,
    /// Real time.
    pub wall: Duration,
    /// The seeds that took the processor longest, the longest first.
    pub slowest: Vec<(u64, Duration)>,
}

impl Sweep {
    /// Whether so many seeds were played that what they never tried is a fault of what makes scenarios of them.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.runs >= LONG
    }

    /// What was never tried.
    pub fn never(&self) -> impl Iterator<Item = &'static str> {
        SOMETIMES.iter().copied().filter(|what| !self.counters.contains_key(*what))
    }

    fn add(&mut self, seed: u64, report: Report) {
        self.runs += 1;
        self.simulated += report.simulated;
        self.cpu += report.cpu;
        for (what, count) in &report.counters {
            *self.counters.entry(what.clone()).or_default() += count;
        }
        self.slowest.push((seed, report.cpu));
        self.slowest.sort_by_key(|(_, cpu)| std::cmp::Reverse(*cpu));
        self.slowest.truncate(5);
        if !report.passed() {
            self.failed.insert(seed, report);
        }
    }
}

/// Plays what `scenario` makes of each seed, on `jobs` threads, and begins no more of them after `budget`.
///
/// # Errors
/// If a scenario could not be played; see [`run`].
pub fn sweep(
    seeds: Range<u64>,
    jobs: usize,
    budget: Option<Duration>,
    options: &RunOptions,
    scenario: impl Fn(u64) -> Scenario + Sync,
) -> Result<Sweep, RunError> {
    let start = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let together = Mutex::new(Sweep::default());
    // Traces are made again when they are wanted: the seed is enough.
    let options = RunOptions { trace_bytes: 0, ..options.clone() };
    let work = || -> Result<(), RunError> {
        while budget.is_none_or(|budget| start.elapsed() < budget) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let report = run(&scenario(seed), &options)?;
            together.lock().unwrap_or_else(PoisonError::into_inner).add(seed, report);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut sweep = together.into_inner().unwrap_or_else(PoisonError::into_inner);
    let next = next.into_inner();
    sweep.next = (next < seeds.end).then_some(next);
    sweep.wall = start.elapsed();
    Ok(sweep)
}
