//! A TCP proxy that people go through to their server, and that can do to them what networks do.

mod carry;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

/// One way through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// What clients say.
    ToServer,
    /// What the server says.
    ToClient,
}

/// How things are carried at the moment.
#[derive(Clone, Debug)]
struct Weather {
    server: SocketAddr,
    /// Nothing passes to the server, and all of it waits.
    server_held: bool,
    /// Nothing passes to clients, and all of it waits.
    client_held: bool,
    delay: Duration,
}

/// A proxy on the loopback. Gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub addr: SocketAddr,
    weather: watch::Sender<Weather>,
    shared: Arc<Shared>,
    // Dropped last: it carries everything else.
    _runtime: tokio::runtime::Runtime,
}

#[derive(Debug, Default)]
struct Shared {
    /// The connections that are open, with what cuts them.
    open: Mutex<BTreeMap<usize, CancellationToken>>,
    accepted: AtomicUsize,
    /// What was said on each connection, each way.
    recorded: Mutex<BTreeMap<(Direction, usize), Vec<u8>>>,
}

impl Proxy {
    /// A proxy to this server.
    ///
    /// # Panics
    /// When the loopback has no port left.
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime for the proxy");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port on the loopback");
        let addr = listener.local_addr().expect("a listener has an address");
        let weather = Weather { server, server_held: false, client_held: false, delay: Duration::ZERO };
        let (weather, today) = watch::channel(weather);
        let shared = Arc::new(Shared::default());
        // Ends with the runtime.
        runtime.spawn(accept(listener, today, Arc::clone(&shared)));
        Self { addr, weather, shared, _runtime: runtime }
    }

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.addr)
    }

    /// Cuts every connection with a reset to both sides. Answers how many there were.
    pub fn reset(&self) -> usize {
        let open = std::mem::take(&mut *self.shared.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.values().for_each(CancellationToken::cancel);
        open.len()
    }

    /// From now on nothing comes through in this direction, on old connections and on new ones; what is said is kept.
    pub fn hold(&self, direction: Direction) {
        self.set(direction, true);
    }

    /// Lets through in this direction what was held, and all that comes.
    pub fn release(&self, direction: Direction) {
        self.set(direction, false);
    }

    /// From now on everything takes so much longer, each way.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// What was said in this direction so far on each connection, in the order of their coming.
    #[must_use]
    pub fn recorded(&self, direction: Direction) -> Vec<Vec<u8>> {
        let recorded = self.shared.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.range((direction, 0)..=(direction, usize::MAX)).map(|(_, said)| said.clone()).collect()
    }

    fn set(&self, direction: Direction, held: bool) {
        self.weather.send_modify(|weather| match direction {
            Direction::ToServer => weather.server_held = held,
            Direction::ToClient => weather.client_held = held,
        });
    }
}

impl Weather {
    fn holds(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.server_held,
            Direction::ToClient => self.client_held,
        }
    }
}

async fn accept(listener: TcpListener, weather: watch::Receiver<Weather>, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = shared.accepted.load(Ordering::Relaxed);
        let cut = CancellationToken::new();
        shared.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, cut.clone());
        // Counted last: whoever waits for the number may cut it.
        shared.accepted.store(number + 1, Ordering::Release);
        // Ends with its connection, or with the runtime.
        tokio::spawn(connection(number, client, weather.clone(), Arc::clone(&shared), cut));
    }
}

async fn connection(
    number: usize,
    client: TcpStream,
    weather: watch::Receiver<Weather>,
    shared: Arc<Shared>,
    cut: CancellationToken,
) {
    let addr = weather.borrow().server;
    let record = |direction: Direction, bytes: &[u8]| {
        let mut recorded = shared.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.entry((direction, number)).or_default().extend_from_slice(bytes);
    };
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        server = TcpStream::connect(addr) => {
            if let Ok(server) = server {
                carry::between(client, server, &weather, &cut, record).await;
            }
        }
    }
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
}
