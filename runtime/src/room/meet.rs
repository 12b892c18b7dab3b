use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use moorline_discovery::interfaces;
use moorline_signaling::client::{Client, Events};
use moorline_signaling::machine::Event;
use moorline_signaling::{Participant, ParticipantId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::node::{Neighbours, NotMet};
use crate::supervisor::Scope;

use super::addresses;
use super::pace::Pace;

/// The room's task: passes events on to the application, and looks for nodes in them.
pub(super) struct Meeting {
    neighbours: Neighbours,
    client: Client,
    /// What to tell beside this node's own addresses; `None`: nothing at all, and nobody is looked for.
    extra: Option<Vec<SocketAddr>>,
    own: Option<ParticipantId>,
    /// Under which key each participant's node is known to this node.
    met: BTreeMap<ParticipantId, String>,
    /// When to act on what they say.
    pace: Pace,
    /// When there is something to act on.
    wake: Option<Instant>,
    /// Tells the keys of one room from those of another.
    prefix: String,
}

impl Meeting {
    pub(super) fn new(neighbours: Neighbours, extra: Option<Vec<SocketAddr>>, client: Client) -> Self {
        let prefix = format!("room:{}", neighbours.next_room());
        Self { neighbours, client, extra, own: None, met: BTreeMap::new(), pace: Pace::default(), wake: None, prefix }
    }

    /// Until the room is closed. When the scope is cancelled, leaves it first.
    pub(super) async fn run(
        mut self,
        mut events: Events,
        application: mpsc::Sender<Event>,
        last: mpsc::OwnedPermit<Event>,
        scope: Scope,
    ) {
        let mut leaving = false;
        loop {
            let event = tokio::select! {
                biased;
                () = scope.cancelled(), if !leaving => {
                    leaving = true;
                    self.client.close();
                    continue;
                }
                () = sleep_until(self.wake.unwrap_or_else(Instant::now)), if self.wake.is_some() => {
                    self.act();
                    continue;
                }
                event = events.next() => event,
            };
            let Some(event) = event else { break };
            if self.extra.is_some() {
                self.look(&event);
                self.act();
            }
            if let Event::Closed { .. } = event {
                last.send(event);
                break;
            }
            tokio::select! {
                biased;
                permit = application.reserve() => if let Ok(permit) = permit {
                    permit.send(event);
                },
                // An application that does not read must not hold up the end.
                () = scope.cancelled() => {}
            }
        }
        for key in self.met.values() {
            self.neighbours.gone(key);
        }
    }

    fn look(&mut self, event: &Event) {
        match event {
            Event::Joined { participant, participants, .. } | Event::ResyncRequired { participant, participants } => {
                self.own = Some(*participant);
                self.announce();
                self.look_around(participants);
            }
            Event::Recovered { .. } => self.announce(),
            Event::ParticipantJoined(joined) => self.look_at(joined),
            Event::ValueChanged { from, key, payload, .. } if key == addresses::KEY => self.told(*from, payload),
            Event::ParticipantLeft { participant, .. } => self.left(participant.id),
            _ => {}
        }
    }

    /// Tells where this node is. The server passes on what has changed.
    fn announce(&self) {
        let Some(extra) = &self.extra else { return };
        let interfaces = interfaces().unwrap_or_else(|error| {
            warn!(%error, "cannot list the network interfaces: the room is not told where this node is");
            Vec::new()
        });
        let mut addrs = extra.clone();
        addrs.extend(addresses::reachable(self.neighbours.local_addr(), &interfaces));
        // What becomes of it is seen in the room; after a recovery it is told again.
        drop(self.client.set_value(addresses::KEY, addresses::encode(self.neighbours.own_id(), &addrs)));
    }

    fn look_around(&mut self, participants: &[Participant]) {
        let gone = self.pace.people().filter(|id| !participants.iter().any(|there| there.id == *id));
        for id in gone.collect::<Vec<_>>() {
            self.left(id);
        }
        participants.iter().for_each(|participant| self.look_at(participant));
    }

    fn look_at(&mut self, participant: &Participant) {
        match participant.values.get(addresses::KEY) {
            Some(value) => self.told(participant.id, &value.payload),
            None => self.silent(participant.id),
        }
    }

    fn told(&mut self, from: ParticipantId, value: &Bytes) {
        if self.own == Some(from) {
            return;
        }
        if value.is_empty() {
            return self.silent(from);
        }
        match addresses::decode(value) {
            // A node that is nowhere is not dialled any more.
            Ok((_, addrs)) if addrs.is_empty() => self.silent(from),
            Ok(announced) => self.pace.told(Instant::now(), from, announced),
            Err(error) => debug!(participant = from.0, error, "ignoring an announcement in a room"),
        }
    }

    /// Acts on what is due.
    fn act(&mut self) {
        let now = Instant::now();
        while let Some((id, (peer, addrs))) = self.pace.due(now) {
            // A participant that names another peer now is another target.
            let key = format!("{}:{id}:{}", self.prefix, peer.short());
            if self.met.get(&id).is_some_and(|known| *known != key) {
                self.forget(id);
            }
            match self.neighbours.met(now, key.clone(), peer, addrs) {
                Ok(()) => drop(self.met.insert(id, key)),
                Err(NotMet::TooMany) => self.pace.refused(now, id),
                Err(NotMet::Before(then)) => {
                    self.pace.put_off(then, id);
                    self.wake = Some(then);
                    return;
                }
            }
        }
        self.wake = self.pace.wake();
    }

    fn silent(&mut self, id: ParticipantId) {
        self.pace.silent(id);
        self.forget(id);
    }

    fn left(&mut self, id: ParticipantId) {
        self.pace.gone(id);
        self.forget(id);
    }

    fn forget(&mut self, id: ParticipantId) {
        if let Some(key) = self.met.remove(&id) {
            self.neighbours.gone(&key);
        }
    }
}
