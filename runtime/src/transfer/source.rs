//! Where chunks come from: the seam between a download and the peers that serve it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{EncodedPage, ErrorCode, ItemId, ManifestHead, PeerId};
use moorline_transport::BulkTurn;

/// A boxed future, so that [`Source`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A peer that has the item. A download trusts nothing that it says: heads, pages and chunks are verified.
///
/// Deadlines are the download's. A future that is dropped must end the request.
pub trait Source: Send + Sync + 'static {
    /// Who it is.
    fn peer(&self) -> PeerId;

    /// How to name it to a person.
    fn label(&self) -> String;

    /// Asks for the head of the item's manifest.
    fn head(&self, item: ItemId) -> BoxFuture<'_, Result<ManifestHead, SourceError>>;

    /// Asks for manifest pages `first..first + count`. Fewer may come, from `first` on, at least one.
    fn pages(&self, item: ItemId, first: u32, count: u32) -> BoxFuture<'_, Result<Vec<EncodedPage>, SourceError>>;

    /// Waits until one more request for chunks may be made; the result is held until its answer has been read. Has no deadline: what
    /// it waits for is this side's own reading.
    fn turn(&self) -> BoxFuture<'_, Option<BulkTurn>> {
        Box::pin(async { None })
    }

    /// Asks for chunks `first..first + count`, one after another in one stream. Several requests may be open; they are
    /// read in the order in which they were made.
    fn chunks(&self, item: ItemId, first: u64, count: u32) -> BoxFuture<'_, Result<Box<dyn ChunkStream>, SourceError>>;

    /// It sent what cannot be honest content: end all dealings with it, and give `why` as the reason. Must not block.
    fn condemn(&self, why: &str);
}

/// The bytes that answer one [`Source::chunks`]. Dropping it ends the request.
pub trait ChunkStream: Send {
    /// How many bytes the source says it will send.
    fn bytes(&self) -> u64;

    /// Fills `buf`. A dropped future may have taken bytes off the stream: the stream is then of no more use.
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> BoxFuture<'a, Result<(), SourceError>>;
}

/// The set of sources changes.
pub enum SourceChange {
    /// A peer that has the item, or a new connection to a known one, which then replaces the old one.
    Added(Arc<dyn Source>),
    /// A peer is gone, or has the item no longer.
    Removed(PeerId),
}

impl std::fmt::Debug for SourceChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Added(source) => f.debug_tuple("Added").field(&source.peer()).finish(),
            Self::Removed(peer) => f.debug_tuple("Removed").field(peer).finish(),
        }
    }
}

/// Why a source did not give what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The connection to it is over.
    #[error("the connection ended: {0}")]
    Gone(String),
    /// It said no.
    #[error("it answered {code:?}: {message}")]
    Refused {
        /// What kind of no.
        code: ErrorCode,
        /// In its own words.
        message: String,
    },
    /// It answered, but not in the protocol's terms, or with content that is not the item's.
    #[error("{0}")]
    Protocol(String),
    /// It did not answer in time, in the transport's view.
    #[error("{0}")]
    TimedOut(String),
    /// It sent nothing, or next to nothing, for this long.
    #[error("it made no progress for {} s", .0.as_secs_f32())]
    Stalled(Duration),
}
