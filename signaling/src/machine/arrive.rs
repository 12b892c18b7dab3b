//! What connections report, by whose they are; and the arrival in the room.

use std::time::Instant;

use bytes::Bytes;

use crate::wire::{self, limits, pb};
use crate::{CloseReason, LossCause, Strategy};

use super::frames::{ClientBody, cut};
use super::link::Link;
use super::live::Live;
use super::loss::{Remedy, Verdict};
use super::migrate::Arrived;
use super::outbox::{Body, Owner};
use super::session::Entrance;
use super::way::{Aim, Step};
use super::{Event, Machine, Mode, Transport};
use crate::{CallError, Epoch, SendOutcome};

type ServerBody = pb::server_frame::Body;

impl Machine {
    /// Only the connection in use and the one that is being made are listened to.
    pub(super) fn transport(&mut self, now: Instant, epoch: Epoch, transport: Transport) {
        match &self.mode {
            Mode::Live(live) if live.link.epoch == epoch => self.live_transport(now, transport),
            Mode::Leaving(leaving) if leaving.epoch == epoch => self.leaving_transport(now, transport),
            _ if self.way().is_some_and(|way| way.step.epoch() == Some(epoch)) => {
                self.way_transport(now, epoch, transport);
            }
            _ => {}
        }
    }

    fn way_transport(&mut self, now: Instant, epoch: Epoch, transport: Transport) {
        match transport {
            Transport::Opened => self.opened(now, epoch),
            Transport::Frame(bytes) => {
                self.online(now);
                let hello = self.config.timers.hello;
                if let Some(Step::Replay { link, until }) = self.way_mut().map(|way| &mut way.step) {
                    link.heard(now);
                    // It goes on, within the time of the attempt.
                    *until = now + hello;
                }
                match wire::decode_server_frame(bytes) {
                    Ok(frame) => self.way_frame(now, frame),
                    Err(error) => self.attempt_broken(now, &LossCause::Protocol(error.to_string())),
                }
            }
            Transport::Text => self.attempt_broken(now, &LossCause::Protocol("a text message".to_owned())),
            Transport::Error(error) => {
                self.attempt_broken(now, &LossCause::Transport(cut(&error, limits::MAX_TEXT)));
            }
            Transport::Closed { code, .. } if self.first_join_has_arrived() => {
                self.lose_arrival(now, LossCause::ClosedByServer(code), &Verdict::of_code(code));
            }
            Transport::Closed { code: 401 | 403, .. } if self.is_dialling() => {
                self.token_refused(now, "the server answered 401 or 403");
            }
            Transport::Closed { code: code @ 0..1000, .. } => {
                let why = format!("the server answered with HTTP status {code}");
                self.attempt_failed(now, &why);
            }
            Transport::Closed { code, .. } => {
                let why = LossCause::ClosedByServer(code).to_string();
                if self.asked_anew() && matches!(code, 1000..4000 | 4200..4300) {
                    return self.greet_elsewhere(now, &why);
                }
                self.attempt_refused(now, &why, &Verdict::of_code(code));
            }
        }
    }

    /// Whether it waits for the answer to a second Hello.
    fn asked_anew(&self) -> bool {
        self.way().is_some_and(|way| matches!(way.step, Step::Hello { anew: true, .. }))
    }

    fn is_dialling(&self) -> bool {
        self.way().is_some_and(|way| matches!(way.step, Step::Dial { .. }))
    }

    fn way_frame(&mut self, now: Instant, frame: pb::ServerFrame) {
        match self.way().map(|way| &way.step) {
            Some(Step::Hello { .. }) => match frame.body {
                Some(ServerBody::Welcome(welcome)) => self.welcome(now, welcome),
                Some(ServerBody::ResumeReject(reject)) => self.resume_reject(now, &reject),
                Some(ServerBody::Fault(fault)) => self.fault_on_the_way(now, &fault),
                _ => self.attempt_broken(now, &LossCause::Protocol("something else than a welcome".to_owned())),
            },
            Some(Step::Replay { .. }) => self.replay_frame(now, frame),
            _ => {}
        }
    }

