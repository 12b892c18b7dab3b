//! What happens in the room, as the server tells it.

use std::time::Instant;

use prost::Message as _;

use crate::wire::{limits, pb};
use crate::{CallError, CallId, CallRequest, Message, ParticipantId, RejectCode, SendOutcome, StreamPos};

use super::frames::cut;
use super::outbox::Owner;
use super::sound::{self, Sound};
use super::{Event, Machine, roster};

/// Deliveries after which an acknowledgement does not wait for company.
const ACK_AT_ONCE: u32 = 32;
/// The bytes after which it does not either: the server keeps every one of them until it is told, and it does not keep many.
const ACK_BYTES_AT_ONCE: usize = 128 << 10;

impl Machine {
    /// Takes in a delivery; `Err` if one before it is missing, or it is over a limit.
    pub(super) fn deliver(&mut self, now: Instant, seq: u64, delivery: pb::Deliver) -> Result<(), String> {
        sound::delivery(&delivery)?;
        let Some(session) = &mut self.session else { return Ok(()) };
        let mut pos = None;
        if seq > 0 {
            let expected = session.pos.seq + 1;
            if seq > expected {
                return Err(format!("delivery {seq} came where {expected} was due"));
            }
            self.ack_count += 1;
            self.ack_bytes += delivery.encoded_len();
            let at_once = self.ack_count >= ACK_AT_ONCE || self.ack_bytes >= ACK_BYTES_AT_ONCE;
            let due = if at_once { now } else { now + self.config.timers.ack_delay };
            self.ack_due = Some(self.ack_due.map_or(due, |at| at.min(due)));
            if seq < expected {
                return Ok(());
            }
            session.pos.seq = seq;
            pos = Some(session.pos);
        }
        match delivery.event {
            Some(event) => self.happened(event, pos).map_err(str::to_owned),
            None => Ok(()),
        }
    }

    fn happened(&mut self, event: pb::deliver::Event, pos: Option<StreamPos>) -> Sound {
        use pb::deliver::Event as Wire;
        match event {
            Wire::Message(message) => {
                let from = ParticipantId(message.from);
                let (topic, payload, dedupe_id) = (message.topic, message.payload, message.dedupe_id);
                self.emit(Event::Message(Message { pos, from, reliable: pos.is_some(), topic, payload, dedupe_id }));
            }
            Wire::ParticipantJoined(joined) => {
                if let Some(joined) = self.roster.joined(joined)? {
                    self.emit(Event::ParticipantJoined(joined));
                }
            }
            Wire::ParticipantUpdated(updated) => {
                if let Some(updated) = self.roster.updated(updated) {
                    self.emit(Event::ParticipantUpdated(updated));
                }
            }
            Wire::ParticipantLeft(left) => self.participant_left(&left),
            Wire::StateChanged(changed) => {
                let from = ParticipantId(changed.from);
                let Some(pb::StateEntry { key, rev, payload }) = changed.entry else { return Ok(()) };
                if self.roster.value(from, &key, rev, &payload)? {
                    self.emit(Event::ValueChanged { from, key, rev, payload });
                }
            }
            Wire::CallRequest(call) => {
                let timeout = std::time::Duration::from_millis(u64::from(call.timeout_ms));
                self.emit(Event::CallRequest(CallRequest {
                    id: CallId(call.call_id),
                    from: ParticipantId(call.from),
                    method: call.method,
                    payload: call.payload,
                    timeout,
                }));
            }
            Wire::CallReply(reply) => self.call_reply(reply),
            Wire::Rejected(rejected) => self.rejected(&rejected),
        }
        Ok(())
    }

    fn participant_left(&mut self, left: &pb::ParticipantLeft) {
        let id = ParticipantId(left.id);
        let reason = roster::left_reason(pb::LeftReason::try_from(left.reason).unwrap_or_default());
        let Some(participant) = self.roster.left(id) else { return };
        for (id, _) in self.calls.take_all(|_, call| call.to == id) {
            self.outbox.withdraw_call(id);
            self.emit(Event::CallOutcome { id, result: Err(CallError::NoSuchParticipant) });
        }
        self.emit(Event::ParticipantLeft { participant, reason });
    }

    fn call_reply(&mut self, reply: pb::CallReply) {
        let id = CallId(reply.call_id);
        if self.calls.take(id).is_none() {
            return;
        }
        let result = match pb::CallStatus::try_from(reply.status).unwrap_or_default() {
            pb::CallStatus::CallOk => Ok(reply.payload),
            pb::CallStatus::CallNoSuchMethod => Err(CallError::NoSuchMethod),
            pb::CallStatus::CallNoSuchParticipant => Err(CallError::NoSuchParticipant),
            pb::CallStatus::CallBusy => Err(CallError::Busy),
            pb::CallStatus::CallFailed | pb::CallStatus::Unspecified => {
                Err(CallError::Failed(String::from_utf8_lossy(&reply.payload).into_owned()))
            }
        };
        self.emit(Event::CallOutcome { id, result });
    }

    /// The server refused a send; its acknowledgement only says that it was seen.
    pub(super) fn rejected(&mut self, rejected: &pb::Rejected) {
        let code = match pb::RejectCode::try_from(rejected.code).unwrap_or_default() {
            pb::RejectCode::NotAllowed => RejectCode::NotAllowed,
            pb::RejectCode::OverLimit => RejectCode::OverLimit,
            pb::RejectCode::RoomStateFull => RejectCode::RoomStateFull,
            pb::RejectCode::Invalid | pb::RejectCode::Unspecified => RejectCode::Invalid,
        };
        let message = cut(&rejected.message, limits::MAX_TEXT);
        let Some(entry) = self.outbox.unsettled(rejected.client_seq) else { return };
        entry.settled = true;
        match entry.owner {
            Owner::Send(id) => self.emit(Event::SendOutcome { id, outcome: SendOutcome::Rejected(code, message) }),
            Owner::Call(id) => {
                if self.calls.take(id).is_some() {
                    self.emit(Event::CallOutcome { id, result: Err(CallError::Rejected(code, message)) });
                }
            }
            Owner::Nobody => {}
        }
    }
}
