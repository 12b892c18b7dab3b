//! A simulation: its hosts, its network, and the loop that moves it.

mod config;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use moorline_discovery::memory::{Network, NetworkConfig};
use moorline_sim_point::active::Installed;
use turmoil::{Builder, Sim};

pub use config::LabConfig;

use crate::host::{self, Happened, History, Place, WallClock};
use crate::points::Points;
use crate::{
    Folder, LinkFaults, Net, NodeHost, NodeSpec, Seeds, ServerHost, ServerSpec, SimClock, TlsRandomness, Trace,
    UserHost, UserSpec,
};

/// Datagrams that wait for a host: what its socket does not take in time is lost without a word, so there is room for all.
const UDP_CAPACITY: usize = 1 << 16;
/// Segments under way on a TCP connection, and connections that wait to be accepted; one more of those would be a panic.
const TCP_CAPACITY: usize = 4096;
/// The end of time.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// A simulation in the making, or under way. Belongs to one thread; see [`on_fresh_thread`](crate::on_fresh_thread).
///
/// Dropping it ends everything on the spot: no goodbye is said, and nothing of it is recorded.
pub struct Lab {
    sim: Sim<'static>,
    config: LabConfig,
    seeds: Seeds,
    clock: SimClock,
    trace: Trace,
    net: Net,
    network: Network,
    history: History,
    points: Points,
    /// All of them, with their clocks.
    hosts: BTreeMap<Arc<str>, WallClock>,
    // After the simulation, whose destructors reach points.
    _installed: Installed,
}

/// Why a simulation did not get to where it was to get.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A host could not start, or what it ran failed or panicked.
    #[error("at {at:?} a host failed: {reason}")]
    Host {
        /// Simulated time.
        at: Duration,
        /// As the host says it.
        reason: String,
    },
    /// What was waited for has not come.
    #[error("not within {limit:?} of simulated time")]
    TimedOut {
        /// How long that was waited for.
        limit: Duration,
    },
}

impl Lab {
    /// A network without hosts.
    #[must_use]
    pub fn new(config: LabConfig) -> Self {
        let seeds = Seeds::new(config.seed);
        let clock = SimClock::new(config.epoch);
        let trace = Trace::new(clock.clone(), config.trace_bytes);
        let net = Net::new(seeds.clone(), clock.clone(), trace.clone());
        let mut builder = Builder::new();
        builder
            .rng_seed(seeds.number(&["turmoil"]))
            .epoch(config.epoch)
            .tick_duration(config.tick)
            .simulation_duration(FOR_EVER)
            .min_message_latency(config.latency)
            .max_message_latency(config.latency)
            .udp_capacity(UDP_CAPACITY)
            .tcp_capacity(TCP_CAPACITY);
        if config.shuffle_hosts {
            builder.enable_random_order();
        }
        let discovery = NetworkConfig { seed: seeds.number(&["discovery"]), ..config.discovery };
        let network = Network::new(discovery);
        let ways = net.clone();
        network.set_reach(move |from, to| ways.is_open(from, to));
        let history = History::new(clock.clone());
        let points = Points::new(seeds.clone(), trace.clone(), history.clone());
        let (sim, hosts, installed) = (builder.build(), BTreeMap::new(), points.install());
        Self { sim, config, seeds, clock, trace, net, network, history, points, hosts, _installed: installed }
    }

    /// Adds a host that runs a node. Its name is a new one.
    pub fn node(&mut self, name: &str, spec: NodeSpec) -> NodeHost {
        let host = NodeHost::new(self.place(name), spec, self.network.clone());
        let running = host.clone();
        self.software(name, move || host::run_node(running.clone()));
        host
    }

    /// Adds a host that runs a room server. Its name is a new one.
    pub fn server(&mut self, name: &str, spec: ServerSpec) -> ServerHost {
        let host = ServerHost::new(self.place(name), spec);
        let running = host.clone();
        self.software(name, move || host::run_server(running.clone()));
        host
    }

