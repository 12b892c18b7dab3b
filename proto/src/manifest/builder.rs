//! From sorted files to pages and a head.

use super::hasher::SubtreeStack;
use super::page::record_len;
use super::sorted_paths::SortedPaths;
use super::{
    EncodedPage, Entry, FileEntry, ItemKind, MAX_FILE_SIZE, MAX_PAGES, ManifestError, ManifestHead, PAGE_MAX_RECORDS,
    PAGE_TARGET, Page, PageRef, subtree_count,
};
use crate::ids::Hash;
use crate::rel_path::RelPath;

/// Makes a manifest. Push entries in strictly ascending order of [`RelPath`], take finished pages out now and then
/// (they need not all be in memory), finish.
///
/// The same entries always give the same pages and the same head, on every machine: a page is closed when the next
/// record does not fit into [`PAGE_TARGET`] bytes or [`PAGE_MAX_RECORDS`] records, and a large file's subtree values
/// fill the page at hand before they go on in the next.
///
/// After an error the builder is of no further use: an entry may be half in it.
///
/// ```
/// # use moorline_proto::{Hash, ManifestBuilder, RelPath};
/// let mut builder = ManifestBuilder::new();
/// builder.push_file(RelPath::parse("hello.txt")?, 5, false, 0, Hash::of(b"hello"), &[])?;
/// builder.push_dir(RelPath::parse("saves")?)?;
/// let (pages, head) = builder.finish()?;
/// assert_eq!((pages.len(), head.files, head.entries, head.chunks), (1, 1, 2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ManifestBuilder {
    paths: SortedPaths,
    open: Page,
    /// Bytes that `open` encodes to.
    open_len: usize,
    done: Vec<EncodedPage>,
    head: ManifestHead,
    max_pages: usize,
}

/// Bytes of a page before its first record.
const PAGE_HEADER_LEN: usize = 1;

impl ManifestBuilder {
    /// A manifest of a folder.
    pub fn new() -> Self {
        Self::of_kind(ItemKind::Folder)
    }

    /// A manifest of an item that is one file: push exactly that, under its file name.
    pub fn single_file() -> Self {
        Self::of_kind(ItemKind::File)
    }

    fn of_kind(kind: ItemKind) -> Self {
        Self {
            paths: SortedPaths::new(),
            open: Page { entries: Vec::new() },
            open_len: PAGE_HEADER_LEN,
            done: Vec::new(),
            head: ManifestHead { kind, pages: Vec::new(), entries: 0, files: 0, bytes: 0, chunks: 0 },
            max_pages: MAX_PAGES,
        }
    }

    /// Adds an empty folder. Folders with something in them are not pushed.
    ///
    /// # Errors
    /// Order, collisions, too many pages; [`ManifestError::NotOneFile`] if the item is a file.
    pub fn push_dir(&mut self, path: RelPath) -> Result<(), ManifestError> {
        if self.head.kind == ItemKind::File {
            return Err(ManifestError::NotOneFile);
        }
        self.paths.insert(&path, false)?;
        self.make_room(record_len(&path, None))?;
        self.open_len += record_len(&path, None);
        self.open.entries.push(Entry::Dir(path));
        self.head.entries += 1;
        Ok(())
    }

