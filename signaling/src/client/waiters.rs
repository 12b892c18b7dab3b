use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{CallError, CallId, SendId, SendOutcome};

/// Who waits for the outcome of what. The machine bounds how many there are.
#[derive(Default)]
pub(super) struct Waiters {
    sends: BTreeMap<SendId, oneshot::Sender<SendOutcome>>,
    calls: BTreeMap<CallId, oneshot::Sender<Result<Bytes, CallError>>>,
}

impl Waiters {
    pub(super) fn add_send(&mut self, id: SendId, done: oneshot::Sender<SendOutcome>) {
        self.sends.insert(id, done);
    }

    pub(super) fn add_call(&mut self, id: CallId, done: oneshot::Sender<Result<Bytes, CallError>>) {
        self.calls.insert(id, done);
    }

    /// Who does not wait any more is not told.
    pub(super) fn send_done(&mut self, id: SendId, outcome: SendOutcome) {
        if let Some(done) = self.sends.remove(&id) {
            drop(done.send(outcome));
        }
    }

    pub(super) fn call_done(&mut self, id: CallId, result: Result<Bytes, CallError>) {
        if let Some(done) = self.calls.remove(&id) {
            drop(done.send(result));
        }
    }

    pub(super) fn forget_call(&mut self, id: CallId) {
        self.calls.remove(&id);
    }

    /// Lets everybody go: a future whose sender is gone reads that as closed.
    pub(super) fn close(&mut self) {
        self.sends.clear();
        self.calls.clear();
    }
}
