use std::sync::Arc;

use moorline_proto::PeerId;
use moorline_transport::Endpoint;
use tokio::sync::Semaphore;

use crate::library::Library;
use crate::supervisor::Scope;

use super::bus::Bus;
use super::config::{DialConfig, LivenessConfig, NodeLimits};
use super::dialer::Targets;
use super::downloads::Downloads;
use super::peers::Peers;

/// What the services of one node share. Every field is either immutable or guards itself.
pub(super) struct Context {
    /// This node's own id.
    pub(super) own_id: PeerId,
    /// The socket.
    pub(super) endpoint: Endpoint,
    /// Connections and what their peers offer. Written by sessions and mirrors.
    pub(super) peers: Peers,
    /// Addresses to dial. Written by discovery and by commands.
    pub(super) targets: Targets,
    /// What this node shares. Written by the library monitor.
    pub(super) library: Option<Library>,
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
