use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// One delivery to one session.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place in the session's log, from 1.
    pub seq: u64,
    /// The `deliver` field of a `ServerFrame`, encoded, tag included. Shared by all who get it.
    pub body: Bytes,
    /// It says that a frame of the client was rejected, and so must be out before the acknowledgement that covers that frame.
    pub rejection: bool,
}

/// Why a connection is to end, in the words of whoever ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A newer connection of the same client took over. Nothing more is said.
    Fenced,
    /// The same identity joined with another client.
    Replaced,
    /// More waits for the client than is kept.
    SlowConsumer,
    /// The drain's deadline has come.
    Drained,
    /// The server stops.
    Stopping,
}

/// What a store has for one connection. Clones are the same outbox.
///
/// The store pushes, under whatever lock it holds; the connection's task takes everything that waits and writes it in one go. The
/// queue of deliveries has no bound of its own: the store holds each of them in the session's log until it is acknowledged, and ends
/// the outbox with [`Ended::SlowConsumer`] when that log is full.
#[derive(Clone, Debug)]
pub struct Outbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Mutex<Queue>,
    /// Wakes the connection's task: the only one that waits here.
    ready: Notify,
    /// Wakes whoever waits for the end of the connection.
    closed: Notify,
    ephemeral_capacity: usize,
}

#[derive(Debug, Default)]
struct Queue {
    deliveries: VecDeque<Delivery>,
    ephemeral: VecDeque<Bytes>,
    ended: Option<Ended>,
    go_away: bool,
    closed: bool,
}

/// What a connection's task took from its outbox.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) deliveries: VecDeque<Delivery>,
    pub(crate) ephemeral: VecDeque<Bytes>,
    pub(crate) ended: Option<Ended>,
    pub(crate) go_away: bool,
}

impl Outbox {
    /// An empty outbox that keeps at most so many ephemeral messages.
    #[must_use]
    pub fn new(ephemeral_capacity: usize) -> Self {
        let inner = Inner { queue: Mutex::default(), ready: Notify::new(), closed: Notify::new(), ephemeral_capacity };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a delivery, to be written after all before it. Dropped if the outbox has ended.
    pub fn push(&self, delivery: Delivery) {
        let mut queue = self.lock();
        if queue.ended.is_none() {
            queue.deliveries.push_back(delivery);
            // Whoever found the queue empty has woken the task already.
            if queue.deliveries.len() == 1 {
                drop(queue);
                self.inner.ready.notify_one();
            }
        }
    }

    /// Adds an encoded `deliver` field that may be lost. It is, if as many wait as are kept, or the outbox has ended. Whether it was
    /// added.
    pub fn push_ephemeral(&self, body: Bytes) -> bool {
        let mut queue = self.lock();
        let fits = queue.ended.is_none() && queue.ephemeral.len() < self.inner.ephemeral_capacity;
        if fits {
            queue.ephemeral.push_back(body);
            drop(queue);
            self.inner.ready.notify_one();
        }
        fits
    }

    /// Ends it: what waits is dropped and the connection closes. The first end counts.
    pub fn end(&self, why: Ended) {
        let mut queue = self.lock();
        if queue.ended.is_none() {
            queue.ended = Some(why);
            queue.deliveries = VecDeque::new();
            queue.ephemeral = VecDeque::new();
        }
        drop(queue);
        self.inner.ready.notify_one();
    }

    /// Returns when the connection is closed as far as its client is concerned. Cancel-safe.
    pub async fn closed(&self) {
        loop {
            let notified = self.inner.closed.notified();
            if self.lock().closed {
                return;
            }
            notified.await;
        }
    }

    /// Asks the connection to tell its client to go away.
    pub(crate) fn go_away(&self) {
        self.lock().go_away = true;
        self.inner.ready.notify_one();
    }

    /// Says that the connection is closed.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.inner.closed.notify_waiters();
    }

    /// Returns when there may be something to take. Cancel-safe.
    pub(crate) async fn ready(&self) {
        self.inner.ready.notified().await;
    }

    /// Why it ended, if it did.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.lock().ended
    }

    /// Takes all that waits. An end stays.
    pub(crate) fn take(&self) -> Taken {
        let mut queue = self.lock();
        Taken {
            deliveries: std::mem::take(&mut queue.deliveries),
            ephemeral: std::mem::take(&mut queue.ephemeral),
            ended: queue.ended,
            go_away: std::mem::take(&mut queue.go_away),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.inner.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
