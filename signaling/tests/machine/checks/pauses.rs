use std::collections::VecDeque;
use std::time::{Duration, Instant};

use moorline_signaling::machine::{Event, Input, Output, Phase, State, Transport};
use moorline_signaling::{Epoch, Strategy};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment};

/// I18: a pause is at least what the server asked for, and at most that, its spread and the cap of the plan; the first one after a
/// stable connection is at most what the server advised.
#[derive(Debug, Default)]
pub(super) struct I18Pauses {
    pause: Option<Pause>,
    hinted: bool,
    /// Connections that ended by the present input, or because of it.
    ended: Vec<Epoch>,
}

#[derive(Debug)]
struct Pause {
    since: Instant,
    floor: Duration,
    most: Duration,
    /// Whether a hint may have changed it.
    hinted: bool,
}

/// What a server may ask for and be believed by this check.
const SANE: u32 = 20_000;

impl I18Pauses {
    fn begin(&self, facts: &Facts, strategy: Option<Strategy>) -> Pause {
        let backoff = &facts.config.backoff;
        let failed = self.ended.iter().filter_map(|epoch| facts.connections.get(epoch));
        let faults = failed.filter_map(|c| c.fault.as_ref()).map(|f| (f.retry_after_ms, f.spread_ms));
        let (floor, spread) = faults.max().unwrap_or_default();
        let begun_before = matches!(
            facts.view.state,
            State::Migrating { .. }
                | State::Recovering { phase: Phase::WaitNet, .. }
                | State::Connecting { phase: Phase::WaitNet, .. }
        );
        if floor > SANE || spread > SANE || begun_before {
            // Nothing is said of waits out of reason, nor of one that began before the loss, or
            // before the network was away.
            return Pause { since: facts.now, floor: Duration::ZERO, most: Duration::MAX / 2, hinted: false };
        }
        let (floor, spread) = (Duration::from_millis(floor.into()), Duration::from_millis(spread.into()));
        let cap = if strategy == Some(Strategy::Fast) { backoff.fast_cap } else { backoff.rejoin_cap };
        let advice = facts.advice.unwrap_or_default();
        let settled =
            facts.home().and_then(|(_, c)| c.live).is_some_and(|live| facts.now >= live + facts.config.timers.stable);
        let first = facts.recovery.as_ref().is_some_and(|r| r.dials == 0 && r.since == facts.now) && settled;
        let most = if first { advice.max(backoff.first) } else { cap.max(advice).max(backoff.first) };
        Pause { since: facts.now, floor, most: floor + spread + most, hinted: false }
    }
}

impl Check for I18Pauses {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(input, _) => {
                self.hinted = matches!(input, Input::Net(_));
                self.ended.clear();
                if let Input::Transport(epoch, Transport::Closed { .. } | Transport::Error(_)) = input
                    && facts.counts(*epoch)
                {
                    self.ended.push(*epoch);
                }
            }
            Moment::Output(Output::Abort { epoch, .. }, _) => self.ended.push(*epoch),
            Moment::Output(Output::App(Event::Decision(decision)), _) => {
                let longest = Duration::from_secs(3600);
                let delay = decision.delay.unwrap_or_default();
                ensure(delay <= longest, || format!("I18: a pause of {delay:?}"))?;
            }
            Moment::Settled(view) => {
                let strategy = match view.state {
                    State::Recovering { phase: Phase::Backoff, strategy, .. } => Some(Some(strategy)),
                    State::Connecting { phase: Phase::Backoff, .. } => Some(None),
                    _ => None,
                };
                match (strategy, self.pause.take()) {
                    // Without another failure it is the same pause, even if the plan is another one now.
                    (Some(_), Some(pause)) if self.ended.is_empty() => {
                        self.pause = Some(Pause { hinted: pause.hinted || self.hinted, ..pause });
                    }
                    (Some(strategy), _) => self.pause = Some(self.begin(facts, strategy)),
                    (None, Some(pause)) if facts.is_tick && view.state != State::Closed => {
                        let took = facts.now - pause.since;
                        ensure(pause.hinted || !facts.faithful || took + SLACK >= pause.floor, || {
                            format!("I18: a pause of {took:?}, and the server asked for {:?}", pause.floor)
                        })?;
                        let punctual = facts.punctual_since(pause.since);
                        ensure(!punctual || took <= pause.most.saturating_add(SLACK), || {
                            format!("I18: a pause of {took:?}, and {:?} is the most", pause.most)
                        })?;
                    }
                    (None, _) => {}
                }
            }
            Moment::Output(..) => {}
        }
        Ok(())
    }
}

/// I19: no more new sessions within a time than are allowed.
#[derive(Debug, Default)]
pub(super) struct I19RejoinBudget {
    made: VecDeque<Instant>,
}

impl Check for I19RejoinBudget {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Output(Output::App(Event::Recovered { strategy, .. }), _) = moment else { return Ok(()) };
        if *strategy == Strategy::Fast {
            return Ok(());
        }
        let (limit, window) = facts.config.rejoin_budget;
        self.made.push_back(facts.now);
        while self.made.front().is_some_and(|at| facts.now - *at >= window) {
            self.made.pop_front();
        }
        ensure(self.made.len() <= limit as usize, || format!("I19: {} new sessions within {window:?}", self.made.len()))
    }
}
