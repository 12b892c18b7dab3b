use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moorline_proto::PeerId;
use moorline_sim_point::sim_point;
use quinn::ConnectError as QuinnConnectError;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Endpoint, race};
use crate::quic::Link;
use crate::tls::{SERVER_NAME, peer_id_of};
use crate::{CloseReason, ConnectError, Connection, DialError, PeerInfo, hello};

/// When several addresses answer at once, they are introduced to one after another, so that a peer with many addresses does not admit us
/// many times. This long does one hold up the next.
const HEAD_START: Duration = Duration::from_millis(250);

pub(super) async fn connect(
    endpoint: &Endpoint,
    addrs: &[SocketAddr],
    expect: Option<PeerId>,
) -> Result<Connection, ConnectError> {
    if endpoint.is_closed() {
        return Err(ConnectError::Closed);
    }
    let mut unique: Vec<SocketAddr> = Vec::new();
    for addr in addrs {
        if unique.len() < endpoint.0.shared.limits.max_dial_addresses && !unique.contains(addr) {
            unique.push(*addr);
        }
    }
    if unique.is_empty() {
        return Err(ConnectError::NoAddress);
    }
    let turn = Semaphore::new(1);
    let calls = unique.iter().map(|addr| call(endpoint, *addr, expect, &turn)).collect();
    match race::first_ok(calls).await {
        Ok(connection) => Ok(connection),
        Err(_) if endpoint.is_closed() => Err(ConnectError::Closed),
        Err(errors) => Err(ConnectError::Failed(unique.into_iter().zip(errors).collect())),
    }
}

/// One address. Dropping the future closes what was begun.
async fn call(
    endpoint: &Endpoint,
    addr: SocketAddr,
    expect: Option<PeerId>,
    turn: &Semaphore,
) -> Result<Connection, DialError> {
    let shared = &endpoint.0.shared;
    let limit = shared.limits.handshake_timeout;
    let mut made = None;
    let called = timeout(limit, async {
        let (link, peer) = secure(endpoint, addr, expect).await?;
        sim_point!(await "transport.secured");
        introduce_in_turn(endpoint, made.insert(link), peer, turn).await
    });
    let called = called.await.unwrap_or(Err(DialError::TimedOut(limit)));
    match (made, called) {
        (Some(link), Ok(peer)) => Ok(Connection::new(link, peer, shared.clone(), true)),
        (made, called) => {
            let error = called.err().unwrap_or(DialError::TimedOut(limit));
            if let Some(link) = made {
                link.close(&close_reason(&error));
            }
            tracing::debug!(%addr, %error, "dial failed");
            Err(error)
        }
    }
}

/// Connects and proves both keys. The peer may be anyone, or the one that is expected.
pub(crate) async fn secure(
    endpoint: &Endpoint,
    addr: SocketAddr,
    expect: Option<PeerId>,
) -> Result<(Link, PeerId), DialError> {
    let shared = &endpoint.0.shared;
    let found = Arc::new(OnceLock::new());
    let tls = shared.tls.client(expect, found.clone()).map_err(|error| DialError::Local(error.to_string()))?;
    let config = shared.dialer.client_config(Arc::new(tls));
    let connecting = endpoint.0.quinn.connect_with(config, addr, SERVER_NAME).map_err(|error| match error {
        QuinnConnectError::InvalidRemoteAddress(_) => DialError::BadAddress,
        other => DialError::Local(other.to_string()),
    })?;
    let link = match connecting.await {
        Ok(connection) => Link::new(connection),
        Err(error) => {
            return Err(match (expect, found.get()) {
                (Some(expected), Some(found)) if expected != *found => DialError::WrongPeer { expected, found: *found },
                _ => hello::lost_dial(&error),
            });
        }
    };
    match peer_id_of(link.peer_identity()) {
        Some(peer) => Ok((link, peer)),
        None => Err(DialError::Protocol("it did not show a key".to_owned())),
    }
}

async fn introduce_in_turn(
    endpoint: &Endpoint,
    link: &Link,
    peer: PeerId,
    turn: &Semaphore,
) -> Result<PeerInfo, DialError> {
    // Held until this introduction has ended; without it (the other one is slow) we go on all the same.
    let _turn = timeout(HEAD_START, turn.acquire()).await;
    hello::introduce(&endpoint.0.shared, link, peer).await
}

fn close_reason(error: &DialError) -> CloseReason {
    match error {
        DialError::PassphraseWrong { .. } => CloseReason::Unauthorized("the passphrases are not the same".to_owned()),
        DialError::NotAllowed { .. } => CloseReason::Unauthorized("not on the list of allowed peers".to_owned()),
        DialError::TooManyAttempts { .. } => CloseReason::Unauthorized("too many failed proofs".to_owned()),
        DialError::Ourselves => CloseReason::Duplicate,
        DialError::Protocol(problem) => CloseReason::Protocol(problem.clone()),
        DialError::TimedOut(_) => CloseReason::Protocol("the introduction took too long".to_owned()),
        DialError::VersionMismatch { .. } => CloseReason::Protocol(error.to_string()),
        _ => CloseReason::Goodbye(String::new()),
    }
}
