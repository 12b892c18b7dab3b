//! Sends, calls and replies: into the queue, onto the connection, to their one outcome.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::wire::{limits, pb};
use crate::{CallError, CallId, Epoch, ParticipantId, RejectCode, SendClass, SendId, SendOutcome};

use super::clock::later;
use super::frames::{self, ClientBody};
use super::outbox::{Body, Entry, Owner};
use super::{CallRefusal, Event, Leaving, Machine, Mode, Outgoing, SelfUpdate, roster};

impl Machine {
    pub(super) fn send(&mut self, now: Instant, id: SendId, class: SendClass, body: Outgoing, ttl: Option<Duration>) {
        if let Err(what) = check(&class, &body) {
            return self.outcome(id, SendOutcome::Rejected(RejectCode::OverLimit, what.to_owned()));
        }
        match class {
            SendClass::Reliable => {
                self.queue(now, id, Body::Publish { id, message: body }, ttl);
            }
            SendClass::Latest(key) => self.announce(now, id, key, body.payload, ttl),
            SendClass::Ephemeral => self.send_now(id, pb::SendClass::Ephemeral, body),
            SendClass::EpochBound => self.send_now(id, pb::SendClass::EpochBound, body),
        }
    }

    /// On the connection that there is, or not at all.
    fn send_now(&mut self, id: SendId, class: pb::SendClass, body: Outgoing) {
        let Mode::Live(live) = &self.mode else { return self.outcome(id, SendOutcome::Dropped) };
        let epoch = live.link.epoch;
        self.write(epoch, 0, frames::publish(id.0, class, body));
        self.outcome(id, SendOutcome::Written);
    }

    fn announce(&mut self, now: Instant, id: SendId, key: String, payload: Bytes, ttl: Option<Duration>) {
        if !self.announced.contains_key(&key) && self.announced.len() >= limits::MAX_VALUES && !payload.is_empty() {
            let what = format!("more than {} values", limits::MAX_VALUES);
            return self.outcome(id, SendOutcome::Rejected(RejectCode::OverLimit, what));
        }
        let rev = self.next_rev;
        if self.queue(now, id, Body::Value { key, rev, payload }, ttl) {
            self.next_rev += 1;
        }
    }

    pub(super) fn update_self(&mut self, now: Instant, id: SendId, update: SelfUpdate) {
        let text = update.name.as_ref().map_or(0, String::len);
        let metadata = update.metadata.as_ref().map_or(0, String::len);
        let attributes: usize = update.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        if text > limits::MAX_TEXT || metadata > limits::MAX_METADATA || attributes > limits::MAX_ATTRIBUTES {
            let what = "a name, metadata or attributes over the limit".to_owned();
            return self.outcome(id, SendOutcome::Rejected(RejectCode::OverLimit, what));
        }
        self.queue(now, id, Body::Update(update), None);
    }

    /// Whether there was room.
    fn queue(&mut self, now: Instant, id: SendId, body: Body, ttl: Option<Duration>) -> bool {
        if matches!(self.mode, Mode::Leaving(_)) {
            self.outcome(id, SendOutcome::Closed);
            return false;
        }
        let expires = later(now, ttl.unwrap_or(self.config.bounds.send_ttl));
        match self.outbox.push(Owner::Send(id), body, expires) {
            Ok(replaced) => {
                if let Some(replaced) = replaced {
                    self.settle(&replaced, SendOutcome::Superseded);
                }
                true
            }
            Err(_) => {
                self.outcome(id, SendOutcome::Overflow);
                false
            }
        }
    }

    pub(super) fn call(
        &mut self,
        now: Instant,
        id: CallId,
        to: ParticipantId,
        method: String,
        payload: Bytes,
        timeout: Duration,
    ) {
        let refusal = if matches!(self.mode, Mode::Leaving(_)) {
            Some(CallError::Closed)
        } else if method.len() > limits::MAX_TEXT || payload.len() > limits::MAX_PAYLOAD {
            let what = "the method or its argument is over the limit".to_owned();
            Some(CallError::Rejected(RejectCode::OverLimit, what))
        } else if !self.calls.open(id, to, timeout, now) {
            Some(CallError::Overflow)
        } else {
            let deadline = later(now, timeout);
            let body = Body::Call { id, to, method, payload, deadline };
            let pushed = self.outbox.push(Owner::Call(id), body, deadline);
            pushed.is_err().then(|| {
                self.calls.take(id);
                CallError::Overflow
            })
        };
        if let Some(error) = refusal {
            self.emit(Event::CallOutcome { id, result: Err(error) });
        }
    }

    pub(super) fn cancel_call(&mut self, id: CallId) {
        self.calls.take(id);
        self.outbox.withdraw_call(id);
    }

    /// A reply has no outcome: whoever called has a deadline.
    pub(super) fn reply(&mut self, now: Instant, call: CallId, to: ParticipantId, result: Result<Bytes, CallRefusal>) {
        if matches!(self.mode, Mode::Leaving(_)) {
            return;
        }
        let result = match result {
            Ok(payload) if payload.len() > limits::MAX_PAYLOAD => {
                Err(CallRefusal::Failed(format!("the answer of {} bytes is over the limit", payload.len())))
            }
            result => result,
        };
        let expires = now + self.config.bounds.send_ttl;
        if self.outbox.push(Owner::Nobody, Body::Reply { call, to, result }, expires).is_err() {
            self.decide(now, "the queue is full", format!("drop the answer to call {call} of participant {to}"));
        }
    }

