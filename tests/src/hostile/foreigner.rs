//! A peer that is honest and speaks other versions of the protocol.

use std::{net::SocketAddr, time::Duration};

use moorline_proto::VersionRange;
use moorline_transport::{ConnectError, Connection, Endpoint, EndpointConfig, Identity, OsEntropy};

/// A peer of these versions alone. Gone when dropped.
#[derive(Debug)]
pub struct Foreigner {
    /// Where it listens.
    pub addr: SocketAddr,
    endpoint: Endpoint,
    // Dropped last: it carries everything else.
    runtime: tokio::runtime::Runtime,
}

impl Foreigner {
    /// Starts it: whoever speaks one of its versions is let in.
    ///
    /// # Panics
    /// When it cannot start.
    #[must_use]
    pub fn start(versions: VersionRange) -> Self {
        let runtime = super::runtime();
        let endpoint = runtime.block_on(async {
            let mut config = EndpointConfig::new(Identity::generate(&OsEntropy));
            "foreigner".clone_into(&mut config.name);
            config.serves = true;
            config.versions = versions;
            Endpoint::bind(config, SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback socket")
        });
        runtime.spawn(accept(endpoint.clone()));
        Self { addr: endpoint.local_addr(), endpoint, runtime }
    }

    /// Calls the peer at `addr`.
    ///
    /// # Errors
    /// What the transport says.
    ///
    /// # Panics
    /// When there is neither a connection nor an error after 30 seconds.
    pub fn call(&self, addr: SocketAddr) -> Result<Connection, ConnectError> {
        self.runtime.block_on(async {
            let called = async { self.endpoint.connect(&[addr], None).await };
            tokio::time::timeout(Duration::from_secs(30), called).await.expect("an answer within 30 seconds")
        })
    }
}

async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            // A refusal is what the tests are about: the other side is told.
            if let Ok(connection) = incoming.admit().await {
                connection.closed().await;
            }
        });
    }
}
