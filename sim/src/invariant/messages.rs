use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moorline_signaling::machine::{Event, State};
use moorline_signaling::{Message, ParticipantId, SendClass, SendOutcome};

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// `in-order` and `no-gap`.
#[derive(Default)]
pub(super) struct Messages {
    sent: BTreeMap<Arc<str>, BTreeMap<u64, Sent>>,
    /// By host and life.
    heard: BTreeMap<(Arc<str>, u64), Heard>,
}

struct Sent {
    at: Duration,
    life: u64,
    reliable: bool,
    acked: bool,
}

/// What one life of a user has heard.
#[derive(Default)]
struct Heard {
    /// Between announced gaps.
    stretches: Vec<Stretch>,
    /// By sender.
    all: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// The last one of a sender, one of its lives, and a class.
    last: BTreeMap<(Arc<str>, u64, bool), u64>,
    revs: BTreeMap<(ParticipantId, String), u64>,
}

struct Stretch {
    from: Duration,
    reliable: BTreeMap<Arc<str>, BTreeSet<u64>>,
}

impl Checker for Messages {
    fn hear(&mut self, _world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        match &seen.what {
            Happened::SendAsked { number, class, .. } => {
                let reliable = matches!(class, SendClass::Reliable);
                let sent = Sent { at: seen.at, life: seen.life, reliable, acked: false };
                self.sent.entry(seen.host.clone()).or_default().insert(*number, sent);
            }
            Happened::SendEnded { number, outcome: SendOutcome::Acked } => {
                if let Some(sent) = self.sent.get_mut(&seen.host).and_then(|sent| sent.get_mut(number)) {
                    sent.acked = true;
                }
            }
            Happened::Room(Event::Joined { .. } | Event::ResyncRequired { .. }) => {
                let heard = self.heard.entry((seen.host.clone(), seen.life)).or_default();
                heard.stretches.push(Stretch { from: seen.at, reliable: BTreeMap::new() });
                heard.revs.clear();
            }
            Happened::Room(Event::ValueChanged { from, key, rev, .. }) => {
                let heard = self.heard.entry((seen.host.clone(), seen.life)).or_default();
                let last = heard.revs.insert((*from, key.clone()), *rev);
                if last.is_some_and(|last| *rev <= last) {
                    let text = format!("value {key} of participant {from} has revision {rev} after {last:?}");
                    docket.accuse("in-order", seen.at, &seen.host, text);
                }
            }
            Happened::Room(Event::Message(message)) => self.message(message, seen, docket),
            _ => {}
        }
    }

    fn rest(&mut self, world: &World<'_>, docket: &mut Docket) {
        for ((host, life), heard) in &self.heard {
            let Some(room) = room_with_one_server(world, host) else { continue };
            // The last life of somebody who is there is to have heard everything.
            let there = world.cast.users.get(&**host).is_some_and(|user| {
                world.runs(host) && user.lives() == life + 1 && matches!(user.client_state(), Some(State::Live { .. }))
            });
            let senders = self.sent.iter().filter(|(sender, _)| *sender != host && is_in(world, sender, room));
            for (sender, sent) in senders {
                for (index, stretch) in heard.stretches.iter().enumerate() {
                    let open = there && index + 1 == heard.stretches.len();
                    if let Some(number) = stretch.gap(sender, sent, open) {
                        let text = format!("message {number} of {sender} was acknowledged and did not arrive");
                        docket.accuse("no-gap", world.now(), host, text);
                    }
                }
            }
        }
    }
}

impl Messages {
    fn message(&mut self, message: &Message, seen: &Seen, docket: &mut Docket) {
        let Some((sender, number)) = read(&message.payload) else { return };
        let sender: Arc<str> = sender.into();
        let Some(life) = self.sent.get(&sender).and_then(|sent| sent.get(&number)).map(|sent| sent.life) else {
            return docket.accuse(
                "in-order",
                seen.at,
                &seen.host,
                format!("message {number} of {sender} was never sent"),
            );
        };
        let heard = self.heard.entry((seen.host.clone(), seen.life)).or_default();
        if !heard.all.entry(sender.clone()).or_default().insert(number) {
            docket.accuse("in-order", seen.at, &seen.host, format!("message {number} of {sender} arrived twice"));
        } else if let Some(last) = heard.last.insert((sender.clone(), life, message.reliable), number)
            && number < last
        {
            let text = format!("message {number} of {sender} arrived after {last}");
            docket.accuse("in-order", seen.at, &seen.host, text);
        }
        if let Some(stretch) = heard.stretches.last_mut().filter(|_| message.reliable) {
            stretch.reliable.entry(sender).or_default().insert(number);
        }
    }
}

impl Stretch {
    /// A message that should be here: those between two that are; those sent since it began; and if it is still `open`, the latest.
    fn gap(&self, sender: &str, sent: &BTreeMap<u64, Sent>, open: bool) -> Option<u64> {
        let none = BTreeSet::new();
        let here = self.reliable.get(sender).unwrap_or(&none);
        let (first, last) = (here.first().copied().unwrap_or(u64::MAX), here.last().copied().unwrap_or(0));
        let due = |number: u64, sent: &Sent| {
            let began = number > first || sent.at > self.from;
            let ended = number < last || open;
            sent.reliable && sent.acked && began && ended
        };
        sent.iter().find(|(number, sent)| due(**number, sent) && !here.contains(*number)).map(|(number, _)| *number)
    }
}

/// As [`World::send`] writes it.
fn read(payload: &Bytes) -> Option<(&str, u64)> {
    let mut parts = std::str::from_utf8(payload).ok()?.splitn(3, '|');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

/// The user's room, if all that are in it have to be on the same server: several keep rooms of their own.
pub(super) fn room_with_one_server<'w>(world: &'w World<'_>, host: &str) -> Option<&'w str> {
    match world.scenario.host(host)? {
        HostSpec::User { room, servers, .. } if servers.len() == 1 => {
            let same = |other: &HostSpec| other.servers_of(room).is_none_or(|others| others == servers);
            world.scenario.hosts.iter().all(same).then_some(room)
        }
        _ => None,
    }
}

pub(super) fn is_in(world: &World<'_>, host: &str, wanted: &str) -> bool {
    world.scenario.host(host).is_some_and(|host| host.servers_of(wanted).is_some())
}