    fn resume_reject(&mut self, now: Instant, reject: &pb::ResumeReject) {
        if self.way().is_none_or(|way| way.strategy != Strategy::Fast) {
            let cause = LossCause::Protocol("an answer to what was not asked".to_owned());
            return self.attempt_broken(now, &cause);
        }
        let reason = pb::RejectReason::try_from(reject.reason).unwrap_or_default();
        self.resume_rejected(now, &format!("the session cannot be resumed: {}", reason.as_str_name()));
    }

    fn fault_on_the_way(&mut self, now: Instant, fault: &pb::Fault) {
        let message = fault_text(fault);
        let mut verdict = Verdict::of_fault(fault);
        let arrived = self.first_join_has_arrived();
        match pb::FaultCode::try_from(fault.code).unwrap_or_default() {
            pb::FaultCode::TokenExpired | pb::FaultCode::TokenRejected if arrived => self.token.refuse(&message),
            pb::FaultCode::TokenExpired | pb::FaultCode::TokenRejected => return self.token_refused(now, &message),
            pb::FaultCode::NodeFull | pb::FaultCode::NodeDraining => verdict.remedy = Remedy::Move,
            _ => {}
        }
        if arrived {
            return self.lose_arrival(now, LossCause::Fault(message), &verdict);
        }
        self.attempt_refused(now, &message, &verdict);
    }

    fn welcome(&mut self, now: Instant, welcome: pb::Welcome) {
        let (hello, fast) = (self.config.timers.hello, self.way().is_some_and(|way| way.strategy == Strategy::Fast));
        let Some((endpoint, aim, epoch)) =
            self.way().and_then(|way| Some((way.endpoint.clone()?, way.aim, way.step.epoch()?)))
        else {
            return;
        };
        let entrance = match Entrance::read(welcome, &endpoint, &self.config, now) {
            Ok(entrance) => entrance,
            Err(why) => return self.attempt_broken(now, &LossCause::Protocol(format!("a welcome with {why}"))),
        };
        let same = self.session.as_ref().is_some_and(|old| {
            let new = &entrance.session;
            old.id == new.id && old.pos.log_id == new.pos.log_id && old.pos.seq <= new.pos.seq
        });
        match (fast, entrance.resumed) {
            (true, true) if same => {}
            (true, _) => return self.resume_refused(now, "the welcome is to another session"),
            (false, true) => {
                let cause = LossCause::Protocol("a welcome back to a first visit".to_owned());
                return self.attempt_broken(now, &cause);
            }
            (false, false) => {}
        }
        let rules = &entrance.session.rules;
        let link = Link::new(epoch, now, rules.heartbeat_interval, rules.heartbeat_timeout);
        self.token.accepted(now, rules.token_ttl);
        if let Some(way) = self.way_mut() {
            way.step = Step::Replay { link, until: now + hello };
        }
        match &mut self.mode {
            Mode::Live(live) => {
                if let Some(migration) = &mut live.migration {
                    migration.arrived = Some(Box::new(Arrived::new(entrance)));
                }
            }
            _ => self.enter(now, entrance, aim),
        }
    }

    /// The session is this one from now on.
    pub(super) fn enter(&mut self, now: Instant, entrance: Entrance, aim: Aim) {
        let Entrance { session, resumed, lineage_known, client_seq_seen, rejections, roster } = entrance;
        let first = aim == Aim::FirstJoin;
        if let (true, Some(old)) = (resumed, &mut self.session) {
            let pos = old.pos;
            *old = super::session::Session { pos, ..session };
        } else {
            if !first {
                self.rejoins.push_back(now);
            }
            self.session = Some(session);
        }
        self.settle_by_welcome(resumed || lineage_known, client_seq_seen, &rejections);
        let Some(roster) = roster else { return };
        self.roster = roster;
        self.lose_answers();
        self.announce_again(now);
        let Some(session) = &self.session else { return };
        let participants = self.roster.to_vec();
        let event = if first {
            Event::Joined {
                session: session.id,
                participant: session.participant,
                node: session.node.clone(),
                grants: session.grants,
                participants,
            }
        } else {
            Event::ResyncRequired { participant: session.participant, participants }
        };
        self.emit(event);
    }

