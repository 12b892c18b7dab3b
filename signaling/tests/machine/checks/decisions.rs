use std::mem::discriminant;

use moorline_signaling::limits;
use moorline_signaling::machine::{Event, Output, Phase, State};

use super::{Check, Verdict, ensure};
use crate::facts::{Facts, Moment};
use crate::wire::Up;

/// Most nodes that a client names to stay away from.
const MAX_EXCLUDED: usize = 32;

/// I30: each change of state is told, from where to where and why, and each step of a recovery has its line in the log.
#[derive(Debug, Default)]
pub(super) struct I30ReasonsAreGiven {
    told: Option<State>,
    decisions: u32,
}

impl Check for I30ReasonsAreGiven {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(..) => {
                self.told = None;
                self.decisions = 0;
            }
            Moment::Output(Output::App(Event::StateChanged { from, to, cause }), _) => {
                let before = self.told.unwrap_or(facts.view.state);
                ensure(discriminant(from) == discriminant(&before), || {
                    format!("I30: the state is said to change from {from:?}, and was {before:?}")
                })?;
                ensure(discriminant(from) != discriminant(to), || format!("I30: {from:?} to {to:?} is no change"))?;
                ensure(!cause.is_empty(), || "I30: a change of state without a cause".to_owned())?;
                self.told = Some(*to);
            }
            Moment::Output(Output::App(Event::Decision(decision)), _) => {
                self.decisions += 1;
                let words = !decision.cause.is_empty() && !decision.action.is_empty();
                ensure(words, || "I30: a decision without words".to_owned())?;
                let elapsed = facts.connected.map(|at| facts.now - at).unwrap_or_default();
                ensure(decision.elapsed == elapsed, || {
                    format!("I30: a decision at {:?}, and it is {elapsed:?}", decision.elapsed)
                })?;
            }
            Moment::Settled(view) => {
                let told = self.told.unwrap_or(facts.view.state);
                ensure(discriminant(&told) == discriminant(&view.state), || {
                    format!("I30: the state is {:?}, and {told:?} was told", view.state)
                })?;
                let plan = |state: &State| match state {
                    State::Recovering { strategy, .. } => Some(*strategy),
                    _ => None,
                };
                let pause = |state: &State| match state {
                    State::Recovering { phase: Phase::Backoff, attempt, .. }
                    | State::Connecting { phase: Phase::Backoff, attempt } => Some(*attempt),
                    _ => None,
                };
                let escalates = plan(&view.state).is_some() && plan(&view.state) != plan(&facts.view.state);
                let pauses = pause(&view.state).is_some() && pause(&view.state) != pause(&facts.view.state);
                let migrates = matches!(view.state, State::Migrating { .. })
                    && !matches!(facts.view.state, State::Migrating { .. });
                ensure(!(escalates || pauses || migrates) || self.decisions > 0, || {
                    format!("I30: no reason for {:?} after {:?}", view.state, facts.view.state)
                })?;
            }
            Moment::Output(..) => {}
        }
        Ok(())
    }
}

/// I31: whatever comes in, what goes out keeps to the limits of the protocol. (That nothing panics, every run shows.)
#[derive(Debug, Default)]
pub(super) struct I31Bounded;

impl Check for I31Bounded {
    fn look(&mut self, _facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Output(Output::Write { frame: bytes, .. }, frame) = moment else { return Ok(()) };
        ensure(bytes.len() <= limits::MAX_CLIENT_FRAME, || format!("I31: a frame of {} bytes", bytes.len()))?;
        if let Some(Up::Hello(hello)) = frame.and_then(|frame| frame.body.as_ref()) {
            let excluded = hello.recovery.as_ref().map_or(0, |r| r.excluded_nodes.len());
            ensure(excluded <= MAX_EXCLUDED, || format!("I31: {excluded} nodes to stay away from"))?;
            let digest = hello.digest.as_ref().map_or(0, |digest| digest.announced.len());
            ensure(digest <= limits::MAX_VALUES, || format!("I31: {digest} values in the digest"))?;
        }
        Ok(())
    }
}
