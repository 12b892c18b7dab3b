//! From one node to another without a gap: the new connection is made before the old one ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use prost::Message as _;

use crate::wire::{limits, pb};
use crate::{LossCause, NodeName, Strategy};

use super::frames::{ClientBody, cut};
use super::link::Pulse;
use super::live::Live;
use super::loss::Verdict;
use super::session::Entrance;
use super::way::{Aim, Step, Way};
use super::{Event, Machine, Mode, Output, Phase};
use crate::wire::pb::server_frame::Body as ServerBody;

/// Frames of the new node that are kept while the old one finishes, and their bytes.
const MAX_KEPT: usize = 1024;
const MAX_KEPT_BYTES: usize = 2 * limits::MAX_SERVER_FRAME;

/// The server asked us to go.
#[derive(Debug)]
pub(super) struct Departure {
    /// When; `None` if there is nowhere to go: we stay until we are put out.
    pub(super) at: Option<Instant>,
    prefer: Option<NodeName>,
}

#[derive(Debug)]
pub(super) struct Migration {
    pub(super) way: Way,
    until: Instant,
    /// The new node has let us in.
    pub(super) arrived: Option<Box<Arrived>>,
}

/// What came from the new node, while the old one is still the one in use.
#[derive(Debug)]
pub(super) struct Arrived {
    entrance: Entrance,
    replayed: bool,
    done: bool,
    kept: VecDeque<pb::ServerFrame>,
    kept_bytes: usize,
    /// The old node was told; it has until then to finish.
    left_until: Option<Instant>,
}

impl Arrived {
    pub(super) fn new(entrance: Entrance) -> Self {
        Self { entrance, replayed: false, done: false, kept: VecDeque::new(), kept_bytes: 0, left_until: None }
    }
}

impl Arrived {
    /// Whether there is room for one more frame, which is counted then.
    fn keeps(&mut self, frame: &pb::ServerFrame) -> bool {
        self.kept_bytes = self.kept_bytes.saturating_add(frame.encoded_len());
        self.kept.len() < MAX_KEPT && self.kept_bytes <= MAX_KEPT_BYTES
    }
}

impl Migration {
    pub(super) fn phase(&self) -> Phase {
        self.way.step.phase()
    }

    /// From the dial on: the new node is told in Hello what was acknowledged, and that must not change any more.
    pub(super) fn holds_sends(&self) -> bool {
        self.way.step.epoch().is_some()
    }

    pub(super) fn wakes(&self, deaf: bool) -> Instant {
        let left = self.arrived.as_ref().and_then(|arrived| arrived.left_until);
        let way = match (&self.arrived, &self.way.step) {
            (Some(_), Step::Replay { link, .. }) => link.deadline(deaf),
            _ => self.way.wakes(),
        };
        [left, Some(way)].into_iter().flatten().fold(self.until, Instant::min)
    }
}

impl Machine {
    pub(super) fn go_away(&mut self, now: Instant, go_away: &pb::GoAway) {
        let spread = go_away.spread_ms.min(go_away.deadline_ms);
        let at = now + self.within(Duration::from_millis(u64::from(spread)));
        let Mode::Live(live) = &mut self.mode else { return };
        if live.departure.is_some() {
            return;
        }
        let target = cut(&go_away.target_node, limits::MAX_TEXT);
        live.departure = Some(Departure { at: Some(at), prefer: (!target.is_empty()).then_some(target) });
        let delay = at.saturating_duration_since(now).as_millis();
        let reason = cut(&go_away.reason, limits::MAX_TEXT);
        self.decide(now, format!("the server asks us to go: {reason}"), format!("move to another node in {delay} ms"));
    }

    pub(super) fn time_of_migration(&mut self, now: Instant) {
        let limit = self.session.as_ref().map_or(self.config.timers.migrate, |session| session.rules.migrate);
        let Mode::Live(live) = &mut self.mode else { return };
        if let Some(migration) = &live.migration {
            let left_until = migration.arrived.as_ref().and_then(|arrived| arrived.left_until);
            if left_until.is_some_and(|at| now >= at) {
                return self.complete_migration(now);
            }
            if now >= migration.until {
                return self.give_up_node(now, "the migration took too long");
            }
            if migration.arrived.is_none() {
                self.time_of_way(now);
            } else {
                self.time_of_arrival(now);
            }
            return self.leave_old_node(now);
        }
        let Some(departure) = &live.departure else { return };
        if departure.at.is_none_or(|at| now < at) {
            return;
        }
        let mut way = Way::new(Aim::Migration, Strategy::Rejoin, now, None, "the server asks us to go");
        way.prefer.clone_from(&departure.prefer);
        if let Some(session) = &self.session {
            way.exclude(&session.endpoint.node);
        }
        live.migration = Some(Migration { way, until: now + limit, arrived: None });
        self.decide(now, "the server asks us to go", "join another node");
        self.note_state("the server asks us to go");
        self.begin_attempt(now);
    }

    /// The new connection has to stay alive until it is the one in use.
    fn time_of_arrival(&mut self, now: Instant) {
        let busy = self.busy;
        let Some(Step::Replay { link, .. }) = self.way_mut().map(|way| &mut way.step) else { return };
        let epoch = link.epoch;
        match link.tick(now, busy) {
            Pulse::Quiet => {}
            Pulse::Ping(nonce) => self.ping(epoch, nonce),
            Pulse::Lost(silence) => {
                self.attempt_refused(now, &LossCause::Silence(silence).to_string(), &Verdict::of_silence());
            }
        }
    }

