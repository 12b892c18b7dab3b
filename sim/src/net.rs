//! The network: who is where, what is wrong on which way, and what is cut.

mod connections;
mod link;
mod quic_runtime;
mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use link::{BurstLoss, LinkFaults, LossCause};
pub use quic_runtime::SimQuicRuntime;
pub use tcp::{SimConnector, SimListener, SimTcpStream};
pub use udp::SimUdpSocket;

use crate::{Seeds, SimClock, Trace};
use connections::Connections;
use link::{Copies, Link};

/// What the sockets of all hosts share. Clones are the same network. Faults may be changed while the simulation runs.
#[derive(Clone)]
pub struct Net {
    clock: SimClock,
    trace: Trace,
    state: Arc<Mutex<State>>,
    connections: Connections,
}

struct State {
    seeds: Seeds,
    names: BTreeMap<IpAddr, Arc<str>>,
    links: BTreeMap<(Arc<str>, Arc<str>), Way>,
    /// Datagrams sent so far: names them in the trace.
    datagrams: u64,
}

/// One direction between two hosts.
struct Way {
    link: Link,
    cut: bool,
    /// What was sent before then is lost, if it has not arrived.
    last_cut: Option<Duration>,
}

/// What becomes of a datagram.
pub(crate) struct Sent {
    pub(crate) number: u64,
    pub(crate) to: Arc<str>,
    pub(crate) fate: Result<Copies, LossCause>,
}

impl Net {
    pub(crate) fn new(seeds: Seeds, clock: SimClock, trace: Trace) -> Self {
        let state = State { seeds, names: BTreeMap::new(), links: BTreeMap::new(), datagrams: 0 };
        Self { clock, trace, state: Arc::new(Mutex::new(state)), connections: Connections::default() }
    }

    pub(crate) fn add_host(&self, name: &str, ip: IpAddr) {
        self.lock().names.insert(ip, name.into());
    }

    /// The simulated time.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// What is recorded.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The name of the host at this address.
    #[must_use]
    pub fn name(&self, ip: IpAddr) -> Option<Arc<str>> {
        self.lock().names.get(&ip).cloned()
    }

    /// What is wrong with datagrams from one host to another from now on. Those under way are not touched.
    pub fn set_faults(&self, from: &str, to: &str, faults: LinkFaults) {
        self.lock().way(from, to).link.set_faults(faults);
    }

    /// What is wrong now.
    #[must_use]
    pub fn faults(&self, from: &str, to: &str) -> LinkFaults {
        self.lock().way(from, to).link.faults().clone()
    }

    /// Whether anything that one host sends to another arrives.
    #[must_use]
    pub fn is_open(&self, from: &str, to: &str) -> bool {
        !self.lock().way(from, to).cut
    }

    /// Cuts a way, or heals it. What is under way when it is cut is lost.
    pub(crate) fn set_cut(&self, from: &str, to: &str, cut: bool) {
        let now = self.clock.now();
        let mut state = self.lock();
        let way = state.way(from, to);
        way.cut = cut;
        if cut {
            way.last_cut = Some(now);
        }
    }

    /// From now on, and until [`has_crashed`](Self::has_crashed), this host is being taken down.
    pub(crate) fn crashes(&self, host: &str) {
        self.connections.crashes(Some(host));
    }

    pub(crate) fn has_crashed(&self) {
        self.connections.crashes(None);
    }

    /// Asks what becomes of a datagram that `from` sends now.
    fn send(&self, from: &str, to: IpAddr, len: usize) -> Sent {
        let now = self.clock.now();
        let mut state = self.lock();
        let number = state.datagrams;
        state.datagrams += 1;
        let Some(to) = state.names.get(&to).cloned() else {
            return Sent { number, to: to.to_string().into(), fate: Err(LossCause::NoHost) };
        };
        let way = state.way(from, &to);
        let fate = way.link.send(now, len);
        let fate = if way.cut { Err(LossCause::Cut) } else { fate };
        Sent { number, to, fate }
    }

    /// Whether a datagram of `sent_at` that is about to be handed over was cut off on its way.
    fn was_cut_off(&self, from: &str, to: &str, sent_at: Duration) -> bool {
        let mut state = self.lock();
        let way = state.way(from, to);
        way.cut || way.last_cut.is_some_and(|cut| sent_at <= cut)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn way(&mut self, from: &str, to: &str) -> &mut Way {
        let seeds = &self.seeds;
        self.links.entry((from.into(), to.into())).or_insert_with(|| Way {
            link: Link::new(seeds.derive(&["link", from, to])),
            cut: false,
            last_cut: None,
        })
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}
