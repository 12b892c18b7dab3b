//! Who is in the room, as far as the server has said.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::{limits, pb};
use crate::{LeftReason, Participant, ParticipantId, StateValue};

use super::{SelfUpdate, sound};

/// The room holds more than it may.
const TOO_MANY: &str = "more participants than are held";

#[derive(Debug)]
pub(super) struct Roster {
    members: BTreeMap<ParticipantId, Participant>,
    max: usize,
}

impl Roster {
    /// An empty one for so many participants.
    pub(super) fn new(max: usize) -> Self {
        Self { members: BTreeMap::new(), max }
    }

    /// `Err` if it is over a limit.
    pub(super) fn from_snapshot(snapshot: pb::Snapshot, max: usize) -> Result<Self, &'static str> {
        if snapshot.participants.len() > max {
            return Err(TOO_MANY);
        }
        snapshot.participants.iter().try_for_each(sound::participant)?;
        let members = snapshot.participants.into_iter().map(participant).filter(|member| member.id.0 != 0);
        Ok(Self { members: members.map(|member| (member.id, member)).collect(), max })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Participant> {
        self.members.values()
    }

    pub(super) fn to_vec(&self) -> Vec<Participant> {
        self.members.values().cloned().collect()
    }

    pub(super) fn find(&self, id: ParticipantId) -> Option<&Participant> {
        self.members.get(&id)
    }

    /// Takes in a newcomer; `None` if there is one of that id already, or the id is none; `Err` if there is no room.
    pub(super) fn joined(&mut self, joined: pb::Participant) -> Result<Option<Participant>, &'static str> {
        let joined = participant(joined);
        if joined.id.0 == 0 || self.members.contains_key(&joined.id) {
            return Ok(None);
        }
        if self.members.len() >= self.max {
            return Err(TOO_MANY);
        }
        self.members.insert(joined.id, joined.clone());
        Ok(Some(joined))
    }

    /// Takes in what somebody says of itself; its values stay.
    pub(super) fn updated(&mut self, updated: pb::Participant) -> Option<Participant> {
        let updated = participant(updated);
        let member = self.members.get_mut(&updated.id)?;
        let values = std::mem::take(&mut member.values);
        *member = Participant { values, ..updated };
        Some(member.clone())
    }

    /// What this participant says of itself, and the server took.
    pub(super) fn update_own(&mut self, own: ParticipantId, update: &SelfUpdate) {
        let Some(member) = self.members.get_mut(&own) else { return };
        if let Some(name) = &update.name {
            member.name.clone_from(name);
        }
        if let Some(metadata) = &update.metadata {
            member.metadata.clone_from(metadata);
        }
        merge(&mut member.attributes, &update.attributes);
    }

    pub(super) fn left(&mut self, id: ParticipantId) -> Option<Participant> {
        self.members.remove(&id)
    }

    /// Takes in a value, and says whether it is news; `Err` if there is no room for one more.
    pub(super) fn value(
        &mut self,
        from: ParticipantId,
        key: &str,
        rev: u64,
        payload: &Bytes,
    ) -> Result<bool, &'static str> {
        let Some(member) = self.members.get_mut(&from) else { return Ok(false) };
        let values = &mut member.values;
        let known = values.get(key);
        if known.is_some_and(|known| known.rev >= rev) {
            return Ok(false);
        }
        if payload.is_empty() {
            values.remove(key);
        } else if known.is_none() && values.len() >= limits::MAX_VALUES {
            return Err("a participant with more than 64 values");
        } else {
            values.insert(key.to_owned(), StateValue { rev, payload: payload.clone() });
        }
        Ok(true)
    }
}

/// Merges a change into attributes: an empty value removes its key.
pub(super) fn merge(attributes: &mut BTreeMap<String, String>, change: &BTreeMap<String, String>) {
    for (key, value) in change {
        if value.is_empty() {
            attributes.remove(key);
        } else {
            attributes.insert(key.clone(), value.clone());
        }
    }
}

fn participant(wire: pb::Participant) -> Participant {
    let value = |entry: pb::StateEntry| (entry.key, StateValue { rev: entry.rev, payload: entry.payload });
    Participant {
        id: ParticipantId(wire.id),
        identity: wire.identity,
        name: wire.name,
        metadata: wire.metadata,
        attributes: wire.attributes,
        values: wire.states.into_iter().map(value).collect(),
    }
}

pub(super) fn left_reason(wire: pb::LeftReason) -> LeftReason {
    match wire {
        pb::LeftReason::Left => LeftReason::Left,
        pb::LeftReason::TimedOut => LeftReason::TimedOut,
        pb::LeftReason::Replaced => LeftReason::Replaced,
        pb::LeftReason::Removed => LeftReason::Removed,
        pb::LeftReason::Migrated => LeftReason::Migrated,
        pb::LeftReason::Unspecified => LeftReason::Unknown,
    }
}
