use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Fingerprint, Trace};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// What did not hold, in the order in which that was noticed. Empty: the run passed.
    pub violations: Vec<Violation>,
    /// How often something happened. What is never counted over many runs was never tried.
    pub counters: BTreeMap<String, u64>,
    /// How long it took in there.
    pub simulated: Duration,
    /// How long it took out here.
    pub wall: Duration,
    /// How much of that the processor worked on it.
    pub cpu: Duration,
    /// Of the trace.
    pub fingerprint: Fingerprint,
    /// Everything that happened.
    pub trace: Trace,
}

/// Something that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What should have held.
    pub invariant: &'static str,
    /// Simulated time.
    pub at: Duration,
    /// Where; empty if it is nowhere in particular.
    pub host: String,
    /// What happened in its place.
    pub text: String,
}

impl Report {
    /// Whether everything held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether this did not hold.
    #[must_use]
    pub fn violates(&self, invariant: &str) -> bool {
        self.violations.iter().any(|violation| violation.invariant == invariant)
    }

    /// How often something was counted.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counters.get(what).copied().unwrap_or(0)
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:.3} s", self.invariant, self.at.as_secs_f64())?;
        if !self.host.is_empty() {
            write!(f, " on {}", self.host)?;
        }
        write!(f, ": {}", self.text)
    }
}
