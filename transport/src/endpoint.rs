pub(crate) mod dial;
mod incoming;
mod race;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moorline_proto::PeerId;
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::sync::Semaphore;

use crate::connection::canonical;
use crate::held_socket::{HeldSocket, NoSocket, SocketWatch};
use crate::quic;
use crate::shared::Shared;
use crate::socket::{self, SocketBuffers};
use crate::{BindError, CloseReason, ConnectError, Connection, EndpointConfig};

pub use incoming::Incoming;

/// Longer than a round trip on a local network, sleepy radio included, and the 25 ms for which an acknowledgement may be held back.
const SILENCE: Duration = Duration::from_millis(200);

/// One peer on one UDP socket: dials others and is dialled. Cheap to clone: clones are handles to the same endpoint.
///
/// quinn drives an endpoint and each connection with a task of its own on the runtime; these tasks end with the endpoint and its
/// connections. When the last handle of an endpoint is dropped, its connections live on until they are closed or dropped.
#[derive(Clone)]
pub struct Endpoint(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) quinn: quinn::Endpoint,
    pub(crate) shared: Arc<Shared>,
    local_addr: SocketAddr,
    buffers: Option<SocketBuffers>,
    socket: SocketWatch,
    /// One permit for each peer that knocked and is not admitted yet.
    knocking: Arc<Semaphore>,
    /// Set by the first close.
    closed: OnceLock<()>,
}

