//! From chunk numbers to what the chunks are: the verified manifest, of which a few pages are kept decoded.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use moorline_proto::{Chunk, ManifestHead, Page};

use super::error::DownloadError;
use super::manifest_file::ManifestFile;

/// Decoded pages that are kept. One has a few hundred kilobytes; lanes work on neighbouring ones.
const KEPT_PAGES: usize = 8;

/// A decoded page with its chunks.
#[derive(Debug)]
pub(super) struct PlannedPage {
    pub(super) page: Page,
    pub(super) chunks: Vec<Chunk>,
}

/// One chunk of the item.
#[derive(Debug, Clone)]
pub(super) struct ChunkRef {
    /// Its number in the item.
    pub(super) index: u64,
    page: Arc<PlannedPage>,
    slot: usize,
}

impl ChunkRef {
    /// Its length in bytes: at most a chunk's.
    pub(super) fn len(&self) -> u64 {
        self.chunk().len
    }

    pub(super) fn chunk(&self) -> &Chunk {
        &self.page.chunks[self.slot]
    }

    pub(super) fn page(&self) -> &Page {
        &self.page.page
    }
}

/// The manifest of the item being downloaded. All methods that read the disk block.
#[derive(Debug)]
pub(super) struct Plan {
    head: ManifestHead,
    file: ManifestFile,
    path: PathBuf,
    /// Used last comes last.
    kept: Mutex<VecDeque<(usize, Arc<PlannedPage>)>>,
}

impl Plan {
    /// Takes a manifest all of whose pages were verified; `path` is for messages.
    pub(super) fn new(head: ManifestHead, file: ManifestFile, path: PathBuf) -> Self {
        Self { head, file, path, kept: Mutex::default() }
    }

    pub(super) fn head(&self) -> &ManifestHead {
        &self.head
    }

    /// Chunks `first..first + count`, if all of them are in memory.
    pub(super) fn kept(&self, first: u64, count: u32) -> Option<Vec<ChunkRef>> {
        (first..).take(count as usize).map(|index| self.locate(index, |page| Ok(self.find(page))).ok()?).collect()
    }

    /// Chunks `first..first + count`.
    pub(super) fn load(&self, first: u64, count: u32) -> Result<Vec<ChunkRef>, DownloadError> {
        (first..).take(count as usize).map(|index| self.chunk(index)).collect()
    }

    /// Chunk number `index`.
    pub(super) fn chunk(&self, index: u64) -> Result<ChunkRef, DownloadError> {
        let found = self.locate(index, |page| self.page(page).map(Some))?;
        found.ok_or_else(|| DownloadError::Internal(format!("chunk {index} is in no page")))
    }

    /// Page number `index`; it is read and decoded unless it is in memory.
    pub(super) fn page(&self, index: usize) -> Result<Arc<PlannedPage>, DownloadError> {
        if let Some(page) = self.find(index) {
            return Ok(page);
        }
        let damaged = |reason: String| DownloadError::Tampered { path: self.path.clone(), reason };
        let expected = self.head.pages.get(index).ok_or_else(|| DownloadError::Internal(format!("no page {index}")))?;
        let encoded = self.file.page(index, &expected.hash).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => damaged(error.to_string()),
            _ => DownloadError::io("read", &self.path, error),
        })?;
        // Times are not hashed; a page that decoded once and no longer does was changed on disk.
        let page = Page::decode(&encoded).map_err(|error| damaged(error.to_string()))?;
        let chunks = page.chunks();
        let planned = Arc::new(PlannedPage { page, chunks });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_PAGES {
            kept.pop_front();
        }
        kept.push_back((index, Arc::clone(&planned)));
        Ok(planned)
    }

    fn locate(
        &self,
        index: u64,
        page: impl FnOnce(usize) -> Result<Option<Arc<PlannedPage>>, DownloadError>,
    ) -> Result<Option<ChunkRef>, DownloadError> {
        let Some((number, first)) = self.head.page_of_chunk(index) else { return Ok(None) };
        let slot = usize::try_from(index - first).unwrap_or(usize::MAX);
        let page = page(number)?.filter(|page| slot < page.chunks.len());
        Ok(page.map(|page| ChunkRef { index, page, slot }))
    }

    fn find(&self, index: usize) -> Option<Arc<PlannedPage>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(number, _)| *number == index)?;
        let found = kept.remove(at)?;
        let page = Arc::clone(&found.1);
        kept.push_back(found);
        Some(page)
    }
}
