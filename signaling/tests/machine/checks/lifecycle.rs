use moorline_signaling::Strategy;
use moorline_signaling::machine::{Event, Output, State};

use super::{Check, Verdict, ensure};
use crate::facts::{Facts, Moment};

/// I1: at most one `ConnectionLost` a connection; only for those that were let in; never after `Close` or the end of the session.
/// And where the application was in the room and is on its way back, it was told so.
#[derive(Debug, Default)]
pub(super) struct I1LossOncePerConnection {
    told: bool,
}

impl Check for I1LossOncePerConnection {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(..) => self.told = false,
            Moment::Output(Output::App(Event::ConnectionLost { epoch, .. }), _) => {
                self.told = true;
                let connection = facts.connections.get(epoch);
                ensure(connection.is_some(), || format!("I1: connection {epoch} is lost, and was never dialled"))?;
                ensure(connection.is_some_and(|c| c.losses == 0), || format!("I1: connection {epoch} is lost twice"))?;
                ensure(connection.is_some_and(|c| c.welcome.is_some()), || {
                    format!("I1: connection {epoch} is lost, and was never let in")
                })?;
                ensure(facts.user_close.is_none(), || format!("I1: connection {epoch} is lost after the user closed"))?;
                ensure(!facts.session_ended, || format!("I1: connection {epoch} is lost after the session ended"))?;
            }
            Moment::Settled(view) => {
                let was_in = matches!(facts.view.state, State::Live { .. } | State::Migrating { .. });
                let is_out = matches!(view.state, State::Recovering { .. });
                ensure(!was_in || !is_out || self.told, || {
                    "I1: the connection is gone, and the application was not told".to_owned()
                })?;
            }
            Moment::Output(..) => {}
        }
        Ok(())
    }
}

/// I2: every `ConnectionLost` is followed by exactly one of `Recovered` and `Closed`.
#[derive(Debug, Default)]
pub(super) struct I2EveryLossIsAnswered;

impl Check for I2EveryLossIsAnswered {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(Output::App(Event::ConnectionLost { epoch, .. }), _) => {
                ensure(facts.recovery.is_none(), || {
                    format!("I2: connection {epoch} is lost while the loss before it is still being made good")
                })
            }
            Moment::Output(Output::App(Event::Recovered { strategy, .. }), _) => {
                ensure(facts.recovery.is_some() || *strategy == Strategy::Migrate, || {
                    "I2: recovered, and nothing was lost".to_owned()
                })
            }
            Moment::Settled(view) => {
                let going_on = matches!(view.state, State::Recovering { .. } | State::Leaving);
                ensure(facts.recovery.is_none() || facts.closed.is_some() || going_on, || {
                    format!("I2: a loss without an answer, and the machine is in {:?}", view.state)
                })?;
                let recovering = matches!(view.state, State::Recovering { .. });
                ensure(!recovering || facts.recovery.is_some(), || {
                    "I2: recovering, and the application knows of no loss".to_owned()
                })
            }
            _ => Ok(()),
        }
    }
}

/// I3: `Closed` comes exactly once, says why, and nothing comes after it.
#[derive(Debug, Default)]
pub(super) struct I3ClosedOnceAndLast;

impl Check for I3ClosedOnceAndLast {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(output, _) => {
                ensure(facts.closed.is_none(), || format!("I3: after Closed comes {output:?}"))?;
                if let Output::App(Event::Closed { reason }) = output {
                    ensure(!reason.to_string().is_empty(), || "I3: closed without a reason".to_owned())?;
                }
                Ok(())
            }
            Moment::Settled(view) => {
                let closed = view.state == State::Closed;
                ensure(closed == facts.closed.is_some(), || {
                    format!(
                        "I3: the state is {:?}, and Closed was {}",
                        view.state,
                        if closed { "not said" } else { "said" }
                    )
                })?;
                ensure(!closed || view.deadline.is_none(), || "I3: closed, and waits for a deadline".to_owned())
            }
            Moment::Input(..) => Ok(()),
        }
    }
}