    /// What the server knows of earlier sends decides what is sent again.
    fn settle_by_welcome(&mut self, known: bool, seen: u64, rejections: &[pb::Rejected]) {
        let possible = self.outbox.first_unacked() - 1..=self.outbox.last_written();
        if known && possible.contains(&seen) {
            for rejected in rejections {
                self.rejected(rejected);
            }
            self.acknowledged(seen);
            return;
        }
        for entry in self.outbox.forget_written(seen) {
            if let (Body::Value { key, rev, payload }, false) = (&entry.body, entry.settled) {
                // To announce it again changes nothing if it was applied.
                self.remember_value(key, *rev, payload);
            }
            self.settle(&entry, SendOutcome::Unknown);
        }
    }

    /// The history has a hole: an answer to a call may have been in it.
    fn lose_answers(&mut self) {
        let outbox = &self.outbox;
        let lost = self.calls.take_all(|id, _| !outbox.holds_call(id));
        for (id, _) in lost {
            self.emit(Event::CallOutcome { id, result: Err(CallError::Lost) });
        }
    }

    /// Values that the server does not have are announced again.
    fn announce_again(&mut self, now: Instant) {
        let own = self.participant().and_then(|id| self.roster.find(id));
        let missing: Vec<(String, u64, Bytes)> = self
            .announced
            .iter()
            .filter(|(key, (rev, _))| {
                let there = own.and_then(|own| own.values.get(*key)).is_some_and(|value| value.rev >= *rev);
                !there && !self.outbox.holds_value(key, *rev)
            })
            .map(|(key, (rev, payload))| (key.clone(), *rev, payload.clone()))
            .collect();
        for (key, rev, payload) in missing {
            let expires = now + self.config.bounds.send_ttl;
            // A queue without room has newer things to say.
            let _ = self.outbox.push(Owner::Nobody, Body::Value { key, rev, payload }, expires);
        }
    }

    /// A frame between Welcome and the end of the replay. A migration keeps the deliveries for later.
    pub(super) fn replay_frame(&mut self, now: Instant, frame: pb::ServerFrame) {
        if matches!(self.mode, Mode::Live(_)) {
            return self.arrived_frame(now, frame);
        }
        if let Some(ServerBody::Pong(pong)) = &frame.body {
            self.advised(pong);
        }
        if let Err(why) = self.acknowledged_by(frame.ack) {
            return self.attempt_broken(now, &LossCause::Protocol(why));
        }
        match frame.body {
            Some(ServerBody::Deliver(delivery)) => {
                if let Some(way) = self.way_mut() {
                    way.replayed += u64::from(frame.seq > 0);
                }
                if let Err(why) = self.deliver(now, frame.seq, delivery) {
                    self.attempt_broken(now, &LossCause::Protocol(why));
                }
            }
            Some(ServerBody::ReplayEnd(_)) => self.go_live(now),
            Some(ServerBody::Ping(ping)) => self.pong(ping.nonce),
            Some(ServerBody::Fault(fault)) => self.fault_on_the_way(now, &fault),
            Some(ServerBody::SessionEnded(ended)) => self.session_ended(now, &ended),
            Some(ServerBody::GoAway(go_away)) => {
                if let Some(way) = self.way_mut() {
                    way.go_away = Some(go_away);
                }
            }
            Some(ServerBody::Welcome(_) | ServerBody::ResumeReject(_)) => {
                self.attempt_broken(now, &LossCause::Protocol("a second welcome".to_owned()));
            }
            _ => {}
        }
    }

