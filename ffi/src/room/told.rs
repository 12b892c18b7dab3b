//! Events and snapshots of a room, as the other side reads them.

use bytes::Bytes;
use moorline_signaling::machine::{Event, State};
use moorline_signaling::{CloseReason, LeftReason, Participant};

use crate::happening::Happening;
use crate::kinds::*;
use crate::status::*;

use super::Room;

/// An event of the room; `None` for those that are told in another way, or are for logs alone.
pub(super) fn event(room: u64, event: Event) -> Option<Happening> {
    let new = |kind| Happening::new(kind, room);
    Some(match event {
        Event::StateChanged { from, to, cause } => {
            new(MOORLINE_EVENT_ROOM_STATE).numbers([state(from), state(to)]).texts([cause])
        }
        Event::Joined { session, participant, node, grants, participants } => {
            let grants = u64::from(grants.publish) | u64::from(grants.call) << 1 | u64::from(grants.update_self) << 2;
            new(MOORLINE_EVENT_ROOM_JOINED)
                .numbers([participant.0, participants.len() as u64, grants])
                .texts([session.to_string(), node])
        }
        Event::ConnectionLost { epoch, cause } => {
            new(MOORLINE_EVENT_ROOM_CONNECTION_LOST).numbers([epoch.0]).texts([cause.to_string()])
        }
        Event::Recovered { epoch, strategy, resumed, replayed, resent, downtime } => {
            let downtime_ms = u64::try_from(downtime.as_millis()).unwrap_or(u64::MAX);
            new(MOORLINE_EVENT_ROOM_RECOVERED)
                .numbers([epoch.0, resumed.into(), replayed, resent, downtime_ms])
                .texts([strategy.to_string()])
        }
        Event::ResyncRequired { participant, participants } => {
            new(MOORLINE_EVENT_ROOM_RESYNC).numbers([participant.0, participants.len() as u64])
        }
        Event::Message(message) => new(MOORLINE_EVENT_ROOM_MESSAGE)
            .numbers([message.from.0, message.reliable.into(), message.dedupe_id])
            .spans([message.payload, Bytes::from(message.topic)]),
        Event::ParticipantJoined(who) => participant(new(MOORLINE_EVENT_ROOM_PARTICIPANT_JOINED), &who),
        Event::ParticipantUpdated(who) => participant(new(MOORLINE_EVENT_ROOM_PARTICIPANT_UPDATED), &who),
        Event::ParticipantLeft { participant: who, reason } => {
            let left = participant(new(MOORLINE_EVENT_ROOM_PARTICIPANT_LEFT), &who);
            left.numbers([who.id.0, left_reason(reason)])
        }
        Event::ValueChanged { from, key, rev, payload } => {
            new(MOORLINE_EVENT_ROOM_VALUE).numbers([from.0, rev]).spans([payload, Bytes::from(key)])
        }
        // Outcomes of sends and calls go to their requests; decisions are for logs.
        _ => return None,
    })
}

impl Room {
    pub(crate) fn info(&self) -> Happening {
        let participants = self.signaling.participants().len() as u64;
        let own = self.signaling.participant().map_or(0, |participant| participant.0);
        let session = self.signaling.session().map(|session| session.to_string()).unwrap_or_default();
        Happening::new(MOORLINE_RECORD_ROOM, self.life.handle)
            .numbers([state(self.signaling.state()), own, participants])
            .texts([session])
    }

    pub(crate) fn participants(&self) -> Vec<Happening> {
        let mut records = Vec::new();
        for who in self.signaling.participants().iter() {
            let new = |kind| Happening::new(kind, self.life.handle);
            records.push(participant(new(MOORLINE_RECORD_PARTICIPANT), who));
            for (key, value) in &who.attributes {
                let texts = [value.clone(), key.clone()];
                records.push(new(MOORLINE_RECORD_ATTRIBUTE).numbers([who.id.0]).texts(texts));
            }
            for (key, value) in &who.values {
                let spans = [value.payload.clone(), Bytes::from(key.clone())];
                records.push(new(MOORLINE_RECORD_VALUE).numbers([who.id.0, value.rev]).spans(spans));
            }
        }
        records
    }
}

/// Why a room ended.
pub(super) fn close_status(reason: &CloseReason) -> i32 {
    match reason {
        CloseReason::UserClosed => MOORLINE_E_CLOSED,
        CloseReason::SessionEnded(_) => MOORLINE_E_SESSION_ENDED,
        CloseReason::Replaced => MOORLINE_E_REPLACED,
        CloseReason::Deadline { .. } | CloseReason::AttemptsExhausted { .. } | CloseReason::RateLimited { .. } => {
            MOORLINE_E_UNREACHABLE
        }
        CloseReason::AuthRejected(_) => MOORLINE_E_AUTH,
        CloseReason::Unrecoverable { .. } => MOORLINE_E_REJECTED,
        CloseReason::ProtocolError(_) => MOORLINE_E_PROTOCOL,
        CloseReason::Internal(_) => MOORLINE_E_PANIC,
        _ => MOORLINE_E_INTERNAL,
    }
}

fn participant(happening: Happening, who: &Participant) -> Happening {
    let texts = [who.identity.clone(), who.name.clone(), who.metadata.clone()];
    happening.numbers([who.id.0]).texts(texts)
}

fn state(state: State) -> u64 {
    match state {
        State::Idle => 0,
        State::Connecting { .. } => 1,
        State::Live { .. } => 2,
        State::Recovering { .. } => 3,
        State::Migrating { .. } => 4,
        State::Leaving => 5,
        State::Closed => 6,
    }
}

fn left_reason(reason: LeftReason) -> u64 {
    match reason {
        LeftReason::Left => 1,
        LeftReason::TimedOut => 2,
        LeftReason::Replaced => 3,
        LeftReason::Removed => 4,
        LeftReason::Migrated => 5,
        _ => 0,
    }
}
