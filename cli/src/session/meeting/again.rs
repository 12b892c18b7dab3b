//! Whether a room that was closed is joined again, and when. Pure: the time is handed in.

use std::time::{Duration, Instant};

use moorline_runtime::signaling::{CloseReason, EndReason};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer. A visit that was as long makes the pauses begin anew.
const LONGEST: Duration = Duration::from_secs(60);

/// The pauses between visits to one room.
#[derive(Clone, Debug)]
pub(super) struct Pauses {
    next: Duration,
    joined: Option<Instant>,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: FIRST, joined: None }
    }

    /// The room was joined.
    pub(super) fn joined(&mut self, now: Instant) {
        self.joined = Some(now);
    }

    /// The visit is over: how long to wait before the next one.
    pub(super) fn pause(&mut self, now: Instant) -> Duration {
        if self.joined.take().is_some_and(|joined| now.duration_since(joined) >= LONGEST) {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

/// Whether another attempt may go better. `renews`: there may be another token by then.
pub(super) fn may_help(reason: &CloseReason, renews: bool) -> bool {
    match reason {
        CloseReason::Deadline { .. }
        | CloseReason::AttemptsExhausted { .. }
        | CloseReason::RateLimited { .. }
        | CloseReason::SessionEnded(EndReason::RoomClosed) => true,
        CloseReason::AuthRejected(_) | CloseReason::SessionEnded(EndReason::TokenRanOut) => renews,
        _ => false,
    }
}

/// What the user can do about a room that is lost for good.
pub(super) fn advice(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::AuthRejected(_) | CloseReason::SessionEnded(EndReason::TokenRanOut) => {
            "give another token; --room-token-file reads one again when it changes"
        }
        CloseReason::Replaced => "give each participant a token of its own identity",
        CloseReason::Unrecoverable { .. } => {
            "check the room, the token, which is good for one room only, and the versions"
        }
        _ => "start again to join it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew_after_a_long_visit() {
        let (start, mut pauses) = (Instant::now(), Pauses::new());
        let seconds: Vec<u64> = (0..8).map(|_| pauses.pause(start).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        pauses.joined(start);
        assert_eq!(pauses.pause(start + LONGEST / 2), LONGEST, "a short visit changes nothing");
        pauses.joined(start);
        assert_eq!(pauses.pause(start + LONGEST), FIRST);
    }

    #[test]
    fn a_token_that_ran_out_is_no_end_where_there_may_be_another() {
        let ran_out = CloseReason::SessionEnded(EndReason::TokenRanOut);
        let rejected = CloseReason::AuthRejected("expired".to_owned());
        assert!(may_help(&ran_out, true) && may_help(&rejected, true));
        assert!(!may_help(&ran_out, false) && !may_help(&rejected, false));
        assert!(may_help(&CloseReason::Deadline { after: FIRST, last: "refused".to_owned() }, false));
        for last in [CloseReason::Replaced, CloseReason::SessionEnded(EndReason::Removed)] {
            assert!(!may_help(&last, true), "{last}: whoever was sent away does not come back");
        }
    }
}
