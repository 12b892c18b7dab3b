use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_signaling::machine::{Event, State};
use moorline_signaling::{Participant, ParticipantId};

use super::messages::{is_in, room_with_one_server};
use super::{Checker, Docket};
use crate::NodeHost;
use crate::host::{Happened, Seen};
use crate::run::World;

/// `one-participant` and `rosters-agree`.
#[derive(Default)]
pub(super) struct Rosters {
    /// Whom each user sees in its room, by what it was told.
    rosters: BTreeMap<Arc<str>, BTreeMap<ParticipantId, Participant>>,
}

impl Checker for Rosters {
    fn hear(&mut self, _world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let mut accuse = |text: String| docket.accuse("one-participant", seen.at, &seen.host, text);
        let roster = self.rosters.entry(seen.host.clone()).or_default();
        match &seen.what {
            Happened::Started => roster.clear(),
            Happened::Room(Event::Joined { participants, .. } | Event::ResyncRequired { participants, .. }) => {
                roster.clear();
                participants.iter().for_each(|participant| enter(roster, participant, &mut accuse));
            }
            Happened::Room(Event::ParticipantJoined(participant)) => enter(roster, participant, &mut accuse),
            Happened::Room(Event::ParticipantUpdated(participant)) => {
                let before = roster.insert(participant.id, participant.clone());
                if before.is_none() {
                    accuse(format!("{} changed, who is not there", participant.name));
                }
            }
            Happened::Room(Event::ParticipantLeft { participant, .. }) => {
                let before = roster.remove(&participant.id);
                if before.is_none() {
                    accuse(format!("{} left, who is not there", participant.name));
                }
            }
            _ => {}
        }
    }

    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let mut missing = Vec::new();
        let live: Vec<&String> = world
            .cast
            .users
            .iter()
            .filter(|(name, user)| world.is_there(name) && matches!(user.client_state(), Some(State::Live { .. })))
            .map(|(name, _)| name)
            .collect();
        let mut rooms: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for host in &live {
            let Some(room) = room_with_one_server(world, host) else { continue };
            let expected = rooms.entry(room).or_insert_with(|| {
                let users = live.iter().filter(|other| is_in(world, other, room)).map(|other| other.as_str());
                let live = |(name, node): &(&String, &NodeHost)| {
                    world.is_there(name) && matches!(node.room_state(room), Some(State::Live { .. }))
                };
                let mut all: Vec<&str> =
                    world.cast.nodes.iter().filter(live).map(|(name, _)| name.as_str()).chain(users).collect();
                all.sort_unstable();
                all
            });
            let mut names: Vec<&str> = match self.rosters.get(host.as_str()) {
                Some(roster) => roster.values().map(|participant| participant.name.as_str()).collect(),
                None => Vec::new(),
            };
            names.sort_unstable();
            if names != *expected {
                missing.push(("rosters-agree", (*host).clone(), format!("sees {names:?}, and there are {expected:?}")));
            }
        }
        missing
    }
}

fn enter(roster: &mut BTreeMap<ParticipantId, Participant>, who: &Participant, accuse: &mut impl FnMut(String)) {
    if let Some(other) = roster.values().find(|other| other.id == who.id || other.identity == who.identity) {
        let (name, id) = (&who.name, who.id);
        accuse(format!("{name} came as participant {id}, and is there already as participant {}", other.id));
    }
    roster.insert(who.id, who.clone());
}
