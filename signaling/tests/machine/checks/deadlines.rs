use moorline_signaling::machine::{Phase, State};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment};

/// I6: every state but the first and the last has a deadline, and leads somewhere by it: a join, a recovery and a goodbye all end in
/// time, whatever the world does.
#[derive(Debug, Default)]
pub(super) struct I6NoStateHangs;

impl Check for I6NoStateHangs {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Settled(view) = moment else { return Ok(()) };
        if matches!(view.state, State::Idle | State::Closed) {
            return Ok(());
        }
        ensure(view.deadline.is_some(), || format!("I6: no deadline in {:?}", view.state))?;
        if !facts.is_tick {
            return Ok(());
        }
        ensure(view.deadline.is_none_or(|due| due > facts.now) || facts.view != *view, || {
            format!("I6: a tick at the deadline of {:?} has no effect", view.state)
        })?;
        let timers = &facts.config.timers;
        let counts = facts.config.offline_counts || !facts.was_offline;
        let since = match view.state {
            State::Connecting { .. } => facts.connected,
            State::Recovering { .. } => facts.recovery.as_ref().map(|recovery| recovery.since),
            _ => None,
        };
        if let (Some(since), Some(deadline), true) = (since, timers.deadline, counts) {
            ensure(facts.now <= since + deadline + SLACK, || {
                format!("I6: still in {:?} {:?} after it began", view.state, facts.now - since)
            })?;
        }
        if let (State::Leaving, Some(close)) = (view.state, facts.user_close) {
            ensure(facts.now <= close + timers.leave + SLACK, || "I6: still leaving".to_owned())?;
        }
        // Each attempt is bounded as well.
        let phase = match view.state {
            State::Connecting { phase, .. } | State::Recovering { phase, .. } | State::Migrating { phase } => phase,
            _ => return Ok(()),
        };
        let newest = facts.open().last().map(|(_, connection)| connection);
        let longest = match phase {
            Phase::Dial => timers.dial,
            Phase::Hello | Phase::Replay => timers.attempt,
            _ => return Ok(()),
        };
        // While the application is behind nothing is read, and so nothing is waited for.
        let reads = |since| facts.reading_since.is_some_and(|reading| reading <= since);
        let ends_now = view.deadline.is_some_and(|due| due <= facts.now);
        ensure(ends_now || newest.is_none_or(|c| !reads(c.tried) || facts.now <= c.tried + longest + SLACK), || {
            format!("I6: {phase:?} of one attempt is not over after {longest:?}")
        })
    }
}
