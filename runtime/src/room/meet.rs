use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use moorline_discovery::interfaces;
use moorline_signaling::client::{Client, Events};
use moorline_signaling::machine::Event;
use moorline_signaling::{Participant, ParticipantId};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::node::Neighbours;
use crate::supervisor::Scope;

use super::addresses;

/// The room's task: passes events on to the application, and looks for nodes in them.
pub(super) struct Meeting {
    neighbours: Neighbours,
    client: Client,
    /// What to tell beside this node's own addresses; `None`: nothing at all, and nobody is looked for.
    extra: Option<Vec<SocketAddr>>,
    own: Option<ParticipantId>,
    /// Under which key each participant's node is known to this node.
    met: BTreeMap<ParticipantId, String>,
    /// Tells the keys of one room from those of another.
    prefix: String,
}

impl Meeting {
    pub(super) fn new(neighbours: Neighbours, extra: Option<Vec<SocketAddr>>, client: Client) -> Self {
        let prefix = format!("room:{}", neighbours.next_room());
        Self { neighbours, client, extra, own: None, met: BTreeMap::new(), prefix }
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
                event = events.next() => event,
            };
            let Some(event) = event else { break };
            if self.extra.is_some() {
                self.look(&event);
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
            Event::ParticipantLeft { participant, .. } => self.forget(participant.id),
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
        let gone = self.met.keys().filter(|id| !participants.iter().any(|there| there.id == **id)).copied();
        for id in gone.collect::<Vec<_>>() {
            self.forget(id);
        }
        participants.iter().for_each(|participant| self.look_at(participant));
    }

    fn look_at(&mut self, participant: &Participant) {
        match participant.values.get(addresses::KEY) {
            Some(value) => self.told(participant.id, &value.payload),
            None => self.forget(participant.id),
        }
    }

    fn told(&mut self, from: ParticipantId, value: &Bytes) {
        if self.own == Some(from) {
            return;
        }
        if value.is_empty() {
            return self.forget(from);
        }
        match addresses::decode(value) {
            Ok((peer, addrs)) => {
                // A participant that names another peer now is another target.
                let key = format!("{}:{from}:{}", self.prefix, peer.short());
                if self.met.get(&from).is_some_and(|known| *known != key) {
                    self.forget(from);
                }
                self.met.insert(from, key.clone());
                self.neighbours.met(key, peer, addrs);
            }
            Err(error) => debug!(participant = from.0, error, "ignoring an announcement in a room"),
        }
    }

    fn forget(&mut self, id: ParticipantId) {
        if let Some(key) = self.met.remove(&id) {
            self.neighbours.gone(&key);
        }
    }
}
