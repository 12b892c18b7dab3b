//! What happens in a room, as lines for people and as objects for programs.

use std::time::Duration;

use moorline_signaling::machine::Event;
use moorline_signaling::{CallRequest, Message, Participant, Strategy};

use super::outcome;
use super::roster::Roster;
use crate::json::{self, Content, RoomEvent};
use crate::{text, units};

/// Longest line of a message that is printed for people, in characters.
const LINE_CHARS: usize = 4000;
/// The method that is answered, with what it was called with.
pub(super) const ECHO: &str = "echo";

/// An event as lines for people. The roster is the one from before the event. None for what is not told.
pub(super) fn lines(event: &Event, roster: &Roster, room: &str) -> Vec<String> {
    match event {
        Event::Joined { .. } => {
            let (now, room) = (after(event), text::name(room));
            vec![format!("* in {room} as {}; {}", now.own_name(), others(&now))]
        }
        Event::Message(message) => said(message, roster),
        Event::ParticipantJoined(member) => vec![format!("* {} joined", roster.name_of(member))],
        Event::ParticipantUpdated(member) => vec![updated(member, roster)],
        Event::ParticipantLeft { participant, reason } => {
            vec![format!("* {} left{}", roster.name_of(participant), outcome::leaving(*reason))]
        }
        Event::ValueChanged { from, key, payload, .. } => {
            let (name, key) = (roster.name(*from), text::name(key));
            if payload.is_empty() {
                vec![format!("* {name} removed {key}")]
            } else {
                vec![format!("* {name} set {key} to {}", excerpt(payload))]
            }
        }
        Event::ConnectionLost { cause, .. } => {
            vec![format!("* connection lost: {}; coming back", text::reason(&cause.to_string()))]
        }
        Event::Recovered { strategy, replayed, resent, downtime, .. } => {
            vec![back(*strategy, *replayed, *resent, *downtime)]
        }
        Event::ResyncRequired { .. } => vec![format!("* the room was read anew: {}", others(&after(event)))],
        Event::CallRequest(call) => {
            let (name, method) = (roster.name(call.from), text::name(&call.method));
            let end = if call.method == ECHO { "" } else { ", which there is not here" };
            vec![format!("* {name} calls {method}{end}")]
        }
        Event::Closed { reason } => vec![format!("* closed: {}", outcome::closing(reason))],
        _ => Vec::new(),
    }
}

/// An event as an object for programs. The roster is the one from before the event. None for what is not told.
pub(super) fn object<'a>(event: &'a Event, roster: &'a Roster, room: &'a str) -> Option<RoomEvent<'a>> {
    let who = json::Participant::of;
    Some(match event {
        Event::Joined { session, participant, node, participants, .. } => RoomEvent::Joined {
            room,
            session: session.to_string(),
            node,
            participant: json::id(*participant),
            participants: json::Participant::all(participants),
        },
        Event::Message(message) => RoomEvent::Message {
            from: json::id(message.from),
            name: roster.raw_name(message.from),
            content: Content::of(&message.payload),
            topic: &message.topic,
            seq: message.pos.map(|pos| pos.seq),
            reliable: message.reliable,
        },
        Event::ParticipantJoined(member) => RoomEvent::ParticipantJoined { participant: who(member) },
        Event::ParticipantUpdated(member) => RoomEvent::ParticipantUpdated { participant: who(member) },
        Event::ParticipantLeft { participant, reason } => {
            RoomEvent::ParticipantLeft { participant: who(participant), reason: outcome::of_leaving(*reason) }
        }
        Event::ValueChanged { from, key, rev, payload } => {
            RoomEvent::Value { from: json::id(*from), key, rev: *rev, content: Content::of(payload) }
        }
        Event::ConnectionLost { epoch, cause } => RoomEvent::Lost { epoch: epoch.0, cause: cause.to_string() },
        Event::Recovered { epoch, strategy, resumed, replayed, resent, downtime } => RoomEvent::Recovered {
            epoch: epoch.0,
            strategy: strategy.to_string(),
            resumed: *resumed,
            replayed: *replayed,
            resent: *resent,
            downtime_ms: millis(*downtime),
        },
        Event::ResyncRequired { participant, participants } => RoomEvent::Resync {
            participant: json::id(*participant),
            participants: json::Participant::all(participants),
        },
        Event::CallRequest(call) => called(call, roster),
        Event::Decision(decision) => RoomEvent::Decision {
            elapsed_ms: millis(decision.elapsed),
            cause: &decision.cause,
            action: &decision.action,
            strategy: decision.strategy.map(|strategy| strategy.to_string()),
            attempt: decision.attempt,
            delay_ms: decision.delay.map(millis),
        },
        Event::Closed { reason } => RoomEvent::Closed { reason: reason.to_string(), kind: outcome::of_closing(reason) },
        _ => return None,
    })
}

/// Some of a payload, on one line: safe to print.
pub(super) fn excerpt(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) => text::clean(text, text::NAME_CHARS),
        Err(_) => binary(payload),
    }
}

fn said(message: &Message, roster: &Roster) -> Vec<String> {
    let name = roster.name(message.from);
    let Ok(text) = std::str::from_utf8(&message.payload) else {
        return vec![format!("{name}: {}", binary(&message.payload))];
    };
    // Each line under the name, so that no line passes for somebody else's.
    let line = |line: &str| format!("{name}: {}", text::clean(&line.replace('\t', "    "), LINE_CHARS));
    if text.is_empty() { vec![line("")] } else { text.lines().map(line).collect() }
}

fn binary(payload: &[u8]) -> String {
    format!("[{} that are no text]", units::bytes(payload.len() as u64))
}

fn called<'a>(call: &'a CallRequest, roster: &'a Roster) -> RoomEvent<'a> {
    RoomEvent::Call {
        from: json::id(call.from),
        name: roster.raw_name(call.from),
        method: &call.method,
        content: Content::of(&call.payload),
        answer: if call.method == ECHO { ECHO } else { "no_such_method" },
    }
}

fn updated(member: &Participant, roster: &Roster) -> String {
    let before = roster.name(member.id);
    if roster.raw_name(member.id) == member.name {
        format!("* {before} changed what it says of itself")
    } else {
        format!("* {before} is now {}", roster.name_of(member))
    }
}

fn back(strategy: Strategy, replayed: u64, resent: u64, downtime: Duration) -> String {
    let mut how = vec![strategy.to_string()];
    if replayed > 0 {
        how.push(units::count(replayed, "missed message"));
    }
    if resent > 0 {
        how.push(format!("{resent} sent again"));
    }
    let how = how.join(", ");
    if strategy == Strategy::Migrate && downtime.is_zero() {
        format!("* moved to another server ({how})")
    } else if downtime < Duration::from_secs(1) {
        format!("* back after {} ms ({how})", downtime.as_millis())
    } else {
        format!("* back after {} ({how})", units::duration(downtime))
    }
}

fn others(roster: &Roster) -> String {
    roster.others().unwrap_or_else(|| "nobody else is here".to_owned())
}

fn after(event: &Event) -> Roster {
    let mut roster = Roster::default();
    roster.observe(event);
    roster
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
