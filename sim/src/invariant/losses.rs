use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_signaling::machine::{Event, State};
use moorline_signaling::{CloseReason, Epoch, Strategy};

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// A client gives up after so long, unless the scenario says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// A tick, and what goes with the end.
const GRACE: Duration = Duration::from_secs(1);

/// `loss-once`, `back-in-time` and `everyone-live`.
#[derive(Default)]
pub(super) struct Losses {
    hosts: BTreeMap<Arc<str>, Life>,
}

/// One life of a client.
#[derive(Default)]
struct Life {
    /// When a connection was lost that has not been made good.
    lost_at: Option<Duration>,
    last_lost: Option<Epoch>,
    last_recovered: Option<Epoch>,
    /// It hears late of everything, or did.
    deaf: bool,
    over: bool,
    /// It is in the room.
    live: bool,
}

impl Checker for Losses {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let life = self.hosts.entry(seen.host.clone()).or_default();
        match &seen.what {
            Happened::Started => *life = Life::default(),
            Happened::Crashed => life.over = true,
            Happened::Deaf(deaf) => life.deaf |= deaf,
            Happened::Room(event) => life.hear(event, world, seen, docket),
            _ => {}
        }
    }

    fn look(&mut self, world: &World<'_>, docket: &mut Docket) {
        for (host, life) in &mut self.hosts {
            let Some(lost_at) = life.lost_at.filter(|_| !life.over && !life.deaf) else { continue };
            if world.now() > lost_at + deadline(world, host) + GRACE {
                docket.accuse("back-in-time", world.now(), host, format!("lost at {lost_at:?}, and not a word since"));
                life.lost_at = None;
            }
        }
    }

    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let absent = world.cast.users.iter().filter(|(name, user)| {
            let is_live = matches!(user.client_state(), Some(State::Live { .. }))
                && self.hosts.get(name.as_str()).is_some_and(|life| life.live);
            world.is_there(name) && !is_live
        });
        let text = |state| format!("is not in the room, as far as it was told, but {state:?}");
        let users = absent.map(|(name, user)| ("everyone-live", name.clone(), text(user.client_state())));
        let mut missing: Vec<_> = users.collect();
        for (name, node) in world.cast.nodes.iter().filter(|(name, _)| world.is_there(name)) {
            let Some(HostSpec::Node { rooms, .. }) = world.scenario.host(name) else { continue };
            // A server that somebody has stopped for good has no rooms.
            let open = rooms.iter().filter(|room| room.servers.iter().any(|server| world.is_there(server)));
            let states = open.map(|room| node.room_state(&room.room));
            let absent = states.filter(|state| !matches!(state, Some(State::Live { .. })));
            missing.extend(absent.map(|state| ("everyone-live", name.clone(), text(state))));
        }
        missing
    }
}

impl Life {
    fn hear(&mut self, event: &Event, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let mut accuse = |text: String| docket.accuse("loss-once", seen.at, &seen.host, text);
        match event {
            Event::StateChanged { to, .. } => self.live = matches!(to, State::Live { .. }),
            Event::ConnectionLost { epoch, .. } => {
                if self.lost_at.is_some() {
                    accuse(format!("connection {epoch} is lost while the one before it has not been made good"));
                }
                if self.last_lost.is_some_and(|last| *epoch <= last) {
                    accuse(format!("connection {epoch} is lost for the second time"));
                }
                (self.lost_at, self.last_lost) = (Some(seen.at), Some(*epoch));
            }
            Event::Recovered { epoch, strategy, .. } => {
                // Moving to another node on the server's word needs no loss.
                if self.lost_at.is_none() && *strategy != Strategy::Migrate {
                    accuse(format!("connection {epoch} makes good what was not lost"));
                }
                if self.last_recovered.max(self.last_lost).is_some_and(|last| *epoch <= last) {
                    accuse(format!("connection {epoch} makes good a later one"));
                }
                self.in_time(world, seen, docket);
                (self.lost_at, self.last_recovered) = (None, Some(*epoch));
            }
            Event::Closed { reason } => {
                self.in_time(world, seen, docket);
                let deadline = deadline(world, &seen.host);
                if matches!(reason, CloseReason::Deadline { after, .. } if *after < deadline) {
                    let text = format!("closed before its deadline of {deadline:?}: {reason:?}");
                    docket.accuse("back-in-time", seen.at, &seen.host, text);
                }
                (self.lost_at, self.over) = (None, true);
            }
            _ => {}
        }
    }

    fn in_time(&self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let Some(lost_at) = self.lost_at.filter(|_| !self.deaf) else { return };
        if seen.at > lost_at + deadline(world, &seen.host) + GRACE {
            let text = format!("lost at {lost_at:?}, decided at {:?}: later than it may be", seen.at);
            docket.accuse("back-in-time", seen.at, &seen.host, text);
        }
    }
}

fn deadline(world: &World<'_>, host: &str) -> Duration {
    match world.scenario.host(host) {
        Some(HostSpec::User { deadline_ms: Some(ms), .. }) => Duration::from_millis(*ms),
        _ => DEADLINE,
    }
}
