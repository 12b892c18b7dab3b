//! What the application was told, held against what the servers did.

use std::collections::{BTreeMap, BTreeSet};

use moorline_signaling::machine::{Event, Input, Output, State};
use moorline_signaling::{Epoch, SendClass, SendId, SendOutcome};

use super::{Check, Truth, Verdict, ensure};
use crate::facts::{Facts, Moment};
use crate::wire::{Down, News, Up, pb};

/// I12: of each log the application gets every message once and in order, or hears first that it does not; nothing is acknowledged
/// that has not come.
#[derive(Debug, Default)]
pub(super) struct I12NoHoleNoTwice {
    told: Vec<Told>,
    /// The newest delivery that came in over each connection.
    received: BTreeMap<Epoch, u64>,
}

#[derive(Debug)]
enum Told {
    /// From here on: the log, and where it was.
    From([u8; 16], u64),
    /// A message: the log, where, what.
    Message([u8; 16], u64, u64),
}

impl Check for I12NoHoleNoTwice {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(Output::App(Event::Joined { .. } | Event::ResyncRequired { .. }), _) => {
                let head = facts.last_welcome().and_then(|(_, _, w)| w.head.clone()).unwrap_or_default();
                self.told.push(Told::From(head.log_id.as_ref().try_into().unwrap_or_default(), head.seq));
            }
            Moment::Output(Output::App(Event::Message(message)), _) => {
                if let Some(pos) = message.pos {
                    self.told.push(Told::Message(*pos.log_id.as_bytes(), pos.seq, message.dedupe_id));
                }
            }
            Moment::Input(Input::Transport(epoch, _), Some(frame)) if facts.counts(*epoch) => match &frame.body {
                Some(Down::Welcome(welcome)) if !welcome.resumed => {
                    self.received.insert(*epoch, welcome.head.as_ref().map_or(0, |head| head.seq));
                }
                Some(Down::Deliver(_)) if frame.seq > 0 => {
                    let newest = self.received.entry(*epoch).or_default();
                    *newest = frame.seq.max(*newest);
                }
                _ => {}
            },
            Moment::Output(Output::Write { epoch, .. }, Some(frame)) if facts.faithful => {
                let Some(connection) = facts.connections.get(epoch) else { return Ok(()) };
                let Some(welcome) = &connection.welcome else { return Ok(()) };
                let seen = connection
                    .hello
                    .as_ref()
                    .and_then(|h| h.recovery.as_ref()?.last_seen.as_ref())
                    .map_or(0, |p| p.seq);
                let before = if welcome.resumed { seen } else { 0 };
                let newest = self.received.get(epoch).copied().unwrap_or_default().max(before);
                ensure(frame.ack <= newest, || format!("I12: acknowledges {}, and {newest} is the newest", frame.ack))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn verify(&mut self, truth: &Truth<'_>) -> Verdict {
        let mut at: Option<([u8; 16], u64)> = None;
        let mut newest: BTreeMap<[u8; 16], u64> = BTreeMap::new();
        let is_message = |deliver: &pb::Deliver| matches!(deliver.event, Some(News::Message(_)));
        for told in &self.told {
            match told {
                Told::From(log, seq) => at = Some((*log, *seq)),
                Told::Message(log, seq, what) => {
                    let published = truth.cluster.ledger.log(log).and_then(|entries| entries.get(seq));
                    let Some(News::Message(message)) = published.and_then(|deliver| deliver.event.as_ref()) else {
                        return Err(format!("I12: message {what} at {seq} was never published"));
                    };
                    ensure(message.dedupe_id == *what, || format!("I12: {what} at {seq} is {}", message.dedupe_id))?;
                    let before = newest.insert(*log, *seq).unwrap_or_default();
                    ensure(before < *seq, || format!("I12: {seq} is delivered after {before}"))?;
                    let Some((here, from)) = at.filter(|(here, _)| here == log) else {
                        return Err(format!("I12: message {what} is of another log, and no resync came first"));
                    };
                    let missed = truth.cluster.ledger.log(&here).into_iter().flatten();
                    let missed = missed.filter(|(n, d)| **n > from && **n < *seq && is_message(d)).count();
                    ensure(missed == 0, || format!("I12: {missed} messages before {what} at {seq} are missing"))?;
                    at = Some((here, *seq));
                }
            }
        }
        let live = matches!(truth.facts.view.state, State::Live { .. });
        if let (true, true, Some((log, from))) = (truth.settled, live, at) {
            let entries = truth.cluster.ledger.log(&log).into_iter().flatten();
            let missed = entries.filter(|(n, d)| **n > from && is_message(d)).count();
            let current = truth.facts.view.session.and_then(|s| truth.cluster.head(s.as_bytes())).map(|(log, _)| log);
            ensure(missed == 0 || current != Some(log), || {
                format!("I12: {missed} messages after {from} have not been delivered, and all is calm")
            })?;
        }
        Ok(())
    }
}

/// I13: a reliable send is applied at most once; what is said to be acknowledged was, and what is said to have failed was not. That
/// its fate is not known is said only of what was written before a server that has forgotten it.
#[derive(Debug, Default)]
pub(super) struct I13AppliedOnce {
    /// What was written and had no outcome when a server said that it has forgotten the client.
    forgotten: BTreeSet<SendId>,
}

impl Check for I13AppliedOnce {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(
                Input::Transport(epoch, _),
                Some(pb::ServerFrame { body: Some(Down::Welcome(welcome)), .. }),
            ) if facts.forgets(*epoch, welcome) => {
                let written = facts.sends.open().filter(|(_, send)| !send.written.is_empty());
                self.forgotten.extend(written.map(|(id, _)| id));
                Ok(())
            }
            Moment::Output(Output::App(Event::SendOutcome { id, outcome: SendOutcome::Unknown }), _) => {
                ensure(!facts.faithful || self.forgotten.contains(id), || {
                    format!("I13: the fate of send {id} is not known, and no server has forgotten it")
                })
            }
            _ => Ok(()),
        }
    }

    fn verify(&mut self, truth: &Truth<'_>) -> Verdict {
        let ledger = &truth.cluster.ledger;
        let mut applied: BTreeMap<SendId, u32> = BTreeMap::new();
        for one in &ledger.applied {
            let times = applied.entry(one.id).or_default();
            *times += 1;
            ensure(*times == 1 || one.is_state, || format!("I13: send {} is applied twice", one.id))?;
        }
        let mut passed = BTreeSet::new();
        for (id, _) in &ledger.passed {
            ensure(passed.insert(*id), || format!("I13: ephemeral send {id} comes twice"))?;
        }
        for (id, send) in truth.facts.sends.iter() {
            let done = applied.contains_key(&id) || passed.contains(&id);
            let fits = match &send.outcome {
                Some(SendOutcome::Acked) => done,
                Some(
                    SendOutcome::Expired
                    | SendOutcome::Overflow
                    | SendOutcome::Superseded
                    | SendOutcome::Dropped
                    | SendOutcome::Rejected(..),
                ) => !done,
                Some(SendOutcome::Closed) => !done || !send.written.is_empty(),
                None => !truth.settled || !done || !send.is_kept(),
                Some(_) => true,
            };
            ensure(fits, || format!("I13: send {id} ends with {:?}, and applied is {done}", send.outcome))?;
        }
        ensure(ledger.holes.is_empty(), || format!("I13: frames came out of sequence: {:?}", ledger.holes))
    }
}