    /// Answers a ping on the connection that is being made.
    pub(super) fn pong(&mut self, nonce: u64) {
        if let Some(epoch) = self.way().and_then(|way| way.step.epoch()) {
            self.write(epoch, 0, ClientBody::Pong(pb::Pong { nonce, reconnect_spread_ms: 0 }));
        }
    }

    /// Everything that was missed is here.
    fn go_live(&mut self, now: Instant) {
        let Mode::Joining(way) = std::mem::replace(&mut self.mode, Mode::Idle) else { return };
        let Step::Replay { link, .. } = way.step else { return };
        let epoch = link.epoch;
        self.mode = Mode::Live(Live::new(link, now));
        self.outbox.rewind();
        if way.aim == Aim::Recovery {
            let node = self.session.as_ref().map(|session| &session.endpoint.node);
            let moved = way.strategy == Strategy::Rejoin && way.from_node.as_ref() != node;
            let strategy = if moved { Strategy::Migrate } else { way.strategy };
            let resent = self.outbox.written();
            let resumed = strategy == Strategy::Fast;
            let downtime = now.saturating_duration_since(way.down_since);
            self.emit(Event::Recovered { epoch, strategy, resumed, replayed: way.replayed, resent, downtime });
            self.decide(now, "the server took us back", format!("go on ({strategy})"));
        } else {
            self.decide(now, "the server let us in", "go on");
        }
        self.note_state("joined");
        if let Some(go_away) = way.go_away {
            self.go_away(now, &go_away);
        }
    }

    fn first_join_has_arrived(&self) -> bool {
        self.way().is_some_and(|way| way.aim == Aim::FirstJoin && matches!(way.step, Step::Replay { .. }))
    }

    /// The attempt failed in the middle. After a first Welcome the application has been in the room: that is a loss.
    fn attempt_broken(&mut self, now: Instant, cause: &LossCause) {
        if self.first_join_has_arrived() {
            return self.lose_arrival(now, cause.clone(), &Verdict::default());
        }
        self.attempt_failed(now, &cause.to_string());
    }

    fn lose_arrival(&mut self, now: Instant, cause: LossCause, verdict: &Verdict) {
        let Mode::Joining(way) = std::mem::replace(&mut self.mode, Mode::Idle) else { return };
        let Step::Replay { link, .. } = way.step else { return };
        self.mode = Mode::Live(Live::new(link, now));
        self.lose(now, cause, verdict);
    }

    pub(super) fn replay_failed(&mut self, now: Instant, why: &str) {
        self.attempt_broken(now, &LossCause::Transport(why.to_owned()));
    }

    pub(super) fn session_ended(&mut self, now: Instant, ended: &pb::SessionEnded) {
        let reason = match pb::EndReason::try_from(ended.reason).unwrap_or_default() {
            pb::EndReason::IdentityReplaced => CloseReason::Replaced,
            pb::EndReason::ClientLeft => CloseReason::SessionEnded(crate::EndReason::ClientLeft),
            pb::EndReason::RemovedByServer => CloseReason::SessionEnded(crate::EndReason::Removed),
            pb::EndReason::RoomClosed => CloseReason::SessionEnded(crate::EndReason::RoomClosed),
            pb::EndReason::TokenRanOut => CloseReason::SessionEnded(crate::EndReason::TokenRanOut),
            pb::EndReason::Unspecified => CloseReason::SessionEnded(crate::EndReason::Unknown),
        };
        self.finish(now, reason, "the server ended the session");
    }
}

/// What a fault says, for people.
pub(super) fn fault_text(fault: &pb::Fault) -> String {
    let code = pb::FaultCode::try_from(fault.code).unwrap_or_default().as_str_name();
    match cut(&fault.message, limits::MAX_TEXT) {
        message if message.is_empty() => code.to_owned(),
        message => format!("{code}: {message}"),
    }
}
