use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Limits;
use super::token::Secret;

/// Tells the time of day. Only the expiry of access tokens is measured by it.
pub type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How a server behaves. The default is a server without access tokens and with a seed of its own.
#[derive(Clone)]
pub struct ServerConfig {
    /// The name of this process among its peers. Empty: one is made from the seed. A process that starts anew is another node.
    pub node_id: String,
    /// Access tokens are checked with it. `None`: whoever reaches the server is let in, under the identity that it claims.
    pub secret: Option<Secret>,
    /// The origins (`https://example.org`) whose pages may connect; `*`: any. A browser says in whose name it connects, programs do not
    /// and are let in. Empty: any if there is a secret, none otherwise. A page can reach what its visitor reaches, so that without tokens
    /// any site could join the rooms of a server on 127.0.0.1.
    pub allowed_origins: Vec<String>,
    /// All ids and the key of resume tokens come from it. Two processes, and two lives of one, must not share it.
    pub seed: [u8; 32],
    /// The time of day.
    pub wall_clock: WallClock,
    /// Arrivals a second, beyond which clients are asked to come later. At least 1.
    pub accept_rate: u32,
    /// For the HTTP request, and again for each Hello.
    pub handshake_timeout: Duration,
    /// How often a client is to be heard.
    pub heartbeat_interval: Duration,
    /// Silence after which a connection is taken for lost.
    pub heartbeat_timeout: Duration,
    /// How long a session is kept after its connection was lost.
    pub resume_window: Duration,
    /// How long a socket may refuse to take what is written.
    pub write_timeout: Duration,
    /// How long the other side may take to say goodbye after it was told to.
    pub close_timeout: Duration,
    /// How long an acknowledgement waits for something to ride on.
    pub ack_delay: Duration,
    /// Frames after which it waits no longer.
    pub ack_every: u32,
    /// How long clients are told a migration may take.
    pub migrate_timeout: Duration,
    /// Bounds.
    pub limits: Limits,
}

impl Default for ServerConfig {
    /// # Panics
    /// If the operating system has no randomness to give.
    fn default() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system provides randomness");
        Self::with_seed(seed)
    }
}

impl ServerConfig {
    /// The default with a seed that is handed in: the operating system is asked for nothing.
    #[must_use]
    pub fn with_seed(seed: [u8; 32]) -> Self {
        Self {
            node_id: String::new(),
            secret: None,
            allowed_origins: Vec::new(),
            seed,
            wall_clock: Arc::new(SystemTime::now),
            accept_rate: 1_000,
            handshake_timeout: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(12),
            resume_window: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(1),
            ack_delay: Duration::from_millis(200),
            ack_every: 32,
            migrate_timeout: Duration::from_secs(7),
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for ServerConfig {
    /// Without the secret and the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("node_id", &self.node_id)
            .field("open", &self.secret.is_none())
            .field("accept_rate", &self.accept_rate)
            .field("resume_window", &self.resume_window)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
