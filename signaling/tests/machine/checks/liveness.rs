use std::time::Instant;

use moorline_signaling::machine::{Event, Health, Input, NetHint, Output, State, Transport};
use moorline_signaling::{Epoch, LossCause};

use super::{Check, SLACK, Verdict, ensure};
use crate::facts::{Connection, Facts, Moment};

/// I20: any frame proves life; silence is a loss after the timeout, not before it and hardly later; a client that was suspended, or
/// hears of another path, asks for a sign of life at once. I21: a silent other side gets a reset, and every other one a goodbye.
#[derive(Debug, Default)]
pub(super) struct I20SilenceIsLoss {
    /// The first hint that something may be wrong since anything was heard.
    hint: Option<Instant>,
    /// A sign of life that has to be asked for by the next tick.
    probe: Option<(Instant, Epoch)>,
    /// The last connection that was given up without a goodbye.
    reset: Option<Epoch>,
}

impl I20SilenceIsLoss {
    /// Since when nothing was heard, though it would have been.
    fn silent_since(facts: &Facts, connection: &Connection) -> Option<Instant> {
        Some(connection.heard?.max(facts.reading_since?))
    }
}

impl Check for I20SilenceIsLoss {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let timers = &facts.config.timers;
        if let Moment::Input(Input::Transport(epoch, Transport::Frame(_)), _) = moment
            && facts.home == Some(*epoch)
        {
            self.hint = None;
        }
        match moment {
            Moment::Output(Output::Abort { epoch, code: None }, _) => self.reset = Some(*epoch),
            Moment::Output(Output::App(Event::ConnectionLost { epoch, cause }), _) => {
                let silent = matches!(cause, LossCause::Silence(_));
                ensure(silent == (self.reset == Some(*epoch)), || {
                    format!("I21: connection {epoch} ends by {cause}, and the last one to be reset is {:?}", self.reset)
                })?;
            }
            _ => {}
        }
        match moment {
            Moment::Input(Input::SystemResumed | Input::Net(NetHint::PathChanged), _) => {
                self.hint.get_or_insert(facts.now);
                if let State::Live { epoch, .. } = facts.view.state {
                    self.probe = Some((facts.now, epoch));
                }
            }
            // Other words of the network mean that it may be another one.
            Moment::Input(Input::Net(NetHint::Online | NetHint::RetryNow), _) => {
                self.hint.get_or_insert(facts.now);
            }
            // A deadline that is overdue is evidence of a suspension as well.
            Moment::Input(..) if facts.late == Some(facts.now) => {
                self.hint.get_or_insert(facts.now);
            }
            Moment::Output(Output::App(Event::ConnectionLost { epoch, cause: LossCause::Silence(_) }), _) => {
                let Some(connection) = facts.connections.get(epoch) else { return Ok(()) };
                let Some(since) = Self::silent_since(facts, connection) else {
                    return Err("I20: lost by silence while the application is behind".to_owned());
                };
                let timeout = connection.heartbeat_timeout(timers);
                let enough = facts.now >= since + timeout
                    || self.hint.is_some_and(|hint| facts.now >= hint.max(since) + timers.probe_timeout.min(timeout));
                ensure(enough, || {
                    format!("I20: lost by a silence of {:?}, and not after {timeout:?}", facts.now - since)
                })?;
            }
            Moment::Settled(view) => {
                let State::Live { epoch, .. } = view.state else {
                    self.probe = None;
                    return Ok(());
                };
                let Some(connection) = facts.connections.get(&epoch) else { return Ok(()) };
                let reading = facts.reading_since.is_some();
                if let Some((asked, on)) = self.probe.take()
                    && on == epoch
                    && reading
                {
                    let heard = connection.heard.unwrap_or(asked);
                    let probed = connection.pinged.is_some_and(|at| at >= asked || at > heard);
                    if !probed && !facts.is_tick {
                        self.probe = Some((asked, on));
                    }
                    ensure(probed || !facts.is_tick, || {
                        "I20: resumed or moved, and no sign of life is asked for".to_owned()
                    })?;
                }
                let Some(since) = Self::silent_since(facts, connection).filter(|_| facts.is_tick) else {
                    return Ok(());
                };
                if facts.punctual_since(since) {
                    let timeout = connection.heartbeat_timeout(timers);
                    ensure(facts.now <= since + timeout + SLACK, || {
                        format!("I20: silent for {:?}, and still live", facts.now - since)
                    })?;
                    let interval = connection.heartbeat_interval(timers);
                    let Some(live) = connection.live else { return Ok(()) };
                    let wrote = connection.wrote.unwrap_or(live).max(live);
                    ensure(facts.now <= wrote + interval + SLACK, || {
                        format!("I20: nothing written for {:?}: a server would take it for dead", facts.now - wrote)
                    })?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// I22: a new connection starts without a doubt: what was asked and not answered on an old one says nothing of it.
#[derive(Debug, Default)]
pub(super) struct I22HeartbeatPerConnection;

impl Check for I22HeartbeatPerConnection {
    fn look(&mut self, facts: &Facts, moment: Moment<'_>) -> Verdict {
        let Moment::Settled(view) = moment else { return Ok(()) };
        let State::Live { epoch, health } = view.state else { return Ok(()) };
        let fresh = !matches!(facts.view.state, State::Live { .. } | State::Migrating { .. });
        ensure(!fresh || health == Health::Ok, || format!("I22: connection {epoch} is in doubt as soon as it is live"))
    }
}
