//! What is known of a run from its inputs and outputs alone: the common ground of all checks.

mod connection;
mod sends;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use moorline_signaling::machine::{Config, Event, Input, MediaHealth, NetHint, Output, State, Transport};
use moorline_signaling::{CallId, CloseReason, Epoch, LineageId, LossCause, SendId, SessionId, Strategy};

pub(crate) use connection::Connection;
pub(crate) use sends::{SendFacts, Sends};

use crate::wire::{Down, Up, pb};

/// One thing that happens, in the order in which it happens. Frames come decoded as well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment<'a> {
    /// Something goes into the machine.
    Input(&'a Input, Option<&'a pb::ServerFrame>),
    /// Something comes out of it.
    Output(&'a Output, Option<&'a pb::ClientFrame>),
    /// All outputs have been drained.
    Settled(&'a View),
}

/// What the machine says of itself between two inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) deadline: Option<Instant>,
    pub(crate) queued: (usize, usize),
    pub(crate) session: Option<SessionId>,
    pub(crate) lineage: LineageId,
}

/// A recovery that has begun and not ended.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    /// When the application heard of the loss.
    pub(crate) since: Instant,
    /// Which connection was lost.
    pub(crate) lost: Epoch,
    /// What happened to it.
    pub(crate) cause: LossCause,
    /// Dials since then.
    pub(crate) dials: u32,
}

/// What is known. During a moment it is what was known before it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) config: Config,
    /// Of this moment.
    pub(crate) now: Instant,
    /// When `Connect` came.
    pub(crate) connected: Option<Instant>,
    /// What the machine said of itself after the last input.
    pub(crate) view: View,
    /// Whether the present input is `Tick`.
    pub(crate) is_tick: bool,
    /// When an input last came later than a deadline that was due: the clock was suspended.
    pub(crate) late: Option<Instant>,
    /// All connections, by epoch.
    pub(crate) connections: BTreeMap<Epoch, Connection>,
    /// The connection on which the application is, or was last, in the room.
    pub(crate) home: Option<Epoch>,
    /// The recovery under way.
    pub(crate) recovery: Option<Recovery>,
    /// When the last recovery or first join ended well.
    pub(crate) arrived: Option<Instant>,
    /// When the user closed.
    pub(crate) user_close: Option<Instant>,
    /// Whether the server ended the session over a connection that counted.
    pub(crate) session_ended: bool,
    /// The end.
    pub(crate) closed: Option<CloseReason>,
    pub(crate) media: MediaHealth,
    /// Whether the last word on the network was that there is none.
    pub(crate) offline: bool,
    pub(crate) was_offline: bool,
    /// Since when the application has kept up (`None`: it is behind).
    pub(crate) reading_since: Option<Instant>,
    pub(crate) token: Option<String>,
    pub(crate) sends: Sends,
    /// Calls without an outcome.
    pub(crate) open_calls: BTreeSet<CallId>,
    /// What the server last advised for the first retry.
    pub(crate) advice: Option<Duration>,
    /// Whether only a server that keeps to the protocol has spoken so far.
    pub(crate) faithful: bool,
}

impl Facts {
    /// Nothing has happened yet.
    pub(crate) fn new(config: Config, now: Instant, view: View) -> Self {
        Self {
            config,
            now,
            connected: None,
            view,
            is_tick: false,
            late: None,
            connections: BTreeMap::new(),
            home: None,
            recovery: None,
            arrived: None,
            user_close: None,
            session_ended: false,
            closed: None,
            media: MediaHealth::NeverConnected,
            offline: false,
            was_offline: false,
            reading_since: Some(now),
            token: None,
            sends: Sends::default(),
            open_calls: BTreeSet::new(),
            advice: None,
            faithful: true,
        }
    }

    /// Connections that have been dialled and have not ended.
    pub(crate) fn open(&self) -> impl Iterator<Item = (Epoch, &Connection)> {
        self.connections.iter().filter(|(_, c)| c.ended.is_none()).map(|(e, c)| (*e, c))
    }

    /// Whether what this connection reports still counts.
    pub(crate) fn counts(&self, epoch: Epoch) -> bool {
        self.connections.get(&epoch).is_some_and(|c| c.ended.is_none())
    }

