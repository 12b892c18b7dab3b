//! A client of the transport that a test drives by hand, to ask for what no honest peer asks for.

use std::{net::SocketAddr, time::Duration};

use moorline_proto::{ErrorCode, LibraryDigest, PeerError, Request, Response};
use moorline_transport::{CloseReason, Connection, Endpoint, Tuning};

/// A peer that shares nothing.
#[derive(Debug)]
pub struct Client {
    /// The connection; its futures are driven by [`run`](Self::run).
    pub connection: Connection,
    _endpoint: Endpoint,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// Joins the peer at `addr`, and shows from then on that it lives.
    ///
    /// # Panics
    /// When it is not admitted.
    #[must_use]
    pub fn join(addr: SocketAddr) -> Self {
        Self::join_with(addr, Tuning::default())
    }

    /// [`join`](Self::join), with windows of its own.
    ///
    /// # Panics
    /// When it is not admitted.
    #[must_use]
    pub fn join_with(addr: SocketAddr, tuning: Tuning) -> Self {
        let runtime = super::runtime();
        let (endpoint, connection) = runtime.block_on(super::join("client", addr, tuning));
        Self { connection, _endpoint: endpoint, runtime }
    }

    /// Leaves a future to itself until it ends, or the client goes.
    pub(super) fn leave(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    /// Drives a future to its end.
    ///
    /// # Panics
    /// When it has not ended after 30 seconds.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), future).await.expect("an answer within 30 seconds")
        })
    }
}

/// Says goodbye, so that nothing waits for a peer that a test is done with.
impl Drop for Client {
    fn drop(&mut self) {
        self.connection.close(&CloseReason::Goodbye("the test is over".to_owned()));
    }
}

/// Answers for a peer that shares nothing: who does not answer pings is taken for dead.
pub(super) async fn answer(connection: Connection) {
    while let Ok(incoming) = connection.accept().await {
        let Ok((request, mut responder)) = incoming.read().await else { continue };
        let response = match request {
            Request::Ping { nonce } => Response::Pong { nonce, digest: LibraryDigest::default() },
            _ => Response::Error(PeerError { code: ErrorCode::NotFound, message: "nothing is shared".to_owned() }),
        };
        if responder.respond(&response).await.is_ok() {
            responder.finish();
        }
    }
}
