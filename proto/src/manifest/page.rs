//! A page: records of files and empty folders.

use bytes::{BufMut, Bytes, BytesMut};

use super::layout::{LAYOUT, Reader};
use super::{CHUNK_SIZE, MAX_FILE_SIZE, ManifestError, PAGE_MAX_RECORDS, PAGE_TARGET, subtree_count};
use crate::ids::Hash;
use crate::rel_path::RelPath;

const KIND_DIR: u8 = 0;
const KIND_FILE: u8 = 1;
const FLAG_EXECUTABLE: u8 = 1;

/// A record of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An empty folder. Folders with something in them have no record.
    Dir(RelPath),
    /// A file, or a part of the record of a large one.
    File(FileEntry),
}

/// A file as one page knows it.
///
/// A small file (at most [`CHUNK_SIZE`]) has one record without subtree values. A large one has a record on each page
/// that carries some of its subtree values, all alike but for those; so every page can be understood alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies in the item.
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub executable: bool,
    /// BLAKE3 hash of the whole file, as `b3sum` prints it.
    pub hash: Hash,
    /// Last change, in milliseconds since 1970-01-01T00:00Z, negative before. Advisory and not hashed: the same bytes
    /// are the same item wherever they were copied.
    pub modified_ms: i64,
    /// Number of the first subtree value here, from 0. 0 for a small file.
    pub first_subtree: u64,
    /// Chaining values of consecutive chunks. Empty for a small file, never for a large one.
    pub subtrees: Vec<[u8; 32]>,
}

/// A page as it travels and as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPage {
    /// The hashed bytes: the layout stands in the crate's documentation.
    pub content: Bytes,
    /// Modification times of the file records in `content`, in their order.
    pub modified_ms: Vec<i64>,
}

/// A decoded page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records in order.
    pub entries: Vec<Entry>,
}

impl Page {
    /// Reads the records. This checks each record alone; that the page is the right one and fits those before it is
    /// [`ManifestVerifier`](super::ManifestVerifier)'s to check.
    ///
    /// Allocates at most some 150 bytes for each of [`PAGE_MAX_RECORDS`] records, and the bytes of `page`.
    ///
    /// # Errors
    /// What is wrong with the first record that is wrong.
    pub fn decode(page: &EncodedPage) -> Result<Self, ManifestError> {
        let mut reader = Reader::new("page", &page.content);
        if page.content.len() > PAGE_TARGET {
            return Err(reader.error("longer than a page may be"));
        }
        reader.layout()?;
        let mut times = page.modified_ms.iter().copied();
        let (mut entries, mut files) = (Vec::new(), 0);
        while !reader.is_empty() {
            if entries.len() == PAGE_MAX_RECORDS {
                return Err(reader.error("more records than a page may have"));
            }
            let entry = match reader.u8()? {
                KIND_DIR => Entry::Dir(read_path(&mut reader)?),
                KIND_FILE => {
                    files += 1;
                    Entry::File(read_file(&mut reader, times.next().unwrap_or_default())?)
                }
                _ => return Err(reader.error("unknown kind of record")),
            };
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(reader.error("a page without records"));
        }
        if files != page.modified_ms.len() {
            return Err(ManifestError::Times { times: page.modified_ms.len(), files });
        }
        Ok(Self { entries })
    }

    /// Writes the records. Checks nothing: what no page may be (too long, without records) is refused by
    /// [`decode`](Self::decode). Whoever makes an item wants [`ManifestBuilder`](super::ManifestBuilder).
    pub fn encode(&self) -> EncodedPage {
        let mut content = BytesMut::new();
        let mut modified_ms = Vec::new();
        content.put_u8(LAYOUT);
        for entry in &self.entries {
            match entry {
                Entry::Dir(path) => {
                    content.put_u8(KIND_DIR);
                    write_path(&mut content, path);
                }
                Entry::File(file) => {
                    write_file(&mut content, file);
                    modified_ms.push(file.modified_ms);
                }
            }
        }
        EncodedPage { content: content.freeze(), modified_ms }
    }
}

impl EncodedPage {
    /// What [`PageRef::hash`](super::PageRef::hash) must be: the plain BLAKE3 hash of the content.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.content)
    }
}

impl Entry {
    /// Where it lies in the item.
    pub fn path(&self) -> &RelPath {
        match self {
            Entry::Dir(path) => path,
            Entry::File(file) => &file.path,
        }
    }
}

impl FileEntry {
    /// Whether the file is more than one chunk, so that it travels in slices and not in a pack.
    pub fn is_large(&self) -> bool {
        self.size > CHUNK_SIZE
    }
}

fn read_path(reader: &mut Reader<'_>) -> Result<RelPath, ManifestError> {
    let len = reader.u16()?;
    let bytes = reader.take(len.into())?;
    let text = str::from_utf8(bytes).map_err(|_| reader.error("a path that is not UTF-8"))?;
    Ok(RelPath::parse(text)?)
}

fn read_file(reader: &mut Reader<'_>, modified_ms: i64) -> Result<FileEntry, ManifestError> {
    let path = read_path(reader)?;
    let executable = match reader.u8()? {
        0 => false,
        FLAG_EXECUTABLE => true,
        _ => return Err(reader.error("unknown flags")),
    };
    let size = reader.u64()?;
    if size > MAX_FILE_SIZE {
        return Err(ManifestError::FileTooLarge { path, size });
    }
    let hash = reader.hash()?.into();
    let mut file = FileEntry { path, size, executable, hash, modified_ms, first_subtree: 0, subtrees: Vec::new() };
    if file.is_large() {
        file.first_subtree = reader.u64()?;
        let values = reader.u16()?;
        let end = file.first_subtree.saturating_add(values.into());
        let total = subtree_count(size);
        if values == 0 || end > total {
            return Err(ManifestError::Subtrees {
                path: file.path,
                first: file.first_subtree,
                end,
                expected: format!("some of 0 to {total}"),
            });
        }
        let bytes = reader.take(usize::from(values) * 32)?;
        file.subtrees = bytes.as_chunks().0.to_vec();
    }
    Ok(file)
}

/// Length of a record without subtree values.
pub(super) fn record_len(path: &RelPath, size: Option<u64>) -> usize {
    let path_len = 1 + 2 + path.as_str().len();
    match size {
        None => path_len,
        Some(size) if size > CHUNK_SIZE => path_len + 1 + 8 + 32 + 8 + 2,
        Some(_) => path_len + 1 + 8 + 32,
    }
}

fn write_file(out: &mut BytesMut, file: &FileEntry) {
    out.put_u8(KIND_FILE);
    write_path(out, &file.path);
    out.put_u8(if file.executable { FLAG_EXECUTABLE } else { 0 });
    out.put_u64(file.size);
    out.put_slice(file.hash.as_bytes());
    if file.is_large() {
        let count = u16::try_from(file.subtrees.len()).unwrap_or(u16::MAX);
        out.put_u64(file.first_subtree);
        out.put_u16(count);
        out.put_slice(file.subtrees[..count.into()].as_flattened());
    }
}

fn write_path(out: &mut BytesMut, path: &RelPath) {
    let len = u16::try_from(path.as_str().len());
    out.put_u16(len.expect("a RelPath has 2,048 bytes at most"));
    out.put_slice(path.as_str().as_bytes());
}
