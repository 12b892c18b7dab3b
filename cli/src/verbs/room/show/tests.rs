use bytes::Bytes;
use moorline_signaling::machine::Decision;
use moorline_signaling::{
    CallId, CloseReason, EndReason, Epoch, Grants, LeftReason, LogId, LossCause, ParticipantId, SessionId, StateValue,
    StreamPos,
};

use super::*;
use crate::json::line;

fn member(id: u64, name: &str) -> Participant {
    Participant {
        id: ParticipantId(id),
        identity: format!("id-{name}"),
        name: name.to_owned(),
        ..Participant::default()
    }
}

fn message(from: u64, payload: &'static [u8]) -> Event {
    Event::Message(Message {
        pos: Some(StreamPos { log_id: LogId::from_bytes([0; 16]), seq: 7 }),
        from: ParticipantId(from),
        reliable: true,
        topic: String::new(),
        payload: Bytes::from_static(payload),
        dedupe_id: 1,
    })
}

/// A little of everything, in an order that could happen.
fn story() -> Vec<Event> {
    let mut ben = member(2, "ben");
    ben.values.insert("mood".to_owned(), StateValue { rev: 3, payload: Bytes::from_static(b"fine") });
    let mut named = ben.clone();
    named.name = "benjamin".to_owned();
    let mut described = named.clone();
    described.metadata = "a cook".to_owned();
    let left = |participant: Participant, reason| Event::ParticipantLeft { participant, reason };
    let value = |payload: &'static [u8], rev| Event::ValueChanged {
        from: ParticipantId(2),
        key: "mood".to_owned(),
        rev,
        payload: Bytes::from_static(payload),
    };
    let call = |method: &str| {
        Event::CallRequest(CallRequest {
            id: CallId(1),
            from: ParticipantId(2),
            method: method.to_owned(),
            payload: Bytes::from_static(b"hi"),
            timeout: Duration::from_secs(1),
        })
    };
    let recovered = |strategy, replayed, resent, downtime| Event::Recovered {
        epoch: Epoch(2),
        strategy,
        resumed: strategy == Strategy::Fast,
        replayed,
        resent,
        downtime: Duration::from_millis(downtime),
    };
    vec![
        Event::Joined {
            session: SessionId::from_bytes([1; 16]),
            participant: ParticipantId(1),
            node: "node-1".to_owned(),
            grants: Grants::default(),
            participants: vec![member(1, "ada"), ben],
        },
        message(2, b"hello"),
        message(2, b"two\nlines\tand a tab"),
        message(2, b""),
        message(2, &[0xff, 0xfe]),
        message(9, b"from one who is not known"),
        Event::ParticipantJoined(member(3, "cy")),
        Event::ParticipantUpdated(named),
        Event::ParticipantUpdated(described),
        value(b"better", 4),
        value(b"", 5),
        call("echo"),
        call("format"),
        Event::Decision(Decision {
            elapsed: Duration::from_millis(1500),
            cause: "nothing came in".to_owned(),
            action: "resume".to_owned(),
            strategy: Some(Strategy::Fast),
            attempt: 1,
            delay: Some(Duration::from_millis(20)),
        }),
        Event::ConnectionLost { epoch: Epoch(1), cause: LossCause::ClosedByServer(1006) },
        recovered(Strategy::Fast, 3, 0, 120),
        recovered(Strategy::Fast, 1, 2, 12_000),
        recovered(Strategy::Rejoin, 0, 0, 1500),
        Event::ResyncRequired { participant: ParticipantId(4), participants: vec![member(4, "ada"), member(3, "cy")] },
        recovered(Strategy::Migrate, 0, 0, 0),
        left(member(3, "cy"), LeftReason::TimedOut),
        Event::Closed { reason: CloseReason::SessionEnded(EndReason::RoomClosed) },
    ]
}

fn told(mut show: impl FnMut(&Event, &Roster) -> Vec<String>) -> String {
    let mut roster = Roster::default();
    let mut lines = Vec::new();
    for event in story() {
        lines.extend(show(&event, &roster));
        roster.observe(&event);
    }
    lines.join("\n")
}

#[test]
fn people_read_lines() {
    insta::assert_snapshot!(told(|event, roster| lines(event, roster, "lobby")));
}

#[test]
fn programs_read_objects() {
    let show = |event: &Event, roster: &Roster| {
        object(event, roster, "lobby").map(|object| line(&json::Event::Room(object))).into_iter().collect()
    };
    insta::assert_snapshot!(told(show));
}

#[test]
fn nothing_that_others_say_drives_the_terminal() {
    const EVIL: &str = "\u{1b}[2J\u{202e}\r\n* closed";
    let mut evil = member(2, EVIL);
    evil.identity = EVIL.to_owned();
    let from = ParticipantId(2);
    let events = [
        Event::ParticipantJoined(evil.clone()),
        message(2, EVIL.as_bytes()),
        Event::ParticipantUpdated(Participant { name: format!("{EVIL}2"), ..evil.clone() }),
        Event::ValueChanged { from, key: EVIL.to_owned(), rev: 1, payload: Bytes::from_static(EVIL.as_bytes()) },
        Event::CallRequest(CallRequest {
            id: CallId(1),
            from,
            method: EVIL.to_owned(),
            payload: Bytes::new(),
            timeout: Duration::from_secs(1),
        }),
        Event::ConnectionLost { epoch: Epoch(1), cause: LossCause::Fault(EVIL.to_owned()) },
        Event::ParticipantLeft { participant: evil, reason: LeftReason::Left },
        Event::Closed { reason: CloseReason::AuthRejected(EVIL.to_owned()) },
    ];
    let mut roster = Roster::default();
    for event in events {
        for shown in lines(&event, &roster, EVIL) {
            assert!(!shown.chars().any(text::misleads), "{event:?}: {shown:?}");
            assert!(!shown.starts_with("* closed") || matches!(event, Event::Closed { .. }), "{shown:?}");
        }
        if let Some(object) = object(&event, &roster, EVIL) {
            assert!(!line(&json::Event::Room(object)).chars().any(text::misleads), "{event:?}");
        }
        roster.observe(&event);
    }
}