    /// The newest connection over which the server said Welcome, with it.
    pub(crate) fn last_welcome(&self) -> Option<(Epoch, &Connection, &pb::Welcome)> {
        self.connections.iter().rev().find_map(|(e, c)| c.welcome.as_ref().map(|w| (*e, c, w)))
    }

    /// Whether this Welcome, which comes in now, is of a server that has forgotten the lineage, or parts of it: numbers begin anew. A
    /// second one on the same connection is no word to go by.
    pub(crate) fn forgets(&self, epoch: Epoch, welcome: &pb::Welcome) -> bool {
        let fresh = |c: &&Connection| c.ended.is_none() && c.welcome.is_none();
        let hello = self.connections.get(&epoch).filter(fresh).and_then(|c| c.hello.as_ref());
        let first = hello.and_then(|hello| hello.recovery.as_ref()).map_or(1, |recovery| recovery.first_unacked);
        hello.is_some() && (!welcome.lineage_known || welcome.client_seq_seen.saturating_add(1) < first)
    }

    /// The newest Welcome to the session that the machine takes for its own.
    pub(crate) fn session_welcome(&self) -> Option<&pb::Welcome> {
        self.session_connections().last()?.welcome.as_ref()
    }

    /// The connections of the session that the machine takes for its own.
    pub(crate) fn session_connections(&self) -> impl Iterator<Item = &Connection> {
        let session = self.view.session;
        let mine = move |w: &pb::Welcome| session.is_some_and(|s| w.session_id[..] == s.as_bytes()[..]);
        self.connections.values().filter(move |c| c.welcome.as_ref().is_some_and(mine))
    }

    /// The connection on which the application is, or was last.
    pub(crate) fn home(&self) -> Option<(Epoch, &Connection)> {
        let epoch = self.home?;
        Some((epoch, self.connections.get(&epoch)?))
    }

    /// Whether the lost connection was closed by a server that wants to be left alone: with a code of the move band.
    pub(crate) fn moved_away(&self, recovery: &Recovery) -> bool {
        matches!(recovery.cause, LossCause::ClosedByServer(4300..4400))
    }

