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
    /// By host and, for a node, by room.
    clients: BTreeMap<(Arc<str>, Arc<str>), Life>,
    /// When a host last heard late of what happened; the end of time for one that still does.
    deaf: BTreeMap<Arc<str>, Duration>,
}

/// One life of a client.
#[derive(Default)]
struct Life {
    /// When a connection was lost that has not been made good.
    lost_at: Option<Duration>,
    last_lost: Option<Epoch>,
    last_recovered: Option<Epoch>,
    over: bool,
    /// It is in the room.
    live: bool,
}

impl Checker for Losses {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let (room, event) = match &seen.what {
            Happened::Started | Happened::Crashed => {
                self.clients.retain(|(host, _), _| *host != seen.host);
                self.deaf.remove(&seen.host);
                return;
            }
            Happened::Deaf(deaf) => {
                self.deaf.insert(seen.host.clone(), if *deaf { Duration::MAX } else { seen.at });
                return;
            }
            Happened::Room(event) => (Arc::from(""), event),
            Happened::NodeRoom { room, event } => (room.as_str().into(), event),
            _ => return,
        };
        let deaf = self.deaf.get(&seen.host).copied();
        let life = self.clients.entry((seen.host.clone(), room)).or_default();
        if life.over && matches!(event, Event::Joined { .. }) {
            *life = Life::default();
        }
        life.hear(event, deaf, world, seen, docket);
    }

    fn look(&mut self, world: &World<'_>, docket: &mut Docket) {
        for ((host, _), life) in &mut self.clients {
            let Some(lost_at) = life.open_loss(self.deaf.get(host).copied()) else { continue };
            if world.now() > lost_at.saturating_add(deadline(world, host)).saturating_add(GRACE) {
                docket.accuse("back-in-time", world.now(), host, format!("lost at {lost_at:?}, and not a word since"));
                life.lost_at = None;
            }
        }
    }

    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let absent = world.cast.users.iter().filter(|(name, user)| {
            let is_live = matches!(user.client_state(), Some(State::Live { .. }))
                && self.clients.get(&(name.as_str().into(), "".into())).is_some_and(|life| life.live);
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
    /// Since when it is without a connection, as far as that is to be judged: who is deaf meanwhile hears late of the end.
    fn open_loss(&self, deaf: Option<Duration>) -> Option<Duration> {
        self.lost_at.filter(|lost_at| !self.over && deaf.is_none_or(|deaf| deaf < *lost_at))
    }

    fn hear(&mut self, event: &Event, deaf: Option<Duration>, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
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
                self.in_time(deaf, world, seen, docket);
                (self.lost_at, self.last_recovered) = (None, Some(*epoch));
            }
            Event::Closed { reason } => {
                self.in_time(deaf, world, seen, docket);
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

    fn in_time(&self, deaf: Option<Duration>, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let Some(lost_at) = self.open_loss(deaf) else { return };
        if seen.at > lost_at.saturating_add(deadline(world, &seen.host)).saturating_add(GRACE) {
            let text = format!("lost at {lost_at:?}, decided at {:?}: later than it may be", seen.at);
            docket.accuse("back-in-time", seen.at, &seen.host, text);
        }
    }
}

fn deadline(world: &World<'_>, host: &str) -> Duration {
    match world.scenario.host(host) {
        Some(HostSpec::User { deadline_ms: Some(ms), .. }) => Duration::from_millis(*ms),
        // A node stays in its rooms for ever.
        Some(HostSpec::Node { .. }) => Duration::MAX,
        _ => DEADLINE,
    }
}
