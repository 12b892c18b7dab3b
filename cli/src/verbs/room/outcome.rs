//! Outcomes in words: one word for programs, a few for people, a code for the shell.

use moorline_signaling::{CallError, CloseReason, EndReason, LeftReason, SendOutcome};

use crate::exit::{Code, Failure};
use crate::{text, units};

/// The fault, and the close code, of a token that is good for something else.
const FORBIDDEN: [u16; 2] = [5, moorline_signaling::server::close_code::FORBIDDEN];

/// How a send ended: a word, and more about it where there is more.
pub(super) fn of_send(outcome: &SendOutcome) -> (&'static str, Option<String>) {
    match outcome {
        SendOutcome::Acked => ("acked", None),
        SendOutcome::Written => ("written", None),
        SendOutcome::Dropped => ("dropped", None),
        SendOutcome::Superseded => ("superseded", None),
        SendOutcome::Expired => ("expired", None),
        SendOutcome::Overflow => ("overflow", None),
        SendOutcome::Rejected(code, message) => ("rejected", Some(format!("{code:?}: {message}"))),
        SendOutcome::Unknown => ("unknown", None),
        SendOutcome::Closed => ("closed", None),
    }
}

/// What to tell people of a send; nothing if all went well.
pub(super) fn trouble(outcome: &SendOutcome) -> Option<String> {
    let text = match outcome {
        SendOutcome::Acked | SendOutcome::Written | SendOutcome::Superseded => return None,
        SendOutcome::Dropped => "not sent, there is no connection".to_owned(),
        SendOutcome::Expired => "not sent, it waited too long for a connection".to_owned(),
        SendOutcome::Overflow => "not sent, too much is waiting already".to_owned(),
        SendOutcome::Rejected(_, message) => format!("refused, {}", text::reason(message)),
        SendOutcome::Unknown => "arrived or not, the server has lost its memory of it".to_owned(),
        SendOutcome::Closed => "arrived or not, the room was left before the server said so".to_owned(),
    };
    Some(text)
}

/// How a call ended that brought no result.
pub(super) fn of_call(error: &CallError) -> &'static str {
    match error {
        CallError::Failed(_) => "failed",
        CallError::NoSuchMethod => "no_such_method",
        CallError::NoSuchParticipant => "no_such_participant",
        CallError::Busy => "busy",
        CallError::DeadlineExceeded(_) => "deadline_exceeded",
        CallError::Rejected(..) => "rejected",
        CallError::Overflow => "overflow",
        CallError::Lost => "lost",
        CallError::Closed => "closed",
        _ => "unknown",
    }
}

/// Why somebody left, for programs.
pub(super) fn of_leaving(reason: LeftReason) -> &'static str {
    match reason {
        LeftReason::Left => "left",
        LeftReason::TimedOut => "timed_out",
        LeftReason::Replaced => "replaced",
        LeftReason::Removed => "removed",
        LeftReason::Migrated => "migrated",
        _ => "unknown",
    }
}

/// The same for people, to stand behind `left`.
pub(super) fn leaving(reason: LeftReason) -> &'static str {
    match reason {
        LeftReason::Left => "",
        LeftReason::TimedOut => " (timed out)",
        LeftReason::Replaced => " (joined anew from elsewhere)",
        LeftReason::Removed => " (was put out)",
        LeftReason::Migrated => " (moved to another server)",
        _ => " (for a reason that this version does not know)",
    }
}

/// Why the client is closed, for programs.
pub(super) fn of_closing(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::UserClosed | CloseReason::SessionEnded(EndReason::ClientLeft) => "user_closed",
        CloseReason::SessionEnded(EndReason::Removed) => "removed",
        CloseReason::SessionEnded(EndReason::RoomClosed) => "room_closed",
        CloseReason::SessionEnded(EndReason::TokenRanOut) => "token_ran_out",
        CloseReason::SessionEnded(_) => "session_ended",
        CloseReason::Replaced => "replaced",
        CloseReason::Deadline { .. } => "deadline",
        CloseReason::AttemptsExhausted { .. } => "attempts_exhausted",
        CloseReason::RateLimited { .. } => "rate_limited",
        CloseReason::AuthRejected(_) => "auth_rejected",
        CloseReason::Unrecoverable { .. } => "refused",
        CloseReason::ProtocolError(_) => "protocol_error",
        CloseReason::Internal(_) => "internal",
        _ => "unknown",
    }
}

