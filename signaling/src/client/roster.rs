use std::collections::BTreeMap;
use std::sync::Arc;

use crate::machine::Event;
use crate::{Participant, ParticipantId};

/// Who is in the room, as the events tell it. Kept beside the machine, which only its own task can ask.
#[derive(Debug, Default)]
pub(super) struct Roster {
    own: Option<ParticipantId>,
    present: BTreeMap<ParticipantId, Participant>,
    /// What was handed out last; `None` once it is out of date.
    snapshot: Option<Arc<[Participant]>>,
}

impl Roster {
    pub(super) fn own(&self) -> Option<ParticipantId> {
        self.own
    }

    /// Everybody by id. Copies only if something changed since the last time.
    pub(super) fn snapshot(&mut self) -> Arc<[Participant]> {
        self.snapshot.get_or_insert_with(|| self.present.values().cloned().collect()).clone()
    }

    /// Takes in an event that the machine gave.
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::Joined { participant, participants, .. } | Event::ResyncRequired { participant, participants } => {
                self.own = Some(*participant);
                self.present = participants.iter().map(|it| (it.id, it.clone())).collect();
            }
            Event::ParticipantJoined(participant) | Event::ParticipantUpdated(participant) => {
                self.present.insert(participant.id, participant.clone());
            }
            Event::ParticipantLeft { participant, .. } => {
                self.present.remove(&participant.id);
            }
            Event::ValueChanged { from, key, rev, payload } => {
                let Some(participant) = self.present.get_mut(from) else { return };
                if payload.is_empty() {
                    participant.values.remove(key);
                } else {
                    let value = crate::StateValue { rev: *rev, payload: payload.clone() };
                    participant.values.insert(key.clone(), value);
                }
            }
            _ => return,
        }
        self.snapshot = None;
    }

    /// Takes in what this participant has said of itself, of which no event tells.
    pub(super) fn observe_own(&mut self, own: &Participant) {
        if self.present.get(&own.id).is_some_and(|known| known != own) {
            self.present.insert(own.id, own.clone());
            self.snapshot = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::LeftReason;

    fn participant(id: u64) -> Participant {
        Participant { id: ParticipantId(id), ..Participant::default() }
    }

    fn ids(roster: &mut Roster) -> Vec<u64> {
        roster.snapshot().iter().map(|it| it.id.0).collect()
    }

    #[test]
    fn it_follows_the_events() {
        let mut roster = Roster::default();
        roster.observe(&Event::ResyncRequired {
            participant: ParticipantId(2),
            participants: vec![participant(2), participant(1)],
        });
        assert_eq!(roster.own(), Some(ParticipantId(2)));
        roster.observe(&Event::ParticipantJoined(participant(3)));
        roster.observe(&Event::ParticipantLeft { participant: participant(1), reason: LeftReason::Left });
        assert_eq!(ids(&mut roster), [2, 3]);
    }

    #[test]
    fn an_empty_value_is_gone() {
        let mut roster = Roster::default();
        roster.observe(&Event::ParticipantJoined(participant(1)));
        let changed = |rev, payload| Event::ValueChanged { from: ParticipantId(1), key: "k".into(), rev, payload };
        roster.observe(&changed(1, Bytes::from_static(b"v")));
        assert_eq!(roster.snapshot()[0].values["k"].rev, 1);
        roster.observe(&changed(2, Bytes::new()));
        assert!(roster.snapshot()[0].values.is_empty());
    }

    #[test]
    fn an_unchanged_room_is_not_copied_again() {
        let mut roster = Roster::default();
        roster.observe(&Event::ParticipantJoined(participant(1)));
        assert!(Arc::ptr_eq(&roster.snapshot(), &roster.snapshot()));
    }
}
