use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_runtime::node::{NodeEvent, RuntimeFailed, StopReason};
use moorline_runtime::supervisor::{Exit, ServiceEvent, ServiceState};
use moorline_signaling::CloseReason;
use moorline_signaling::machine::Event;

use super::{Checker, Docket};
use crate::Interference;
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::Fault;

/// Services without which a node is none.
const REQUIRED: [&str; 2] = ["commands", "quic-server"];
/// A panic is news: it is told in the step in which it happens, unless its listener is asleep.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// A node has two seconds to stop, half a one for its socket, and the rest is for the telling.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// `panic-heard`, `panic-contained` and `failure-stops`.
#[derive(Default)]
pub(super) struct Panics {
    hosts: BTreeMap<Arc<str>, Life>,
}

/// One life of a host.
#[derive(Default)]
struct Life {
    /// By what they say.
    planted: BTreeMap<String, Planted>,
    /// Nothing that happens is seen at once, or at all.
    deaf: bool,
    over: bool,
    failing: Option<Failing>,
}

/// A panic that somebody is to hear of.
struct Planted {
    at: Duration,
    task: String,
    heard: u32,
    /// It may be among the events that were missed, or nobody tells of it by name.
    excused: bool,
}

/// A required service has died.
struct Failing {
    at: Duration,
    service: String,
    message: String,
    told: u32,
}

impl Checker for Panics {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let life = self.hosts.entry(seen.host.clone()).or_default();
        match &seen.what {
            Happened::Started => *life = Life::default(),
            Happened::Crashed => life.over = true,
            Happened::Interfered { what: Interference::Panic { message }, task, .. } => {
                life.plant(world, seen, message, task.as_deref().unwrap_or_default());
            }
            Happened::Deaf(deaf) => {
                life.deaf = *deaf;
                // What was not seen meanwhile may have been dropped.
                life.planted.values_mut().for_each(|planted| planted.excused |= planted.heard == 0);
            }
            Happened::Node(event) => life.node_says(event, world, seen, docket),
            Happened::Room(Event::Closed { reason: CloseReason::Internal(message) }) => {
                life.heard("room-client", message, seen, docket);
            }
            Happened::Stopped { .. } => life.ends(world, seen, docket),
            _ => {}
        }
    }

    fn look(&mut self, world: &World<'_>, docket: &mut Docket) {
        for (host, life) in self.hosts.iter_mut().filter(|(_, life)| !life.over && !life.deaf) {
            let unheard = |planted: &&mut Planted| planted.heard == 0 && !planted.excused;
            for planted in life.planted.values_mut().filter(unheard) {
                if world.now() > planted.at + HEARD_WITHIN {
                    planted.excused = true;
                    let text = format!("task {} panicked at {:?}, and nobody hears of it", planted.task, planted.at);
                    docket.accuse("panic-heard", world.now(), host, text);
                }
            }
            if let Some(failing) = life.failing.take_if(|failing| world.now() > failing.at + STOPS_WITHIN) {
                let text =
                    format!("service {} died at {:?}, and the node has not stopped", failing.service, failing.at);
                docket.accuse("failure-stops", world.now(), host, text);
            }
        }
    }

    /// A server only counts.
    fn rest(&mut self, world: &World<'_>, docket: &mut Docket) {
        for (host, server) in world.cast.servers.iter().filter(|(host, _)| world.runs(host)) {
            let planted = self.hosts.get(host.as_str()).map_or(0, |life| life.planted.len() as u64);
            let counted = server.stats().panics;
            let drains = |fault: &Fault| matches!(fault, Fault::GoAway { host: drained, .. } if drained == host);
            // While it sends its clients away its figures are not looked at.
            let is_stale = world.scenario.plan.iter().any(|timed| drains(&timed.what));
            if counted > planted || (counted < planted && !is_stale) {
                let text = format!("{planted} tasks panicked, and {counted} were counted");
                docket.accuse("panic-heard", world.now(), host, text);
            }
        }
    }
}

