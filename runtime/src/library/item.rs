use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use moorline_proto::{
    EncodedPage, Entry, Hash, ItemId, ItemSummary, ManifestHead, Page, Thumbnail as ThumbnailSummary,
};

use super::cache::{CachePaths, Index, Spot, read_page};
use super::error::ServeError;
use super::metadata::{Metadata, Thumbnail, read_thumbnail};
use super::serving::{PageView, Serving};
use super::walk::Base;

mod read;

/// An item as it was hashed, ready to be served.
///
/// It describes one state of the files. When they change, reading fails with [`ServeError::Changed`], and the library replaces the
/// item by another; who still holds this one gets either the bytes that were hashed or that error, never a mixture. Pages are read
/// from the cache file, chunks from the files themselves. All reading blocks: call it where that is allowed.
pub struct SharedItem {
    summary: ItemSummary,
    root: PathBuf,
    base: Base,
    head: ManifestHead,
    spots: Vec<Spot>,
    cache_file: PathBuf,
    thumbnail: Option<Thumbnail>,
    owner: u64,
    serving: Arc<Serving>,
}

impl SharedItem {
    pub(super) fn new(
        (root, name, base): (PathBuf, String, Base),
        paths: &CachePaths,
        index: Index,
        metadata: Metadata,
        serving: &Arc<Serving>,
    ) -> Self {
        let summary = ItemSummary {
            id: index.head.item_id(),
            name,
            title: metadata.title,
            version: metadata.version,
            description: metadata.description,
            bytes: index.head.bytes,
            files: index.head.files,
            thumbnail: metadata.thumbnail.as_ref().map(|thumbnail| ThumbnailSummary {
                media_type: thumbnail.media_type.to_owned(),
                bytes: thumbnail.bytes,
                hash: thumbnail.hash,
            }),
        };
        Self {
            summary,
            root,
            base,
            head: index.head,
            spots: index.spots,
            cache_file: paths.file.clone(),
            thumbnail: metadata.thumbnail,
            owner: serving.new_owner(),
            serving: Arc::clone(serving),
        }
    }

    /// The hash of its manifest.
    #[must_use]
    pub fn id(&self) -> ItemId {
        self.summary.id
    }

    /// What peers see in a listing.
    #[must_use]
    pub fn summary(&self) -> &ItemSummary {
        &self.summary
    }

    /// Where it lies on this machine: a directory or a file, with links resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The head of its manifest.
    #[must_use]
    pub fn head(&self) -> &ManifestHead {
        &self.head
    }

    /// Reads one page of the manifest. Blocks.
    ///
    /// # Errors
    /// [`ServeError::OutOfRange`]; [`ServeError::Changed`] or [`ServeError::Io`] if the cache file is not the one of this item any
    /// more.
    pub fn page(&self, index: usize) -> Result<EncodedPage, ServeError> {
        self.watched(|| Ok(self.stored_page(index)?.0))
    }

    /// How many bytes `count` chunks from `first` on have together. Reads pages, hence blocks.
    ///
    /// # Errors
    /// [`ServeError::OutOfRange`] if the item has not so many chunks, and those of [`page`](Self::page).
    pub fn chunks_len(&self, first: u64, count: u32) -> Result<u64, ServeError> {
        self.watched(|| {
            let mut total = 0;
            for index in 0..u64::from(count) {
                let index = first.checked_add(index).ok_or_else(|| self.no_chunk(first))?;
                let (view, chunk) = self.locate(index)?;
                total += view.chunks.get(chunk).ok_or_else(|| self.no_chunk(index))?.len;
            }
            Ok(total)
        })
    }

