//! The room server: rooms over WebSocket, in which clients find again what they lost.
//!
//! It keeps what every participant missed, knows what every client has sent, and so makes a lost connection good without a hole and
//! without a repetition, for as long as the resume window lasts. It does not terminate TLS, does not talk to other nodes, and does not
//! write anything to disk: a TLS acceptor stands in as a [`Listener`], another [`Store`] may be shared between nodes.
//!
//! ```
//! use std::time::Duration;
//! use moorline_signaling::server::{Drain, Server, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = Server::start(ServerConfig::default(), listener)?;
//! println!("{} listens on {}", server.node_id(), server.local_addr());
//! // Later: ask the clients to go elsewhere, and stop when they have.
//! server.drain(Drain { deadline: Duration::from_secs(30), ..Drain::default() }).await;
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Tasks
//! One accepts, one ends the sessions that nobody came back for, and one serves each connection. All belong to the [`ServerHandle`]:
//! they end when it is dropped, and [`shutdown`](ServerHandle::shutdown) waits for them. A panic is caught, logged and counted: in a
//! connection's task it is treated as the loss of that connection; the two others go on after it.
//!
//! # Time and randomness
//! Time is tokio's, so that a paused clock drives every timeout; the time of day is asked for tokens only, and comes from the
//! configuration, as does the seed of everything random.

pub mod close_code;
mod config;
mod connection;
mod core;
mod drain;
mod frames;
mod http;
mod limiter;
mod limits;
mod listener;
mod memory;
mod metrics;
mod outbox;
mod registry;
mod resume_token;
pub mod store;
pub mod token;

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use moorline_sim_point::{sim_point, task};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, error, info, warn};

pub use config::{ServerConfig, WallClock};
pub use drain::Drain;
pub use limits::Limits;
pub use listener::Listener;
pub use memory::{MemorySeat, MemoryStore};
pub use outbox::{Delivery, Ended, Outbox};

use self::core::Core;
use connection::{Counted, Place};
use store::Store;

/// After a failure to accept, such as no file descriptor being left, and after a panic.
const PAUSE: Duration = Duration::from_millis(50);
/// So many connections beyond the bound are answered at a time; others are dropped.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// Starts servers.
pub struct Server;

impl Server {
    /// Starts a server that keeps its rooms in memory. Must be called in a tokio runtime, on which its tasks run.
    ///
    /// # Errors
    /// If the listener does not know where it listens.
    pub fn start<L: Listener>(config: ServerConfig, listener: L) -> io::Result<ServerHandle> {
        let store = MemoryStore::new(&config);
        Self::start_with(config, listener, store)
    }

    /// As [`start`](Self::start), with rooms in another store.
    ///
    /// # Errors
    /// If the listener does not know where it listens.
    pub fn start_with<L: Listener, S: Store>(config: ServerConfig, listener: L, store: S) -> io::Result<ServerHandle> {
        let local_addr = listener.local_addr()?;
        let store = Arc::new(store);
        let load = Arc::clone(&store);
        let core = Core::new(config, Box::new(move || load.stats()));
        core.tasks.spawn(accept(Arc::clone(&core), Arc::clone(&store), listener));
        core.tasks.spawn(sweep(Arc::clone(&core), store));
        info!(node = core.node_id, %local_addr, "a room server listens");
        Ok(ServerHandle { core, local_addr })
    }
}

/// A server that runs. Dropping it stops the server without waiting: connections are closed, sessions are forgotten.
pub struct ServerHandle {
    core: Arc<Core>,
    local_addr: SocketAddr,
}

impl ServerHandle {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The name of this process, as clients are told.
    #[must_use]
    pub fn node_id(&self) -> &str {
        &self.core.node_id
    }

