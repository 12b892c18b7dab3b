use std::collections::BTreeMap;
use std::time::Duration;

/// What a [`Machine`](super::Machine) is to do. The [`Default`] is good for a room on the Internet; only `room` has to be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The room to join. Has to be the token's, where the server asks for tokens.
    pub room: String,
    /// How this client describes itself.
    pub info: ClientInfo,
    /// How long to wait for what.
    pub timers: Timers,
    /// How long to pause between attempts.
    pub backoff: Backoff,
    /// How much is queued, and how many calls are open.
    pub bounds: Bounds,
    /// Attempts in a row, of a first join or of a recovery, before the client closes with
    /// [`AttemptsExhausted`](crate::CloseReason::AttemptsExhausted). Default: as many as the deadline allows.
    pub max_attempts: Option<u32>,
    /// New sessions (rejoins and migrations) that are allowed within a time. Default: 10 within 120 s.
    pub rejoin_budget: (u32, Duration),
    /// Whether the overall deadline runs on while the network is known to be away. Default: yes.
    pub offline_counts: bool,
}

impl Config {
    /// The default configuration for a room of this name.
    #[must_use]
    pub fn new(room: impl Into<String>) -> Self {
        Self {
            room: room.into(),
            info: ClientInfo::default(),
            timers: Timers::default(),
            backoff: Backoff::default(),
            bounds: Bounds::default(),
            max_attempts: None,
            rejoin_budget: (10, Duration::from_secs(120)),
            offline_counts: true,
        }
    }
}

/// How a client describes itself to the room. A token's word wins over it.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// For people. At most [`MAX_TEXT`](crate::limits::MAX_TEXT) bytes.
    pub name: String,
    /// Who it is, where no token says so. Empty: the server makes one up.
    pub identity: String,
    /// Program and version, for the server's log.
    pub agent: String,
    /// Free text. At most [`MAX_METADATA`](crate::limits::MAX_METADATA) bytes.
    pub metadata: String,
    /// At most [`MAX_ATTRIBUTES`](crate::limits::MAX_ATTRIBUTES) bytes together.
    pub attributes: BTreeMap<String, String>,
}

/// How long a client waits for what. Those marked * give way to what the server says in `Welcome`.
#[derive(Clone, Debug)]
pub struct Timers {
    /// A token, or the address of a server, from the application. 5 s.
    pub credentials: Duration,
    /// A connection, up to the end of the WebSocket handshake. 5 s.
    pub dial: Duration,
    /// Welcome after Hello, and then each frame of the replay after the one before. 5 s.
    pub hello: Duration,
    /// A whole attempt. 10 s.
    pub attempt: Duration,
    /// Between two pings. 5 s *.
    pub heartbeat_interval: Duration,
    /// Silence after which a connection is lost. 12 s *.
    pub heartbeat_timeout: Duration,
    /// The same after a hint that something may be wrong, counted from the probe that it causes. 2 s.
    pub probe_timeout: Duration,
    /// How long after the last frame that came in a session can be resumed. 10 s *.
    pub fast_window: Duration,
    /// A migration. 7 s *.
    pub migrate: Duration,
    /// What is still to be sent, and the goodbye, after which the connection is cut. 1 s.
    pub leave: Duration,
    /// From a loss, or from the start, to giving up. 30 s; `None`: never.
    pub deadline: Option<Duration>,
    /// How long a connection has to last before earlier failures are forgotten. 10 s.
    pub stable: Duration,
    /// How long a send may be without acknowledgement before the connection is probed. 10 s.
    pub ack: Duration,
    /// How long an acknowledgement may wait for a frame to ride on. 200 ms.
    pub ack_delay: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            credentials: Duration::from_secs(5),
            dial: Duration::from_secs(5),
            hello: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(12),
            probe_timeout: Duration::from_secs(2),
            fast_window: Duration::from_secs(10),
            migrate: Duration::from_secs(7),
            leave: Duration::from_secs(1),
            deadline: Some(Duration::from_secs(30)),
            stable: Duration::from_secs(10),
            ack: Duration::from_secs(10),
            ack_delay: Duration::from_millis(200),
        }
    }
}

/// Pauses between attempts: before attempt n (from 0) a random time of up to `min(cap, base * 2^n)`, on top of what the server
/// asked to wait.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// 250 ms.
    pub fast_base: Duration,
    /// 5 s.
    pub fast_cap: Duration,
    /// 500 ms. First joins pause like rejoins.
    pub rejoin_base: Duration,
    /// 20 s.
    pub rejoin_cap: Duration,
    /// Up to this long before the first attempt after a loss, where the server never gave advice; and after a hint that the network is
    /// back. 250 ms.
    pub first: Duration,
    /// A hint cuts a pause short at most this often. 2 s.
    pub hint_interval: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            fast_base: Duration::from_millis(250),
            fast_cap: Duration::from_secs(5),
            rejoin_base: Duration::from_millis(500),
            rejoin_cap: Duration::from_secs(20),
            first: Duration::from_millis(250),
            hint_interval: Duration::from_secs(2),
        }
    }
}

/// How much a client holds.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Sends that are queued or not acknowledged yet. 1,024. What comes on top ends with [`Overflow`](crate::SendOutcome::Overflow).
    pub queue_messages: usize,
    /// Bytes of their payloads. 4 MiB.
    pub queue_bytes: usize,
    /// How long a send waits for a connection unless it says otherwise. 30 s.
    pub send_ttl: Duration,
    /// Calls without an answer. 256.
    pub calls: usize,
    /// Participants of the room that a server may tell of. 10,000. One more breaks the protocol: the connection is given up.
    pub participants: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            queue_messages: 1024,
            queue_bytes: 4 << 20,
            send_ttl: Duration::from_secs(30),
            calls: 256,
            participants: 10_000,
        }
    }
}