impl Life {
    fn plant(&mut self, world: &World<'_>, seen: &Seen, message: &str, task: &str) {
        // A connection that dies is a connection that is lost, whatever it died of.
        let excused = task == "room-connection" || world.cast.servers.contains_key(&*seen.host);
        let planted = Planted { at: seen.at, task: task.to_owned(), heard: 0, excused };
        self.planted.insert(message.to_owned(), planted);
        if REQUIRED.contains(&task) && self.failing.is_none() && !world.is_dismissed(&seen.host) {
            let (service, message) = (task.to_owned(), message.to_owned());
            self.failing = Some(Failing { at: seen.at, service, message, told: 0 });
        }
    }

    fn heard(&mut self, task: &str, message: &str, seen: &Seen, docket: &mut Docket) {
        // One that nobody planted is a defect: see `no-defect`.
        let Some(planted) = self.planted.get_mut(message) else { return };
        let mut accuse = |text: String| docket.accuse("panic-heard", seen.at, &seen.host, text);
        planted.heard += 1;
        if planted.heard > 1 {
            accuse(format!("{message:?} is told {} times", planted.heard));
        }
        if planted.task != task {
            accuse(format!("{message:?} was in task {}, and is told of {task}", planted.task));
        }
    }

    fn node_says(&mut self, event: &NodeEvent, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        match event {
            NodeEvent::TaskPanicked { task, message } => {
                self.heard(task.rsplit('/').next().unwrap_or_default(), message, seen, docket);
            }
            NodeEvent::Service(ServiceEvent { name, state, .. }) => {
                if let Some(Exit::Panicked { message, .. }) = exit_of(state) {
                    self.heard(name, message, seen, docket);
                }
            }
            NodeEvent::RuntimeFailed(failure) => self.failed(failure, seen, docket),
            NodeEvent::Lagged { .. } => self.planted.values_mut().for_each(|planted| planted.excused = true),
            NodeEvent::Stopped { reason } => {
                let Some(failing) = self.failing.take() else { return };
                let is_it = |failure: &RuntimeFailed| failure.component == failing.service;
                let says_so = matches!(reason, StopReason::Failed { failure, .. } if is_it(failure));
                // Who is asked to stop at the same time may say either.
                if !says_so && !world.is_dismissed(&seen.host) {
                    let text = format!(
                        "service {} died, and the node says that it stopped because: {reason}",
                        failing.service
                    );
                    docket.accuse("failure-stops", seen.at, &seen.host, text);
                }
                if says_so && failing.told == 0 && self.planted.values().all(|planted| !planted.excused) {
                    let text = format!("service {} died, and the node stopped without a word of it", failing.service);
                    docket.accuse("failure-stops", seen.at, &seen.host, text);
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, failure: &RuntimeFailed, seen: &Seen, docket: &mut Docket) {
        let Some(failing) = self.failing.as_mut() else { return };
        failing.told += 1;
        if failing.told > 1 || !failure.error.to_string().contains(&failing.message) {
            let text = format!(
                "service {} died once, of {:?}, and the node says: {failure}",
                failing.service, failing.message
            );
            docket.accuse("failure-stops", seen.at, &seen.host, text);
        }
    }

    fn ends(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        self.over = true;
        for planted in self.planted.values().filter(|planted| planted.heard == 0 && !planted.excused) {
            let text = format!("task {} panicked, and it has ended without a word of it", planted.task);
            docket.accuse("panic-heard", seen.at, &seen.host, text);
        }
        let died = self.planted.values().any(|planted| REQUIRED.contains(&&*planted.task));
        let is_user = world.cast.users.contains_key(&*seen.host);
        if !died && !is_user && !world.is_dismissed(&seen.host) && !world.is_emptied(&seen.host) {
            let invariant = if self.planted.is_empty() { "no-defect" } else { "panic-contained" };
            docket.accuse(invariant, seen.at, &seen.host, "it has ended, and nobody had asked it to");
        }
    }
}

fn exit_of(state: &ServiceState) -> Option<&Exit> {
    match state {
        ServiceState::Restarting { exit, .. } | ServiceState::Failed { exit } | ServiceState::Stopped { exit } => {
            Some(exit)
        }
        _ => None,
    }
}
