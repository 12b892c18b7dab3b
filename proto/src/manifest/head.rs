//! The root of an item: its pages and its sums.

use bytes::{BufMut, Bytes, BytesMut};

use super::layout::{LAYOUT, Reader};
use super::{MAX_PAGES, ManifestError};
use crate::ids::{Hash, ItemId};

/// Key derivation context (BLAKE3 `derive_key`) of item ids: nothing else that is hashed can pass for a head.
const ITEM_ID_CONTEXT: &str = "moorline 2026 item id: manifest head, layout 1";

const FIXED_LEN: usize = 38;
const PAGE_REF_LEN: usize = 36;

/// What lies under the item's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ItemKind {
    /// A folder: entries lie in it.
    #[default]
    Folder,
    /// One file: the manifest has one file record, whose path is the file's name where it was shared. A receiver may
    /// store it under another.
    File,
}

/// One page, as the head knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRef {
    /// BLAKE3 hash of the page's content.
    pub hash: Hash,
    /// How many chunks the page describes.
    pub chunks: u32,
}

/// The head of a manifest. Its hash is the [`ItemId`]; so whoever knows that can check the head, with the head each
/// page, and with a page each chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// A folder, or one file.
    pub kind: ItemKind,
    /// The pages in order.
    pub pages: Vec<PageRef>,
    /// Files and empty folders. A large file counts once, however many records it has.
    pub entries: u64,
    /// Files.
    pub files: u64,
    /// Sum of the sizes of all files.
    pub bytes: u64,
    /// Chunks over all pages.
    pub chunks: u64,
}

impl ManifestHead {
    /// The item that this head describes: BLAKE3 in key derivation mode over [`encode`](Self::encode).
    pub fn item_id(&self) -> ItemId {
        ItemId::from_bytes(blake3::derive_key(ITEM_ID_CONTEXT, &self.encode()))
    }

    /// Checks that this is the head of `item` and that its numbers can be true.
    ///
    /// # Errors
    /// [`ManifestError::WrongItem`], or what is wrong with the numbers.
    pub fn verify(&self, item: &ItemId) -> Result<(), ManifestError> {
        let actual = self.item_id();
        if actual != *item {
            return Err(ManifestError::WrongItem { expected: *item, actual });
        }
        self.check()
    }

    /// The bytes that the item id is taken over; also what travels. The layout stands in the crate's documentation.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(FIXED_LEN + self.pages.len() * PAGE_REF_LEN);
        out.put_u8(LAYOUT);
        out.put_u8(match self.kind {
            ItemKind::Folder => 0,
            ItemKind::File => 1,
        });
        out.put_u64(self.entries);
        out.put_u64(self.files);
        out.put_u64(self.bytes);
        out.put_u64(self.chunks);
        out.put_u32(u32::try_from(self.pages.len()).unwrap_or(u32::MAX)); // more than MAX_PAGES fails `check` anyhow
        for page in &self.pages {
            out.put_slice(page.hash.as_bytes());
            out.put_u32(page.chunks);
        }
        out.freeze()
    }

    /// Reads what [`encode`](Self::encode) writes. Allocates no more than `content` is long.
    ///
    /// # Errors
    /// Bytes that are not the layout, too many pages, or sums that cannot be true.
    pub fn decode(content: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader::new("head", content);
        reader.layout()?;
        let kind = match reader.u8()? {
            0 => ItemKind::Folder,
            1 => ItemKind::File,
            _ => return Err(reader.error("unknown kind of item")),
        };
        let (entries, files) = (reader.u64()?, reader.u64()?);
        let (bytes, chunks) = (reader.u64()?, reader.u64()?);
        let count = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        if count > MAX_PAGES {
            return Err(ManifestError::TooManyPages { max: MAX_PAGES });
        }
        if reader.remaining() != count * PAGE_REF_LEN {
            return Err(reader.error("length does not fit the number of pages"));
        }
        let mut pages = Vec::with_capacity(count);
        while !reader.is_empty() {
            pages.push(PageRef { hash: reader.hash()?.into(), chunks: reader.u32()? });
        }
        let head = Self { kind, pages, entries, files, bytes, chunks };
        head.check()?;
        Ok(head)
    }

    /// Which page describes chunk number `chunk`, and the number of that page's first chunk. `None` beyond the last.
    pub fn page_of_chunk(&self, chunk: u64) -> Option<(usize, u64)> {
        let mut first = 0u64;
        for (index, page) in self.pages.iter().enumerate() {
            let end = first.checked_add(page.chunks.into())?;
            if chunk < end {
                return Some((index, first));
            }
            first = end;
        }
        None
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.pages.len() > MAX_PAGES {
            return Err(ManifestError::TooManyPages { max: MAX_PAGES });
        }
        let chunks = self.pages.iter().map(|page| u64::from(page.chunks)).sum();
        if chunks != self.chunks {
            return Err(ManifestError::Totals { what: "chunks", said: self.chunks, found: chunks });
        }
        if self.files > self.entries {
            return Err(ManifestError::Totals { what: "entries", said: self.entries, found: self.files });
        }
        if self.kind == ItemKind::File && (self.files, self.entries) != (1, 1) {
            return Err(ManifestError::NotOneFile);
        }
        Ok(())
    }
}
