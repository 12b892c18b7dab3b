//! What has to hold in every scenario, and the checkers that judge it by what the hosts were told and asked.
//!
//! A checker sees requests, outcomes and events as an application would, and the folders of the hosts. It cannot see into a node, a
//! client or a server. That each one notices what it is there for is shown by [`Lie`]s: the truth is altered on its way to the checker
//! (an event left out, doubled or changed). That proves that the checker bites, not that the code under test could do this wrong.

mod content;
mod counters;
mod court;
mod defects;
mod endings;
mod expected;
mod fetches;
mod lies;
mod links;
mod losses;
mod messages;
mod outcomes;
mod panics;
mod rosters;

use std::time::Duration;

pub(crate) use court::Court;
pub use lies::{Lie, lies};

use crate::Violation;
use crate::host::Seen;
use crate::run::World;

/// All invariants, with what each promises and when it is judged.
pub const INVARIANTS: &[(&str, &str)] = &[
    ("one-ending", "C2, always: a node, a room and a download end with one terminal event, and nothing follows it"),
    ("loss-once", "C7, I1, I2, always: a connection is lost once at most; between two losses there is one recovery"),
    ("back-in-time", "C7, I6, always: a lost connection is recovered, or the room closed, by the deadline"),
    ("in-order", "C8, I12, I15, always: messages of one sender arrive in their order, and none twice"),
    (
        "no-gap",
        "C8, I12, at rest: what was acknowledged has arrived with everybody who was there, or a gap was announced",
    ),
    ("one-outcome", "C1, always: a send, a call and a fetch have one outcome and no second one"),
    ("all-answered", "C1, eventually: every send and call has its outcome"),
    ("one-participant", "I27, always: nobody is in a room twice, and nobody leaves it who is not there"),
    ("rosters-agree", "I27, eventually: everybody in a room sees those who are in it, and nobody else"),
    ("everyone-live", "C7, eventually: who has not closed is in the room"),
    ("content-whole", "C9, always: what stands under its final name is what was shared, whole"),
    ("fetches-finish", "C9, eventually: what somebody has who is there, everybody gets who wants it"),
    ("liars-only", "C9, always: who is dropped for bad content has sent some"),
    (
        "stay-connected",
        "eventually: two nodes of which one has a way to find the other are connected, and lose each other no more",
    ),
    ("no-defect", "C5, always: nothing panics, except where that was planted, fails inside, or breaks its protocol"),
    ("panic-heard", "C5, always: a panic is told once, with the name of its task, within a second"),
    ("panic-contained", "C5, always: what runs goes on after a panic, unless that was in a required service"),
    (
        "failure-stops",
        "C2, C5, always: when a required service dies, the node tells so once, and stops for that reason in time",
    ),
    ("all-stop", "C3, at the end: everything stops in time when asked, and leaves no task behind"),
    ("runs", "the simulation itself goes on to its end"),
    ("no-entropy", "nobody asks the system for randomness or the time of day who was not to"),
    ("expected", "what the scenario says of its end"),
];

/// The names of all invariants.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    INVARIANTS.iter().map(|(name, _)| *name)
}

/// Judges something.
trait Checker {
    /// Something happened.
    fn hear(&mut self, _world: &World<'_>, _seen: &Seen, _docket: &mut Docket) {}

    /// A tenth of a second has passed.
    fn look(&mut self, _world: &World<'_>, _docket: &mut Docket) {}

    /// What is not yet as it has to be once faults have ended: an invariant, a host, and what is missing.
    fn missing(&self, _world: &World<'_>) -> Vec<(&'static str, String, String)> {
        Vec::new()
    }

    /// Nothing happens any more, and everybody is still there.
    fn rest(&mut self, _world: &World<'_>, _docket: &mut Docket) {}

    /// Everybody was asked to stop, and has had time to.
    fn end(&mut self, _world: &World<'_>, _docket: &mut Docket) {}
}

/// What did not hold.
#[derive(Default)]
struct Docket {
    violations: Vec<Violation>,
}

impl Docket {
    /// One invariant can fail in every tenth of a second.
    const MAX_EACH: usize = 5;

    fn accuse(&mut self, invariant: &'static str, at: Duration, host: &str, text: impl Into<String>) {
        debug_assert!(names().any(|name| name == invariant), "{invariant} is not in the table");
        if self.violations.iter().filter(|known| known.invariant == invariant).count() < Self::MAX_EACH {
            self.violations.push(Violation { invariant, at, host: host.to_owned(), text: text.into() });
        }
    }
}
