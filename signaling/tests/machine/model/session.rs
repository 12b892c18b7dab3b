use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use moorline_signaling::Epoch;

use crate::wire::pb;

/// All that a server knows of one client across its sessions.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    pub(super) session: Option<[u8; 16]>,
    /// The session that the client showed when nothing was known of it: one that shows it again has not heard that yet.
    pub(super) born_of: Option<Bytes>,
    /// Everything up to here was applied or refused.
    pub(super) seen: u64,
    /// Refusals that the client has not acknowledged: which log, where in it, what.
    pub(super) refused: Vec<([u8; 16], u64, pb::Rejected)>,
    pub(super) states: BTreeMap<String, (u64, Bytes)>,
}

/// One stay.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: [u8; 16],
    pub(super) node: usize,
    pub(super) lineage: Bytes,
    pub(super) attached: Option<Epoch>,
    pub(super) lost_at: Option<Instant>,
    pub(super) fence: u64,
    /// Whether the client has moved to another node: nothing new is delivered here.
    pub(super) moved: bool,
    pub(super) resume_token: Bytes,
    /// Good until the first frame of the new connection.
    pub(super) previous_token: Option<Bytes>,
    pub(super) log_id: [u8; 16],
    log: VecDeque<(u64, pb::Deliver)>,
    head: u64,
    /// The newest delivery that was thrown away without an acknowledgement.
    forgotten: u64,
    acked: u64,
}

impl Session {
    pub(super) fn new(id: [u8; 16], log_id: [u8; 16], node: usize, lineage: Bytes) -> Self {
        Self {
            id,
            node,
            lineage,
            attached: None,
            lost_at: None,
            fence: 0,
            moved: false,
            resume_token: Bytes::new(),
            previous_token: None,
            log_id,
            log: VecDeque::new(),
            head: 0,
            forgotten: 0,
            acked: 0,
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// One more delivery; the oldest is thrown away if there are too many.
    pub(super) fn append(&mut self, deliver: pb::Deliver, capacity: usize) -> u64 {
        self.head += 1;
        self.log.push_back((self.head, deliver));
        while self.log.len() > capacity {
            if let Some((seq, _)) = self.log.pop_front() {
                self.forgotten = seq;
            }
        }
        self.head
    }

    pub(super) fn acknowledged(&mut self, ack: u64) {
        self.acked = self.acked.max(ack.min(self.head));
        while self.log.front().is_some_and(|(seq, _)| *seq <= self.acked) {
            self.log.pop_front();
        }
    }

    /// What comes after `seen`; `None` if some of it is no longer there.
    pub(super) fn after(&self, seen: u64) -> Option<Vec<(u64, pb::Deliver)>> {
        if seen < self.forgotten.max(self.acked) || seen > self.head {
            return None;
        }
        Some(self.log.iter().filter(|(seq, _)| *seq > seen).cloned().collect())
    }
}
