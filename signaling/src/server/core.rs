use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limiter::{self, Arrivals, ComeLater};
use super::metrics::Metrics;
use super::registry::Registry;
use super::resume_token::ResumeTokens;
use super::store::StoreStats;
use super::{ServerConfig, ServerStats};

/// What all connections of a server share, the store apart.
pub(crate) struct Core {
    pub(crate) config: ServerConfig,
    pub(crate) node_id: String,
    pub(crate) metrics: Metrics,
    pub(crate) registry: Registry,
    pub(crate) resume_tokens: ResumeTokens,
    /// Cancelled when the server stops. Connections with a session are told through the registry.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// A session has lost its connection: look when it is to end.
    pub(crate) detached: Notify,
    pub(crate) connections: AtomicUsize,
    pub(crate) pending: AtomicUsize,
    arrivals: Mutex<Arrivals>,
    rng: Mutex<ChaCha20Rng>,
    load: Box<dyn Fn() -> StoreStats + Send + Sync>,
}

impl Core {
    pub(crate) fn new(config: ServerConfig, load: Box<dyn Fn() -> StoreStats + Send + Sync>) -> Arc<Self> {
        let mut rng = ChaCha20Rng::from_seed(config.seed);
        let number = rng.next_u32();
        let node_id = if config.node_id.is_empty() { format!("node-{number:08x}") } else { config.node_id.clone() };
        Arc::new(Self {
            node_id,
            metrics: Metrics::default(),
            registry: Registry::default(),
            resume_tokens: ResumeTokens::new(&config.seed),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            detached: Notify::new(),
            connections: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            arrivals: Mutex::new(Arrivals::new(config.accept_rate, Instant::now())),
            rng: Mutex::new(rng),
            load,
            config,
        })
    }

    /// Over how long clients are to spread their return: what there is, less half of what is let in at once, divided by what is let in.
    /// The other half is for newcomers, and for clients that heard this when there were fewer of them.
    pub(crate) fn reconnect_spread(&self) -> Duration {
        let sessions = (self.load)().sessions as u64;
        let at_once = u64::from(limiter::burst(self.config.accept_rate) / 2);
        let least = Duration::from_millis(u64::from(sessions > 0));
        self.time_to_let_in(sessions.saturating_sub(at_once)).max(least)
    }

    /// Over how long clients are to spread their move to another server: nothing is lost meanwhile, and whom that one lets in at once it
    /// knows itself.
    pub(crate) fn move_spread(&self) -> Duration {
        self.time_to_let_in((self.load)().sessions as u64)
    }

    fn time_to_let_in(&self, clients: u64) -> Duration {
        Duration::from_millis(clients * 1_000 / u64::from(self.config.accept_rate.max(1)))
    }

    /// Lets a Hello in, or names its time.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), ComeLater> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }

    /// A name for somebody who has none.
    pub(crate) fn guest(&self) -> String {
        format!("guest-{:08x}", self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u32())
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    pub(crate) fn stats(&self) -> ServerStats {
        let StoreStats { sessions, rooms, deliveries, slow_consumers, bytes, .. } = (self.load)();
        ServerStats {
            sessions,
            rooms,
            deliveries,
            slow_consumers,
            bytes,
            connections: self.connections.load(Ordering::Relaxed),
            attached: self.registry.len(),
            panics: self.metrics.panics.value(),
        }
    }

    pub(crate) fn metrics_page(&self) -> String {
        let connections = self.connections.load(Ordering::Relaxed);
        let pending = self.pending.load(Ordering::Relaxed);
        let (attached, draining) = (self.registry.len(), self.registry.draining().is_some());
        self.metrics.render((self.load)(), connections, pending, attached, draining)
    }
}
