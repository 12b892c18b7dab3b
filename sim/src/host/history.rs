use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use moorline_runtime::node::{CommandError, DownloadId, NodeEvent};
use moorline_signaling::machine::Event;
use moorline_signaling::{CallError, SendClass, SendOutcome};

use crate::{Interference, SimClock};

/// What the hosts of a simulation were told and were asked, in the order in which it happened. Clones are the same history.
///
/// It is what can be seen from outside: requests and their outcomes, events, starts and ends. Invariants are judged by it.
#[derive(Clone)]
pub struct History {
    clock: SimClock,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    /// How often each host was started.
    lives: BTreeMap<Arc<str>, u64>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Simulated time.
    pub at: Duration,
    /// Where.
    pub host: Arc<str>,
    /// How often the host had been started before.
    pub life: u64,
    /// What.
    pub what: Happened,
}

/// What can happen on a host, as far as it can be seen from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Happened {
    /// What it runs was started.
    Started,
    /// What it runs was killed.
    Crashed,
    /// What it runs has ended in good order.
    Stopped {
        /// Tasks that are left; `None` where nobody counts them.
        tasks_left: Option<usize>,
    },
    /// Something was planted at a point, and was reached.
    Interfered {
        /// What.
        what: Interference,
        /// Where.
        point: String,
        /// The innermost task that was being polled.
        task: Option<String>,
    },
    /// Its user reads no events any more, or reads them again.
    Deaf(bool),
    /// Its node says so.
    Node(NodeEvent),
    /// The client of its room says so.
    Room(Event),
    /// A room that its node is in says so.
    NodeRoom {
        /// The room.
        room: String,
        /// What.
        event: Event,
    },
    /// Its node was asked for an item, by name.
    FetchAsked {
        /// The name.
        item: String,
    },
    /// Its node began to fetch one.
    FetchBegun {
        /// The name.
        item: String,
        /// Names it in the node's events.
        id: DownloadId,
    },
    /// Its node would not begin.
    FetchRefused {
        /// The name.
        item: String,
        /// Why.
        why: CommandError,
    },
    /// Its user got a token.
    TokenGiven {
        /// Counts those that were asked for in this life, from 1.
        number: u64,
    },
    /// Its client was asked to send.
    SendAsked {
        /// Counts the sends of a host, from 1.
        number: u64,
        /// How.
        class: SendClass,
        /// What.
        payload: Bytes,
    },
    /// A send ended.
    SendEnded {
        /// Which.
        number: u64,
        /// How.
        outcome: SendOutcome,
    },
    /// Its client was asked to call somebody.
    CallAsked {
        /// Counts the calls of a host, from 1.
        number: u64,
        /// The other host.
        to: String,
    },
    /// A call ended.
    CallEnded {
        /// Which.
        number: u64,
        /// How.
        result: Result<Bytes, CallError>,
    },
}

impl History {
    pub(crate) fn new(clock: SimClock) -> Self {
        Self { clock, inner: Arc::default() }
    }

    /// Adds what has just happened.
    pub(crate) fn add(&self, host: &str, what: Happened) {
        let at = self.clock.now();
        let mut inner = self.lock();
        let host: Arc<str> = match inner.lives.get_key_value(host) {
            Some((known, _)) => known.clone(),
            None => host.into(),
        };
        let lives = inner.lives.entry(host.clone()).or_default();
        if matches!(what, Happened::Started) {
            *lives += 1;
        }
        let life = lives.saturating_sub(1);
        inner.seen.push(Seen { at, host, life, what });
    }

    /// How much has happened.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().seen.len()
    }

    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happened after the first `known`.
    #[must_use]
    pub fn since(&self, known: usize) -> Vec<Seen> {
        self.lock().seen.get(known..).unwrap_or_default().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("len", &self.len()).finish_non_exhaustive()
    }
}
