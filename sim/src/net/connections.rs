//! The ends of TCP connections that are open, and the order in which they close when their host crashes.
//!
//! tokio drops the tasks of a runtime in an order that depends on their ids, which count all tasks of the process, those of other threads
//! included. What a crash says to the network must not depend on that: the first end that is dropped closes all others of its host, in
//! the order in which they were opened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use turmoil::net::TcpStream;

use super::Net;

/// One end. Empty once it is closed.
#[derive(Clone)]
pub(super) struct End {
    pub(super) host: Arc<str>,
    pub(super) peer: Arc<str>,
    /// The port of the end that connected: the same for both ends.
    pub(super) port: u16,
    stream: Arc<Mutex<Option<TcpStream>>>,
}

/// All ends that are open. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    opened: u64,
    ends: BTreeMap<u64, End>,
    crashing: Option<Arc<str>>,
}

impl End {
    pub(super) fn new(host: &str, peer: &str, port: u16, stream: TcpStream) -> Self {
        Self { host: host.into(), peer: peer.into(), port, stream: Arc::new(Mutex::new(Some(stream))) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self, net: &Net, kind: &str, bytes: Option<&[u8]>) {
        net.trace().record(&self.host, kind, |fields| {
            fields.text("peer", &self.peer).number("conn", self.port.into());
            if let Some(bytes) = bytes {
                fields.bytes(bytes);
            }
        });
    }

    fn close(&self, net: &Net) {
        let stream = self.lock().take();
        if stream.is_some() {
            self.record(net, "tcp.close", None);
        }
    }
}

impl Connections {
    /// Keeps an end until it is closed, and numbers it.
    pub(super) fn open(&self, end: &End) -> u64 {
        let mut inner = self.lock();
        let number = inner.opened;
        inner.opened += 1;
        inner.ends.insert(number, end.clone());
        number
    }

    /// Closes an end; while its host crashes, all of the host.
    pub(super) fn close(&self, net: &Net, number: u64) {
        let mut inner = self.lock();
        let crashing = inner.crashing.clone();
        let closing = match inner.ends.get(&number) {
            Some(end) if crashing.as_ref() == Some(&end.host) => {
                let host = end.host.clone();
                inner.ends.extract_if(.., |_, end| end.host == host).map(|(_, end)| end).collect()
            }
            Some(_) => inner.ends.remove(&number).into_iter().collect(),
            None => Vec::new(),
        };
        drop(inner);
        for end in closing {
            end.close(net);
        }
    }

    pub(super) fn crashes(&self, host: Option<&str>) {
        self.lock().crashing = host.map(Into::into);
    }

    /// Whether this host is being taken down.
    pub(super) fn is_crashing(&self, host: &str) -> bool {
        self.lock().crashing.as_deref() == Some(host)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
