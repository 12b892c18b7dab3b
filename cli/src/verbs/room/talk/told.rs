//! What became of what was typed, as it is told.

use bytes::Bytes;
use moorline_signaling::{CallError, Participant, ParticipantId, SendOutcome};

use crate::json::{self, Content, RoomEvent};
use crate::output::Output;
use crate::text;
use crate::verbs::room::roster::Roster;
use crate::verbs::room::{outcome, show};

/// What a line asked to be sent.
#[derive(Debug)]
pub(super) enum Asked {
    /// A message: how it begins, safe to print.
    Message(String),
    /// To announce a value of this key.
    Value(String),
    /// To be called this.
    Name(String),
}

/// How something that was typed ended.
#[derive(Debug)]
pub(super) enum Done {
    Sent {
        line: u64,
        asked: Asked,
        bytes: usize,
        outcome: SendOutcome,
    },
    Called {
        line: u64,
        to: ParticipantId,
        name: String,
        method: String,
        bytes: usize,
        result: Result<Bytes, CallError>,
    },
}

impl Done {
    /// What it took of the bytes that may be open.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Sent { bytes, .. } | Self::Called { bytes, .. } => *bytes,
        }
    }

    /// Of a line that did not do what it was to do: which, and why.
    pub(super) fn failure(&self) -> Option<(u64, String)> {
        match self {
            Self::Sent { line, outcome, .. } => outcome::trouble(outcome).map(|why| (*line, why)),
            Self::Called { line, result, .. } => result.as_ref().err().map(|error| (*line, error.to_string())),
        }
    }

    pub(super) fn tell(&self, output: &Output) {
        output.event(&json::Event::Room(self.object()));
        if let Some(line) = self.line() {
            output.line(line);
        }
    }

    fn object(&self) -> RoomEvent<'_> {
        match self {
            Self::Sent { line, asked, outcome, .. } => {
                let (line, (outcome, detail)) = (*line, outcome::of_send(outcome));
                let what = match asked {
                    Asked::Message(_) => return RoomEvent::Sent { line, outcome, detail },
                    Asked::Value(_) => "value",
                    Asked::Name(_) => "name",
                };
                RoomEvent::Applied { line, what, outcome, detail }
            }
            Self::Called { line, to, name, method, result, .. } => RoomEvent::CallResult {
                line: *line,
                to: Some(json::id(*to)),
                name,
                method,
                outcome: result.as_ref().map_or_else(outcome::of_call, |_| "ok"),
                content: result.as_ref().ok().map(|payload| Content::of(payload)),
                detail: result.as_ref().err().map(ToString::to_string),
            },
        }
    }

    /// For people. None for what went as expected.
    fn line(&self) -> Option<String> {
        match self {
            Self::Sent { asked: Asked::Name(name), outcome: SendOutcome::Acked, .. } => {
                Some(format!("* you are now {}", text::name(name)))
            }
            Self::Sent { asked, outcome, .. } => {
                let trouble = outcome::trouble(outcome)?;
                let what = match asked {
                    Asked::Message(text) => text.clone(),
                    Asked::Value(key) => format!("/set {}", text::name(key)),
                    Asked::Name(name) => format!("/name {}", text::name(name)),
                };
                Some(format!("* {trouble}: {what}"))
            }
            Self::Called { name, method, result, .. } => {
                let (name, method) = (text::name(name), text::name(method));
                Some(match result {
                    Ok(payload) => format!("* {name} answers {method}: {}", show::excerpt(payload)),
                    Err(error) => format!("* no answer of {name} to {method}: {}", text::reason(&error.to_string())),
                })
            }
        }
    }
}

/// A message that did not get as far as the client.
pub(super) fn not_sent(output: &Output, line: u64, outcome: &str, why: &str) {
    output.event(&json::Event::Room(RoomEvent::Sent { line, outcome, detail: Some(why.to_owned()) }));
    output.line(format_args!("* not sent: {}", text::reason(why)));
}

/// A call that did not get as far as the client.
pub(super) fn not_called(output: &Output, line: u64, name: &str, method: &str, why: String) {
    output.line(format_args!("* not called: {}", text::reason(&why)));
    let outcome = "no_such_participant";
    let detail = Some(why);
    output.event(&json::Event::Room(RoomEvent::CallResult {
        line,
        to: None,
        name,
        method,
        outcome,
        content: None,
        detail,
    }));
}

/// A line that asks for nothing that there is.
pub(super) fn hint(output: &Output, line: u64, text: &str) {
    output.event(&json::Event::Room(RoomEvent::Hint { line, text }));
    output.note(text);
}

/// Who is here.
pub(super) fn who(output: &Output, roster: &Roster, participants: &[Participant]) {
    let own = roster.own_name();
    output.event(&json::Event::Room(RoomEvent::Who { participants: json::Participant::all(participants) }));
    let others = roster.others().unwrap_or_else(|| "nobody else is here".to_owned());
    output.line(format_args!("* you are {own}; {others}"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use moorline_signaling::RejectCode;

    use super::*;

    fn sent(asked: Asked, outcome: SendOutcome) -> Done {
        Done::Sent { line: 3, asked, bytes: 5, outcome }
    }

    fn called(result: Result<Bytes, CallError>) -> Done {
        let (name, method) = ("ben".to_owned(), "echo".to_owned());
        Done::Called { line: 4, to: ParticipantId(2), name, method, bytes: 5, result }
    }

    #[test]
    fn every_end_is_told() {
        let message = || Asked::Message("hello".to_owned());
        let rejected = SendOutcome::Rejected(RejectCode::NotAllowed, "the token does not allow it".to_owned());
        let ends = [
            sent(message(), SendOutcome::Acked),
            sent(message(), SendOutcome::Expired),
            sent(message(), SendOutcome::Overflow),
            sent(message(), SendOutcome::Unknown),
            sent(message(), SendOutcome::Closed),
            sent(message(), rejected.clone()),
            sent(Asked::Value("mood".to_owned()), SendOutcome::Superseded),
            sent(Asked::Value("mood".to_owned()), rejected.clone()),
            sent(Asked::Name("Ada".to_owned()), SendOutcome::Acked),
            sent(Asked::Name("Ada".to_owned()), rejected),
            called(Ok(Bytes::from_static(b"hi"))),
            called(Ok(Bytes::from_static(&[0xff]))),
            called(Err(CallError::NoSuchMethod)),
            called(Err(CallError::DeadlineExceeded(Duration::from_secs(10)))),
        ];
        let told: Vec<String> = ends
            .iter()
            .map(|end| {
                let object = json::line(&json::Event::Room(end.object()));
                format!("{object}\n{}", end.line().unwrap_or_else(|| "-".to_owned()))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
