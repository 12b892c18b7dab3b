use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;

/// `one-outcome` and `all-answered`, for sends and calls. That a fetch has one outcome is part of `one-ending`.
#[derive(Default)]
pub(super) struct Outcomes {
    /// How many outcomes each has had.
    requests: BTreeMap<(Arc<str>, Request), u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Send(u64),
    Call(u64),
}

impl Checker for Outcomes {
    fn hear(&mut self, _world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        match &seen.what {
            Happened::SendAsked { number, .. } => self.asked(seen, Request::Send(*number)),
            Happened::CallAsked { number, .. } => self.asked(seen, Request::Call(*number)),
            Happened::SendEnded { number, .. } => self.ended(seen, Request::Send(*number), docket),
            Happened::CallEnded { number, .. } => self.ended(seen, Request::Call(*number), docket),
            // A process that is killed answers nobody.
            Happened::Crashed => self.requests.retain(|(host, _), outcomes| *host != seen.host || *outcomes > 0),
            Happened::Stopped { .. } => {
                for (_, request) in self.open().filter(|(host, _)| *host == seen.host) {
                    let text = format!("the client has ended, and {request:?} has no outcome");
                    docket.accuse("one-outcome", seen.at, &seen.host, text);
                }
            }
            _ => {}
        }
    }

    fn missing(&self, _world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let open = self
            .open()
            .map(|(host, request)| ("all-answered", host.to_string(), format!("{request:?} has no outcome")));
        open.collect()
    }
}

impl Outcomes {
    fn asked(&mut self, seen: &Seen, request: Request) {
        self.requests.insert((seen.host.clone(), request), 0);
    }

    fn ended(&mut self, seen: &Seen, request: Request, docket: &mut Docket) {
        let text = match self.requests.get_mut(&(seen.host.clone(), request)) {
            Some(outcomes @ 0) => {
                *outcomes = 1;
                return;
            }
            Some(_) => format!("{request:?} has a second outcome"),
            None => format!("{request:?} has an outcome, and nobody asked"),
        };
        docket.accuse("one-outcome", seen.at, &seen.host, text);
    }

    fn open(&self) -> impl Iterator<Item = &(Arc<str>, Request)> {
        self.requests.iter().filter(|(_, outcomes)| **outcomes == 0).map(|(request, _)| request)
    }
}