impl Endpoint {
    /// Starts an endpoint on a new socket. Port 0 takes any free port; `[::]` listens on IPv6 and IPv4, and on IPv4 alone where
    /// there is no IPv6.
    ///
    /// # Errors
    /// [`BindError`]: the address is not to be had, or the configuration contradicts itself.
    pub fn bind(config: EndpointConfig, addr: SocketAddr) -> Result<Self, BindError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(BindError::NoRuntime);
        }
        let failed = |source| BindError::Socket { addr, source };
        let (socket, buffers) = socket::bind(addr, config.tuning.socket_buffer_bytes).map_err(failed)?;
        let runtime = Arc::new(TokioRuntime);
        let socket = runtime.wrap_udp_socket(socket).map_err(failed)?;
        Self::start(config, socket, runtime, Some(buffers))
    }

    /// Starts an endpoint on any socket and any runtime, for example simulated ones. Deadlines of this crate follow tokio's clock.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_socket(
        config: EndpointConfig,
        socket: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
    ) -> Result<Self, BindError> {
        Self::start(config, socket, runtime, None)
    }

    fn start(
        config: EndpointConfig,
        socket: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        buffers: Option<SocketBuffers>,
    ) -> Result<Self, BindError> {
        let unbound = SocketAddr::from(([0, 0, 0, 0], 0));
        let failed = |source| BindError::Socket { addr: unbound, source };
        let local_addr = socket.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(config)?);
        let config = &shared.config;
        let endpoint = quic::endpoint_config(config).map_err(BindError::Config)?;
        let server = quic::server_config(config, Arc::new(shared.tls.server()?), &shared.last_words)
            .map_err(BindError::Config)?;
        let failed = |source| BindError::Socket { addr: local_addr, source };
        let (socket, watch) = HeldSocket::new(socket);
        let quinn =
            quinn::Endpoint::new_with_abstract_socket(endpoint, Some(server), socket, runtime).map_err(failed)?;
        tracing::debug!(peer = %shared.peer_id, %local_addr, "endpoint started");
        let knocking = Arc::new(Semaphore::new(shared.limits.max_handshakes));
        Ok(Self(Arc::new(Inner {
            quinn,
            shared,
            local_addr,
            buffers,
            socket: watch,
            knocking,
            closed: OnceLock::new(),
        })))
    }

    /// Where this endpoint listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr
    }

    /// What the system granted of the socket buffers; `None` for a socket that was handed in.
    pub fn socket_buffers(&self) -> Option<SocketBuffers> {
        self.0.buffers
    }

    /// Who we are.
    pub fn peer_id(&self) -> PeerId {
        self.0.shared.peer_id
    }

    /// Waits until the socket is let go, so that its port is free again: after [`release`](Self::release), or once every handle of this
    /// endpoint and all its connections are gone. The future holds no handle itself. Cancel-safe.
    pub fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.socket.released()
    }

    /// Lets go of the socket of a closed endpoint although quinn keeps closed connections for a while (RFC 9000, section 10.2): what they
    /// still say goes nowhere. Their tasks end by themselves, after three probe timeouts. Does nothing to an endpoint that is not closed.
    pub fn release(&self) {
        if !self.is_closed() {
            return;
        }
        // quinn keeps the socket before the present one as well, until the present one has heard something.
        for _ in 0..2 {
            if let Err(error) = self.0.quinn.rebind_abstract(Arc::new(NoSocket(self.0.local_addr))) {
                tracing::debug!(%error, "the socket could not be released before its time");
            }
        }
    }

    /// Connections at this moment, in both directions, those that are starting or closing included.
    pub fn open_connections(&self) -> usize {
        self.0.quinn.open_connections()
    }

    /// Dials all `addrs` in parallel; the first that leads to an admitted connection wins, the others are given up.
    ///
    /// Only a peer with the key `expect` will do, if given; otherwise whoever is there and admits us. Cancel-safe in that dropping the
    /// future gives up all attempts and leaves nothing behind.
    ///
    /// # Errors
    /// [`ConnectError::Failed`] with a reason for each address, at the latest after
    /// [`Limits::handshake_timeout`](crate::Limits::handshake_timeout); at once for no address or a closed endpoint.
    pub async fn connect(&self, addrs: &[SocketAddr], expect: Option<PeerId>) -> Result<Connection, ConnectError> {
        dial::connect(self, addrs, expect).await
    }

    /// The next peer that knocks. Somebody has to call this all the time, or peers are refused. `None`: the endpoint is closed, or its
    /// socket failed ([`is_closed`](Self::is_closed) tells). Cancel-safe.
    ///
    /// Peers over the limits ([`Limits::max_connections`](crate::Limits::max_connections),
    /// [`Limits::max_handshakes`](crate::Limits::max_handshakes)) are refused here and not reported.
    pub async fn accept(&self) -> Option<Incoming> {
        loop {
            let knock = self.0.quinn.accept().await?;
            if let Some(incoming) = incoming::look_at(self, knock) {
                return Some(incoming);
            }
        }
    }

    /// Closes all connections and tells the peers why; dials and knocks fail from now on. The first call counts.
    ///
    /// Returns at once: [`wait_idle`](Self::wait_idle) waits until the peers have been told.
    pub fn close(&self, reason: &CloseReason) {
        if self.0.closed.set(()).is_ok() {
            let (code, words) = reason.to_wire();
            self.0.shared.last_words.allow_for_all();
            self.0.quinn.close(code, &words);
        }
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.0.closed.get().is_some()
    }

    /// Waits, at most for `limit`, until all closed connections have told their peers so. Whether that was reached. Cancel-safe.
    ///
    /// On a closed endpoint, silence in both directions ends the wait as well: a peer that has heard of the end sends at most one packet
    /// more (RFC 9000, section 10.2.2), and one that has not is told again when it sends something.
    pub async fn wait_idle(&self, limit: Duration) -> bool {
        let told = async {
            tokio::select! {
                biased;
                () = self.0.quinn.wait_idle() => {}
                () = self.0.socket.silence(SILENCE), if self.is_closed() => {}
            }
        };
        tokio::time::timeout(limit, told).await.is_ok()
    }

    fn is_full(&self) -> bool {
        self.open_connections() >= self.0.shared.limits.max_connections
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("peer", &self.0.shared.peer_id)
            .field("local_addr", &canonical(self.0.local_addr))
            .finish_non_exhaustive()
    }
}
