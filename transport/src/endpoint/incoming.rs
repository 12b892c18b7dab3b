use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use moorline_sim_point::sim_point;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Endpoint;
use crate::connection::canonical;
use crate::quic::Link;
use crate::tls::peer_id_of;
use crate::{AdmitError, CloseReason, Connection, ConnectionEnd, hello};

/// A peer that knocks: nothing of it is proved yet, not even its address. Dropping it refuses it.
pub struct Incoming {
    endpoint: Endpoint,
    knock: quinn::Incoming,
    /// Counts against [`Limits::max_handshakes`](crate::Limits::max_handshakes) until the peer is admitted or gone.
    permit: OwnedSemaphorePermit,
}

/// Keeps the knock if there is room, and answers it at once if not.
pub(super) fn look_at(endpoint: &Endpoint, knock: quinn::Incoming) -> Option<Incoming> {
    let knocking = &endpoint.0.knocking;
    if endpoint.is_full() {
        tracing::debug!(from = %canonical(knock.remote_address()), "refused: too many connections");
        knock.refuse();
        return None;
    }
    let crowded = knocking.available_permits() * 2 < endpoint.0.shared.limits.max_handshakes;
    if crowded && !knock.remote_address_validated() && knock.may_retry() {
        // Someone may be knocking in other people's names. Costs an honest peer one round trip.
        let _ = knock.retry();
        return None;
    }
    match Arc::clone(knocking).try_acquire_owned() {
        Ok(permit) => Some(Incoming { endpoint: endpoint.clone(), knock, permit }),
        Err(_) => {
            tracing::debug!(from = %canonical(knock.remote_address()), "refused: too many handshakes");
            knock.refuse();
            None
        }
    }
}

impl Incoming {
    /// Where the packet came from. Anyone can write any address on a packet.
    pub fn remote_addr(&self) -> SocketAddr {
        canonical(self.knock.remote_address())
    }

    /// TLS handshake and hello exchange: the peer proves its key and, if asked for, the passphrase, and is admitted or told why not.
    ///
    /// Takes up to [`Limits::handshake_timeout`](crate::Limits::handshake_timeout): to be called in a task of its own, so that a slow
    /// peer does not hold up others. Dropping the future gives the peer up.
    ///
    /// # Errors
    /// [`AdmitError`]: why it was not admitted. The connection is closed then.
    pub async fn admit(self) -> Result<Connection, AdmitError> {
        let Self { endpoint, knock, permit: _permit } = self;
        let shared = &endpoint.0.shared;
        if endpoint.is_full() {
            knock.refuse();
            return Err(AdmitError::Overloaded);
        }
        let lost = |error: quinn::ConnectionError| AdmitError::Lost(ConnectionEnd::from_quinn(&error));
        let connecting = knock.accept().map_err(lost)?;
        let mut made = None;
        let admitted = timeout(shared.limits.handshake_timeout, async {
            let link = made.insert(Link::new(connecting.await.map_err(lost)?));
            let peer = peer_id_of(link.peer_identity())
                .ok_or_else(|| AdmitError::Protocol("it did not show a key".to_owned()))?;
            sim_point!(await "transport.admit");
            hello::admit(shared, link, peer).await
        });
        let admitted = admitted.await.unwrap_or(Err(AdmitError::TimedOut));
        match (made, admitted) {
            (Some(link), Ok(peer)) => Ok(Connection::new(link, peer, shared.clone(), false)),
            (Some(link), Err(error)) => {
                link.close(&close_reason(&error));
                Err(error)
            }
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(AdmitError::TimedOut),
        }
    }

    /// Turns the peer away: it sees that we are busy.
    pub fn refuse(self) {
        self.knock.refuse();
    }
}

fn close_reason(error: &AdmitError) -> CloseReason {
    match error {
        AdmitError::Refused { .. } => CloseReason::Unauthorized(String::new()),
        AdmitError::Protocol(problem) => CloseReason::Protocol(problem.clone()),
        AdmitError::Overloaded => CloseReason::Overloaded,
        AdmitError::TimedOut => CloseReason::Protocol("the introduction took too long".to_owned()),
        AdmitError::VersionMismatch { .. } => CloseReason::Protocol(error.to_string()),
        AdmitError::Lost(_) => CloseReason::Internal,
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("remote_addr", &self.remote_addr()).finish_non_exhaustive()
    }
}
