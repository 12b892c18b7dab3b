use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use moorline_signaling::{Epoch, SendClass, SendId, SendOutcome};

use crate::wire::{self, Up};

/// One send, from its input to its outcome.
#[derive(Clone, Debug)]
pub(crate) struct SendFacts {
    /// When it was handed in.
    pub(crate) at: Instant,
    /// How it is to be treated; `None` is an update of the participant.
    pub(crate) class: Option<SendClass>,
    /// Bytes of its payload.
    pub(crate) len: usize,
    /// How long it may wait.
    pub(crate) wait: Duration,
    /// On which connections it was written, in order.
    pub(crate) written: Vec<Epoch>,
    pub(crate) outcome: Option<SendOutcome>,
}

impl SendFacts {
    pub(super) fn new(at: Instant, class: Option<SendClass>, len: usize, wait: Duration) -> Self {
        Self { at, class, len, wait, written: Vec::new(), outcome: None }
    }

    /// Whether the machine holds it until it is acknowledged.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.class, None | Some(SendClass::Reliable | SendClass::Latest(_)))
    }
}

/// All sends of a run.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    all: BTreeMap<SendId, SendFacts>,
    open: BTreeSet<SendId>,
}

impl Sends {
    pub(super) fn accept(&mut self, id: SendId, send: SendFacts) {
        self.open.insert(id);
        self.all.insert(id, send);
    }

    pub(super) fn wrote(&mut self, epoch: Epoch, body: &Up) {
        if let Some(send) = wire::send_of(body).and_then(|id| self.all.get_mut(&id)) {
            send.written.push(epoch);
        }
    }

    pub(super) fn ended(&mut self, id: SendId, outcome: &SendOutcome) {
        self.open.remove(&id);
        if let Some(send) = self.all.get_mut(&id) {
            send.outcome = Some(outcome.clone());
        }
    }

    /// One of them.
    pub(crate) fn by_id(&self, id: SendId) -> Option<&SendFacts> {
        self.all.get(&id)
    }

    /// All of them, by id, which is the order in which they were handed in.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SendId, &SendFacts)> {
        self.all.iter().map(|(id, send)| (*id, send))
    }

    /// Those without an outcome.
    pub(crate) fn open(&self) -> impl Iterator<Item = (SendId, &SendFacts)> {
        self.open.iter().filter_map(|id| Some((*id, self.all.get(id)?)))
    }
}
