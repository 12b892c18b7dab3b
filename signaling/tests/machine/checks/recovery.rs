use std::collections::BTreeSet;

use moorline_signaling::machine::{Event, MediaHealth, Output, State};
use moorline_signaling::{LineageId, SessionId, Strategy};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Facts, Moment, plan_of};
use crate::wire::{Up, pb};

/// Most nodes that a client names to stay away from.
const MAX_EXCLUDED: usize = 32;

/// I8: within one recovery the plan only escalates and the nodes to stay away from only become more; `Fast` is never tried after the
/// window or with broken media.
#[derive(Debug, Default)]
pub(super) struct I8PlanOnlyEscalates {
    plan: Option<Strategy>,
    excluded: BTreeSet<String>,
    dialled: bool,
}

impl I8PlanOnlyEscalates {
    fn grows(&mut self, now: &[String], whose: &str) -> Verdict {
        let now: BTreeSet<String> = now.iter().cloned().collect();
        let grown = now.is_superset(&self.excluded) || now.len() >= MAX_EXCLUDED;
        ensure(grown, || format!("I8: {whose} stays away from {now:?}, and from {:?} before", self.excluded))?;
        self.excluded = now;
        Ok(())
    }
}

impl Check for I8PlanOnlyEscalates {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(..) => self.dialled = false,
            Moment::Output(Output::App(Event::ConnectionLost { .. }), _) => {
                self.plan = None;
                self.excluded.clear();
            }
            Moment::Output(Output::Dial { .. }, _) => self.dialled = true,
            Moment::Output(Output::FetchCreds { exclude, .. }, _) if facts.recovery.is_some() => {
                self.grows(exclude, "FetchCreds")?;
            }
            Moment::Output(output @ Output::Write { .. }, Some(frame)) if facts.recovery.is_some() => {
                if let Some(Up::Hello(pb::Hello { recovery: Some(recovery), .. })) = &frame.body {
                    self.grows(&recovery.excluded_nodes, "Hello")?;
                    let plan = plan_of(frame);
                    if let Output::Write { epoch, .. } = output
                        && facts.connections.get(epoch).is_some_and(|c| c.rejected > 0)
                    {
                        // The rejection is one rung of the ladder, and this is its answer.
                        self.plan = Some(Strategy::Rejoin);
                    }
                    ensure(plan == self.plan, || format!("I8: Hello says {plan:?}, and the plan is {:?}", self.plan))?;
                }
            }
            Moment::Settled(view) => {
                let State::Recovering { strategy, .. } = view.state else { return Ok(()) };
                ensure(self.plan <= Some(strategy), || format!("I8: {:?} becomes {strategy:?}", self.plan))?;
                self.plan = Some(strategy);
                if strategy == Strategy::Fast {
                    ensure(facts.media != MediaHealth::Broken, || "I8: Fast, and the media is broken".to_owned())?;
                    let of_session = facts.session_connections();
                    let (heard, window) = of_session.fold((None, None), |(heard, window), c| {
                        (c.heard.max(heard), window.max(Some(c.fast_window(&facts.config.timers))))
                    });
                    if let (true, Some(heard), Some(window)) = (self.dialled, heard, window) {
                        ensure(facts.now <= heard + window + SLACK, || {
                            format!("I8: a Fast dial {:?} after the last frame", facts.now - heard)
                        })?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// I9: nothing of one recovery shows in the next: no plan, no node to stay away from, no node or session that was left before.
#[derive(Debug, Default)]
pub(super) struct I9NothingLeaks;

impl Check for I9NothingLeaks {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(Output::FetchCreds { exclude, .. }, _) => {
                let Some(recovery) = facts.recovery.as_ref().filter(|r| r.dials == 0) else { return Ok(()) };
                let Some(lost) = facts.connections.get(&recovery.lost) else { return Ok(()) };
                let told_off = lost.go_away || lost.fault.is_some() || facts.moved_away(recovery);
                ensure(exclude.is_empty() || told_off, || {
                    format!("I9: a recovery begins by staying away from {exclude:?}, without a reason of its own")
                })
            }
            Moment::Output(Output::Write { .. }, Some(frame)) => {
                let Some(Up::Hello(hello)) = &frame.body else { return Ok(()) };
                let Some(recovery) = &hello.recovery else {
                    return ensure(facts.arrived.is_none(), || "I9: comes back without saying so".to_owned());
                };
                let Some(welcome) = facts.session_welcome() else {
                    return Err("I9: a first join says that it comes back".to_owned());
                };
                if !facts.faithful {
                    return Ok(());
                }
                ensure(recovery.attempt >= 1, || "I9: attempts count from 1".to_owned())?;
                ensure(recovery.from_node == welcome.node_id, || {
                    format!("I9: comes from {}, and was last at {}", recovery.from_node, welcome.node_id)
                })?;
                ensure(recovery.previous_session_id == welcome.session_id, || {
                    "I9: the previous session is not the last one".to_owned()
                })?;
                if recovery.plan() == pb::Plan::Fast {
                    ensure(hello.session_id == welcome.session_id, || "I9: resumes another session".to_owned())?;
                    ensure(recovery.resume_token == welcome.resume_token, || "I9: an old resume token".to_owned())?;
                    let log = |pos: &Option<pb::StreamPos>| pos.as_ref().map(|pos| pos.log_id.clone());
                    ensure(log(&recovery.last_seen) == log(&welcome.head), || "I9: another log".to_owned())?;
                } else {
                    ensure(recovery.resume_token.is_empty(), || "I9: a resume token without Fast".to_owned())?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// I10: the session changes with a new one only, and then always; the lineage never changes.
#[derive(Debug, Default)]
pub(super) struct I10SessionAndLineage {
    lineage: Option<LineageId>,
    /// At the last loss.
    lost: Option<SessionId>,
    recovered: Option<Strategy>,
}

impl Check for I10SessionAndLineage {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(..) => self.recovered = None,
            Moment::Output(Output::App(Event::ConnectionLost { epoch, .. }), _) => {
                let welcome = facts.connections.get(epoch).and_then(|c| c.welcome.as_ref());
                self.lost = welcome.and_then(|w| w.session_id[..].try_into().ok()).map(SessionId::from_bytes);
            }
            Moment::Output(Output::App(Event::Recovered { strategy, resumed, .. }), _) => {
                self.recovered = Some(*strategy);
                ensure(*resumed == (*strategy == Strategy::Fast), || format!("I10: {strategy}, resumed: {resumed}"))?;
            }
            Moment::Output(Output::Write { .. }, Some(frame)) => {
                if let Some(Up::Hello(hello)) = &frame.body {
                    let lineage = *self.lineage.get_or_insert(facts.view.lineage);
                    ensure(hello.lineage_id[..] == lineage.as_bytes()[..], || {
                        "I10: Hello names another lineage".to_owned()
                    })?;
                }
            }
            Moment::Settled(view) => {
                let lineage = *self.lineage.get_or_insert(view.lineage);
                ensure(lineage == view.lineage, || format!("I10: {lineage:?} becomes {:?}", view.lineage))?;
                ensure(facts.view.session.is_none() || view.session.is_some(), || {
                    "I10: no session any more".to_owned()
                })?;
                if facts.view.session != view.session {
                    let named =
                        |w: &pb::Welcome| Some(&w.session_id[..]) == view.session.as_ref().map(|s| &s.as_bytes()[..]);
                    let known =
                        facts.connections.values().filter_map(|c| c.welcome.as_ref()).any(|w| named(w) && !w.resumed);
                    ensure(known, || format!("I10: {:?} is the session, and no server said so", view.session))?;
                }
                match self.recovered {
                    Some(Strategy::Fast) => ensure(self.lost == view.session, || {
                        format!("I10: Fast turns {:?} into {:?}", self.lost, view.session)
                    })?,
                    Some(Strategy::Rejoin) if facts.faithful => {
                        ensure(self.lost != view.session, || "I10: Rejoin, and the session is the same".to_owned())?;
                    }
                    _ => {}
                }
            }
            Moment::Output(..) => {}
        }
        Ok(())
    }
}
