//! Whether the pages that come are the item that was asked for, and whether that item is sane.

use super::builder::check_root;
use super::hasher::SubtreeStack;
use super::sorted_paths::SortedPaths;
use super::{EncodedPage, Entry, FileEntry, ItemKind, ManifestError, ManifestHead, Page, subtree_count};
use crate::ids::Hash;

/// Checks the pages of a manifest one after another against its head.
///
/// What has passed is safe to act on: paths are in ascending order and collide on no platform, subtree values give the
/// files' hashes, sizes and counts are true. Memory is bounded whatever comes: the head, one page, some chaining
/// values, and 16 bytes for each name in the folders on the way to the current path.
///
/// The head itself is checked against the item's id with [`ManifestHead::verify`] before.
#[derive(Debug)]
pub struct ManifestVerifier {
    head: ManifestHead,
    next_page: usize,
    paths: SortedPaths,
    /// The large file whose subtree values are not all there yet.
    open: Option<OpenFile>,
    entries: u64,
    files: u64,
    bytes: u64,
    failed: Option<ManifestError>,
}

/// A large file in the course of its records.
#[derive(Debug)]
struct OpenFile {
    /// Its first record, without the values.
    file: FileEntry,
    tree: SubtreeStack,
}

impl ManifestVerifier {
    /// Expects the pages that `head` lists, in order.
    pub fn new(head: &ManifestHead) -> Self {
        Self {
            head: head.clone(),
            next_page: 0,
            paths: SortedPaths::new(),
            open: None,
            entries: 0,
            files: 0,
            bytes: 0,
            failed: None,
        }
    }

    /// Checks the next page and decodes it.
    ///
    /// # Errors
    /// Whatever is wrong. [`ManifestError::WrongPage`] is the fault of whoever sent the page; everything else is the
    /// fault of whoever made the item, since the page is the one that its head names: no other source has a better one.
    /// After an error every later call answers the same.
    pub fn push(&mut self, page: &EncodedPage) -> Result<Page, ManifestError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let result = self.check_page(page);
        self.failed = result.as_ref().err().cloned();
        result
    }

    /// Checks that nothing is missing.
    ///
    /// # Errors
    /// Missing pages, a file whose subtree values are not complete, sums that are not what the head says.
    pub fn finish(self) -> Result<(), ManifestError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let missing = self.head.pages.len() - self.next_page;
        if missing > 0 {
            return Err(ManifestError::Incomplete { missing });
        }
        if let Some(open) = self.open {
            return Err(open.out_of_step(None));
        }
        self.compare_totals(|said, found| said == found)
    }

    fn check_page(&mut self, encoded: &EncodedPage) -> Result<Page, ManifestError> {
        let max = self.head.pages.len();
        let expected = self.head.pages.get(self.next_page);
        let expected = *expected.ok_or(ManifestError::TooManyPages { max })?;
        let actual = encoded.hash();
        if actual != expected.hash {
            return Err(ManifestError::WrongPage { page: self.next_page, expected: expected.hash, actual });
        }
        let page = Page::decode(encoded)?;
        for (index, entry) in page.entries.iter().enumerate() {
            match entry {
                Entry::Dir(path) => {
                    self.expect_no_open_file()?;
                    self.paths.insert(path, false)?;
                    self.entries += 1;
                }
                Entry::File(file) => self.check_file(file, index == 0)?,
            }
            if self.head.kind == ItemKind::File && !is_file_at_root(entry) {
                return Err(ManifestError::NotOneFile);
            }
        }
        let chunks = page.chunks().len() as u64;
        if chunks != u64::from(expected.chunks) {
            return Err(ManifestError::Totals {
                what: "chunks in a page",
                said: expected.chunks.into(),
                found: chunks,
            });
        }
        self.compare_totals(|said, found| said >= found)?;
        self.next_page += 1;
        Ok(page)
    }

    fn check_file(&mut self, file: &FileEntry, first_in_page: bool) -> Result<(), ManifestError> {
        let mut open = match self.open.take() {
            // The rest of a file can only be the next page's first record: had there been room on the page before, it
            // would stand there.
            Some(open) if first_in_page && open.continues_with(file) => open,
            Some(open) => return Err(open.out_of_step(Some(file))),
            None => {
                self.begin_file(file)?;
                OpenFile::new(file)
            }
        };
        if open.tree.pushed() != file.first_subtree {
            return Err(open.out_of_step(Some(file)));
        }
        file.subtrees.iter().for_each(|value| open.tree.push(*value));
        if open.tree.pushed() < subtree_count(file.size) {
            self.open = Some(open);
            return Ok(());
        }
        check_root(&file.path, file.size, file.hash, &open.tree)
    }

    fn begin_file(&mut self, file: &FileEntry) -> Result<(), ManifestError> {
        self.paths.insert(&file.path, true)?;
        self.entries += 1;
        self.files += 1;
        let bytes = self.bytes.checked_add(file.size);
        self.bytes = bytes.ok_or_else(|| ManifestError::FileTooLarge { path: file.path.clone(), size: file.size })?;
        Ok(())
    }

    fn expect_no_open_file(&self) -> Result<(), ManifestError> {
        match &self.open {
            Some(open) => Err(open.out_of_step(None)),
            None => Ok(()),
        }
    }

    fn compare_totals(&self, fits: impl Fn(u64, u64) -> bool) -> Result<(), ManifestError> {
        // Chunks need no sum here: the head's is that of its pages, and each page's was compared.
        for (what, said, found) in [
            ("entries", self.head.entries, self.entries),
            ("files", self.head.files, self.files),
            ("bytes", self.head.bytes, self.bytes),
        ] {
            if !fits(said, found) {
                return Err(ManifestError::Totals { what, said, found });
            }
        }
        Ok(())
    }
}

impl OpenFile {
    fn new(file: &FileEntry) -> Self {
        Self { file: FileEntry { path: file.path.clone(), subtrees: Vec::new(), ..*file }, tree: SubtreeStack::new() }
    }

    fn continues_with(&self, next: &FileEntry) -> bool {
        let same = |file: &FileEntry| -> (u64, bool, Hash) { (file.size, file.executable, file.hash) };
        self.file.path == next.path && same(&self.file) == same(next)
    }

    /// `next` came where more of this file was due.
    fn out_of_step(&self, next: Option<&FileEntry>) -> ManifestError {
        let next = next.filter(|next| next.path == self.file.path);
        let first = next.map_or(self.tree.pushed(), |next| next.first_subtree);
        let values = next.map_or(0, |next| next.subtrees.len() as u64);
        ManifestError::Subtrees {
            path: self.file.path.clone(),
            first,
            end: first.saturating_add(values),
            expected: format!("{} to {}", self.tree.pushed(), subtree_count(self.file.size)),
        }
    }
}

fn is_file_at_root(entry: &Entry) -> bool {
    matches!(entry, Entry::File(file) if file.path.components().count() == 1)
}
