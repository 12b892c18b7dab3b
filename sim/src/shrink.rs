//! From a scenario that fails to a small one that fails in the same way.
//!
//! Everything that can be left out is left out, one after another, as long as the same invariant is violated: faults first, then what
//! is wrong with links, then hosts, then work; then what is left is made smaller and earlier. And all over again until nothing more
//! goes. That the same invariant fails and not just any is what keeps it from wandering off to another bug.

mod smaller;

use crate::{Report, RunError, RunOptions, Scenario, run};

/// What is left of a scenario.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// Smaller, or the same if nothing could be left out.
    pub scenario: Scenario,
    /// How often it was played.
    pub runs: usize,
    /// Whether the bound on that was reached: it may go on from here.
    pub gave_up: bool,
}

/// Shrinks a scenario that violates `invariant`, with at most `max_runs` runs.
///
/// # Errors
/// If a scenario could not be played; see [`run`].
pub fn shrink(scenario: &Scenario, invariant: &str, max_runs: usize, options: &RunOptions) -> Result<Shrunk, RunError> {
    let options = RunOptions { trace_bytes: 0, ..options.clone() };
    shrink_with(scenario, max_runs, |candidate| Ok(run(candidate, &options)?.violates(invariant)))
}

/// As [`shrink`], with any idea of what failing is.
///
/// # Errors
/// Those of `fails`.
pub fn shrink_with(
    scenario: &Scenario,
    max_runs: usize,
    fails: impl FnMut(&Scenario) -> Result<bool, RunError>,
) -> Result<Shrunk, RunError> {
    let mut shrinker = Shrinker { best: scenario.clone(), runs: 0, max_runs, fails };
    loop {
        let before = shrinker.best.clone();
        shrinker.list(|scenario| &mut scenario.plan)?;
        shrinker.list(|scenario| &mut scenario.links)?;
        shrinker.each(smaller::links)?;
        shrinker.each(smaller::hosts)?;
        shrinker.list(|scenario| &mut scenario.workload)?;
        shrinker.each(smaller::amounts)?;
        shrinker.each(smaller::times)?;
        let gave_up = shrinker.runs >= max_runs;
        if gave_up || shrinker.best == before {
            return Ok(Shrunk { scenario: shrinker.best, runs: shrinker.runs, gave_up });
        }
    }
}

/// The invariant to shrink by: the first that was violated.
#[must_use]
pub fn first_violated(report: &Report) -> Option<&'static str> {
    report.violations.first().map(|violation| violation.invariant)
}

struct Shrinker<F> {
    best: Scenario,
    runs: usize,
    max_runs: usize,
    fails: F,
}

impl<F: FnMut(&Scenario) -> Result<bool, RunError>> Shrinker<F> {
    /// Takes a smaller scenario if it fails as well. One that makes no sense does not count.
    fn attempt(&mut self, candidate: Scenario) -> Result<bool, RunError> {
        if self.runs >= self.max_runs || candidate == self.best || candidate.check().is_err() {
            return Ok(false);
        }
        self.runs += 1;
        let fails = (self.fails)(&candidate)?;
        if fails {
            self.best = candidate;
        }
        Ok(fails)
    }

    /// Leaves out as much of a list as possible: halves, then quarters, and so on down to single entries (Zeller's delta debugging,
    /// without its tests of subsets, which faults that need each other seldom repay).
    fn list<T>(&mut self, of: impl Fn(&mut Scenario) -> &mut Vec<T>) -> Result<(), RunError> {
        let len = of(&mut self.best).len();
        // Nothing at all, first: often enough it is something else.
        let mut size = len;
        while size > 0 {
            let mut start = 0;
            while start < of(&mut self.best).len() {
                let mut candidate = self.best.clone();
                let list = of(&mut candidate);
                list.drain(start..(start + size).min(list.len()));
                if !self.attempt(candidate)? {
                    start += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Tries each of the smaller scenarios that `smaller` names, and begins anew with each that fails.
    fn each(&mut self, smaller: impl Fn(&Scenario) -> Vec<Scenario>) -> Result<(), RunError> {
        let mut index = 0;
        while let Some(candidate) = smaller(&self.best).into_iter().nth(index) {
            // What took its place has the same index now.
            if !self.attempt(candidate)? {
                index += 1;
            }
        }
        Ok(())
    }
}
