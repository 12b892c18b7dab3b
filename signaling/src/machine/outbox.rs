//! What is to be sent, in order, until the server has it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{CallId, ParticipantId, SendId};

use super::{CallRefusal, Outgoing, SelfUpdate};

/// A reliable frame that is queued or not acknowledged yet.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) body: Body,
    /// Given when it is first written; kept when it is written again. 0 before.
    pub(super) seq: u64,
    /// Whoever waits for it has been told.
    pub(super) settled: bool,
    expires: Instant,
    written_at: Option<Instant>,
    size: usize,
}

/// Who hears what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Send(SendId),
    Call(CallId),
    /// Nobody: a reply, or a value that is announced again.
    Nobody,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Publish { id: SendId, message: Outgoing },
    Value { key: String, rev: u64, payload: Bytes },
    Update(SelfUpdate),
    Call { id: CallId, to: ParticipantId, method: String, payload: Bytes, deadline: Instant },
    Reply { call: CallId, to: ParticipantId, result: Result<Bytes, CallRefusal> },
}

impl Body {
    fn size(&self) -> usize {
        match self {
            Self::Publish { message, .. } => message.payload.len() + message.topic.len() + 8 * message.to.len(),
            Self::Value { key, payload, .. } => key.len() + payload.len(),
            Self::Update(update) => {
                let attributes: usize = update.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
                update.name.as_ref().map_or(0, String::len)
                    + update.metadata.as_ref().map_or(0, String::len)
                    + attributes
            }
            Self::Call { method, payload, .. } => method.len() + payload.len(),
            Self::Reply { result: Ok(payload), .. } => payload.len(),
            Self::Reply { result: Err(CallRefusal::Failed(message)), .. } => message.len(),
            Self::Reply { result: Err(_), .. } => 0,
        }
    }
}

/// The queue. Entries with a seq come first, in its order; the others follow in the order of the calls.
#[derive(Debug)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    /// Those before it have been written on the present connection.
    cursor: usize,
    next_seq: u64,
    bytes: usize,
    max_messages: usize,
    max_bytes: usize,
}

