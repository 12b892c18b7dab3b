use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use moorline_discovery::Discovery;
use moorline_transport::EndpointConfig;

use crate::library::LibraryConfig;
use crate::supervisor::{Backoff, BlockingPool, TokioPool};
use crate::transfer::{Disk, SystemDisk};

/// Everything that a [`Node`](super::Node) is made of. Sockets, discovery, randomness, the clock of TLS and the crypto provider are
/// all handed in here or through [`EndpointConfig`]; a node reaches for nothing globally.
pub struct NodeConfig {
    /// Identity, name, access and tuning of the QUIC endpoint. `digest` and `serves` are set by the node.
    pub endpoint: EndpointConfig,
    /// The UDP socket to run over.
    pub socket: SocketSource,
    /// What to share; `None` for a node that only fetches. Such a node is not announced.
    pub library: Option<LibraryConfig>,
    /// Who is on this network.
    pub discovery: Arc<dyn Discovery>,
    /// Addresses that are dialled whether or not discovery reports them.
    pub peers: Vec<SocketAddr>,
    /// How connections are watched.
    pub liveness: LivenessConfig,
    /// How peers are dialled.
    pub dial: DialConfig,
    /// Bounds of queues, maps and waits.
    pub limits: NodeLimits,
    /// How long a service with the policy "restart" waits before it runs again.
    pub restart: Backoff,
    /// Where files are read, hashed and written. Default: the blocking threads of the tokio runtime.
    pub blocking: Arc<dyn BlockingPool>,
    /// Asked how much room there is before something is fetched. Default: the operating system.
    pub disk: Arc<dyn Disk>,
    /// Time for goodbyes and for tasks to end, from the request to stop until [`NodeEvent::Stopped`](super::NodeEvent::Stopped).
    pub shutdown_deadline: Duration,
}

impl NodeConfig {
    /// A node that shares nothing, on an ephemeral port of every address, with the default limits.
    #[must_use]
    pub fn new(endpoint: EndpointConfig, discovery: Arc<dyn Discovery>) -> Self {
        Self {
            endpoint,
            socket: SocketSource::Bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
            library: None,
            discovery,
            peers: Vec::new(),
            liveness: LivenessConfig::default(),
            dial: DialConfig::default(),
            limits: NodeLimits::default(),
            restart: Backoff::fixed(Duration::from_secs(5)),
            blocking: Arc::new(TokioPool),
            disk: Arc::new(SystemDisk),
            shutdown_deadline: Duration::from_secs(2),
        }
    }
}

/// Where the UDP socket of a node comes from.
pub enum SocketSource {
    /// Bind this address. `[::]:0` serves IPv4 as well and falls back to IPv4 alone where IPv6 is switched off.
    Bind(SocketAddr),
    /// Use this socket and this runtime, for instance those of a simulated network.
    Given {
        /// The socket.
        socket: Arc<dyn quinn::AsyncUdpSocket>,
        /// Timers and tasks for quinn.
        runtime: Arc<dyn quinn::Runtime>,
    },
}

/// How connections are watched. A connection is closed after `misses` pings in a row without an answer: with the defaults a peer
/// whose machine vanished is noticed within 10 seconds.
#[derive(Clone, Debug)]
pub struct LivenessConfig {
    /// Time from one round of pings to the next.
    pub interval: Duration,
    /// How long a ping may take. Generous, because a ping waits behind bulk data.
    pub deadline: Duration,
    /// Unanswered pings in a row that end a connection.
    pub misses: u32,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), deadline: Duration::from_secs(3), misses: 2 }
    }
}

/// How peers are dialled: all addresses of a peer at once, then again after a growing pause for as long as the peer is known.
#[derive(Clone, Debug)]
pub struct DialConfig {
    /// How long one attempt over all addresses may take, hello included.
    pub deadline: Duration,
    /// First pause after a failed attempt.
    pub retry_initial: Duration,
    /// Longest pause.
    pub retry_ceiling: Duration,
    /// How long a connection has to stand for the pauses to begin anew. A peer that admits us and leaves at once is dialled ever less.
    pub steady: Duration,
    /// Head start that the peer with the smaller id has when both sides find each other, so that one connection is made and not two.
    pub head_start: Duration,
    /// Pause after the peer refused us for good (passphrase, allow list, version).
    pub refused_pause: Duration,
    /// Pause after too many failed proofs of a passphrase.
    pub attempts_pause: Duration,
    /// How long a peer that sent bad content is neither dialled nor fetched from.
    pub condemned_for: Duration,
}

impl Default for DialConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(6),
            retry_initial: Duration::from_millis(250),
            retry_ceiling: Duration::from_secs(5),
            steady: Duration::from_secs(10),
            head_start: Duration::from_millis(400),
            refused_pause: Duration::from_secs(300),
            attempts_pause: Duration::from_secs(30),
            condemned_for: Duration::from_secs(600),
        }
    }
}

/// Bounds of a node.
#[derive(Clone, Debug)]
pub struct NodeLimits {
    /// Commands that wait to be carried out.
    pub commands: usize,
    /// Events that a slow consumer may fall behind before it is told how many it missed.
    pub events: usize,
    /// Known addresses of peers: discovered and given ones together.
    pub targets: usize,
    /// Connections kept to one peer; the oldest is closed when another comes.
    pub connections_per_peer: usize,
    /// Items taken over from one peer's library; the rest is not seen.
    pub items_per_peer: usize,
    /// Memory for the listings of all peers together, in bytes, beyond the 64 KiB that every connection has for its own. Items for
    /// which there is no room are not seen, until their peer lists anew or connects anew.
    pub listing_bytes: usize,
    /// Chunk requests served at once over all peers; each holds at most two chunks of 1 MiB in memory. Others wait their turn.
    pub uploads: usize,
    /// The same for one peer, so that a peer that asks and does not read keeps nobody else waiting.
    pub uploads_per_peer: usize,
    /// Downloads at once.
    pub downloads: usize,
    /// Rooms at once.
    pub rooms: usize,
    /// How long a peer may take over one page of its listing.
    pub listing_deadline: Duration,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            commands: 64,
            events: 1024,
            targets: 1024,
            connections_per_peer: 3,
            items_per_peer: 4096,
            listing_bytes: 32 << 20,
            uploads: 24,
            uploads_per_peer: 3,
            downloads: 64,
            rooms: 16,
            listing_deadline: Duration::from_secs(10),
        }
    }
}
