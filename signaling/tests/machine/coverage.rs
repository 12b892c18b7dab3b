//! How often each interesting place was reached: histories that never get anywhere prove nothing.

use std::collections::BTreeMap;
use std::fmt;

use moorline_signaling::machine::{Event, Health, Input, Output, State, Transport};
use moorline_signaling::{CallError, CloseReason, LossCause, SendOutcome};

/// Counts of places, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// Adds what another run reached.
    pub(crate) fn add(&mut self, other: &Self) {
        for (place, count) in &other.counts {
            *self.counts.entry(place.clone()).or_default() += count;
        }
    }

    /// One more visit.
    pub(crate) fn visit(&mut self, place: &str) {
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        } else {
            self.counts.insert(place.to_owned(), 1);
        }
    }

    /// Those of these places that were never reached.
    pub(crate) fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        wanted.iter().filter(|place| !self.counts.contains_key(**place)).copied().collect()
    }

    pub(crate) fn input(&mut self, input: &Input) {
        self.visit(match input {
            Input::Transport(_, Transport::Opened) => "in opened",
            Input::Transport(_, Transport::Frame(_)) => "in frame",
            Input::Transport(_, Transport::Text) => "in text",
            Input::Transport(_, Transport::Closed { .. }) => "in closed",
            Input::Transport(_, Transport::Error(_)) => "in error",
            Input::Tick => "in tick",
            _ => "in other",
        });
    }

    pub(crate) fn state(&mut self, state: &State) {
        match state {
            State::Connecting { phase, .. } => self.visit(&format!("connecting {phase:?}")),
            State::Recovering { phase, strategy, .. } => self.visit(&format!("recovering {strategy} {phase:?}")),
            State::Migrating { phase } => self.visit(&format!("migrating {phase:?}")),
            State::Live { health: Health::Probing, .. } => self.visit("live probing"),
            other => self.visit(other.name()),
        }
    }

    pub(crate) fn output(&mut self, output: &Output) {
        match output {
            Output::App(event) => self.event(event),
            Output::Dial { .. } => self.visit("out dial"),
            Output::Write { .. } => self.visit("out write"),
            Output::Abort { .. } => self.visit("out abort"),
            Output::FetchToken { force: true } => self.visit("out forced token"),
            Output::FetchCreds { exclude, .. } if !exclude.is_empty() => self.visit("out creds elsewhere"),
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Recovered { strategy, replayed, resent, .. } => {
                self.visit(&format!("recovered {strategy}"));
                if *replayed > 0 {
                    self.visit("recovered with replay");
                }
                if *resent > 0 {
                    self.visit("recovered with resent");
                }
            }
            Event::ConnectionLost { cause, .. } => self.visit(match cause {
                LossCause::ClosedByServer(_) => "lost closed",
                LossCause::Transport(_) => "lost transport",
                LossCause::Silence(_) => "lost silence",
                LossCause::Protocol(_) => "lost protocol",
                LossCause::Fault(_) => "lost fault",
                _ => "lost otherwise",
            }),
            Event::SendOutcome { outcome, .. } => self.visit(match outcome {
                SendOutcome::Acked => "send acked",
                SendOutcome::Written => "send written",
                SendOutcome::Dropped => "send dropped",
                SendOutcome::Superseded => "send superseded",
                SendOutcome::Expired => "send expired",
                SendOutcome::Overflow => "send overflow",
                SendOutcome::Rejected(..) => "send rejected",
                SendOutcome::Unknown => "send unknown",
                SendOutcome::Closed => "send closed",
            }),
            Event::CallOutcome { result, .. } => self.visit(match result {
                Ok(_) => "call ok",
                Err(CallError::NoSuchParticipant) => "call nobody",
                Err(CallError::DeadlineExceeded(_)) => "call deadline",
                Err(CallError::Lost) => "call lost",
                Err(CallError::Closed) => "call closed",
                Err(CallError::Overflow) => "call overflow",
                Err(_) => "call otherwise",
            }),
            Event::Closed { reason } => self.visit(match reason {
                CloseReason::UserClosed => "closed by user",
                CloseReason::SessionEnded(_) => "closed ended",
                CloseReason::Replaced => "closed replaced",
                CloseReason::Deadline { .. } => "closed deadline",
                CloseReason::AttemptsExhausted { .. } => "closed attempts",
                CloseReason::RateLimited { .. } => "closed rate",
                CloseReason::AuthRejected(_) => "closed auth",
                CloseReason::Unrecoverable { .. } => "closed unrecoverable",
                CloseReason::ProtocolError(_) => "closed protocol",
                _ => "closed otherwise",
            }),
            Event::Joined { .. } => self.visit("joined"),
            Event::Message(_) => self.visit("message"),
            Event::ResyncRequired { .. } => self.visit("resync"),
            Event::CallRequest(_) => self.visit("call request"),
            _ => {}
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(place, count)| writeln!(f, "{count:>10}  {place}"))
    }
}