impl Outbox {
    pub(super) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), cursor: 0, next_seq: 1, bytes: 0, max_messages, max_bytes }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether everything that was ever written has been acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.entries.front().is_none_or(|entry| entry.seq == 0)
    }

    /// Whether everything has been written on the present connection.
    pub(super) fn is_written(&self) -> bool {
        self.cursor == self.entries.len()
    }

    /// The lowest seq that was not acknowledged.
    pub(super) fn first_unacked(&self) -> u64 {
        self.entries.front().filter(|entry| entry.seq > 0).map_or(self.next_seq, |entry| entry.seq)
    }

    /// Queues something; gives it back as `Err` when there is no room. A value takes the place of an older one of its key that was
    /// never written: that one is returned.
    pub(super) fn push(&mut self, owner: Owner, body: Body, expires: Instant) -> Result<Option<Entry>, Owner> {
        let older = match &body {
            Body::Value { key, .. } => self.position_of_value(key),
            _ => None,
        };
        let freed = older.map_or(0, |at| self.entries[at].size);
        let size = body.size();
        let count = self.entries.len() - usize::from(older.is_some());
        if count >= self.max_messages || self.bytes - freed + size > self.max_bytes {
            return Err(owner);
        }
        let replaced = older.and_then(|at| self.remove(at));
        self.bytes += size;
        self.entries.push_back(Entry { owner, body, seq: 0, settled: false, expires, written_at: None, size });
        Ok(replaced)
    }

    /// Whether a value of this key, this one or a newer one, is still to be acknowledged.
    pub(super) fn holds_value(&self, wanted: &str, least: u64) -> bool {
        let is_it =
            |entry: &Entry| matches!(&entry.body, Body::Value { key, rev, .. } if key == wanted && *rev >= least);
        self.entries.iter().any(is_it)
    }

    /// How many were written on an earlier connection or this one.
    pub(super) fn written(&self) -> u64 {
        self.entries.iter().take_while(|entry| entry.seq > 0).count() as u64
    }

    /// The next one to write on the present connection, if so many may be without acknowledgement; it has its seq now.
    pub(super) fn next(&mut self, now: Instant, max_inflight: usize) -> Option<&Entry> {
        if self.cursor >= max_inflight {
            return None;
        }
        let entry = self.entries.get_mut(self.cursor)?;
        if entry.seq == 0 {
            entry.seq = self.next_seq;
            self.next_seq += 1;
        }
        entry.written_at = Some(now);
        self.cursor += 1;
        Some(entry)
    }

    /// There is no connection any more: the next one is written everything from the first that was not acknowledged.
    pub(super) fn rewind(&mut self) {
        self.cursor = 0;
    }

    /// The highest seq that was written.
    pub(super) fn last_written(&self) -> u64 {
        self.next_seq - 1
    }

    /// The server has everything up to `seq`.
    pub(super) fn acked(&mut self, seq: u64) -> Vec<Entry> {
        let mut done = Vec::new();
        while self.entries.front().is_some_and(|entry| entry.seq > 0 && entry.seq <= seq) {
            self.cursor = self.cursor.saturating_sub(1);
            done.extend(self.remove_front());
        }
        done
    }

    /// The one with this seq, unless somebody was told of it already.
    pub(super) fn unsettled(&mut self, seq: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.seq == seq && seq > 0 && !entry.settled)
    }

    /// The server has lost its memory: takes out everything that was ever written. What follows is counted on from `seen`.
    pub(super) fn forget_written(&mut self, seen: u64) -> Vec<Entry> {
        let mut gone = Vec::new();
        while self.entries.front().is_some_and(|entry| entry.seq > 0) {
            gone.extend(self.remove_front());
        }
        self.cursor = 0;
        // A number that no client has come to would leave none to go on with.
        self.next_seq = seen.min(u64::MAX / 2) + 1;
        gone
    }

    /// Takes out what has waited too long to be written for the first time.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Entry> {
        let mut expired = Vec::new();
        let mut at = 0;
        while at < self.entries.len() {
            if self.entries[at].seq == 0 && self.entries[at].expires <= now {
                expired.extend(self.remove(at));
            } else {
                at += 1;
            }
        }
        expired
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.entries.iter().filter(|entry| entry.seq == 0).map(|entry| entry.expires).min()
    }

    /// Takes out a call that was never written.
    pub(super) fn withdraw_call(&mut self, id: CallId) {
        let found = |entry: &Entry| entry.seq == 0 && entry.owner == Owner::Call(id);
        if let Some(at) = self.entries.iter().position(found) {
            self.remove(at);
        }
    }

    /// Whether the call is among what will be written again or for the first time.
    pub(super) fn holds_call(&self, id: CallId) -> bool {
        self.entries.iter().any(|entry| entry.owner == Owner::Call(id))
    }

    /// When the oldest that was written on the present connection has been without acknowledgement for `patience`.
    pub(super) fn overdue_at(&self, patience: Duration) -> Option<Instant> {
        let oldest = self.entries.front().filter(|_| self.cursor > 0)?;
        oldest.written_at.map(|at| at + patience)
    }

    /// The server was asked: the patience begins anew.
    pub(super) fn excuse(&mut self, now: Instant) {
        if let Some(oldest) = self.entries.front_mut() {
            oldest.written_at = Some(now);
        }
    }

    /// Everything, at the end.
    pub(super) fn drain(&mut self) -> Vec<Entry> {
        (self.cursor, self.bytes) = (0, 0);
        self.entries.drain(..).collect()
    }

    fn position_of_value(&self, wanted: &str) -> Option<usize> {
        let is_it = |entry: &Entry| entry.seq == 0 && matches!(&entry.body, Body::Value { key, .. } if key == wanted);
        self.entries.iter().position(is_it)
    }

    fn remove_front(&mut self) -> Option<Entry> {
        self.remove(0)
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = self.entries.remove(at)?;
        self.bytes -= entry.size;
        Some(entry)
    }
}
