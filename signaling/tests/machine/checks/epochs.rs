use std::collections::BTreeMap;

use moorline_signaling::Epoch;
use moorline_signaling::machine::{Input, Output, Phase, State};

use super::{Check, Verdict, ensure};
use crate::facts::{Facts, Moment, View};
use crate::wire::{self, Down, Up, pb};

/// I4: reports of connections that do not count change nothing.
#[derive(Debug, Default)]
pub(super) struct I4OthersChangeNothing {
    stale: Option<(Epoch, View)>,
}

impl Check for I4OthersChangeNothing {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Input(Input::Transport(epoch, _), _) => {
                // Where a deadline is overdue, the input may well be taken for a tick.
                let due = facts.view.deadline.is_some_and(|due| due <= facts.now);
                self.stale = (!facts.counts(*epoch) && !due).then_some((*epoch, facts.view));
                Ok(())
            }
            Moment::Input(..) => {
                self.stale = None;
                Ok(())
            }
            Moment::Output(output, _) => ensure(self.stale.is_none(), || {
                format!("I4: a report of a connection that does not count has this effect: {output:?}")
            }),
            Moment::Settled(view) => match &self.stale {
                Some((epoch, before)) => ensure(before == view, || {
                    format!("I4: a report of connection {epoch}, which does not count, turns {before:?} into {view:?}")
                }),
                None => Ok(()),
            },
        }
    }
}

/// I5: one dial at a time, two connections only while migrating, and none where none is wanted.
#[derive(Debug, Default)]
pub(super) struct I5OneDial;

impl Check for I5OneDial {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        match moment {
            Moment::Output(Output::Dial { epoch, .. }, _) => {
                let last = facts.connections.keys().next_back().copied().unwrap_or_default();
                ensure(epoch.0 == last.0 + 1, || format!("I5: dial {epoch} comes after dial {last}"))?;
                let in_flight = facts.open().find(|(_, c)| c.welcome.is_none());
                ensure(in_flight.is_none(), || {
                    format!("I5: dial {epoch} while {:?} is in flight", in_flight.map(|f| f.0))
                })?;
                ensure(facts.open().count() <= 1, || format!("I5: dial {epoch} while two connections are open"))
            }
            Moment::Settled(view) => {
                let open = facts.open().count();
                let most = match view.state {
                    State::Idle | State::Closed => 0,
                    State::Connecting { phase, .. } | State::Recovering { phase, .. } => {
                        usize::from(phase >= Phase::Dial)
                    }
                    State::Live { .. } | State::Leaving => 1,
                    State::Migrating { phase } => 1 + usize::from(phase >= Phase::Dial),
                };
                ensure(open <= most, || {
                    let epochs: Vec<Epoch> = facts.open().map(|(e, _)| e).collect();
                    format!("I5: in {:?} the connections {epochs:?} are open", view.state)
                })
            }
            _ => Ok(()),
        }
    }
}

/// I7: `Live` is entered by the Welcome of that connection, and when everything missed has come, never by a flag.
#[derive(Debug, Default)]
pub(super) struct I7LiveByWelcome;

impl Check for I7LiveByWelcome {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Settled(View { state: State::Live { epoch, .. }, .. }) = moment else { return Ok(()) };
        let Some(connection) = facts.connections.get(epoch) else {
            return Err(format!("I7: live on connection {epoch}, which was never dialled"));
        };
        ensure(connection.ended.is_none(), || format!("I7: live on connection {epoch}, which is dead"))?;
        let Some(welcome) = &connection.welcome else {
            return Err(format!("I7: live on connection {epoch} without a Welcome"));
        };
        ensure(!welcome.resumed || connection.replay_end, || {
            format!("I7: live on connection {epoch} before everything that was missed has come")
        })
    }
}

/// I11: writes go to open connections only; Hello comes first, and once more only for a session that cannot be resumed; messages come after Welcome, numbered without a hole, and a
/// number always means the same.
#[derive(Debug, Default)]
pub(super) struct I11WritesInOrder {
    /// The last number written on each connection.
    last: BTreeMap<Epoch, u64>,
    /// What each number was used for.
    meant: BTreeMap<u64, Up>,
}

impl Check for I11WritesInOrder {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        if let Moment::Input(
            Input::Transport(epoch, _),
            Some(pb::ServerFrame { body: Some(Down::Welcome(welcome)), .. }),
        ) = moment
            && facts.forgets(*epoch, welcome)
        {
            // A server that has forgotten the lineage counts anew.
            self.meant.clear();
        }
        let Moment::Output(Output::Write { epoch, .. }, frame) = moment else { return Ok(()) };
        let Some(connection) = facts.connections.get(epoch) else {
            return Err(format!("I11: a write to connection {epoch}, which was never dialled"));
        };
        ensure(connection.opened.is_some(), || format!("I11: a write to connection {epoch} before it is open"))?;
        ensure(connection.ended.is_none(), || format!("I11: a write to connection {epoch} after its end"))?;
        let Some((frame, body)) = frame.and_then(|frame| Some((frame, frame.body.as_ref()?))) else {
            return Err("I11: the client wrote something that is no frame".to_owned());
        };
        let is_hello = matches!(body, Up::Hello(_));
        let due = connection.hellos == connection.rejected;
        ensure(is_hello == due, || {
            let words = wire::up_words(frame);
            format!("I11: {words} is frame {} of connection {epoch}", connection.frames_out + 1)
        })?;
        let carries = wire::is_reliable(body) || matches!(body, Up::Publish(_) | Up::TokenUpdate(_));
        ensure(!carries || connection.welcome.is_some(), || {
            format!("I11: {} before the Welcome of connection {epoch}", wire::up_words(frame))
        })?;
        let counts = wire::is_reliable(body);
        ensure(counts == (frame.seq > 0), || format!("I11: number {} on {}", frame.seq, wire::up_words(frame)))?;
        if !counts || !facts.faithful {
            return Ok(());
        }
        if let Some(welcome) = &connection.welcome {
            let last = self.last.get(epoch).copied();
            let follows = last.map_or(frame.seq > welcome.client_seq_seen, |last| frame.seq == last + 1);
            ensure(follows, || {
                let seen = welcome.client_seq_seen;
                format!("I11: number {} on connection {epoch} after {last:?}, the server had seen {seen}", frame.seq)
            })?;
        }
        self.last.insert(*epoch, frame.seq);
        let meant = self.meant.entry(frame.seq).or_insert_with(|| body.clone());
        // What is left of a call's time changes from one sending to the next.
        let same = match (&*meant, body) {
            (Up::Call(a), Up::Call(b)) => a.call_id == b.call_id,
            (a, b) => a == b,
        };
        ensure(same, || format!("I11: number {} means {meant:?} and then {body:?}", frame.seq))
    }
}
