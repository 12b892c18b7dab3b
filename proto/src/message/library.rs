//! What a peer shares.

use super::shape::{Field, Shape};
use super::{DecodeError, check, limits};
use crate::ids::{Hash, ItemId};
use crate::wire::v1;

/// A library in three numbers: enough to see that a known copy of the listing is still right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryDigest {
    /// Grows with each change; starts anew when the node starts anew.
    pub revision: u64,
    /// Number of items.
    pub items: u32,
    /// Hash over the listing: equal hashes mean equal listings, whatever the revision.
    pub hash: Hash,
}

/// One item of a library, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSummary {
    /// The item.
    pub id: ItemId,
    /// Name of the file or folder. Text, not a path: before it names anything in a file system it goes through
    /// [`RelPath::parse`](crate::RelPath::parse).
    pub name: String,
    /// Human title.
    pub title: Option<String>,
    /// The item's own version, as its author writes it.
    pub version: Option<String>,
    /// A few sentences; may have line breaks and tabs.
    pub description: Option<String>,
    /// Sum of the sizes of all files, in bytes.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// A picture that can be asked for.
    pub thumbnail: Option<Thumbnail>,
}

/// What is known of a picture before it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Such as `image/png`.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u32,
    /// Hash of the picture.
    pub hash: Hash,
}

/// A page of a listing, in ascending order of id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPage {
    /// The revision that the page shows. Pages of different revisions do not make one listing.
    pub revision: u64,
    /// At most [`limits::MAX_ITEMS`].
    pub items: Vec<ItemSummary>,
    /// Whether items follow the last one here.
    pub more: bool,
}

/// What changed between two revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryDelta {
    /// Applies to a listing of this revision.
    pub from: u64,
    /// Makes it a listing of this revision.
    pub to: u64,
    /// The asker's revision is too old or unknown: forget the listing and ask for it anew.
    pub reset: bool,
    /// New or changed items, at most [`limits::MAX_ITEMS`].
    pub upserts: Vec<ItemSummary>,
    /// Items that are gone, at most [`limits::MAX_REMOVED`].
    pub removed: Vec<ItemId>,
}

pub(super) const ITEM_PAGE: Shape = &[Field::repeated(2, "items", limits::MAX_ITEMS)];
pub(super) const LIBRARY_DELTA: Shape =
    &[Field::repeated(4, "upserts", limits::MAX_ITEMS), Field::repeated(5, "removed", limits::MAX_REMOVED)];

/// An empty library that never changed.
impl Default for LibraryDigest {
    fn default() -> Self {
        Self { revision: 0, items: 0, hash: Hash::of(b"") }
    }
}

impl LibraryDigest {
    pub(super) fn to_wire(self) -> v1::LibraryDigest {
        v1::LibraryDigest { revision: self.revision, items: self.items, hash: check::wire_id(self.hash.as_bytes()) }
    }

    pub(super) fn from_wire(wire: Option<v1::LibraryDigest>) -> Result<Self, DecodeError> {
        let wire = wire.ok_or(DecodeError::Missing("digest"))?;
        Ok(Self { revision: wire.revision, items: wire.items, hash: check::id("digest hash", &wire.hash)? })
    }
}

impl ItemSummary {
    /// Whether a peer will accept it: lengths within [`limits`], no control characters in text. Whoever makes a summary
    /// from files and metadata checks it once; a single bad one would have its whole page refused.
    ///
    /// # Errors
    /// The first field that is not in order.
    pub fn check(&self) -> Result<(), DecodeError> {
        if self.name.is_empty() {
            return Err(DecodeError::Missing("item name"));
        }
        check::line("item name", &self.name, limits::MAX_NAME)?;
        check::line("title", or_empty(&self.title), limits::MAX_TITLE)?;
        check::line("version", or_empty(&self.version), limits::MAX_ITEM_VERSION)?;
        check::lines("description", or_empty(&self.description), limits::MAX_DESCRIPTION)?;
        if let Some(thumbnail) = &self.thumbnail {
            let bytes = usize::try_from(thumbnail.bytes).unwrap_or(usize::MAX);
            check::length("thumbnail", bytes, limits::MAX_THUMBNAIL)?;
            check::line("media type", &thumbnail.media_type, limits::MAX_MEDIA_TYPE)?;
        }
        Ok(())
    }

    fn to_wire(&self) -> v1::ItemSummary {
        v1::ItemSummary {
            id: check::wire_id(self.id.as_bytes()),
            name: self.name.clone(),
            title: self.title.clone(),
            version: self.version.clone(),
            description: self.description.clone(),
            bytes: self.bytes,
            files: self.files,
            thumbnail: self.thumbnail.as_ref().map(|thumbnail| v1::Thumbnail {
                media_type: thumbnail.media_type.clone(),
                bytes: thumbnail.bytes,
                hash: check::wire_id(thumbnail.hash.as_bytes()),
            }),
        }
    }

    fn from_wire(wire: v1::ItemSummary) -> Result<Self, DecodeError> {
        let thumbnail = wire.thumbnail.map(Thumbnail::from_wire);
        let summary = Self {
            id: check::id("item id", &wire.id)?,
            name: wire.name,
            title: wire.title,
            version: wire.version,
            description: wire.description,
            bytes: wire.bytes,
            files: wire.files,
            thumbnail: thumbnail.transpose()?,
        };
        summary.check()?;
        Ok(summary)
    }
}

impl Thumbnail {
    fn from_wire(wire: v1::Thumbnail) -> Result<Self, DecodeError> {
        Ok(Self { media_type: wire.media_type, bytes: wire.bytes, hash: check::id("thumbnail hash", &wire.hash)? })
    }
}

impl ItemPage {
    pub(super) fn to_wire(&self) -> v1::ItemPage {
        v1::ItemPage {
            revision: self.revision,
            items: self.items.iter().map(ItemSummary::to_wire).collect(),
            more: self.more,
        }
    }

    pub(super) fn from_wire(wire: v1::ItemPage) -> Result<Self, DecodeError> {
        let page = Self { revision: wire.revision, items: summaries(wire.items)?, more: wire.more };
        // Who pages through a listing asks for what comes after the last item: that must lead on.
        let ascending = page.items.is_sorted_by(|a, b| a.id < b.id);
        if !ascending || (page.more && page.items.is_empty()) {
            return Err(DecodeError::OutOfRange { field: "items" });
        }
        Ok(page)
    }
}

impl LibraryDelta {
    pub(super) fn to_wire(&self) -> v1::LibraryDelta {
        let removed = self.removed.iter().map(|id| check::wire_id(id.as_bytes()));
        v1::LibraryDelta {
            from: self.from,
            to: self.to,
            reset: self.reset,
            upserts: self.upserts.iter().map(ItemSummary::to_wire).collect(),
            removed: removed.collect(),
        }
    }

    pub(super) fn from_wire(wire: v1::LibraryDelta) -> Result<Self, DecodeError> {
        let removed = wire.removed.iter().map(|id| check::id("removed item", id));
        Ok(Self {
            from: wire.from,
            to: wire.to,
            reset: wire.reset,
            removed: removed.collect::<Result<_, _>>()?,
            upserts: summaries(wire.upserts)?,
        })
    }
}

fn summaries(wire: Vec<v1::ItemSummary>) -> Result<Vec<ItemSummary>, DecodeError> {
    wire.into_iter().map(ItemSummary::from_wire).collect()
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}
