use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use moorline_proto::{ItemId, ItemSummary, PeerId};

pub use crate::supervisor::RuntimeFailed;
use crate::supervisor::ServiceEvent;
use crate::transfer::DownloadEvent;

use super::downloads::DownloadId;

/// What happens in a node. [`NodeEvent::Stopped`] is the last event of every node and comes once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeEvent {
    /// The first connection to a peer stands.
    PeerUp(PeerView),
    /// The last connection to a peer ended.
    PeerDown {
        /// The peer.
        id: PeerId,
        /// Its name.
        name: String,
        /// Why, as a sentence; says whether the peer said goodbye.
        reason: String,
        /// Whether the peer said goodbye, as opposed to a reset or a time-out.
        goodbye: bool,
    },
    /// A peer could not be joined for a reason that trying again will not mend. Said again after each pause (see
    /// [`DialConfig`](super::DialConfig)) in which nothing changed.
    PeerRefused {
        /// How it was found: its address, id or tag.
        target: String,
        /// Why, as a sentence.
        reason: String,
        /// Whether passphrase or allow list stood in the way.
        access: bool,
    },
    /// The set of items on offer by peers changed; read [`NodeHandle::offers`](super::NodeHandle::offers).
    OffersChanged,
    /// What this node shares changed; read its library.
    LibraryChanged {
        /// The new revision.
        revision: u64,
    },
    /// A peer began to fetch an item from this node.
    UploadStarted {
        /// The peer.
        id: PeerId,
        /// Its name.
        name: String,
        /// What it fetches.
        item: ItemId,
    },
    /// A download moved on.
    Download {
        /// Which one.
        id: DownloadId,
        /// What happened.
        event: DownloadEvent,
    },
    /// A service changed its state.
    Service(ServiceEvent),
    /// A task panicked. The panic is contained: what depended on the task ends with a reason, everything else goes on.
    TaskPanicked {
        /// Path of the task.
        task: String,
        /// What the panic said.
        message: String,
    },
    /// A required service died. Everything else is being cancelled; goodbyes still go out.
    RuntimeFailed(RuntimeFailed),
    /// The consumer was too slow and missed this many events.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The node stopped. Nothing follows.
    Stopped {
        /// Why.
        reason: StopReason,
    },
}

/// Why a node stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// It was asked to.
    Shutdown {
        /// Tasks that had to be cut because they did not end in time; empty when all went well.
        stragglers: Vec<String>,
    },
    /// A required service died.
    Failed {
        /// Which and why.
        failure: RuntimeFailed,
        /// Tasks that had to be cut because they did not end in time.
        stragglers: Vec<String>,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stragglers = match self {
            Self::Shutdown { stragglers } => {
                f.write_str("stopped as asked")?;
                stragglers
            }
            Self::Failed { failure, stragglers } => {
                write!(f, "stopped because {failure}")?;
                stragglers
            }
        };
        if !stragglers.is_empty() {
            write!(f, "; cut off: {}", stragglers.join(", "))?;
        }
        Ok(())
    }
}

/// A connected peer as it looked at one moment.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Its public key.
    pub id: PeerId,
    /// The name that it gave itself: untrusted text.
    pub name: String,
    /// The address it is reached at.
    pub addr: SocketAddr,
    /// Round-trip time.
    pub rtt: Duration,
    /// Whether it shares a library.
    pub serves: bool,
    /// Whether its library has been listed in full since it connected.
    pub listed: bool,
    /// How many items it offers.
    pub items: usize,
    /// Its program and version: untrusted text.
    pub agent: String,
}

/// An item that at least one connected peer offers.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What it is, as the first provider describes it.
    pub summary: ItemSummary,
    /// Who has it.
    pub providers: Vec<Provider>,
}

/// A peer that offers an item.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its public key.
    pub id: PeerId,
    /// Its name: untrusted text.
    pub name: String,
    /// The address it is reached at.
    pub addr: SocketAddr,
    /// The name under which this peer offers the item.
    pub item_name: String,
}
