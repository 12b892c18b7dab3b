use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_signaling::server::{Drain, Server, ServerConfig, ServerStats};
use tokio::sync::mpsc;

use super::inbox::Inbox;
use super::token::secret;
use super::{Configure, Happened, Place};
use crate::SimListener;

/// The TCP port of every room server.
pub(crate) const PORT: u16 = 7480;

/// How often the figures of a server are looked at.
const STATS_EVERY: Duration = Duration::from_millis(500);

/// What a room server's host is like.
#[derive(Clone, Default)]
pub struct ServerSpec {
    asks_for_tokens: bool,
    configure: Option<Configure<ServerConfig>>,
}

impl ServerSpec {
    /// It lets in only who shows a token: see [`UserSpec::tokens`](super::UserSpec::tokens).
    #[must_use]
    pub fn asking_for_tokens(self) -> Self {
        Self { asks_for_tokens: true, ..self }
    }

    /// Has a last look at the configuration, each time that the server starts.
    #[must_use]
    pub fn configure(self, with: impl Fn(&mut ServerConfig) + Send + Sync + 'static) -> Self {
        Self { configure: Some(Arc::new(with)), ..self }
    }
}

/// A host that runs a room server. Clones are the same host.
#[derive(Clone)]
pub struct ServerHost {
    place: Place,
    spec: ServerSpec,
    orders: Inbox<Order>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lives: u64,
    stats: ServerStats,
}

enum Order {
    Drain(Drain),
    Stop,
}

impl ServerHost {
    pub(crate) fn new(place: Place, spec: ServerSpec) -> Self {
        Self { place, spec, orders: Inbox::default(), state: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_of(&self.place.name)
    }

    pub(crate) fn url_of(name: &str) -> String {
        format!("ws://{name}:{PORT}/")
    }

    /// How often it was started.
    #[must_use]
    pub fn lives(&self) -> u64 {
        self.lock().lives
    }

    /// Its figures, at most half a simulated second old.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.lock().stats
    }

    /// Sends its clients elsewhere.
    pub fn drain(&self, drain: Drain) {
        self.orders.order(Order::Drain(drain));
    }

    /// Stops the server in good order. The host does nothing from then on, until it is bounced.
    pub fn stop(&self) {
        self.orders.order(Order::Stop);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of a room server.
pub(crate) async fn run(host: ServerHost) -> turmoil::Result {
    let mut orders = host.orders.open();
    let life = {
        let mut state = host.lock();
        state.lives += 1;
        state.lives - 1
    };
    host.place.say("host", life, "started");
    host.place.happened(Happened::Started);
    let clock = host.place.wall.clone();
    let mut config = ServerConfig {
        wall_clock: Arc::new(move || clock.now()),
        secret: host.spec.asks_for_tokens.then(secret),
        ..ServerConfig::with_seed(host.place.seed("server", life))
    };
    if let Some(configure) = &host.spec.configure {
        configure(&mut config);
    }
    let listener = SimListener::bind(&host.place.net, &host.place.name, PORT).await?;
    let server = Server::start(config, listener)?;
    let orders_from_within = host.orders.clone();
    host.place.points.stop_with(&host.place.name, move || {
        // Full or closed: it has more to do than to stop, or has stopped.
        let _ = orders_from_within.order(Order::Stop);
    });
    host.place.state(life, "serving", None);
    loop {
        tokio::select! {
            biased;
            order = next_order(&mut orders) => match order {
                Order::Drain(drain) => {
                    host.place.state(life, "draining", None);
                    let emptied = server.drain(drain).await;
                    host.place.say("server", life, &format!("drained {emptied}"));
                }
                Order::Stop => break,
            },
            () = tokio::time::sleep(STATS_EVERY) => host.lock().stats = server.stats(),
        }
    }
    server.shutdown().await;
    host.lock().stats = ServerStats::default();
    host.place.say("host", life, "stopped");
    host.place.happened(Happened::Stopped { tasks_left: None });
    Ok(())
}

async fn next_order(orders: &mut mpsc::Receiver<Order>) -> Order {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}
