//! What clients' requests do to a room.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Room;
use crate::server::store::{Rejection, Request};
use crate::wire::{limits, pb};
use crate::{ParticipantId, RejectCode};

/// Why a request is not done.
type Refusal = (RejectCode, &'static str);

const STATE_FULL: Refusal = (RejectCode::RoomStateFull, "the room has no space for it");

impl Room {
    /// Does what a participant asks for. `seq` is 0 if nobody wants to know when it is refused.
    pub(super) fn execute(&mut self, from: ParticipantId, seq: u64, request: Request, now: Instant) {
        let outcome = match request {
            Request::Publish { dedupe_id, class, payload, topic, to } => {
                let message = pb::Message { from: from.0, class, payload, topic, dedupe_id };
                self.publish(from, message, to)
            }
            Request::State { key, rev, payload } => self.set_state(from, key, rev, &payload),
            Request::Update { name, metadata, attributes } => self.update(from, name, metadata, attributes),
            Request::Call { call_id, to, method, payload, timeout_ms } => {
                let request = pb::CallRequest { call_id, from: from.0, method, payload, timeout_ms };
                self.call(from, to, request, now)
            }
            Request::Reply { call_id, to, status, payload } => {
                self.reply(to, pb::CallReply { call_id, from: from.0, status, payload }, now)
            }
            Request::Refused { code, message } => Err((code, message)),
        };
        if let Err((code, message)) = outcome
            && seq != 0
        {
            self.reject(from, Rejection { client_seq: seq, code, message: message.to_owned() });
        }
    }

    fn publish(
        &mut self,
        from: ParticipantId,
        message: pb::Message,
        mut to: Vec<ParticipantId>,
    ) -> Result<(), Refusal> {
        let kept = match message.class() {
            pb::SendClass::Reliable => true,
            pb::SendClass::Ephemeral | pb::SendClass::EpochBound => false,
            pb::SendClass::Unspecified | pb::SendClass::Latest => {
                return Err((RejectCode::Invalid, "messages are not of this class"));
            }
        };
        let body = self.shared.encode(pb::deliver::Event::Message(message));
        to.sort_unstable();
        to.dedup();
        match (kept, to.is_empty()) {
            (true, true) => self.broadcast(from, &body),
            (true, false) => to.into_iter().for_each(|to| self.deliver(to, body.clone(), false)),
            (false, everybody) => {
                let listed = |id: &ParticipantId| if everybody { *id != from } else { to.binary_search(id).is_ok() };
                let mut dropped = 0;
                for outbox in self.members.iter().filter(|(id, _)| listed(id)).filter_map(|(_, m)| m.outbox.as_ref()) {
                    if self.shared.budget.is_spent() || !outbox.push_ephemeral(body.clone()) {
                        dropped += 1;
                    }
                }
                self.shared.ephemeral_dropped.fetch_add(dropped, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn set_state(&mut self, from: ParticipantId, key: String, rev: u64, payload: &Bytes) -> Result<(), Refusal> {
        let Some(member) = self.members.get_mut(&from) else { return Ok(()) };
        let before = member.state_bytes();
        let states = &mut member.participant.states;
        let place = states.binary_search_by(|entry| entry.key.as_str().cmp(&key));
        if place.is_ok_and(|at| states[at].rev >= rev) {
            return Ok(());
        }
        // A copy: what came in shares its memory with everything that was read together with it.
        let entry = pb::StateEntry { key, rev, payload: Bytes::copy_from_slice(payload) };
        let undo = match place {
            Ok(at) if payload.is_empty() => {
                states.remove(at);
                None
            }
            Ok(at) => Some((at, Some(std::mem::replace(&mut states[at], entry.clone())))),
            Err(_) if payload.is_empty() => return Ok(()),
            Err(_) if states.len() >= limits::MAX_VALUES => {
                return Err((RejectCode::OverLimit, "too many keys"));
            }
            Err(at) => {
                states.insert(at, entry.clone());
                Some((at, None))
            }
        };
        let bytes = self.state_bytes - before + member.state_bytes();
        let full = bytes > self.shared.limits.room_state_bytes && bytes > self.state_bytes;
        if (full || !member.held.try_set(member.state_bytes()))
            && let Some((at, old)) = undo
        {
            match old {
                Some(old) => member.participant.states[at] = old,
                None => _ = member.participant.states.remove(at),
            }
            return Err(STATE_FULL);
        }
        self.state_bytes = bytes;
        let changed = pb::StateChanged { from: from.0, entry: Some(entry) };
        self.broadcast(from, &self.shared.encode(pb::deliver::Event::StateChanged(changed)));
        Ok(())
    }

    fn update(
        &mut self,
        from: ParticipantId,
        name: Option<String>,
        metadata: Option<String>,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let Some(member) = self.members.get_mut(&from) else { return Ok(()) };
        let before = member.state_bytes();
        let old = &member.participant;
        let mut merged = old.attributes.clone();
        merged.extend(attributes);
        merged.retain(|_, value| !value.is_empty());
        if merged.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > limits::MAX_ATTRIBUTES {
            return Err((RejectCode::OverLimit, "attributes are too long"));
        }
        let updated = pb::Participant {
            id: old.id,
            identity: old.identity.clone(),
            name: name.unwrap_or_else(|| old.name.clone()),
            metadata: metadata.unwrap_or_else(|| old.metadata.clone()),
            attributes: merged,
            states: Vec::new(),
        };
        let shown = updated.clone();
        let mut old = std::mem::replace(&mut member.participant, updated);
        member.participant.states = std::mem::take(&mut old.states);
        let bytes = self.state_bytes - before + member.state_bytes();
        let full = bytes > self.shared.limits.room_state_bytes && bytes > self.state_bytes;
        if full || !member.held.try_set(member.state_bytes()) {
            old.states = std::mem::take(&mut member.participant.states);
            member.participant = old;
            return Err(STATE_FULL);
        }
        self.state_bytes = bytes;
        self.broadcast(from, &self.shared.encode(pb::deliver::Event::ParticipantUpdated(shown)));
        Ok(())
    }

    fn call(
        &mut self,
        from: ParticipantId,
        to: ParticipantId,
        request: pb::CallRequest,
        now: Instant,
    ) -> Result<(), Refusal> {
        if self.members.contains_key(&to) {
            let Some(caller) = self.members.get_mut(&from) else { return Ok(()) };
            let until = now + Duration::from_millis(request.timeout_ms.into());
            if !caller.calls.open(to, request.call_id, until, now, self.shared.limits.open_calls) {
                return Err((RejectCode::OverLimit, "too many calls wait for an answer"));
            }
            self.deliver(to, self.shared.encode(pb::deliver::Event::CallRequest(request)), false);
            return Ok(());
        }
        let reply = pb::CallReply {
            call_id: request.call_id,
            from: to.0,
            status: pb::CallStatus::CallNoSuchParticipant.into(),
            payload: Bytes::new(),
        };
        self.deliver(from, self.shared.encode(pb::deliver::Event::CallReply(reply)), false);
        Ok(())
    }

    /// An answer needs no grant, so it goes to nobody who has not asked.
    fn reply(&mut self, to: ParticipantId, reply: pb::CallReply, now: Instant) -> Result<(), Refusal> {
        // A caller that has left is not there to be answered.
        let Some(caller) = self.members.get_mut(&to) else { return Ok(()) };
        if !caller.calls.answer(ParticipantId(reply.from), reply.call_id, now) {
            return Err((RejectCode::Invalid, "nobody waits for this answer"));
        }
        self.deliver(to, self.shared.encode(pb::deliver::Event::CallReply(reply)), false);
        Ok(())
    }

    /// Tells a participant that its frame was not applied, now and with every Welcome until it has heard.
    fn reject(&mut self, from: ParticipantId, rejection: Rejection) {
        let body = self.shared.encode(pb::deliver::Event::Rejected(rejection.to_wire()));
        let Some(member) = self.members.get_mut(&from) else { return };
        member.rejections.push_back((member.log.head() + 1, rejection));
        self.deliver(from, body, true);
    }
}

impl Rejection {
    /// As it goes on the wire.
    pub(in crate::server) fn to_wire(&self) -> pb::Rejected {
        let code = match self.code {
            RejectCode::NotAllowed => pb::RejectCode::NotAllowed,
            RejectCode::OverLimit => pb::RejectCode::OverLimit,
            RejectCode::RoomStateFull => pb::RejectCode::RoomStateFull,
            RejectCode::Invalid => pb::RejectCode::Invalid,
        };
        pb::Rejected { client_seq: self.client_seq, code: code.into(), message: self.message.clone() }
    }
}
