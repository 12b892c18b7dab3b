use std::collections::VecDeque;
use std::time::{Duration, Instant};

use moorline_signaling::machine::{Event, Input, Output, Phase, State, Transport};
use moorline_signaling::{CloseReason, Epoch, Strategy};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment};

/// I18: a pause is at least what the server asked for, and at most that, its spread and the cap of the plan; the first one after a
/// stable connection is at most what the server advised, and leaves room for an attempt before the deadline.
#[derive(Debug, Default)]
pub(super) struct I18Pauses {
    pause: Option<Pause>,
    hinted: bool,
    /// The last pause that the log tells of, of this input.
    told: Option<Duration>,
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
        let settled =
            facts.home().and_then(|(_, c)| c.live).is_some_and(|live| facts.now >= live + facts.config.timers.stable);
        // One that goes on with the attempt of a migration has no pause before its first.
        let begins = !matches!(facts.view.state, State::Recovering { .. });
        let first = begins && facts.recovery.as_ref().is_some_and(|r| r.dials == 0 && r.since == facts.now);
        let drawn = match facts.advice {
            Some(advice) if first && settled => advice,
            Some(advice) if first => advice.max(cap),
            None if first && settled => backoff.first,
            _ => cap.max(backoff.first),
        };
        let mut most = floor + spread + drawn;
        if let (true, Some(deadline)) = (first, facts.config.timers.deadline) {
            let left = deadline.saturating_sub(floor);
            most = most.min(floor + left - facts.config.timers.attempt.min(left / 2));
        }
        Pause { since: facts.now, floor, most, hinted: false }
    }

    /// What the log says of a pause that begins.
    fn fits(&self, facts: &Facts, pause: &Pause) -> Verdict {
        let Some(told) = self.told.filter(|_| facts.faithful && !self.hinted) else { return Ok(()) };
        let exact = Duration::from_millis(1);
        ensure(told + exact >= pause.floor && told <= pause.most.saturating_add(exact), || {
            format!("I18: a pause of {told:?}, and it is to be from {:?} to {:?}", pause.floor, pause.most)
        })
    }
}

impl Check for I18Pauses {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(input, _) => {
                self.hinted = matches!(input, Input::Net(_) | Input::SystemResumed);
                self.told = None;
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
                self.told = decision.delay.or(self.told);
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
                    (Some(strategy), _) => {
                        let pause = self.begin(facts, strategy);
                        self.fits(facts, &pause)?;
                        self.pause = Some(pause);
                    }
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

/// I19: no more new sessions within a time than are allowed, and no fewer attempts before it is said that none is left.
#[derive(Debug, Default)]
pub(super) struct I19RejoinBudget {
    made: VecDeque<Instant>,
}

impl Check for I19RejoinBudget {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        if let Moment::Output(Output::App(Event::Closed { reason }), _) = moment
            && let CloseReason::AttemptsExhausted { attempts, .. } = reason
        {
            let most = facts.config.max_attempts;
            return ensure(most.is_some_and(|most| *attempts >= most), || {
                format!("I19: {attempts} attempts, and {most:?} are allowed")
            });
        }
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