    /// Adds a host whose user is in a room. Its name is a new one.
    pub fn user(&mut self, name: &str, spec: UserSpec) -> UserHost {
        let host = UserHost::new(self.place(name), spec);
        let running = host.clone();
        self.software(name, move || host::run_user(running.clone()));
        host
    }

    /// Adds a host on which many users are in rooms, each under a name of its own. Their host has a name, too: all of them are cut off or
    /// killed together. Time in the network costs by the square of its hosts, so that this is how to have a thousand users.
    pub fn crowd(&mut self, name: &str, members: impl IntoIterator<Item = (String, UserSpec)>) -> Vec<UserHost> {
        let shared = self.place(name);
        let users: Vec<UserHost> = members
            .into_iter()
            .map(|(own, spec)| {
                assert!(
                    self.hosts.insert(own.as_str().into(), shared.wall.clone()).is_none(),
                    "there is a host {own} already"
                );
                UserHost::new(Place { name: own.into(), ..shared.clone() }, spec)
            })
            .collect();
        let running = users.clone();
        self.software(name, move || {
            let running: Vec<_> = running.iter().cloned().map(host::run_user).collect();
            async move { try_join_all(running).await.map(drop) }
        });
        users
    }

    /// Adds a host that runs anything, anew after each bounce. Its name is a new one.
    pub fn host<F, R>(&mut self, name: &str, software: F)
    where
        F: Fn() -> R + 'static,
        R: Future<Output = turmoil::Result> + 'static,
    {
        self.place(name);
        self.software(name, software);
    }

    /// What a host runs in each of its lives.
    fn software<F, R>(&mut self, name: &str, software: F)
    where
        F: Fn() -> R + 'static,
        R: Future<Output = turmoil::Result> + 'static,
    {
        let (points, host) = (self.points.clone(), Arc::<str>::from(name));
        self.sim.host(name, move || points.clone().live(host.clone(), software()));
    }

    fn place(&mut self, name: &str) -> Place {
        let number = self.hosts.len();
        let wall = WallClock::new(self.clock.clone());
        assert!(self.hosts.insert(name.into(), wall.clone()).is_none(), "there is a host {name} already");
        self.net.add_host(name, self.sim.lookup(name));
        let name: Arc<str> = name.into();
        self.points.add_host(&name);
        Place {
            folder: Folder::new(self.config.root.join(&*name), self.clock.clone()),
            address: name.clone(),
            name,
            net: self.net.clone(),
            seeds: self.seeds.clone(),
            tls: TlsRandomness::of_host(number),
            history: self.history.clone(),
            wall,
            points: self.points.clone(),
        }
    }

    /// Sets the time of day of a host forward by so many milliseconds, or back. Its timers go on as they do.
    pub fn step_clock(&mut self, host: &str, by_ms: i64) {
        self.trace.record(host, "fault", |fields| {
            fields.text("what", "clock_step").text("detail", &format!("{by_ms} ms"));
        });
        if let Some(clock) = self.hosts.get(host) {
            clock.step(by_ms);
        }
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    /// The network, for faults that no method here sets and for hosts of one's own.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The network that discovery runs on, for stale records.
    #[must_use]
    pub fn discovery(&self) -> &Network {
        &self.network
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What the hosts were told and asked so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Points of the code, and what is planted at them.
    pub(crate) fn points(&self) -> &Points {
        &self.points
    }

    /// How often a host has reached each of its points so far.
    #[must_use]
    pub fn reached(&self, host: &str) -> BTreeMap<String, u64> {
        self.points.reached(host)
    }

    /// Seeds for what the caller draws itself.
    #[must_use]
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// Moves everything on by one tick.
    ///
    /// # Errors
    /// [`LabError::Host`]. There is no going on after that.
    pub fn step(&mut self) -> Result<(), LabError> {
        self.clock.step_begins();
        let stepped = self.sim.step();
        self.clock.step_ended(self.sim.elapsed());
        match stepped {
            Ok(_) => Ok(()),
            Err(error) => Err(LabError::Host { at: self.sim.elapsed(), reason: error.to_string() }),
        }
    }

    /// Moves on for so long.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_for(&mut self, long: Duration) -> Result<(), LabError> {
        let end = self.elapsed() + long;
        while self.elapsed() < end {
            self.step()?;
        }
        Ok(())
    }

    /// Moves on until `done`, which is asked before each step, and tells how long that took.
    ///
    /// # Errors
    /// As [`step`](Self::step); [`LabError::TimedOut`] after `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> Result<Duration, LabError> {
        let start = self.elapsed();
        while !done(self) {
            if self.elapsed() - start >= limit {
                return Err(LabError::TimedOut { limit });
            }
            self.step()?;
        }
        Ok(self.elapsed() - start)
    }

