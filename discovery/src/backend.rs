//! The trait that every backend implements, and what it reports.

use crate::{Announcement, AnnouncementError};
use std::{future::Future, io, net::SocketAddr, pin::Pin};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A peer as it is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the peer is called by: its id, else its tag, else (for an address given by hand) `static:ADDR`. Never an instance name.
    pub key: String,
    /// What it says of itself; from the latest sighting where there are several.
    pub announcement: Announcement,
    /// Where it may be reached, sorted; link-local IPv6 addresses carry the index of the interface as scope id. Dial them in parallel.
    pub addrs: Vec<SocketAddr>,
    /// Names of the interfaces it was seen on, sorted.
    pub interfaces: Vec<String>,
}

/// What happened on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoveryEvent {
    /// A peer that was not known.
    Found(Found),
    /// A known peer has other addresses, or says something else of itself.
    Updated(Found),
    /// A peer said goodbye, or was not heard of for too long, or its interface is gone.
    Lost {
        /// The key it was found under.
        key: String,
    },
}

impl DiscoveryEvent {
    /// The key of the peer that this is about.
    pub fn key(&self) -> &str {
        match self {
            DiscoveryEvent::Found(found) | DiscoveryEvent::Updated(found) => &found.key,
            DiscoveryEvent::Lost { key } => key,
        }
    }
}

/// Announces this peer, and finds others.
///
/// Object safe, so that a node can be given any backend, or several as [`Combined`](crate::Combined).
pub trait Discovery: Send + Sync + 'static {
    /// Announces `own` (if any) and reports others to `events`, until `cancel` is cancelled: then says goodbye and answers `Ok`.
    ///
    /// Waits while `events` is full; nothing is lost by that, changes in between are merged. After an error, or after the future
    /// was dropped (which stops at once; a goodbye may still go out), it may be run again. Every peer known to this run is forgotten
    /// when it ends, without `Lost` events: whoever runs it again starts anew. One run at a time.
    ///
    /// # Errors
    /// It is broken, and should be run again after a while; or nobody receives `events` any more.
    fn run<'a>(
        &'a self,
        own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>>;

    /// The peer known by `key` does not answer: confirm it, or report it `Lost`. Returns at once; without effect for an unknown key.
    fn verify(&self, key: &str);
}

/// Why discovery stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The caller's own announcement is not fit to be published.
    #[error("this peer cannot be announced: {0}")]
    Announcement(#[from] AnnouncementError),
    /// The operating system does not say which interfaces there are.
    #[error("cannot list the network interfaces of this machine: {0}")]
    Interfaces(#[source] io::Error),
    /// mDNS could be started on none of the chosen interfaces.
    #[error(
        "multicast DNS works on no interface ({details}); check that UDP port {port} may be bound and multicast is permitted, or name peers by address"
    )]
    NoMulticast {
        /// The mDNS port.
        port: u16,
        /// Each interface with what went wrong there.
        details: String,
    },
    /// The receiver of the events was dropped.
    #[error("nobody listens to discovery events any more")]
    ConsumerGone,
}