    /// Reads one chunk. Blocks.
    ///
    /// The bytes lie in a buffer of the library, which takes it back when the last handle to them is dropped.
    ///
    /// # Errors
    /// [`ServeError::Changed`] if a file of the chunk is not the one that was hashed, [`ServeError::Gone`] if it is not there,
    /// [`ServeError::Io`] if it cannot be read, [`ServeError::OutOfRange`] beyond the last chunk.
    pub fn read_chunk(&self, index: u64) -> Result<Bytes, ServeError> {
        self.watched(|| {
            let (view, chunk) = self.locate(index)?;
            let chunk = view.chunks.get(chunk).ok_or_else(|| self.no_chunk(index))?;
            read::chunk(self, &view, chunk)
        })
    }

    /// Reads the thumbnail: media type and image. `None` if the item has none. Blocks.
    ///
    /// # Errors
    /// [`ServeError::Changed`] if it is not the image any more that the listing describes.
    pub fn thumbnail(&self) -> Result<Option<(String, Bytes)>, ServeError> {
        let Some(thumbnail) = &self.thumbnail else { return Ok(None) };
        self.watched(|| match read_thumbnail(&self.base, &thumbnail.path) {
            Ok(image) if Hash::of(&image) == thumbnail.hash => {
                Ok(Some((thumbnail.media_type.to_owned(), Bytes::from(image))))
            }
            _ => Err(ServeError::Changed { path: self.base.locate(&thumbnail.path) }),
        })
    }

    /// Tells the monitor when what is served turns out to be something else.
    fn watched<T>(&self, serve: impl FnOnce() -> Result<T, ServeError>) -> Result<T, ServeError> {
        let served = serve();
        if let Err(ServeError::Changed { .. } | ServeError::Gone { .. } | ServeError::Io { .. }) = &served {
            self.serving.suspect(&self.root);
        }
        served
    }

    /// The page that describes a chunk, and the number of the chunk in it.
    fn locate(&self, index: u64) -> Result<(Arc<PageView>, usize), ServeError> {
        let (page, first) = self.head.page_of_chunk(index).ok_or_else(|| self.no_chunk(index))?;
        let view = self.serving.page((self.owner, page), || self.decode(page))?;
        Ok((view, usize::try_from(index - first).unwrap_or(usize::MAX)))
    }

    fn decode(&self, index: usize) -> Result<PageView, ServeError> {
        let (encoded, stored) = self.stored_page(index)?;
        let page = Page::decode(&encoded).map_err(|_| self.cache_changed())?;
        let mut stored = stored.into_iter();
        let records = page
            .entries
            .iter()
            .map(|entry| match entry {
                Entry::Dir(_) => None,
                Entry::File(file) => stored.next().map(|mut record| {
                    record.stamp.size = file.size;
                    record
                }),
            })
            .collect();
        Ok(PageView { chunks: page.chunks(), records, page })
    }

    fn stored_page(&self, index: usize) -> Result<(EncodedPage, Vec<super::cache::Record>), ServeError> {
        let count = self.spots.len() as u64;
        let out_of_range = || ServeError::OutOfRange { what: "page", index: index as u64, count };
        let spot = self.spots.get(index).ok_or_else(out_of_range)?;
        let expected = self.head.pages.get(index).ok_or_else(out_of_range)?;
        let read = self
            .serving
            .handle((self.owner, None), || File::open(&self.cache_file))
            .and_then(|file| read_page(&file, *spot));
        match read {
            // The file may have been replaced by one that looks the same up to here.
            Ok((page, records)) if page.hash() == expected.hash => Ok((page, records)),
            Ok(_) => Err(self.cache_changed()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.cache_changed()),
            Err(source) => Err(ServeError::Io { path: self.cache_file.clone(), source }),
        }
    }

    fn no_chunk(&self, index: u64) -> ServeError {
        ServeError::OutOfRange { what: "chunk", index, count: self.head.chunks }
    }

    fn cache_changed(&self) -> ServeError {
        ServeError::Changed { path: self.root.clone() }
    }
}

impl Drop for SharedItem {
    fn drop(&mut self) {
        self.serving.forget(self.owner);
    }
}

impl fmt::Debug for SharedItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedItem").field("id", &self.summary.id).field("root", &self.root).finish_non_exhaustive()
    }
}
