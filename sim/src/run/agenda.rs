use std::collections::BTreeMap;

use crate::Scenario;
use crate::scenario::{Class, Fault, Work};

/// What is still to be done, by time, and in the order of the file among what is due at the same time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    acts: BTreeMap<(u64, u64), Act>,
    added: u64,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Work(Work),
    SendOne {
        host: String,
        class: Class,
        bytes: usize,
    },
    Fault(Fault),
    Restart {
        host: String,
    },
    Renew {
        host: String,
    },
    /// As its user does who had ended it.
    StartAgain {
        host: String,
    },
    Hear {
        host: String,
    },
    FreeDisk {
        host: String,
    },
}

impl Agenda {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut agenda = Self::default();
        for timed in &scenario.workload {
            match &timed.what {
                Work::Send { host, class, count, every_ms, bytes } => {
                    for number in 0..*count {
                        let at = timed.at_ms.saturating_add(number.saturating_mul(*every_ms));
                        agenda.add(at, Act::SendOne { host: host.clone(), class: *class, bytes: *bytes });
                    }
                }
                work => agenda.add(timed.at_ms, Act::Work(work.clone())),
            }
        }
        for timed in &scenario.plan {
            agenda.add(timed.at_ms, Act::Fault(timed.what.clone()));
        }
        agenda
    }

    pub(super) fn add(&mut self, at_ms: u64, act: Act) {
        self.acts.insert((at_ms, self.added), act);
        self.added += 1;
    }

    /// The next thing that is due.
    pub(super) fn due(&mut self, now_ms: u64) -> Option<Act> {
        let entry = self.acts.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(entry.remove())
    }

    /// Nothing goes wrong any more; what users have begun to do, they go on with.
    pub(super) fn heal(&mut self) {
        self.acts.retain(|_, act| matches!(act, Act::Work(_) | Act::SendOne { .. } | Act::StartAgain { .. }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }
}