/// I15: of each class, what was sent first is applied first.
#[derive(Debug, Default)]
pub(super) struct I15InOrder;

impl Check for I15InOrder {
    fn look(&mut self, _facts: &Facts, _moment: Moment<'_>) -> Verdict {
        Ok(())
    }

    fn verify(&mut self, truth: &Truth<'_>) -> Verdict {
        let ledger = &truth.cluster.ledger;
        let sends = &truth.facts.sends;
        let mut last: BTreeMap<String, SendId> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let applied = ledger.applied.iter().map(|one| one.id).chain(ledger.passed.iter().map(|(id, _)| *id));
        for id in applied.filter(|id| seen.insert(*id)) {
            let class = match sends.by_id(id).and_then(|send| send.class.as_ref()) {
                None | Some(SendClass::Reliable) => "reliable".to_owned(),
                Some(SendClass::Latest(key)) => format!("latest {key}"),
                Some(SendClass::Ephemeral) => "ephemeral".to_owned(),
                Some(SendClass::EpochBound) => "bound".to_owned(),
            };
            let before = last.insert(class.clone(), id);
            ensure(before.is_none_or(|before| before < id), || {
                format!("I15: of the class {class}, {id} is applied after {before:?}")
            })?;
        }
        Ok(())
    }
}

/// I23: a migration ends the old connection only once the new one stands, or has failed.
#[derive(Debug, Default)]
pub(super) struct I23MakeBeforeBreak {
    aborted: Option<Epoch>,
    excused: bool,
}

impl Check for I23MakeBeforeBreak {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(..) => {
                self.aborted = None;
                self.excused = facts.user_close.is_some();
            }
            Moment::Output(Output::Abort { epoch, .. }, _) => {
                let migrating = matches!(facts.view.state, State::Migrating { .. });
                if migrating && facts.home == Some(*epoch) && facts.counts(*epoch) {
                    self.aborted = Some(*epoch);
                }
            }
            Moment::Output(Output::App(Event::ConnectionLost { .. } | Event::Closed { .. }), _) => self.excused = true,
            Moment::Settled(_) => {
                let Some(old) = self.aborted.filter(|_| !self.excused && facts.user_close.is_none()) else {
                    return Ok(());
                };
                let newest = facts.connections.iter().next_back();
                let stands = newest.is_some_and(|(epoch, c)| *epoch != old && (c.migrate_done || c.ended.is_some()));
                ensure(stands, || format!("I23: connection {old} is given up before the new one stands"))?;
            }
            Moment::Output(..) => {}
        }
        Ok(())
    }
}

/// I26: once a server has seen a newer connection of a session, nothing of an older one is applied, and nothing is written there.
#[derive(Debug, Default)]
pub(super) struct I26NewestConnectionOnly;

impl Check for I26NewestConnectionOnly {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Output(Output::Write { epoch, .. }, Some(frame)) = moment else { return Ok(()) };
        let newer = facts.connections.range(epoch..).skip(1).find(|(_, c)| c.hello.is_some() && c.ended.is_none());
        let migrating = matches!(facts.view.state, State::Migrating { .. });
        let goodbye = matches!(frame.body, Some(Up::Leave(_)));
        ensure(newer.is_none() || migrating || goodbye, || {
            format!("I26: a write to connection {epoch} after the hello on {:?}", newer.map(|(e, _)| e))
        })
    }

    fn verify(&mut self, truth: &Truth<'_>) -> Verdict {
        let mut newest = Epoch::default();
        for one in &truth.cluster.ledger.applied {
            ensure(one.epoch >= newest, || format!("I26: {} is applied over {} after {newest}", one.id, one.epoch))?;
            newest = newest.max(one.epoch);
        }
        Ok(())
    }
}
