use std::net::SocketAddr;
use std::sync::Arc;

use moorline_proto::{ItemId, PeerId};
use moorline_transport::SocketBuffers;
use tokio::sync::watch;

use crate::library::{Library, ShareRoot};
use crate::supervisor::{Supervisor, TaskTree};

use super::bus::NodeEvents;
use super::commands::{CommandError, CommandSender};
use super::context::Context;
use super::downloads::{DownloadHandle, DownloadRequest};
use super::event::{Offer, PeerView, StopReason};
use super::neighbours::Neighbours;
use super::thumbnail::{self, ThumbnailError, ThumbnailImage};

/// A running node.
///
/// Call [`shutdown`](Self::shutdown) and then [`wait_stopped`](Self::wait_stopped). A handle that is dropped without that takes its
/// command sender with it; when no clone of [`commands`](Self::commands) is left, the node fails with
/// [`RuntimeFailed`](super::RuntimeFailed), says goodbye and stops.
pub struct NodeHandle {
    pub(super) context: Arc<Context>,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) neighbours: Neighbours,
    pub(super) commands: CommandSender,
    pub(super) stopped: watch::Receiver<Option<StopReason>>,
    /// From before the first service ran, so that nothing is missed.
    pub(super) events: Option<NodeEvents>,
}

impl NodeHandle {
    /// This node's id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.context.own_id
    }

    /// Where it listens; port 0 of the configuration is resolved.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.context.local_addr
    }

    /// The socket buffers that the system granted; `None` for a socket that was handed in.
    #[must_use]
    pub fn socket_buffers(&self) -> Option<SocketBuffers> {
        self.context.socket_buffers
    }

    /// Events. The first call returns those since the start, further ones those from now on.
    pub fn events(&mut self) -> NodeEvents {
        self.events.take().unwrap_or_else(|| self.context.bus.subscribe())
    }

    /// A sender of commands, to be kept apart from this handle.
    #[must_use]
    pub fn commands(&self) -> CommandSender {
        self.commands.clone()
    }

    /// For rooms.
    pub(crate) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// The connected peers.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        self.context.peers.views()
    }

    /// What the connected peers offer.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        self.context.peers.offers()
    }

    /// The picture of an item, from a peer that lists one: at most 10 seconds a peer with the default limits. Cancel-safe.
    pub async fn thumbnail(&self, item: ItemId) -> Result<ThumbnailImage, ThumbnailError> {
        thumbnail::fetch(&self.context, item).await
    }

    /// What this node shares.
    #[must_use]
    pub fn library(&self) -> Option<&Library> {
        self.context.library.as_ref()
    }

    /// How many downloads are in progress.
    #[must_use]
    pub fn active_downloads(&self) -> usize {
        self.context.downloads.len()
    }

    /// Starts a download; see [`CommandSender::download`].
    pub async fn download(&self, request: DownloadRequest) -> Result<DownloadHandle, CommandError> {
        self.commands.download(request).await
    }

    /// Dials an address; see [`CommandSender::add_peer`].
    pub async fn add_peer(&self, addr: SocketAddr) -> Result<(), CommandError> {
        self.commands.add_peer(addr).await
    }

    /// Shares one more file or folder; see [`CommandSender::share`].
    pub async fn share(&self, root: ShareRoot) -> Result<(), CommandError> {
        self.commands.share(root).await
    }

    /// The services and tasks as they are now; prints as a tree.
    #[must_use]
    pub fn services(&self) -> TaskTree {
        self.supervisor.snapshot()
    }

    /// How many tasks of this node are alive; 0 once it has stopped in good order.
    #[must_use]
    pub fn alive_tasks(&self) -> usize {
        self.supervisor.root().alive()
    }

    /// Asks the node to stop: goodbyes go out, downloads keep what they have. Returns at once; call it as often as you like.
    pub fn shutdown(&self) {
        self.supervisor.shutdown();
    }

    /// Waits until the node has stopped, at the latest the shutdown deadline after it was asked to. Cancel-safe.
    pub async fn wait_stopped(&self) -> StopReason {
        let mut stopped = self.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(StopReason::Shutdown { stragglers: Vec::new() }),
            // The conductor only goes away early together with the whole tokio runtime.
            Err(_) => StopReason::Shutdown { stragglers: vec!["the tokio runtime ended first".into()] },
        }
    }
}