    /// How much there is right now.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.core.stats()
    }

    /// What `GET /metrics` answers: counters in the text format 0.0.4 of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.core.metrics_page()
    }

    /// Sends all clients elsewhere. From now on newcomers are refused and `/healthz` answers 503. Returns when all have left, or
    /// when those that had not were put out at the deadline; the server runs on, empty. Whether all left of their own accord.
    ///
    /// Cancel-safe: dropping the future leaves the node draining, without an end; calling again waits again, by the new deadline,
    /// though clients keep the advice of the first.
    pub async fn drain(&self, mut drain: Drain) -> bool {
        let (needed, deadline) = (self.core.move_spread(), drain.deadline);
        if needed > deadline {
            let sessions = self.stats().sessions;
            warn!(sessions, ?needed, ?deadline, "not all clients can be let in elsewhere by the drain's deadline");
        }
        // A spread beyond the deadline would have those who wait for their turn put out before it. As it is they come too fast for a
        // node like this one, which tells them to come a little later.
        drain.spread = drain.spread.max(needed).min(deadline);
        info!(node = self.core.node_id, ?drain, "draining");
        self.core.registry.drain(drain);
        if timeout(deadline, self.core.registry.emptied()).await.is_ok() {
            return true;
        }
        warn!(left = self.core.registry.len(), "the drain's deadline has come");
        self.core.registry.end(Ended::Drained);
        let _ = timeout(self.core.config.close_timeout, self.core.registry.emptied()).await;
        false
    }

    /// Stops the server and waits for its tasks, each of which ends within the configured close timeout or so.
    pub async fn shutdown(self) {
        self.stop();
        self.core.tasks.wait().await;
    }

    fn stop(&self) {
        self.core.stop.cancel();
        self.core.tasks.close();
        self.core.registry.end(Ended::Stopping);
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How much there is on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Sessions, those that wait for their client included.
    pub sessions: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Open connections, whatever they are up to.
    pub connections: usize,
    /// Connections with a session.
    pub attached: usize,
    /// Deliveries put into logs since the start.
    pub deliveries: u64,
    /// Sessions whose client did not read what it was sent.
    pub slow_consumers: u64,
    /// Bytes of rooms' state and of logs, of which there may be [`Limits::total_bytes`].
    pub bytes: usize,
    /// Tasks that panicked.
    pub panics: u64,
}

/// Whether a task of the server panicked and is to go on. A server that lets nobody in, or keeps sessions for ever, would be worse than
/// one with a defect that is counted.
async fn panicked(core: &Core, what: &'static str, task: impl Future<Output = ()>) -> bool {
    if AssertUnwindSafe(task).catch_unwind().await.is_ok() {
        return false;
    }
    core.metrics.panics.add(1);
    error!(what, "a task of the server panicked, and goes on");
    tokio::select! {
        biased;
        () = core.stop.cancelled() => false,
        () = sleep(PAUSE) => true,
    }
}

/// Accepts until the server stops.
async fn accept<L: Listener, S: Store>(core: Arc<Core>, store: Arc<S>, mut listener: L) {
    while panicked(&core, "accept", task("server-accept", accept_all(&core, &store, &mut listener))).await {}
}

async fn accept_all<L: Listener, S: Store>(core: &Arc<Core>, store: &Arc<S>, listener: &mut L) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                core.metrics.accept_errors.add(1);
                tokio::select! {
                    biased;
                    () = core.stop.cancelled() => return,
                    () = sleep(PAUSE) => continue,
                }
            }
        };
        core.metrics.accepted.add(1);
        let (core, store) = (Arc::clone(core), Arc::clone(store));
        core.clone().tasks.spawn(async move {
            let counted = Counted::add(&core, |core| &core.connections);
            let max = core.config.limits.max_connections;
            let place = if counted.count <= max { Place::Free } else { Place::None };
            if counted.count > max + TURNED_AWAY_AT_ONCE {
                debug!(%from, "dropped: too many connections");
                return;
            }
            connection::serve(Arc::clone(&core), store, stream, L::reset, from, place).await;
        });
    }
}

/// Ends the sessions that nobody came back for, until the server stops.
async fn sweep<S: Store>(core: Arc<Core>, store: Arc<S>) {
    while panicked(&core, "sweep", task("server-sweep", sweep_all(&core, &store))).await {}
}

async fn sweep_all<S: Store>(core: &Core, store: &Arc<S>) {
    loop {
        sim_point!(await "server.expire");
        let next = store.expire(Instant::now()).await;
        let due = async {
            match next {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = core.detached.notified() => {}
            () = due => {}
        }
    }
}
