use std::collections::BTreeMap;

use super::counters::Counters;
use super::lies::{Liar, Lie};
use super::{
    Checker, Docket, content, defects, endings, expected, fetches, links, losses, messages, outcomes, panics, rosters,
};
use crate::host::Seen;
use crate::run::World;
use crate::{Scenario, Violation};

/// All checkers, and what they have found.
pub(crate) struct Court {
    checkers: Vec<Box<dyn Checker>>,
    counters: Counters,
    docket: Docket,
    except: Vec<String>,
    liar: Option<Liar>,
    /// How much of the history has been heard.
    heard: usize,
}

impl Court {
    pub(crate) fn new(scenario: &Scenario, lie: Option<Lie>) -> Self {
        let checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(endings::Endings::default()),
            Box::new(losses::Losses::default()),
            Box::new(messages::Messages::default()),
            Box::new(outcomes::Outcomes::default()),
            Box::new(rosters::Rosters::default()),
            Box::new(content::Content::default()),
            Box::new(fetches::Fetches::default()),
            Box::new(links::Links::default()),
            Box::new(defects::Defects::default()),
            Box::new(panics::Panics::default()),
        ];
        Self {
            checkers,
            counters: Counters::default(),
            docket: Docket::default(),
            except: scenario.except.clone(),
            liar: lie.map(Liar::new),
            heard: 0,
        }
    }

    /// What has happened since the last time: as it was, or as the liar tells it.
    pub(crate) fn news(&mut self, world: &World<'_>) -> Vec<Seen> {
        let history = world.lab.history();
        if history.len() == self.heard {
            return Vec::new();
        }
        let news = history.since(self.heard);
        self.heard += news.len();
        match &mut self.liar {
            Some(liar) => news.into_iter().flat_map(|seen| liar.tell(world, seen)).collect(),
            None => news,
        }
    }

    pub(crate) fn hear(&mut self, world: &World<'_>, seen: &Seen) {
        self.counters.hear(seen);
        self.checkers.iter_mut().for_each(|checker| checker.hear(world, seen, &mut self.docket));
    }

    pub(crate) fn look(&mut self, world: &World<'_>) {
        self.checkers.iter_mut().for_each(|checker| checker.look(world, &mut self.docket));
    }

    /// Whether everything is as it has to be once faults have ended.
    pub(crate) fn is_well(&self, world: &World<'_>) -> bool {
        self.checkers.iter().all(|checker| {
            checker.missing(world).iter().all(|(invariant, ..)| self.except.iter().any(|except| except == invariant))
        })
    }

    pub(crate) fn rest(&mut self, world: &World<'_>) {
        for checker in &mut self.checkers {
            for (invariant, host, text) in checker.missing(world) {
                self.docket.accuse(invariant, world.now(), &host, text);
            }
            checker.rest(world, &mut self.docket);
        }
        self.counters.take_points(world.lab.points().counts());
        expected::judge(world, &self.counters, &mut self.docket);
    }

    pub(crate) fn end(&mut self, world: &World<'_>) {
        self.checkers.iter_mut().for_each(|checker| checker.end(world, &mut self.docket));
    }

    /// The simulation did not get to its end.
    pub(crate) fn broke_off(&mut self, world: &World<'_>, why: &str) {
        self.docket.accuse("runs", world.now(), "", why);
    }

    /// Something panicked that was not to, whoever caught that.
    pub(crate) fn panicked(&mut self, world: &World<'_>, text: &str) {
        self.docket.accuse("no-defect", world.now(), "", text);
    }

    pub(crate) fn asked_the_system(&mut self, world: &World<'_>, text: &str) {
        self.docket.accuse("no-entropy", world.now(), "", text);
    }

    pub(crate) fn adjourn(mut self, world: &World<'_>) -> (Vec<Violation>, BTreeMap<String, u64>) {
        self.counters.take_points(world.lab.points().counts());
        let judged = |violation: &Violation| self.except.iter().all(|except| except != violation.invariant);
        (self.docket.violations.into_iter().filter(judged).collect(), self.counters.into_map())
    }
}
