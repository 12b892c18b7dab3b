//! The invariants, each with a watcher of its own. A watcher sees every input, every output and the machine's word on itself, and says
//! what is wrong in a sentence that begins with the invariant's number.

mod deadlines;
mod decisions;
mod delivery;
mod epochs;
mod hints;
mod lifecycle;
mod liveness;
mod outcomes;
mod pauses;
mod queue;
mod recovery;

use std::fmt::Debug;
use std::time::Duration;

use crate::facts::{Facts, Moment};
use crate::model::Cluster;

/// How much later than at its time a thing may be done.
pub(crate) const SLACK: Duration = Duration::from_millis(100);

/// What is wrong, if anything is.
pub(crate) type Verdict = Result<(), String>;

/// Watches for one invariant.
pub(crate) trait Check: Debug {
    /// Something happens; `facts` are those of before it.
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict;

    /// Holds what the machine did against what the servers know.
    fn verify(&mut self, _truth: &Truth<'_>) -> Verdict {
        Ok(())
    }
}

/// What is true, whatever the machine believes.
#[derive(Debug)]
pub(crate) struct Truth<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) cluster: &'a Cluster,
    /// Whether everything had the time to arrive.
    pub(crate) settled: bool,
}

/// All watchers.
#[derive(Debug)]
pub(crate) struct Checks(Vec<Box<dyn Check>>);

impl Checks {
    /// One of each, at the beginning of a run.
    pub(crate) fn all() -> Self {
        Self(vec![
            Box::<lifecycle::I1LossOncePerConnection>::default(),
            Box::<lifecycle::I2EveryLossIsAnswered>::default(),
            Box::<lifecycle::I3ClosedOnceAndLast>::default(),
            Box::<epochs::I4OthersChangeNothing>::default(),
            Box::<epochs::I5OneDial>::default(),
            Box::<deadlines::I6NoStateHangs>::default(),
            Box::<epochs::I7LiveByWelcome>::default(),
            Box::<recovery::I8PlanOnlyEscalates>::default(),
            Box::<recovery::I9NothingLeaks>::default(),
            Box::<recovery::I10SessionAndLineage>::default(),
            Box::<epochs::I11WritesInOrder>::default(),
            Box::<delivery::I12NoHoleNoTwice>::default(),
            Box::<delivery::I13AppliedOnce>::default(),
            Box::<outcomes::I14OneOutcome>::default(),
            Box::<delivery::I15InOrder>::default(),
            Box::<queue::I16BoundedQueue>::default(),
            Box::<queue::I17NewestWins>::default(),
            Box::<pauses::I18Pauses>::default(),
            Box::<pauses::I19RejoinBudget>::default(),
            Box::<liveness::I20SilenceIsLoss>::default(),
            Box::<liveness::I22HeartbeatPerConnection>::default(),
            Box::<delivery::I23MakeBeforeBreak>::default(),
            Box::<hints::I24RejectedTokens>::default(),
            Box::<hints::I25HintsAreAdvice>::default(),
            Box::<delivery::I26NewestConnectionOnly>::default(),
            Box::<decisions::I30ReasonsAreGiven>::default(),
            Box::<decisions::I31Bounded>::default(),
        ])
    }

    /// Shows a moment to all of them.
    pub(crate) fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        self.0.iter_mut().try_for_each(|check| check.look(facts, moment))
    }

    /// Shows the truth to all of them.
    pub(crate) fn verify(&mut self, truth: &Truth<'_>) -> Verdict {
        self.0.iter_mut().try_for_each(|check| check.verify(truth))
    }
}

/// The sentence if the condition does not hold.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
