use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Buf as _;
use moorline_proto::{CHUNK_SIZE, Entry, FileEntry, Hash, PAGE_MAX_RECORDS, PAGE_TARGET, Page, RelPath};

use super::{CHECKSUM, CachePaths, HEADER, PAGE, PAGE_HEAD, RECORD, Record, Spot, check_header, read_page};
use crate::library::dir::read_full_at;
use crate::library::stamp::Stamp;

/// An entry of a cache, in the order of the manifest.
pub(in crate::library) enum Cached {
    Dir(RelPath),
    /// A file entry. A large file has several in a row. The record's stamp has the size filled in.
    File(FileEntry, Record),
}

/// Reads the entries of a cache from front to back, one page in memory at a time, until its end or the first damage.
pub(in crate::library) struct CachedEntries {
    file: File,
    offset: u64,
    page: std::vec::IntoIter<Cached>,
    pages_read: usize,
}

impl CachedEntries {
    /// Opens a finished or an interrupted cache. `None` if there is none for this item in this version.
    pub(in crate::library) fn open(path: &Path, key: &[u8; 32]) -> Option<Self> {
        let file = File::open(path).ok()?;
        check_header(&file, key).ok()?;
        Some(Self { file, offset: HEADER, page: Vec::new().into_iter(), pages_read: 0 })
    }

    /// How many pages were read so far. After the last entry of an undamaged cache these are all that it has.
    pub(in crate::library) fn pages_read(&self) -> usize {
        self.pages_read
    }

    fn read_next_page(&mut self) -> io::Result<Option<Vec<Cached>>> {
        let mut head = [0; PAGE_HEAD];
        if read_full_at(&self.file, &mut head, self.offset)? != head.len() || head[0] != PAGE {
            return Ok(None);
        }
        let mut lengths = &head[1..];
        let (content, records) = (lengths.get_u32_le() as usize, lengths.get_u32_le() as usize);
        if content > PAGE_TARGET || records > PAGE_MAX_RECORDS {
            return Ok(None);
        }
        let length = PAGE_HEAD + content + records * RECORD + CHECKSUM;
        let spot = Spot { offset: self.offset, length: u32::try_from(length).map_err(io::Error::other)? };
        let (encoded, records) = read_page(&self.file, spot)?;
        let page = Page::decode(&encoded).map_err(io::Error::other)?;
        self.offset += length as u64;
        self.pages_read += 1;
        Ok(Some(pair(page, &records)))
    }
}

impl Iterator for CachedEntries {
    type Item = Cached;

    fn next(&mut self) -> Option<Cached> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(entry);
            }
            match self.read_next_page() {
                Ok(Some(page)) => self.page = page.into_iter(),
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, offset = self.offset, "a cache of hashes is damaged; what lies behind is hashed again");
                    return None;
                }
            }
        }
    }
}

/// Puts entries and records together: one record for each file entry.
fn pair(page: Page, records: &[Record]) -> Vec<Cached> {
    let mut records = records.iter();
    page.entries
        .into_iter()
        .map_while(|entry| match entry {
            Entry::Dir(path) => Some(Cached::Dir(path)),
            Entry::File(file) => {
                let record = records.next()?;
                let stamp = Stamp { size: file.size, ..record.stamp };
                Some(Cached::File(file, Record { stamp, ..*record }))
            }
        })
        .collect()
}

/// What earlier scans found out about the files of an item, asked for in the order of a walk.
pub(in crate::library) struct Hashes {
    sources: Vec<Source>,
}

/// The hash of one state of a file.
pub(in crate::library) struct Known {
    pub(in crate::library) hash: Hash,
    pub(in crate::library) subtrees: Vec<[u8; 32]>,
    pub(in crate::library) record: Record,
}

struct Source {
    entries: CachedEntries,
    ahead: Option<(FileEntry, Record)>,
}

impl Hashes {
    /// Opens what there is: the finished cache, and that of an interrupted scan.
    pub(in crate::library) fn open(paths: &CachePaths) -> Self {
        let sources = [&paths.file, &paths.interrupted]
            .into_iter()
            .filter_map(|path| CachedEntries::open(path, &paths.key))
            .map(|mut entries| {
                let ahead = next_file(&mut entries);
                Source { entries, ahead }
            })
            .collect();
        Self { sources }
    }

    /// The hash of `path` in the state `stamp`, if it is known beyond doubt. Paths have to be asked for in ascending order.
    pub(in crate::library) fn take(&mut self, path: &RelPath, stamp: &Stamp) -> Option<Known> {
        // All sources have to keep up, hence no stop at the first that knows.
        let mut known = None;
        for source in &mut self.sources {
            let found = source.take(path, stamp);
            known = known.or(found);
        }
        known
    }
}

impl Source {
    fn take(&mut self, path: &RelPath, stamp: &Stamp) -> Option<Known> {
        while self.ahead.as_ref().is_some_and(|(file, _)| file.path < *path) {
            self.ahead = next_file(&mut self.entries);
        }
        let (first, record) = self.ahead.take_if(|(file, _)| file.path == *path)?;
        let mut subtrees = first.subtrees;
        let mut in_order = first.first_subtree == 0;
        loop {
            self.ahead = next_file(&mut self.entries);
            match &mut self.ahead {
                Some((more, _)) if more.path == first.path => {
                    in_order &= more.first_subtree == subtrees.len() as u64;
                    subtrees.append(&mut more.subtrees);
                }
                _ => break,
            }
        }
        let expected = if first.size > CHUNK_SIZE { first.size.div_ceil(CHUNK_SIZE) } else { 0 };
        let whole = in_order && subtrees.len() as u64 == expected;
        (whole && record.stamp == *stamp && !record.racy).then_some(Known { hash: first.hash, subtrees, record })
    }
}

fn next_file(entries: &mut CachedEntries) -> Option<(FileEntry, Record)> {
    entries.find_map(|entry| match entry {
        Cached::File(file, record) => Some((file, record)),
        Cached::Dir(_) => None,
    })
}
