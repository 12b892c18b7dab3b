//! A connection that was in use is lost: once, with its cause, and what follows.

use std::time::{Duration, Instant};

use crate::{CloseReason, LossCause, Strategy};

use super::way::{Aim, Way};
use super::{Event, Machine, Mode, Output};
use crate::wire::pb;

/// What the end of a connection asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) remedy: Remedy,
    /// For the last word, if it is that.
    pub(super) code: u16,
    /// Client and server do not understand each other.
    pub(super) misunderstood: bool,
    /// Nothing comes from the other side any more.
    pub(super) silent: bool,
    pub(super) retry_after: Duration,
    pub(super) spread: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The ladder from its first rung.
    #[default]
    Retry,
    /// A new session.
    Rejoin,
    /// A new session on another node.
    Move,
    /// None.
    End,
}

impl Verdict {
    /// What the bands of close codes mean.
    pub(super) fn of_code(code: u16) -> Self {
        let remedy = match code {
            4000..=4099 => Remedy::End,
            4200..=4299 => Remedy::Rejoin,
            4300..=4399 => Remedy::Move,
            _ => Remedy::Retry,
        };
        Self { remedy, code, ..Self::default() }
    }

    pub(super) fn of_silence() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(super) fn of_fault(fault: &pb::Fault) -> Self {
        let remedy = match pb::FaultAction::try_from(fault.action) {
            Ok(pb::FaultAction::Retry) => Remedy::Retry,
            Ok(pb::FaultAction::Move) => Remedy::Move,
            Ok(pb::FaultAction::End) => Remedy::End,
            Ok(pb::FaultAction::JoinAnew | pb::FaultAction::Unspecified) | Err(_) => Remedy::Rejoin,
        };
        let most = super::session::MAX_SPREAD;
        Self {
            remedy,
            code: u16::try_from(fault.code).unwrap_or_default(),
            misunderstood: matches!(
                pb::FaultCode::try_from(fault.code),
                Ok(pb::FaultCode::Protocol | pb::FaultCode::Version)
            ),
            retry_after: Duration::from_millis(u64::from(fault.retry_after_ms)).min(most),
            spread: Duration::from_millis(u64::from(fault.spread_ms)).min(most),
            silent: false,
        }
    }
}

impl Verdict {
    /// The close code to go with; none where nobody would read it.
    pub(super) fn farewell(&self) -> Option<u16> {
        (!self.silent).then_some(1000)
    }

    /// Why the client closes, if there is no remedy.
    pub(super) fn last_word(&self, message: String) -> CloseReason {
        if self.misunderstood {
            CloseReason::ProtocolError(message)
        } else {
            CloseReason::Unrecoverable { code: self.code, message }
        }
    }
}

impl Machine {
    /// The connection in use is gone, or is given up. Says so once and goes on the way back.
    pub(super) fn lose(&mut self, now: Instant, cause: LossCause, verdict: &Verdict) {
        let Mode::Live(live) = std::mem::replace(&mut self.mode, Mode::Idle) else { return };
        let (epoch, last_inbound) = (live.link.epoch, live.link.last_inbound);
        self.out.push_back(Output::Abort { epoch, code: verdict.farewell() });
        if let Some(session) = &mut self.session {
            session.last_inbound = last_inbound;
        }
        if now >= live.since + self.config.timers.stable {
            self.streak = 0;
        }
        self.outbox.rewind();
        (self.ack_due, self.ack_count, self.ack_bytes) = (None, 0, 0);

        let said = cause.to_string();
        let deadline = self.config.timers.deadline;
        let leaves_node = live.departure.is_some() || live.migration.is_some() || verdict.remedy == Remedy::Move;
        let (mut way, begun, arrived) = match live.migration {
            // What was begun goes on: it is a new session elsewhere in any case.
            Some(migration) => {
                let begun = migration.way.is_under_way();
                (migration.way.into_recovery(now, deadline, &said), begun, migration.arrived)
            }
            None => {
                let resumes = verdict.remedy == Remedy::Retry && !leaves_node && self.can_resume(now);
                let strategy = if resumes { Strategy::Fast } else { Strategy::Rejoin };
                (Way::new(Aim::Recovery, strategy, now, deadline, &said), false, None)
            }
        };
        // A connection that is reset was good until then, however idle.
        way.down_since = if matches!(cause, LossCause::Silence(_)) { last_inbound } else { now };
        if let Some(session) = &self.session {
            way.from_node = Some(session.endpoint.node.clone());
            if leaves_node {
                way.exclude(&session.endpoint.node);
            }
        }
        self.mode = Mode::Joining(way);
        self.emit(Event::ConnectionLost { epoch, cause });
        self.note_state(&said);
        if verdict.remedy == Remedy::End {
            return self.finish(now, verdict.last_word(said), "the server wants no other try");
        }
        if !begun {
            return self.pause(now, &said, verdict.retry_after, verdict.spread);
        }
        self.plan(now, &said, "go on with the migration", None);
        if let Some(arrived) = arrived {
            self.go_on_arrived(now, *arrived);
        }
    }
}