    /// Writes what may be written on the connection in use, and the acknowledgement that is due, if nothing carries it.
    pub(super) fn pump(&mut self, now: Instant) {
        self.pump_sends(now);
        self.say_goodbye(now);
        if let (Mode::Live(live), true) = (&self.mode, self.ack_due.is_some_and(|at| now >= at)) {
            let epoch = live.link.epoch;
            self.write(epoch, 0, ClientBody::AckOnly(pb::AckOnly {}));
        }
    }

    fn pump_sends(&mut self, now: Instant) {
        loop {
            let Some(session) = &self.session else { return };
            let epoch = match &self.mode {
                Mode::Live(live) if live.migration.as_ref().is_some_and(|migration| migration.holds_sends()) => return,
                Mode::Live(live) => live.link.epoch,
                Mode::Leaving(Leaving { epoch, says_at: Some(_), .. }) => *epoch,
                _ => return,
            };
            let Some(entry) = self.outbox.next(now, session.rules.max_inflight) else { return };
            let (seq, body) = (entry.seq, frames::body(entry, now));
            self.write(epoch, seq, body);
        }
    }

    /// Writes a frame, and with it the acknowledgement of what came in on the same connection.
    pub(super) fn write(&mut self, epoch: Epoch, seq: u64, body: ClientBody) {
        let of_session = match &self.mode {
            Mode::Live(live) => live.link.epoch == epoch,
            _ => true,
        };
        let mut ack = 0;
        if of_session {
            ack = self.session.as_ref().map_or(0, |session| session.pos.seq);
            (self.ack_due, self.ack_count, self.ack_bytes) = (None, 0, 0);
        }
        self.out.push_back(super::Output::Write { epoch, frame: frames::frame(seq, ack, body) });
    }

    /// The server says up to where it has seen what was sent; `Err` if it cannot have.
    pub(super) fn acknowledged_by(&mut self, ack: u64) -> Result<(), String> {
        let last = self.outbox.last_written();
        if ack > last {
            return Err(format!("{ack} is acknowledged, and {last} was sent last"));
        }
        self.acknowledged(ack);
        Ok(())
    }

    pub(super) fn acknowledged(&mut self, ack: u64) {
        for entry in self.outbox.acked(ack) {
            if entry.settled {
                continue;
            }
            // The server tells the others only.
            match &entry.body {
                Body::Update(update) => self.remember_update(update.clone()),
                Body::Value { key, rev, payload } => self.remember_value(key, *rev, payload),
                _ => {}
            }
            if let Owner::Send(id) = entry.owner {
                self.outcome(id, SendOutcome::Acked);
            }
        }
    }

    /// The server has it: to be announced again where it is lost.
    pub(super) fn remember_value(&mut self, key: &str, rev: u64, payload: &Bytes) {
        if let Some(own) = self.participant() {
            // Own values are counted where they are announced.
            let _ = self.roster.value(own, key, rev, payload);
        }
        if payload.is_empty() {
            self.announced.remove(key);
        } else {
            self.announced.insert(key.to_owned(), (rev, payload.clone()));
        }
    }

    /// The next Hello says the same.
    fn remember_update(&mut self, update: SelfUpdate) {
        if let Some(own) = self.participant() {
            self.roster.update_own(own, &update);
        }
        if let Some(name) = update.name {
            self.info.name = name;
        }
        if let Some(metadata) = update.metadata {
            self.info.metadata = metadata;
        }
        roster::merge(&mut self.info.attributes, &update.attributes);
    }

    /// What was taken out of the queue ends like this.
    pub(super) fn settle(&mut self, entry: &Entry, outcome: SendOutcome) {
        if entry.settled {
            return;
        }
        match entry.owner {
            Owner::Send(id) => self.outcome(id, outcome),
            Owner::Call(id) => {
                if let Some(call) = self.calls.take(id) {
                    let error = match outcome {
                        SendOutcome::Expired => CallError::DeadlineExceeded(call.timeout),
                        SendOutcome::Unknown => CallError::Lost,
                        _ => CallError::Closed,
                    };
                    self.emit(Event::CallOutcome { id, result: Err(error) });
                }
            }
            Owner::Nobody => {}
        }
    }

    fn outcome(&mut self, id: SendId, outcome: SendOutcome) {
        self.emit(Event::SendOutcome { id, outcome });
    }

    /// What has waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        for entry in self.outbox.expired(now) {
            self.settle(&entry, SendOutcome::Expired);
        }
        for (id, call) in self.calls.overdue(now) {
            self.outbox.withdraw_call(id);
            self.emit(Event::CallOutcome { id, result: Err(CallError::DeadlineExceeded(call.timeout)) });
        }
    }
}

fn check(class: &SendClass, body: &Outgoing) -> Result<(), &'static str> {
    let key = match class {
        SendClass::Latest(key) => key.len(),
        _ => 0,
    };
    if body.payload.len() > limits::MAX_PAYLOAD {
        return Err("a payload over the limit of 64 KiB");
    }
    if body.topic.len() > limits::MAX_TEXT || key > limits::MAX_TEXT {
        return Err("a topic or a key over the limit of 256 bytes");
    }
    if body.to.len() > limits::MAX_RECIPIENTS {
        return Err("more than 64 recipients");
    }
    Ok(())
}