    /// Adds a file. `modified_ms` is in milliseconds since 1970-01-01T00:00Z; `hash` and `subtrees` are what
    /// [`FileHasher`](super::FileHasher) gives.
    ///
    /// # Errors
    /// Order, collisions, too many pages; subtree values that do not fit the size or do not give the hash: such an item
    /// could never be verified by anybody. [`ManifestError::NotOneFile`] for a second file, or one in a folder, if the
    /// item is a file.
    pub fn push_file(
        &mut self,
        path: RelPath,
        size: u64,
        executable: bool,
        modified_ms: i64,
        hash: Hash,
        subtrees: &[[u8; 32]],
    ) -> Result<(), ManifestError> {
        self.check_file(&path, size, hash, subtrees)?;
        self.paths.insert(&path, true)?;
        let mut record =
            FileEntry { path, size, executable, hash, modified_ms, first_subtree: 0, subtrees: Vec::new() };
        let mut rest = subtrees;
        loop {
            let base = record_len(&record.path, Some(size));
            self.make_room(base + rest.len().min(1) * 32)?;
            let room = (PAGE_TARGET - self.open_len - base) / 32;
            let (now, later) = rest.split_at(room.min(rest.len()));
            record.subtrees = now.to_vec();
            self.open_len += base + now.len() * 32;
            self.open.entries.push(Entry::File(record.clone()));
            record.first_subtree += now.len() as u64;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        self.head.entries += 1;
        self.head.files += 1;
        Ok(())
    }

    /// The pages finished since the last call. Each page comes out once, here or from [`finish`](Self::finish).
    pub fn take_pages(&mut self) -> Vec<EncodedPage> {
        std::mem::take(&mut self.done)
    }

    /// The remaining pages, and the head.
    ///
    /// # Errors
    /// [`ManifestError::TooManyPages`]; [`ManifestError::NotOneFile`] if the item is a file and none was pushed.
    pub fn finish(mut self) -> Result<(Vec<EncodedPage>, ManifestHead), ManifestError> {
        if self.head.kind == ItemKind::File && self.head.files != 1 {
            return Err(ManifestError::NotOneFile);
        }
        self.close_page()?;
        Ok((self.done, self.head))
    }

    fn check_file(
        &mut self,
        path: &RelPath,
        size: u64,
        hash: Hash,
        subtrees: &[[u8; 32]],
    ) -> Result<(), ManifestError> {
        if self.head.kind == ItemKind::File && (self.head.files > 0 || path.components().count() > 1) {
            return Err(ManifestError::NotOneFile);
        }
        let bytes = self.head.bytes.checked_add(size);
        let bytes = bytes.filter(|_| size <= MAX_FILE_SIZE);
        self.head.bytes = bytes.ok_or_else(|| ManifestError::FileTooLarge { path: path.clone(), size })?;
        let (given, expected) = (subtrees.len() as u64, subtree_count(size));
        if given != expected {
            return Err(ManifestError::Subtrees {
                path: path.clone(),
                first: 0,
                end: given,
                expected: format!("0 to {expected}"),
            });
        }
        let mut tree = SubtreeStack::new();
        subtrees.iter().for_each(|value| tree.push(*value));
        check_root(path, size, hash, &tree)
    }

    /// Closes the page at hand if a record of `len` bytes does not fit into it.
    fn make_room(&mut self, len: usize) -> Result<(), ManifestError> {
        let full = self.open.entries.len() == PAGE_MAX_RECORDS;
        if full || self.open_len + len > PAGE_TARGET {
            self.close_page()?;
        }
        Ok(())
    }

    fn close_page(&mut self) -> Result<(), ManifestError> {
        if self.open.entries.is_empty() {
            return Ok(());
        }
        if self.head.pages.len() == self.max_pages {
            return Err(ManifestError::TooManyPages { max: self.max_pages });
        }
        let encoded = self.open.encode();
        debug_assert_eq!(encoded.content.len(), self.open_len);
        let chunks = self.open.chunks().len();
        let chunks = u32::try_from(chunks).expect("a page has no more chunks than bytes");
        self.head.pages.push(PageRef { hash: encoded.hash(), chunks });
        self.head.chunks += u64::from(chunks);
        self.done.push(encoded);
        self.open.entries.clear();
        self.open_len = PAGE_HEADER_LEN;
        Ok(())
    }
}

impl Default for ManifestBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether what is known of a file's content gives its hash. Of a file between nothing and one chunk nothing is known
/// before its bytes come.
pub(super) fn check_root(path: &RelPath, size: u64, hash: Hash, tree: &SubtreeStack) -> Result<(), ManifestError> {
    let actual = match size {
        0 => Some(Hash::of(b"")),
        _ => tree.root(),
    };
    match actual {
        Some(actual) if actual != hash => Err(ManifestError::WrongRoot { path: path.clone(), expected: hash, actual }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes empty folders until `pages` pages are full to the last record.
    fn fill(builder: &mut ManifestBuilder, pages: usize) {
        for number in 0..pages * PAGE_MAX_RECORDS {
            let name = format!("{number:08}");
            builder.push_dir(RelPath::parse(&name).unwrap()).unwrap();
        }
    }

    #[test]
    fn the_last_page_allowed_is_accepted_and_one_more_is_not() {
        let mut builder = ManifestBuilder::new();
        builder.max_pages = 2;
        fill(&mut builder, 2);
        assert_eq!(builder.take_pages().len(), 1);

        let last = RelPath::parse("z").unwrap();
        builder.push_dir(last).unwrap(); // closes the second page, opens a third
        assert_eq!(builder.take_pages().len(), 1);
        assert_eq!(builder.finish(), Err(ManifestError::TooManyPages { max: 2 }));

        let mut builder = ManifestBuilder::new();
        builder.max_pages = 2;
        fill(&mut builder, 2);
        let (pages, head) = builder.finish().unwrap();
        assert_eq!((pages.len(), head.pages.len()), (2, 2));
        assert_eq!(head.entries, 2 * PAGE_MAX_RECORDS as u64);
    }
}
