//! The two nodes of the demonstration.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_runtime::discovery::memory::Network;
use moorline_runtime::library::{LibraryConfig, ShareRoot};
use moorline_runtime::node::{Node, NodeConfig, NodeEvents, NodeHandle, SocketSource, StopReason};
use moorline_runtime::transport::{EndpointConfig, Identity, OsEntropy};

use super::slow_link::SlowLink;
use crate::exit::{Code, Failure, Result};

/// How long a node may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Bytes a second that the sharing node may send: slow enough to be watched and cut, fast enough not to bore.
const LINK_RATE: u64 = 20 << 20;

/// A node, and what is needed to start it once more.
pub(super) struct Peer {
    pub(super) node: NodeHandle,
    pub(super) events: NodeEvents,
    setup: Setup,
}

struct Setup {
    network: Network,
    name: &'static str,
    identity: Identity,
    share: Option<Share>,
}

struct Share {
    folder: PathBuf,
    cache: PathBuf,
}

impl Peer {
    /// A node that shares every child of a folder, over a slow link.
    pub(super) async fn sharing(network: &Network, name: &'static str, folder: &Path, cache: &Path) -> Result<Self> {
        let share = Share { folder: folder.to_owned(), cache: cache.to_owned() };
        Self::start(
            Setup { network: network.clone(), name, identity: Identity::generate(&OsEntropy), share: Some(share) },
            0,
        )
        .await
    }

    /// A node that only looks and fetches.
    pub(super) async fn looking(network: &Network, name: &'static str) -> Result<Self> {
        Self::start(Setup { network: network.clone(), name, identity: Identity::generate(&OsEntropy), share: None }, 0)
            .await
    }

    /// Says goodbye and waits until nothing of the node is left.
    pub(super) async fn stop(self) -> Result<Stopped> {
        let port = self.node.local_addr().port();
        self.node.shutdown();
        match tokio::time::timeout(STOP_DEADLINE, self.node.wait_stopped()).await {
            Ok(StopReason::Shutdown { stragglers }) if stragglers.is_empty() => Ok(Stopped { setup: self.setup, port }),
            Ok(reason) => {
                Err(Failure::new(Code::Failure, format!("{} did not stop cleanly: {reason}", self.setup.name)))
            }
            Err(_) => Err(Failure::new(Code::Failure, format!("{} did not stop in time", self.setup.name))),
        }
    }

    async fn start(setup: Setup, port: u16) -> Result<Self> {
        let mut endpoint = EndpointConfig::new(setup.identity.clone());
        setup.name.clone_into(&mut endpoint.name);
        let member = setup.network.join(setup.name, vec![Ipv4Addr::LOCALHOST.into()]);
        let mut config = NodeConfig::new(endpoint, Arc::new(member));
        config.shutdown_deadline = STOP_DEADLINE;
        config.socket = match &setup.share {
            Some(_) => slow_socket(port)?,
            None => SocketSource::Bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        };
        config.library = setup.share.as_ref().map(|share| LibraryConfig {
            roots: vec![ShareRoot::Children(share.folder.clone())],
            ..LibraryConfig::new(&share.cache, crate::session::random_bytes())
        });
        let mut node = Node::start(config).await.map_err(|error| {
            Failure::new(Code::Failure, format!("cannot start the node of {}: {error}", setup.name))
        })?;
        let events = node.events();
        Ok(Self { node, events, setup })
    }
}

/// A node that was stopped. Its socket is closed.
pub(super) struct Stopped {
    setup: Setup,
    port: u16,
}

impl Stopped {
    /// Starts it again: the same identity, the same address if that is still free.
    pub(super) async fn come_back(self) -> Result<Peer> {
        Peer::start(self.setup, self.port).await
    }
}

/// A socket on the loopback interface that sends at a limited rate; on another port if the wanted one was taken meanwhile.
fn slow_socket(port: u16) -> Result<SocketSource> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::Unreachable, format!("cannot open a UDP socket on the loopback interface: {error}"))
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))
        .or_else(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .map_err(failed)?;
    let runtime: Arc<dyn quinn::Runtime> = Arc::new(quinn::TokioRuntime);
    let socket = runtime.wrap_udp_socket(socket).map_err(failed)?;
    Ok(SocketSource::Given { socket: Arc::new(SlowLink::new(socket, LINK_RATE)), runtime })
}
