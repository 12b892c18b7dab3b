use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use moorline_proto::PeerId;
use moorline_transport::{Endpoint, SocketBuffers};
use tokio::sync::Semaphore;

use crate::library::Library;
use crate::supervisor::Scope;
use crate::transfer::Disk;

use super::bus::Bus;
use super::condemned::Condemned;
use super::config::{DialConfig, LivenessConfig, NodeLimits};
use super::dialer::Targets;
use super::downloads::Downloads;
use super::peers::Peers;

/// What the services of one node share. Every field is either immutable or guards itself.
pub(super) struct Context {
    /// This node's own id.
    pub(super) own_id: PeerId,
    /// Where this node listens.
    pub(super) local_addr: SocketAddr,
    /// What the system granted.
    pub(super) socket_buffers: Option<SocketBuffers>,
    /// The socket, until the node has stopped.
    pub(super) endpoint: Mutex<Option<Endpoint>>,
    /// Connections and what their peers offer. Written by sessions and mirrors.
    pub(super) peers: Peers,
    /// Addresses to dial. Written by discovery and by commands.
    pub(super) targets: Targets,
    /// Peers that sent bad content. Written by downloads.
    pub(super) condemned: Condemned,
    /// What this node shares. Written by the library monitor.
    pub(super) library: Option<Library>,
    /// Where downloads are written.
    pub(super) disk: Arc<dyn Disk>,
    /// Downloads in progress. Written by commands and by each download's guard.
    pub(super) downloads: Downloads,
    /// Everybody's way to tell the outside.
    pub(super) bus: Bus,
    /// One permit a chunk request that is being served.
    pub(super) uploads: Arc<Semaphore>,
    /// Parent of everything that belongs to a connection. Not below a service that restarts: a connection outlives the dialler.
    pub(super) sessions: Scope,
    pub(super) limits: NodeLimits,
    pub(super) dial: DialConfig,
    pub(super) liveness: LivenessConfig,
}

impl Context {
    /// The socket; `None` once the node has stopped.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the socket away, so that its port is free although handles of the node still exist.
    pub(super) fn take_endpoint(&self) -> Option<Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