/// Why the client is closed, for people.
pub(crate) fn closing(reason: &CloseReason) -> String {
    match reason {
        CloseReason::UserClosed => "left the room".to_owned(),
        CloseReason::SessionEnded(end) => ended(*end).to_owned(),
        CloseReason::Deadline { after, last } => {
            format!("no connection within {}; the last try: {}", units::duration(*after), text::reason(last))
        }
        CloseReason::RateLimited { limit, window } => {
            format!("the room was joined anew {limit} times within {}: that is too often", units::duration(*window))
        }
        reason => text::reason(&reason.to_string()),
    }
}

fn ended(end: EndReason) -> &'static str {
    match end {
        EndReason::ClientLeft => "left the room",
        EndReason::Removed => "the server put this participant out",
        EndReason::RoomClosed => "the room was closed",
        EndReason::TokenRanOut => "the token ran out, and no other came",
        _ => "the server ended the session",
    }
}

/// What a client that was not closed on purpose means for the shell. `before`: what stood in the way before that, if it is known.
pub(super) fn failure(reason: &CloseReason, before: Option<&str>) -> Failure {
    let what = match (reason, before) {
        // That there is no other token says nothing of what was wrong with the first.
        (CloseReason::AuthRejected(_), Some(before)) => {
            format!("{}; before that: {}", closing(reason), text::reason(before))
        }
        _ => closing(reason),
    };
    match reason {
        CloseReason::Deadline { .. } | CloseReason::AttemptsExhausted { .. } | CloseReason::RateLimited { .. } => {
            Failure::new(Code::Unreachable, what)
                .hint("Check the URL, and that `moorline signal` runs there. --deadline waits longer.")
        }
        CloseReason::AuthRejected(_) | CloseReason::SessionEnded(EndReason::TokenRanOut) => {
            Failure::new(Code::NotPermitted, what).hint(
                "`moorline token`, with the secret of the server, makes one. \
                 Give it by --token-file, MOORLINE_TOKEN or --token.",
            )
        }
        CloseReason::Unrecoverable { code, .. } if FORBIDDEN.contains(code) => {
            Failure::new(Code::NotPermitted, what).hint("A token is good for one room only.")
        }
        CloseReason::Replaced => Failure::new(Code::Failure, what)
            .hint("Two participants cannot be one: give each its own --identity or token."),
        _ => Failure::new(Code::Failure, what),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_end_has_its_code() {
        let code = |reason: CloseReason| failure(&reason, None).code;
        let last = || "connection refused".to_owned();
        assert_eq!(code(CloseReason::Deadline { after: Duration::from_secs(30), last: last() }), Code::Unreachable);
        assert_eq!(code(CloseReason::AttemptsExhausted { attempts: 3, last: last() }), Code::Unreachable);
        assert_eq!(code(CloseReason::AuthRejected("no".to_owned())), Code::NotPermitted);
        assert_eq!(code(CloseReason::SessionEnded(EndReason::TokenRanOut)), Code::NotPermitted);
        for (number, expected) in [(5, Code::NotPermitted), (4003, Code::NotPermitted), (2, Code::Failure)] {
            let reason = CloseReason::Unrecoverable { code: number, message: "no".to_owned() };
            assert_eq!(code(reason), expected, "{number}");
        }
        assert_eq!(code(CloseReason::Replaced), Code::Failure);
        assert_eq!(code(CloseReason::SessionEnded(EndReason::Removed)), Code::Failure);
    }

    #[test]
    fn a_refused_token_is_told_with_what_was_wrong_with_it() {
        let reason = CloseReason::AuthRejected("no other".to_owned());
        assert_eq!(failure(&reason, None).message, "not let in: no other");
        assert_eq!(failure(&reason, Some("expired")).message, "not let in: no other; before that: expired");
        assert_eq!(failure(&CloseReason::Replaced, Some("x")).message, closing(&CloseReason::Replaced));
    }

    #[test]
    fn what_the_server_says_cannot_drive_the_terminal() {
        let message = "\u{1b}[2J".to_owned();
        let shown = [
            closing(&CloseReason::AuthRejected(message.clone())),
            failure(&CloseReason::ProtocolError(message.clone()), None).message,
            failure(&CloseReason::AuthRejected(String::new()), Some(&message)).message,
            trouble(&SendOutcome::Rejected(moorline_signaling::RejectCode::Invalid, message)).expect("trouble"),
        ];
        for text in shown {
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }

    #[test]
    fn what_went_well_is_not_told() {
        assert_eq!(trouble(&SendOutcome::Acked), None);
        assert_eq!(of_send(&SendOutcome::Acked), ("acked", None));
        assert!(trouble(&SendOutcome::Unknown).is_some());
    }
}
