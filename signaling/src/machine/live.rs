//! In the room: frames, signs of life, acknowledgements.

use std::time::{Duration, Instant};

use crate::wire::{self, limits, pb};
use crate::{Epoch, LossCause};

use super::arrive::fault_text;
use super::frames::{ClientBody, cut};
use super::link::{Link, Pulse};
use super::loss::{Remedy, Verdict};
use super::migrate::{Departure, Migration};
use super::session::advice;
use super::{Machine, Mode, Transport};

type ServerBody = pb::server_frame::Body;

#[derive(Debug)]
pub(super) struct Live {
    pub(super) link: Link,
    pub(super) since: Instant,
    /// Earlier failures have been forgotten.
    stable: bool,
    /// The server asked us to go.
    pub(super) departure: Option<Departure>,
    /// We are going.
    pub(super) migration: Option<Migration>,
}

impl Live {
    pub(super) fn new(link: Link, now: Instant) -> Self {
        Self { link: link.taken_into_use(), since: now, stable: false, departure: None, migration: None }
    }
}

impl Machine {
    pub(super) fn live_transport(&mut self, now: Instant, transport: Transport) {
        let loss = match transport {
            Transport::Opened => return,
            Transport::Frame(bytes) => match self.live_bytes(now, bytes) {
                Ok(()) => return,
                Err(why) => (LossCause::Protocol(why), Verdict::default()),
            },
            Transport::Text => (LossCause::Protocol("a text message".to_owned()), Verdict::default()),
            Transport::Closed { code, .. } => (LossCause::ClosedByServer(code), Verdict::of_code(code)),
            Transport::Error(error) => (LossCause::Transport(cut(&error, limits::MAX_TEXT)), Verdict::default()),
        };
        self.old_ended_or_lost(now, loss.0, &loss.1);
    }

    /// An end that we asked for completes the migration; any other is a loss.
    fn old_ended_or_lost(&mut self, now: Instant, cause: LossCause, verdict: &Verdict) {
        if self.has_left_old_node() {
            return self.complete_migration(now);
        }
        self.lose(now, cause, verdict);
    }

    fn live_bytes(&mut self, now: Instant, bytes: bytes::Bytes) -> Result<(), String> {
        if self.online(now) {
            // A migration may wait for what has just shown itself.
            self.hurry(now, "a frame came in");
        }
        let frame = wire::decode_server_frame(bytes).map_err(|error| error.to_string())?;
        if let Mode::Live(live) = &mut self.mode {
            live.link.heard(now);
        }
        self.live_frame(now, frame)
    }

    pub(super) fn live_frame(&mut self, now: Instant, frame: pb::ServerFrame) -> Result<(), String> {
        if let Some(ServerBody::Pong(pong)) = &frame.body {
            self.advised(pong);
        }
        let acknowledged = self.acknowledged_by(frame.ack);
        if !matches!(frame.body, Some(ServerBody::SessionEnded(_))) {
            acknowledged?;
        }
        match frame.body {
            Some(ServerBody::Deliver(delivery)) => self.deliver(now, frame.seq, delivery)?,
            Some(ServerBody::Ping(ping)) => {
                if let Mode::Live(live) = &self.mode {
                    let epoch = live.link.epoch;
                    self.write(epoch, 0, ClientBody::Pong(pb::Pong { nonce: ping.nonce, reconnect_spread_ms: 0 }));
                }
            }
            Some(ServerBody::Pong(pong)) => {
                if let Mode::Live(live) = &mut self.mode {
                    live.link.pong(now, pong.nonce);
                }
            }
            Some(ServerBody::GoAway(go_away)) => self.go_away(now, &go_away),
            Some(ServerBody::Fault(fault)) => {
                let (verdict, text) = (Verdict::of_fault(&fault), fault_text(&fault));
                if let Ok(pb::FaultCode::TokenExpired | pb::FaultCode::TokenRejected) = fault.code.try_into() {
                    self.token.refuse(&text);
                }
                self.old_ended_or_lost(now, LossCause::Fault(text), &verdict);
            }
            Some(ServerBody::TokenExpiring(expiring)) => {
                self.token_expiring(now, Duration::from_millis(expiring.in_ms));
            }
            Some(ServerBody::SessionEnded(ended)) => {
                if self.has_left_old_node() {
                    self.complete_migration(now);
                } else {
                    self.session_ended(now, &ended);
                }
            }
            Some(ServerBody::Welcome(_) | ServerBody::ResumeReject(_)) => {
                return Err("a second welcome".to_owned());
            }
            Some(ServerBody::AckOnly(_) | ServerBody::ReplayEnd(_) | ServerBody::MigrateDone(_)) | None => {}
        }
        Ok(())
    }

    /// How to spread the next return, as of now.
    pub(super) fn advised(&mut self, pong: &pb::Pong) {
        if let Some(session) = &mut self.session {
            session.rules.reconnect_spread = advice(pong.reconnect_spread_ms);
        }
    }

    pub(super) fn ping(&mut self, epoch: Epoch, nonce: u64) {
        self.write(epoch, 0, ClientBody::Ping(pb::Ping { nonce }));
    }

    pub(super) fn time_of_live(&mut self, now: Instant) {
        let (busy, stable_after, patience) = (self.busy, self.config.timers.stable, self.config.timers.ack);
        let Mode::Live(live) = &mut self.mode else { return };
        if !live.stable && now >= live.since + stable_after {
            live.stable = true;
            self.streak = 0;
        }
        let epoch = live.link.epoch;
        match live.link.tick(now, busy) {
            Pulse::Quiet => {}
            Pulse::Ping(nonce) => self.ping(epoch, nonce),
            Pulse::Lost(silence) => {
                return self.old_ended_or_lost(now, LossCause::Silence(silence), &Verdict::of_silence());
            }
        }
        if self.outbox.overdue_at(patience).is_some_and(|at| now >= at) {
            self.outbox.excuse(now);
            if let Mode::Live(live) = &mut self.mode {
                let nonce = live.link.probe(now, None);
                self.decide(now, "a send was not acknowledged", "ask for a sign of life");
                self.ping(epoch, nonce);
            }
        }
        self.renewal_overdue(now);
        self.renew_token(now);
        self.time_of_migration(now);
    }

    pub(super) fn live_wakes(&self, live: &Live) -> Instant {
        let stable = (!live.stable).then(|| live.since + self.config.timers.stable);
        let overdue = self.outbox.overdue_at(self.config.timers.ack);
        let departure = live.departure.as_ref().and_then(|departure| departure.at);
        let departure = departure.filter(|_| live.migration.is_none());
        let migration = live.migration.as_ref().map(|migration| migration.wakes(self.busy));
        let others = [stable, overdue, departure, migration, self.ack_due, self.token.renew_at];
        others.into_iter().flatten().fold(live.link.deadline(self.busy), Instant::min)
    }

    /// Loses the connection in use because what it leads to is of no use.
    pub(super) fn give_up_node(&mut self, now: Instant, why: &str) {
        let verdict = Verdict { remedy: Remedy::Move, ..Verdict::default() };
        self.lose(now, LossCause::Fault(why.to_owned()), &verdict);
    }
}