    /// No other node can be gone to, or is on offer at all.
    pub(super) fn stay(&mut self, now: Instant, why: &str) {
        self.abort_way(Some(1000));
        let Mode::Live(live) = &mut self.mode else { return };
        live.migration = None;
        if let Some(departure) = &mut live.departure {
            departure.at = None;
        }
        self.decide(now, why, "stay until the server cuts the connection");
        self.note_state(why);
    }

    /// A frame from the new node, after its Welcome.
    pub(super) fn arrived_frame(&mut self, now: Instant, frame: pb::ServerFrame) {
        let Mode::Live(live) = &mut self.mode else { return };
        let Some(arrived) = live.migration.as_mut().and_then(|migration| migration.arrived.as_mut()) else { return };
        match frame.body {
            Some(ServerBody::ReplayEnd(_)) => arrived.replayed = true,
            Some(ServerBody::MigrateDone(_)) => arrived.done = true,
            Some(ServerBody::Ping(ping)) => self.pong(ping.nonce),
            Some(ServerBody::Fault(fault)) => {
                let why = super::arrive::fault_text(&fault);
                return self.attempt_refused(now, &why, &Verdict::of_fault(&fault));
            }
            Some(ServerBody::SessionEnded(_)) => {
                return self.attempt_failed(now, "the new node ended the session");
            }
            _ if arrived.keeps(&frame) => arrived.kept.push_back(frame),
            _ => return self.attempt_failed(now, "the new node sends more than can be kept"),
        }
        self.leave_old_node(now);
    }

    /// When the new node is ready and the old one has acknowledged everything: tells the old one.
    fn leave_old_node(&mut self, now: Instant) {
        let leave = self.config.timers.leave;
        let settled = self.outbox.is_settled();
        let Mode::Live(live) = &mut self.mode else { return };
        let epoch = live.link.epoch;
        let Some(arrived) = live.migration.as_mut().and_then(|migration| migration.arrived.as_mut()) else { return };
        if !(arrived.replayed && arrived.done && settled && arrived.left_until.is_none()) {
            return;
        }
        arrived.left_until = Some(now + leave);
        self.write(epoch, 0, ClientBody::Leave(pb::Leave { reason: "migrated".to_owned() }));
    }

    pub(super) fn has_left_old_node(&self) -> bool {
        let Mode::Live(Live { migration: Some(migration), .. }) = &self.mode else { return false };
        migration.arrived.as_ref().is_some_and(|arrived| arrived.left_until.is_some())
    }

    /// Nobody wants to hear what the new node has said so far.
    pub(super) fn drop_kept(&mut self) {
        if let Mode::Live(Live { migration: Some(Migration { arrived: Some(arrived), .. }), .. }) = &mut self.mode {
            arrived.kept.clear();
        }
    }

    /// The new connection is the one in use from now on.
    pub(super) fn complete_migration(&mut self, now: Instant) {
        let Mode::Live(live) = &mut self.mode else { return };
        let arrives = |migration: &mut Migration| {
            migration.arrived.is_some() && matches!(migration.way.step, Step::Replay { .. })
        };
        let Some(Migration { way, arrived: Some(arrived), .. }) = live.migration.take_if(arrives) else { return };
        let Step::Replay { link, .. } = way.step else { return };
        let old = live.link.epoch;
        self.out.push_back(Output::Abort { epoch: old, code: Some(1000) });
        (self.ack_due, self.ack_count, self.ack_bytes) = (None, 0, 0);
        self.outbox.rewind();
        let epoch = link.epoch;
        self.mode = Mode::Live(Live::new(link, now));
        self.enter(now, arrived.entrance, Aim::Migration);
        self.emit(Event::Recovered {
            epoch,
            strategy: Strategy::Migrate,
            resumed: false,
            replayed: 0,
            resent: 0,
            downtime: Duration::ZERO,
        });
        self.decide(now, "the old node has finished", "go on at the new one");
        self.note_state("moved to another node");
        for frame in arrived.kept {
            if let Err(why) = self.live_frame(now, frame) {
                return self.lose(now, LossCause::Protocol(why), &Verdict::default());
            }
            if !matches!(self.mode, Mode::Live(_)) {
                return;
            }
        }
    }

    /// The old connection was lost when the new node had let us in already: its replay is all that is missing.
    pub(super) fn go_on_arrived(&mut self, now: Instant, arrived: Arrived) {
        self.enter(now, arrived.entrance, Aim::Recovery);
        let mut frames = arrived.kept;
        if arrived.replayed {
            frames.push_front(pb::ServerFrame {
                body: Some(ServerBody::ReplayEnd(pb::ReplayEnd { upto: 0 })),
                ..pb::ServerFrame::default()
            });
        }
        for frame in frames {
            self.kept_frame(now, frame);
            let goes_on = match &self.mode {
                Mode::Live(_) => true,
                Mode::Joining(way) => matches!(way.step, Step::Replay { .. }),
                _ => false,
            };
            // What is left is of a connection that one of them has ended.
            if !goes_on {
                break;
            }
        }
    }

    fn kept_frame(&mut self, now: Instant, frame: pb::ServerFrame) {
        match self.mode {
            Mode::Live(_) => {
                if let Err(why) = self.live_frame(now, frame) {
                    self.lose(now, LossCause::Protocol(why), &Verdict::default());
                }
            }
            Mode::Joining(_) => self.replay_frame(now, frame),
            _ => {}
        }
    }
}
