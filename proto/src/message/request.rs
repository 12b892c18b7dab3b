//! What a peer may ask for: the first frame of each stream.

use bytes::Bytes;
use prost::Message as _;

use super::{DecodeError, check, shape};
use crate::ids::ItemId;
use crate::manifest::MAX_PAGES;
use crate::wire::v1;
use crate::wire::v1::request::Kind;

/// A request. What answers each is said with it; each may be answered by [`Response::Error`](super::Response::Error)
/// instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Are you there, and has your library changed? One `Pong`.
    Ping {
        /// Comes back unchanged.
        nonce: u64,
    },
    /// A page of the listing: one `Items`.
    ListItems {
        /// List what comes after this item; `None` for the first page.
        after: Option<ItemId>,
    },
    /// Every change from now on: `Delta` again and again, until either side ends the stream.
    WatchLibrary {
        /// The revision that the asker knows; 0 for none.
        since: u64,
    },
    /// The head of an item's manifest: one `Manifest`.
    Manifest {
        /// Which item.
        item: ItemId,
    },
    /// Pages of an item's manifest: `count` frames of `ManifestPage`, in order.
    ManifestPages {
        /// Which item.
        item: ItemId,
        /// Index of the first page.
        first: u32,
        /// How many: at least 1; decoding sees to it that `first + count` is at most [`MAX_PAGES`].
        count: u32,
    },
    /// Consecutive chunks of an item: one `Chunks`, then raw bytes.
    Chunks {
        /// Which item.
        item: ItemId,
        /// Number of the first chunk.
        first: u64,
        /// How many: at least 1; decoding sees to it that `first + count` does not overflow.
        count: u32,
    },
    /// An item's picture: one `Thumbnail`.
    Thumbnail {
        /// Which item.
        item: ItemId,
    },
}

impl Request {
    /// The payload of its frame.
    pub fn encode(&self) -> Bytes {
        let wire = |item: &ItemId| check::wire_id(item.as_bytes());
        let kind = match self {
            Request::Ping { nonce } => Kind::Ping(v1::Ping { nonce: *nonce }),
            Request::ListItems { after } => Kind::ListItems(v1::ListItems { after: after.as_ref().map(wire) }),
            Request::WatchLibrary { since } => Kind::WatchLibrary(v1::WatchLibrary { since: *since }),
            Request::Manifest { item } => Kind::Manifest(v1::GetManifest { item: wire(item) }),
            Request::ManifestPages { item, first, count } => {
                Kind::ManifestPages(v1::GetManifestPages { item: wire(item), first: *first, count: *count })
            }
            Request::Chunks { item, first, count } => {
                Kind::Chunks(v1::GetChunks { item: wire(item), first: *first, count: *count })
            }
            Request::Thumbnail { item } => Kind::Thumbnail(v1::GetThumbnail { item: wire(item) }),
        };
        v1::Request { kind: Some(kind) }.encode_to_vec().into()
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// [`DecodeError::UnknownKind`] for a request of a later version: answer it with `BadRequest` and go on. All else
    /// is a broken peer.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let wire: v1::Request = shape::decode(&[], frame)?;
        let id = |bytes: &[u8]| check::id("item", bytes);
        Ok(match wire.kind.ok_or(DecodeError::UnknownKind("request"))? {
            Kind::Ping(ping) => Request::Ping { nonce: ping.nonce },
            Kind::ListItems(list) => Request::ListItems { after: list.after.as_deref().map(id).transpose()? },
            Kind::WatchLibrary(watch) => Request::WatchLibrary { since: watch.since },
            Kind::Manifest(get) => Request::Manifest { item: id(&get.item)? },
            Kind::ManifestPages(get) => Request::ManifestPages {
                item: id(&get.item)?,
                first: get.first,
                count: range("manifest pages", get.first.into(), get.count, MAX_PAGES as u64)?,
            },
            Kind::Chunks(get) => Request::Chunks {
                item: id(&get.item)?,
                first: get.first,
                count: range("chunks", get.first, get.count, u64::MAX)?,
            },
            Kind::Thumbnail(get) => Request::Thumbnail { item: id(&get.item)? },
        })
    }
}

/// `count`, if it is not 0 and the range ends at `end` or before.
fn range(field: &'static str, first: u64, count: u32, end: u64) -> Result<u32, DecodeError> {
    let last = first.checked_add(count.into()).filter(|last| *last <= end);
    match last {
        Some(_) if count > 0 => Ok(count),
        _ => Err(DecodeError::OutOfRange { field }),
    }
}
