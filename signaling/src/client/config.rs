use std::fmt;
use std::sync::Arc;

use crate::machine;

use super::connector::{Connector, TcpConnector};
use super::credentials::{CredentialsSource, FixedToken, Server, SourceError, TokenSource};
use super::suspend::{self, SuspendClock};

/// What a [`Client`](super::Client) connects to, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The room, and how the client behaves.
    pub machine: machine::Config,
    /// Where servers of the room are, the first choice first. Not used if there are `credentials`.
    pub servers: Vec<Server>,
    /// Chooses a server in place of `servers`.
    pub credentials: Option<Arc<dyn CredentialsSource>>,
    /// Where tokens come from. Default: an empty one, for servers that ask for none.
    pub token: Arc<dyn TokenSource>,
    /// Opens the connections below WebSocket and TLS. Default: TCP.
    pub connector: Arc<dyn Connector>,
    /// What all ids and all jitter come from. `None`: from the operating system. The same seed must not be used twice on one server.
    pub seed: Option<[u8; 32]>,
    /// Events that wait for the application before nothing more is read. At least 1; default: 1,024. While a connection is being made
    /// good again up to twice as many, or a slow application could never come back.
    pub event_queue: usize,
    /// The same in bytes of what they carry. Default: 16 MiB.
    pub event_queue_bytes: usize,
    /// Tells how long the computer has slept since it was started. `None`: a suspend is not noticed before a heartbeat is missed.
    /// Default: the clocks of Linux; `None` elsewhere.
    pub suspend_clock: Option<SuspendClock>,
    /// For `wss://`. `None`: certificates are checked against the roots that the features `tls-webpki-roots` and `tls-native-roots`
    /// bring.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl ClientConfig {
    /// The default configuration for a room of this name on the server at `url` (`ws://host:port/path` or `wss://...`).
    #[must_use]
    pub fn new(url: impl Into<String>, room: impl Into<String>) -> Self {
        Self {
            machine: machine::Config::new(room),
            servers: vec![Server::at(url)],
            credentials: None,
            token: Arc::new(FixedToken::default()),
            connector: Arc::new(TcpConnector),
            seed: None,
            event_queue: 1024,
            event_queue_bytes: 16 << 20,
            suspend_clock: suspend::system_clock(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Adds a server to move to when another one fails.
    #[must_use]
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.servers.push(Server::at(url));
        self
    }

    /// Presents this token, for as long as the server takes it.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Arc::new(FixedToken::new(token));
        self
    }

    /// Gets tokens from this function of `force`: see [`TokenSource`].
    #[must_use]
    pub fn token_fn<F, T>(self, source: F) -> Self
    where
        F: Fn(bool) -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, SourceError>> + Send + 'static,
    {
        self.token_source(source)
    }

    /// Gets tokens from here.
    #[must_use]
    pub fn token_source(mut self, source: impl TokenSource) -> Self {
        self.token = Arc::new(source);
        self
    }

    /// Gets servers from here.
    #[must_use]
    pub fn credentials_source(mut self, source: impl CredentialsSource) -> Self {
        self.credentials = Some(Arc::new(source));
        self
    }
}

impl fmt::Debug for ClientConfig {
    /// Without what may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("machine", &self.machine)
            .field("servers", &self.servers)
            .field("event_queue", &self.event_queue)
            .field("event_queue_bytes", &self.event_queue_bytes)
            .finish_non_exhaustive()
    }
}

/// A configuration that no client can be made from: the caller's mistake, or its system's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no server, and nothing to choose one.
    #[error("no server is configured")]
    NoServer,
    /// This is no address of a server.
    #[error("{url}: {reason}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// For people.
        reason: String,
    },
    /// This is longer than the protocol allows, in bytes.
    #[error("{what} is {len} bytes long, and the limit is {max}")]
    TooLong {
        /// For people.
        what: &'static str,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The queue of events has no place for an event.
    #[error("the queue of events must hold one at least")]
    NoEventQueue,
    /// The operating system has no randomness to give.
    #[error("no random numbers: {0}")]
    Randomness(String),
    /// The certificate roots could not be had.
    #[error("TLS: {0}")]
    Tls(String),
}
