use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{LibraryDigest, PeerId, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::quic::Link;
use crate::shared::Shared;
use crate::{CloseReason, ConnectionEnd, Exchange, IncomingRequest, RequestError};

/// A connection between two peers that have admitted each other. Cheap to clone: clones are handles to the same connection.
///
/// When the last handle, [`Exchange`] and [`Responder`](crate::Responder) of it is dropped, it is closed without a word, and the
/// peer sees [`CloseCode::Dropped`](crate::CloseCode::Dropped). Programs that mean well call [`close`](Self::close).
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    peer: PeerInfo,
    shared: Arc<Shared>,
    initiated: bool,
    /// One permit for each bulk answer that may be on its way to us.
    bulk: Arc<Semaphore>,
}

/// The right to have one bulk answer on its way: see [`Connection::bulk_turn`].
#[derive(Debug)]
pub struct BulkTurn {
    _permit: Option<OwnedSemaphorePermit>,
}

/// What a peer proved and told of itself. Texts are fit for terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its public key: proved.
    pub id: PeerId,
    /// What it calls itself: at most 255 bytes, may be empty, and need not be true or unique.
    pub name: String,
    /// Which program it runs: at most 128 bytes.
    pub agent: String,
    /// Whether it shares something or wants to be listed.
    pub serves: bool,
    /// The protocol version in use on this connection.
    pub version: u32,
    /// Its optional abilities.
    pub capabilities: Vec<String>,
    /// What its library looked like on admission. Only known to the side that dialled.
    pub digest: Option<LibraryDigest>,
}

/// How the way to a peer looks at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathInfo {
    /// Smoothed round trip time.
    pub rtt: Duration,
    /// Largest UDP payload that gets through, in bytes, as far as is known.
    pub mtu: u16,
    /// Packets of ours that were lost since the start.
    pub lost_packets: u64,
    /// Packets of ours since the start.
    pub sent_packets: u64,
    /// Congestion window, in bytes.
    pub congestion_window: u64,
}

impl Connection {
    pub(crate) fn new(link: Link, peer: PeerInfo, shared: Arc<Shared>, initiated: bool) -> Self {
        let bulk = Arc::new(Semaphore::new(shared.config.tuning.bulk_answers()));
        Self(Arc::new(Inner { link: Arc::new(link), peer, shared, initiated, bulk }))
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerInfo {
        &self.0.peer
    }

    /// Where the peer is now. It may move; IPv4 addresses are shown as such, also on a dual-stack socket.
    pub fn remote_addr(&self) -> SocketAddr {
        canonical(self.0.link.remote_address())
    }

    /// Smoothed round trip time.
    pub fn rtt(&self) -> Duration {
        self.0.link.rtt()
    }

    /// How the way to the peer looks at the moment.
    pub fn path(&self) -> PathInfo {
        let path = self.0.link.stats().path;
        PathInfo {
            rtt: path.rtt,
            mtu: path.current_mtu,
            lost_packets: path.lost_packets,
            sent_packets: path.sent_packets,
            congestion_window: path.cwnd,
        }
    }

    /// Whether this side dialled.
    pub fn initiated_by_us(&self) -> bool {
        self.0.initiated
    }

    /// Sends a request on a stream of its own. Waits while [`Limits::max_streams_per_connection`](crate::Limits) of ours are
    /// open at the peer.
    ///
    /// Dropping the future withdraws the request.
    ///
    /// # Errors
    /// [`RequestError::ConnectionLost`]; [`RequestError::TimedOut`] if no stream becomes free within
    /// [`Limits::request_timeout`](crate::Limits::request_timeout).
    pub async fn request(&self, request: &Request) -> Result<Exchange, RequestError> {
        Exchange::start(&self.0.link, &self.0.shared.limits, request).await
    }

    /// Waits for the right to ask for one more answer with bulk bytes, to be held until that answer was read or given up.
    ///
    /// Bytes that came and are not read yet fill the window of the whole connection. With more such answers than
    /// [`Tuning::bulk_answers`](crate::Tuning::bulk_answers), those that nobody reads yet could leave no room for the one that somebody
    /// reads, and all would stand still. Has no deadline: what it waits for is this side's own reading. Cancel-safe, first come, first served.
    pub async fn bulk_turn(&self) -> BulkTurn {
        // Never closed, so there is always a permit in the end.
        BulkTurn { _permit: Arc::clone(&self.0.bulk).acquire_owned().await.ok() }
    }

    /// The next request of the peer. Somebody has to call this all the time, or the peer's requests wait. Cancel-safe.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn accept(&self) -> Result<IncomingRequest, ConnectionEnd> {
        match self.0.link.accept_bi().await {
            Ok((send, recv)) => Ok(IncomingRequest::new(send, recv, self.0.shared.limits.clone(), self.0.link.clone())),
            Err(error) => Err(ConnectionEnd::from_quinn(&error)),
        }
    }

    /// Closes the connection and tells the peer why. All exchanges on it end; what was not delivered yet is lost. The first reason
    /// counts; closing a closed connection does nothing.
    ///
    /// Returns at once: [`Endpoint::wait_idle`](crate::Endpoint::wait_idle) waits until the peer has been told.
    pub fn close(&self, reason: &CloseReason) {
        self.0.link.close(reason);
    }

    /// Waits for the end of the connection. Cancel-safe.
    pub async fn closed(&self) -> ConnectionEnd {
        ConnectionEnd::from_quinn(&self.0.link.closed().await)
    }

    /// How the connection ended; `None` while it lives.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.0.link.end()
    }

    #[cfg(test)]
    pub(crate) fn quinn(&self) -> &quinn::Connection {
        &self.0.link
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.0.peer.id)
            .field("remote_addr", &self.remote_addr())
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

/// IPv4 addresses in their own form, not mapped into IPv6.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip if ip.is_ipv4() => SocketAddr::new(ip, addr.port()),
        // Keeps the scope of link-local addresses.
        _ => addr,
    }
}
