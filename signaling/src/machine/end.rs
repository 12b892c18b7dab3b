//! The end: on purpose or not, once, with a reason.

use std::time::Instant;

use crate::wire::{self, pb};
use crate::{CallError, CloseReason, Epoch, SendOutcome};

use super::frames::{self, ClientBody};
use super::way::{Step, Way};
use super::{Event, Leaving, Machine, Mode, Output, Transport};

impl Machine {
    /// Leaves the room, if there is a connection to say so on.
    pub(super) fn close(&mut self, now: Instant) {
        if matches!(self.mode, Mode::Leaving(_)) {
            return;
        }
        if self.has_left_old_node() {
            // That one has heard its goodbye: it is the new one that still counts us in.
            self.drop_kept();
            self.complete_migration(now);
        }
        if let Mode::Joining(Way { step: Step::Hello { link, .. } | Step::Replay { link, .. }, .. }) = &self.mode {
            let epoch = link.epoch;
            return self.leave_unjoined(now, epoch);
        }
        let Mode::Live(live) = &mut self.mode else {
            return self.finish(now, CloseReason::UserClosed, "closed by the application");
        };
        let epoch = live.link.epoch;
        if let Some(migration) = live.migration.take()
            && let Some(epoch) = migration.way.step.epoch()
        {
            self.out.push_back(Output::Abort { epoch, code: Some(1000) });
        }
        let leave = self.config.timers.leave;
        // What was sent before the close is sent before the goodbye, as far as the server takes it in time.
        let says_at = Some(now + leave.mul_f64(0.75));
        self.mode = Mode::Leaving(Leaving { epoch, until: now + leave, says_at });
        self.pump(now);
        self.note_state("closed by the application");
    }

    /// Leaves before Welcome has come: the server may have let us in already, and would keep our place for a session that nobody resumes.
    fn leave_unjoined(&mut self, now: Instant, epoch: Epoch) {
        let reason = "closed by the application".to_owned();
        // Acknowledges nothing: whose deliveries those would be is not known yet.
        let frame = frames::frame(0, 0, ClientBody::Leave(pb::Leave { reason }));
        self.out.push_back(Output::Write { epoch, frame });
        self.mode = Mode::Leaving(Leaving { epoch, until: now + self.config.timers.leave, says_at: None });
        self.note_state("closed by the application");
    }

    /// Says goodbye when all that was sent before is written, or its time has come.
    pub(super) fn say_goodbye(&mut self, now: Instant) {
        let written = self.outbox.is_written();
        let Mode::Leaving(leaving) = &mut self.mode else { return };
        if leaving.says_at.is_some_and(|at| written || now >= at) {
            leaving.says_at = None;
            let epoch = leaving.epoch;
            let reason = "closed by the application".to_owned();
            self.write(epoch, 0, ClientBody::Leave(pb::Leave { reason }));
        }
    }

    /// While leaving, only what became of the last sends is of interest.
    pub(super) fn leaving_transport(&mut self, now: Instant, transport: Transport) {
        match transport {
            Transport::Opened | Transport::Text => {}
            Transport::Frame(bytes) => {
                let Ok(frame) = wire::decode_server_frame(bytes) else { return };
                if frame.ack <= self.outbox.last_written() {
                    self.acknowledged(frame.ack);
                }
                match frame.body {
                    Some(pb::server_frame::Body::Deliver(pb::Deliver {
                        event: Some(pb::deliver::Event::Rejected(rejected)),
                    })) => self.rejected(&rejected),
                    Some(pb::server_frame::Body::SessionEnded(_)) => {
                        self.finish(now, CloseReason::UserClosed, "the server said goodbye");
                    }
                    _ => {}
                }
            }
            Transport::Closed { .. } | Transport::Error(_) => {
                self.finish(now, CloseReason::UserClosed, "the connection ended");
            }
        }
    }

    /// The last thing that happens.
    pub(super) fn finish(&mut self, now: Instant, reason: CloseReason, why: &str) {
        let way = self.way().and_then(|way| way.step.epoch());
        let used = match &self.mode {
            Mode::Live(live) => Some(live.link.epoch),
            Mode::Leaving(leaving) => Some(leaving.epoch),
            _ => None,
        };
        for epoch in [used, way].into_iter().flatten() {
            self.out.push_back(Output::Abort { epoch, code: Some(1000) });
        }
        self.decide(now, why, format!("close: {reason}"));
        for entry in self.outbox.drain() {
            self.settle(&entry, SendOutcome::Closed);
        }
        for (id, _) in self.calls.take_all(|_, _| true) {
            self.emit(Event::CallOutcome { id, result: Err(CallError::Closed) });
        }
        self.mode = Mode::Closed;
        self.note_state(why);
        self.emit(Event::Closed { reason });
    }
}