    /// Learns from a moment that is over.
    pub(crate) fn apply(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Input(input, frame) => self.apply_input(input, frame),
            Moment::Output(output, frame) => self.apply_output(output, frame),
            Moment::Settled(view) => {
                if let State::Live { epoch, .. } = view.state {
                    self.came_home(epoch);
                }
                self.view = *view;
            }
        }
    }

    /// Whether all deadlines since then were answered in time.
    pub(crate) fn punctual_since(&self, then: Instant) -> bool {
        self.late.is_none_or(|late| late < then)
    }

    fn apply_input(&mut self, input: &Input, frame: Option<&pb::ServerFrame>) {
        self.is_tick = matches!(input, Input::Tick);
        match input {
            // A closed machine owes nobody an outcome.
            Input::Send { .. } | Input::Update { .. } | Input::Call { .. } if self.closed.is_some() => {}
            Input::Connect => self.connected = self.connected.or(Some(self.now)),
            Input::Send { id, class, body, ttl } => {
                let wait = ttl.unwrap_or(self.config.bounds.send_ttl);
                self.sends.accept(*id, SendFacts::new(self.now, Some(class.clone()), body.payload.len(), wait));
            }
            Input::Update { id, .. } => {
                let wait = self.config.bounds.send_ttl;
                self.sends.accept(*id, SendFacts::new(self.now, None, 0, wait));
            }
            Input::Call { id, .. } => {
                self.open_calls.insert(*id);
            }
            Input::CancelCall(id) => {
                self.open_calls.remove(id);
            }
            Input::Close => self.user_close = self.user_close.or(Some(self.now)),
            Input::Net(hint) => {
                self.offline = *hint == NetHint::Offline;
                self.was_offline |= self.offline;
            }
            Input::Media(health) => self.media = *health,
            Input::TokenReady(token) => self.token = Some(token.clone()),
            Input::AppBusy(busy) => self.reading_since = (!busy).then(|| self.reading_since.unwrap_or(self.now)),
            Input::Transport(epoch, report) => self.apply_report(*epoch, report, frame),
            _ => {}
        }
    }

    fn apply_report(&mut self, epoch: Epoch, report: &Transport, frame: Option<&pb::ServerFrame>) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&epoch).filter(|c| c.ended.is_none()) else { return };
        if matches!(report, Transport::Frame(_)) {
            self.offline = false;
        }
        match report {
            Transport::Opened => connection.opened = connection.opened.or(Some(now)),
            Transport::Closed { .. } | Transport::Error(_) => {
                connection.ended = Some(now);
                connection.failed = true;
            }
            // What comes before the handshake is over is a driver's mistake and proves nothing.
            Transport::Frame(_) | Transport::Text if connection.opened.is_none() => {}
            Transport::Text => connection.hear(now, None),
            Transport::Frame(_) => {
                connection.hear(now, frame);
                match frame.and_then(|frame| frame.body.as_ref()) {
                    Some(Down::Welcome(welcome)) if connection.answers == 1 => {
                        self.advice = advice(welcome.reconnect_spread_ms);
                    }
                    Some(Down::Pong(pong)) if connection.welcome.is_some() => {
                        self.advice = advice(pong.reconnect_spread_ms);
                    }
                    // One that acknowledges what was never sent is no word to go by.
                    Some(Down::SessionEnded(_)) => {
                        // While migrating, only the old node's counts, and that only before it is left.
                        let migrating = matches!(self.view.state, State::Migrating { .. });
                        let left = migrating && (self.home != Some(epoch) || connection.left);
                        let sound = !left && (self.faithful || frame.is_some_and(|frame| frame.ack == 0));
                        self.session_ended |= connection.welcome.is_some() && sound;
                    }
                    _ => {}
                }
            }
        }
    }

    fn apply_output(&mut self, output: &Output, frame: Option<&pb::ClientFrame>) {
        match output {
            Output::Dial { epoch, .. } => {
                self.connections.insert(*epoch, Connection::dialled(self.now));
                if let Some(recovery) = &mut self.recovery {
                    recovery.dials += 1;
                }
            }
            Output::Write { epoch, .. } => {
                if let Some(connection) = self.connections.get_mut(epoch) {
                    connection.write(self.now, frame);
                }
                if let Some(body) = frame.and_then(|frame| frame.body.as_ref()) {
                    self.sends.wrote(*epoch, body);
                }
            }
            Output::Abort { epoch, .. } => {
                if let Some(connection) = self.connections.get_mut(epoch) {
                    connection.ended = connection.ended.or(Some(self.now));
                }
            }
            Output::FetchToken { .. } | Output::FetchCreds { .. } => {}
            Output::App(event) => self.apply_event(event),
        }
    }

    fn came_home(&mut self, epoch: Epoch) {
        self.home = Some(epoch);
        if let Some(connection) = self.connections.get_mut(&epoch) {
            connection.live.get_or_insert(self.now);
        }
    }

    fn apply_event(&mut self, event: &Event) {
        match event {
            // Where it goes on at once, to migrate, it is never seen at rest there.
            Event::StateChanged { to: State::Live { epoch, .. }, .. } => self.came_home(*epoch),
            Event::Joined { .. } => self.arrived = Some(self.now),
            Event::ConnectionLost { epoch, cause } => {
                if let Some(connection) = self.connections.get_mut(epoch) {
                    connection.losses += 1;
                }
                self.recovery = Some(Recovery { since: self.now, lost: *epoch, cause: cause.clone(), dials: 0 });
            }
            Event::Recovered { .. } => {
                self.recovery = None;
                self.arrived = Some(self.now);
            }
            Event::SendOutcome { id, outcome } => self.sends.ended(*id, outcome),
            Event::CallOutcome { id, .. } => {
                self.open_calls.remove(id);
            }
            Event::Closed { reason } => self.closed = Some(reason.clone()),
            _ => {}
        }
    }
}

/// What a server says of the first retry; 0 says nothing.
fn advice(spread_ms: u32) -> Option<Duration> {
    (spread_ms > 0).then(|| Duration::from_millis(spread_ms.into()))
}

/// The plan of a hello, as a strategy; `None` on a first join.
pub(crate) fn plan_of(frame: &pb::ClientFrame) -> Option<Strategy> {
    let Some(Up::Hello(hello)) = &frame.body else { return None };
    match hello.recovery.as_ref()?.plan() {
        pb::Plan::Fast => Some(Strategy::Fast),
        pb::Plan::Rejoin => Some(Strategy::Rejoin),
        pb::Plan::Migrate => Some(Strategy::Migrate),
        pb::Plan::Unspecified => None,
    }
}

/// Some ids, for people.
pub(crate) fn ids(ids: impl Iterator<Item = SendId>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
}
