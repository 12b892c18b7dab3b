//! What `signal`, `token` and `room` print with `--json`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use moorline_signaling::{self as signaling, ParticipantId};
use serde::Serialize;

/// An object of a verb that has to do with rooms. Ids are text: they are 64-bit numbers, which many readers of JSON round.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum RoomEvent<'a> {
    /// `signal`: it listens. First object.
    Ready {
        listen: String,
        node: &'a str,
        /// Whether everybody who reaches the address may join.
        open: bool,
    },
    /// `signal`: everybody was asked to go elsewhere.
    Draining { sessions: usize, deadline_ms: u64 },
    /// `signal`: it has ended; so many had to be cut off. Last object.
    Stopped { left: usize },
    /// `token`: the one object.
    Token { token: &'a str, expires_unix: u64 },
    /// `room`: in the room. First object.
    Joined { room: &'a str, session: String, node: &'a str, participant: String, participants: Vec<Participant<'a>> },
    /// `room`: a message came in.
    Message {
        from: String,
        name: &'a str,
        #[serde(flatten)]
        content: Content<'a>,
        topic: &'a str,
        /// Its place in the history; null for an ephemeral one, which has none.
        seq: Option<u64>,
        reliable: bool,
    },
    /// `room`: somebody came.
    ParticipantJoined { participant: Participant<'a> },
    /// `room`: somebody says something else of itself.
    ParticipantUpdated { participant: Participant<'a> },
    /// `room`: somebody went.
    ParticipantLeft {
        participant: Participant<'a>,
        /// `left`, `timed_out`, `replaced`, `removed`, `migrated` or `unknown`.
        reason: &'a str,
    },
    /// `room`: somebody announced a value; empty: it is gone.
    Value {
        from: String,
        key: &'a str,
        rev: u64,
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// `room`: the connection is lost, and being made good. Once a connection.
    Lost { epoch: u64, cause: String },
    /// `room`: there is a connection again.
    Recovered {
        epoch: u64,
        /// `fast`, `rejoin` or `migrate`.
        strategy: String,
        resumed: bool,
        replayed: u64,
        resent: u64,
        downtime_ms: u64,
    },
    /// `room`: something was missed for good; this is who is there now.
    Resync { participant: String, participants: Vec<Participant<'a>> },
    /// `room`: somebody called this participant.
    Call {
        from: String,
        name: &'a str,
        method: &'a str,
        #[serde(flatten)]
        content: Content<'a>,
        /// `echo`, or `no_such_method`.
        answer: &'a str,
    },
    /// `room`: what became of an input line that was a message. One for each.
    Sent {
        line: u64,
        outcome: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// `room`: what became of `/set` (`value`) or `/name` (`name`). One for each.
    Applied {
        line: u64,
        what: &'a str,
        outcome: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// `room`: how a call ended. One for each.
    CallResult {
        line: u64,
        /// Left out if nobody was found under the name.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// As it was typed.
        name: &'a str,
        method: &'a str,
        outcome: &'a str,
        #[serde(flatten)]
        content: Option<Content<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// `room`: the answer to `/who`.
    Who { participants: Vec<Participant<'a>> },
    /// `room`: an input line that was not understood.
    Hint { line: u64, text: &'a str },
    /// `room -v`: why the client does what it does next.
    Decision {
        elapsed_ms: u64,
        cause: &'a str,
        action: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        strategy: Option<String>,
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    },
    /// `room`: out of the room. Last object unless an `error` follows.
    Closed {
        /// A sentence.
        reason: String,
        /// A word: `user_closed`, `deadline`, `auth_rejected`, …
        kind: &'a str,
    },
}

/// Somebody in a room.
#[derive(Debug, Serialize)]
pub(crate) struct Participant<'a> {
    id: String,
    identity: &'a str,
    name: &'a str,
    metadata: &'a str,
    attributes: &'a BTreeMap<String, String>,
    values: BTreeMap<&'a str, Value<'a>>,
}

#[derive(Debug, Serialize)]
struct Value<'a> {
    rev: u64,
    #[serde(flatten)]
    content: Content<'a>,
}

/// Bytes: as text if they are text.
#[derive(Debug, Serialize)]
pub(crate) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl<'a> Content<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: Some(text), payload_base64: None },
            Err(_) => Self { text: None, payload_base64: Some(BASE64.encode(bytes)) },
        }
    }
}

impl<'a> Participant<'a> {
    pub(crate) fn of(participant: &'a signaling::Participant) -> Self {
        let values = participant.values.iter();
        Self {
            id: id(participant.id),
            identity: &participant.identity,
            name: &participant.name,
            metadata: &participant.metadata,
            attributes: &participant.attributes,
            values: values
                .map(|(key, value)| (key.as_str(), Value { rev: value.rev, content: Content::of(&value.payload) }))
                .collect(),
        }
    }

    pub(crate) fn all(participants: impl IntoIterator<Item = &'a signaling::Participant>) -> Vec<Self> {
        participants.into_iter().map(Self::of).collect()
    }
}

/// An id, as it stands in every object.
pub(crate) fn id(participant: ParticipantId) -> String {
    participant.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Event, line};

    #[test]
    fn an_object_has_one_type_and_flat_content() {
        let event = RoomEvent::Message {
            from: id(ParticipantId(u64::MAX)),
            name: "ada",
            content: Content::of(b"hello"),
            topic: "",
            seq: None,
            reliable: false,
        };
        assert_eq!(
            line(&Event::Room(event)),
            r#"{"type":"message","from":"18446744073709551615","name":"ada","text":"hello","topic":"","seq":null,"reliable":false}"#
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let event = RoomEvent::Value { from: id(ParticipantId(1)), key: "k", rev: 2, content: Content::of(&[0xff, 0]) };
        assert_eq!(
            line(&Event::Room(event)),
            r#"{"type":"value","from":"1","key":"k","rev":2,"payload_base64":"/wA="}"#
        );
    }

    #[test]
    fn a_call_without_a_result_has_no_content() {
        let event = RoomEvent::CallResult {
            line: 1,
            to: None,
            name: "ben",
            method: "echo",
            outcome: "busy",
            content: None,
            detail: None,
        };
        assert_eq!(
            line(&Event::Room(event)),
            r#"{"type":"call_result","line":1,"name":"ben","method":"echo","outcome":"busy"}"#
        );
    }
}
