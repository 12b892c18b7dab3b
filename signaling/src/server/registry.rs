use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Drain, Ended, Outbox};

/// The connections with a session, to be told all at once to go.
#[derive(Default)]
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    left: Notify,
}

#[derive(Default)]
struct Inner {
    outboxes: BTreeMap<u64, Outbox>,
    next: u64,
    drain: Option<Drain>,
    ended: Option<Ended>,
}

impl Registry {
    /// Adds a connection. One that comes after a drain or a stop began is told so at once.
    pub(crate) fn add(&self, outbox: &Outbox) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        let id = inner.next;
        inner.outboxes.insert(id, outbox.clone());
        if inner.drain.is_some() {
            outbox.go_away();
        }
        if let Some(why) = inner.ended {
            outbox.end(why);
        }
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut inner = self.lock();
        if inner.outboxes.remove(&id).is_some() && inner.outboxes.is_empty() {
            drop(inner);
            self.left.notify_waiters();
        }
    }

    /// Tells everybody to go away. The first drain counts.
    pub(crate) fn drain(&self, drain: Drain) {
        let mut inner = self.lock();
        if inner.drain.is_none() {
            inner.drain = Some(drain);
            inner.outboxes.values().for_each(Outbox::go_away);
        }
    }

    /// The drain that is on.
    pub(crate) fn draining(&self) -> Option<Drain> {
        self.lock().drain.clone()
    }

    /// Ends all connections, and those that come.
    pub(crate) fn end(&self, why: Ended) {
        let mut inner = self.lock();
        inner.ended.get_or_insert(why);
        inner.outboxes.values().for_each(|outbox| outbox.end(why));
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().outboxes.len()
    }

    /// Returns when nobody is left. Cancel-safe.
    pub(crate) async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            // Before the look: whoever leaves between the two is not missed.
            left.as_mut().enable();
            if self.lock().outboxes.is_empty() {
                return;
            }
            left.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