    /// What is wrong with datagrams between two hosts from now on, in both directions.
    pub fn set_link(&mut self, a: &str, b: &str, faults: LinkFaults) {
        self.set_way(a, b, faults.clone());
        self.set_way(b, a, faults);
    }

    /// What is wrong with datagrams from one host to another from now on.
    pub fn set_way(&mut self, from: &str, to: &str, faults: LinkFaults) {
        self.note("link", from, to, Some(&faults.to_string()));
        self.net.set_faults(from, to, faults);
    }

    /// Latency of everything between two hosts, datagrams and TCP alike, from now on: whole milliseconds, at least one.
    pub fn set_latency(&mut self, a: &str, b: &str, latency: Duration) {
        self.note("latency", a, b, Some(&format!("{latency:?}")));
        self.sim.set_link_latency(a, b, latency);
    }

    /// Cuts two hosts off from each other. What is under way is lost, and TCP connections never get over that.
    pub fn partition(&mut self, a: &str, b: &str) {
        self.note("partition", a, b, None);
        self.sim.partition(a, b);
        self.net.set_cut(a, b, true);
        self.net.set_cut(b, a, true);
    }

    /// Cuts one direction.
    pub fn partition_oneway(&mut self, from: &str, to: &str) {
        self.note("partition_oneway", from, to, None);
        self.sim.partition_oneway(from, to);
        self.net.set_cut(from, to, true);
    }

    /// Undoes all cuts between two hosts.
    pub fn heal(&mut self, a: &str, b: &str) {
        self.note("heal", a, b, None);
        self.sim.repair(a, b);
        self.net.set_cut(a, b, false);
        self.net.set_cut(b, a, false);
    }

    /// Holds back everything between two hosts, in both directions, until it is released: a stall in which nothing is lost. Not to be
    /// mixed with a partition of the same two.
    pub fn hold(&mut self, a: &str, b: &str) {
        self.note("hold", a, b, None);
        self.sim.hold(a, b);
    }

    /// Lets go of what was held back.
    pub fn release(&mut self, a: &str, b: &str) {
        self.note("release", a, b, None);
        self.sim.release(a, b);
    }

    /// Kills everything on a host, as the end of a process does: its TCP connections are reset, its disk stays as it is.
    pub fn crash(&mut self, host: &str) {
        self.trace.record(host, "crash", |_| {});
        self.note_end(host);
        self.net.crashes(host);
        self.sim.crash(host);
        self.net.has_crashed();
    }

    /// Starts what a host runs anew. Kills it first if it runs.
    pub fn bounce(&mut self, host: &str) {
        self.trace.record(host, "bounce", |_| {});
        self.note_end(host);
        self.net.crashes(host);
        self.sim.bounce(host);
        self.net.has_crashed();
    }

    /// Whether the host runs: it has neither crashed nor ended.
    pub fn is_running(&mut self, host: &str) -> bool {
        self.sim.is_host_running(host)
    }

    /// Ends the simulation on the spot.
    #[must_use]
    pub fn finish(self) -> Trace {
        self.trace.clone()
    }

    /// Bouncing a host that runs kills it first.
    fn note_end(&mut self, host: &str) {
        if self.sim.is_host_running(host) {
            self.history.add(host, Happened::Crashed);
        }
    }

    fn note(&self, kind: &str, from: &str, to: &str, detail: Option<&str>) {
        self.trace.record(from, kind, |fields| {
            fields.text("to", to);
            if let Some(detail) = detail {
                fields.text("detail", detail);
            }
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.trace.seal();
    }
}
