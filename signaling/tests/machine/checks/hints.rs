use std::collections::BTreeMap;

use moorline_signaling::machine::{Event, Input, NetHint, Output};

use super::{Check, Verdict, ensure};
use crate::facts::{Facts, Moment};
use crate::wire::{Down, Up, pb};

/// I24: a token that a server did not take is asked for anew before the next attempt, and goes out at most once more.
#[derive(Debug, Default)]
pub(super) struct I24RejectedTokens {
    /// Hellos with each token after its first rejection.
    again: BTreeMap<String, u32>,
    /// Whether a forced fetch is due before the next hello.
    due: bool,
}

impl Check for I24RejectedTokens {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            // One that comes by itself will do.
            Moment::Input(Input::TokenReady(token), _) => {
                self.due &= self.again.contains_key(token);
                Ok(())
            }
            Moment::Input(Input::Transport(epoch, _), Some(frame)) if facts.counts(*epoch) => {
                let Some(Down::Fault(fault)) = &frame.body else { return Ok(()) };
                let refused = matches!(fault.code(), pb::FaultCode::TokenExpired | pb::FaultCode::TokenRejected);
                let hello = facts.connections.get(epoch).and_then(|c| c.hello.as_ref());
                if let (true, Some(hello)) = (refused && (facts.faithful || frame.ack == 0), hello) {
                    self.again.entry(hello.auth_token.clone()).or_default();
                    self.due = true;
                }
                Ok(())
            }
            Moment::Output(Output::FetchToken { force }, _) => {
                self.due &= !force;
                Ok(())
            }
            Moment::Output(Output::Write { .. }, Some(frame)) => {
                let Some(Up::Hello(hello)) = &frame.body else { return Ok(()) };
                ensure(!self.due, || "I24: the token was refused, and no other was asked for".to_owned())?;
                if let Some(again) = self.again.get_mut(&hello.auth_token) {
                    *again += 1;
                    let times = *again;
                    ensure(times <= 1, || format!("I24: a token goes out {times} times after it was refused"))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// I25: while there is no network nothing is dialled; word that there is one again breaks nothing that is under way.
#[derive(Debug, Default)]
pub(super) struct I25HintsAreAdvice {
    online: bool,
}

impl Check for I25HintsAreAdvice {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(input, _) => {
                // An attempt that is overdue ends with any input.
                let due = facts.view.deadline.is_some_and(|due| due <= facts.now);
                self.online = !due && matches!(input, Input::Net(NetHint::Online | NetHint::RetryNow));
                Ok(())
            }
            Moment::Output(Output::Dial { epoch, .. }, _) => {
                ensure(!facts.offline, || format!("I25: dial {epoch} while there is no network"))
            }
            Moment::Output(Output::Abort { epoch, .. }, _) => {
                ensure(!self.online, || format!("I25: word of the network aborts connection {epoch}"))
            }
            Moment::Output(Output::App(Event::ConnectionLost { epoch, .. }), _) => {
                ensure(!self.online, || format!("I25: word of the network loses connection {epoch}"))
            }
            _ => Ok(()),
        }
    }
}
