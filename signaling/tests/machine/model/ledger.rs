use std::collections::BTreeMap;

use moorline_signaling::{Epoch, SendId};

use crate::wire::pb;

/// Something that a server applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Applied {
    pub(crate) id: SendId,
    /// The client's number of it.
    pub(crate) seq: u64,
    /// Over which connection.
    pub(crate) epoch: Epoch,
    /// Whether it was a StateUpdate, which may come again.
    pub(crate) is_state: bool,
}

/// The truth about a run, which no restart forgets.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// In the order of their application.
    pub(crate) applied: Vec<Applied>,
    /// What was refused.
    pub(crate) refused: Vec<SendId>,
    /// Ephemeral and epoch-bound messages, with their connection.
    pub(crate) passed: Vec<(SendId, Epoch)>,
    /// Frames of replaced connections that were thrown away.
    pub(crate) fenced: u64,
    /// Frames that came out of sequence.
    pub(crate) holes: Vec<(Epoch, u64)>,
    /// Hellos that were answered with Welcome, with their lineage's newest connection by then.
    pub(crate) welcomed: Vec<Epoch>,
    logs: BTreeMap<[u8; 16], BTreeMap<u64, pb::Deliver>>,
}

impl Ledger {
    pub(super) fn published(&mut self, log: [u8; 16], seq: u64, deliver: &pb::Deliver) {
        self.logs.entry(log).or_default().insert(seq, deliver.clone());
    }

    /// All deliveries that a log ever had.
    pub(crate) fn log(&self, log: &[u8; 16]) -> Option<&BTreeMap<u64, pb::Deliver>> {
        self.logs.get(log)
    }
}
