//! The unit of transfer: what it covers, and whether its bytes are right.

use blake3::hazmat::HasherExt as _;

use super::{CHUNK_SIZE, Entry, FileEntry, PACK_MAX_FILES, Page};
use crate::ids::Hash;
use crate::rel_path::RelPath;

/// A piece of an item that travels and verifies alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes, at most [`CHUNK_SIZE`]. 0 for a pack of empty files.
    pub len: u64,
    /// What they are.
    pub content: ChunkContent,
}

/// What the bytes of a [`Chunk`] are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkContent {
    /// Whole small files, one after another without anything between them.
    Pack {
        /// Their indices in [`Page::entries`], in order.
        entries: Vec<usize>,
    },
    /// A part of a large file.
    Slice {
        /// Its index in [`Page::entries`].
        entry: usize,
        /// Where in the file it begins: a multiple of [`CHUNK_SIZE`].
        offset: u64,
        /// What [`verify_slice`] checks it against.
        subtree: [u8; 32],
    },
}

/// Bytes that are not the chunk they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadChunk {
    /// Too few or too many bytes.
    #[error("a chunk of {expected} bytes came as {actual}")]
    Length {
        /// Bytes that it has.
        expected: u64,
        /// Bytes that came.
        actual: u64,
    },
    /// The bytes have another hash.
    #[error("the bytes of {path:?} from {offset} on have another hash than its manifest says")]
    Content {
        /// The file.
        path: RelPath,
        /// Where in the file the bad bytes begin.
        offset: u64,
    },
    /// The chunk is not one of this page.
    #[error("the chunk belongs to another page")]
    Foreign,
}

impl Page {
    /// The chunks of this page in order. Small files that follow each other are packed as long as they fit
    /// [`CHUNK_SIZE`] and [`PACK_MAX_FILES`]; folders between them do not matter; a large file ends a pack.
    pub fn chunks(&self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let (mut pack, mut pack_len) = (Vec::new(), 0);
        for (entry, record) in self.entries.iter().enumerate() {
            let Entry::File(file) = record else { continue };
            let full = pack_len + file.size.min(CHUNK_SIZE) > CHUNK_SIZE || pack.len() == PACK_MAX_FILES;
            if file.is_large() || full {
                close_pack(&mut chunks, &mut pack, &mut pack_len);
            }
            if file.is_large() {
                chunks.extend(slices(entry, file));
            } else {
                pack.push(entry);
                pack_len += file.size;
            }
        }
        close_pack(&mut chunks, &mut pack, &mut pack_len);
        chunks
    }

    /// Checks that `bytes` are `chunk`, which is one of [`chunks`](Self::chunks). Files of a pack are checked against
    /// their hashes, a slice against its subtree value.
    ///
    /// # Errors
    /// What is wrong, with the path of the first bad file. The sender is at fault, since it can check before it sends.
    pub fn verify_chunk(&self, chunk: &Chunk, bytes: &[u8]) -> Result<(), BadChunk> {
        let actual = bytes.len() as u64;
        if actual != chunk.len {
            return Err(BadChunk::Length { expected: chunk.len, actual });
        }
        match &chunk.content {
            ChunkContent::Pack { entries } => self.verify_pack(entries, bytes),
            ChunkContent::Slice { entry, offset, subtree } => {
                let file = self.file(*entry)?;
                if verify_slice(bytes, *offset, subtree) {
                    return Ok(());
                }
                Err(BadChunk::Content { path: file.path.clone(), offset: *offset })
            }
        }
    }

    fn verify_pack(&self, entries: &[usize], mut bytes: &[u8]) -> Result<(), BadChunk> {
        for entry in entries {
            let file = self.file(*entry)?;
            let size = usize::try_from(file.size).map_err(|_| BadChunk::Foreign)?;
            let (content, rest) = bytes.split_at_checked(size).ok_or(BadChunk::Foreign)?;
            if Hash::of(content) != file.hash {
                return Err(BadChunk::Content { path: file.path.clone(), offset: 0 });
            }
            bytes = rest;
        }
        if bytes.is_empty() { Ok(()) } else { Err(BadChunk::Foreign) }
    }

    fn file(&self, entry: usize) -> Result<&FileEntry, BadChunk> {
        match self.entries.get(entry) {
            Some(Entry::File(file)) => Ok(file),
            _ => Err(BadChunk::Foreign),
        }
    }
}

/// Whether `bytes` are the slice of a large file that begins at `offset` and has the chaining value `subtree`.
///
/// The value tells apart position as well as content: the same bytes elsewhere in the file have another one. `false`
/// also for an offset that is not a multiple of [`CHUNK_SIZE`], and for no bytes or more than that.
pub fn verify_slice(bytes: &[u8], offset: u64, subtree: &[u8; 32]) -> bool {
    if bytes.is_empty() || bytes.len() as u64 > CHUNK_SIZE || !offset.is_multiple_of(CHUNK_SIZE) {
        return false;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset).update(bytes);
    hasher.finalize_non_root() == *subtree
}

fn close_pack(chunks: &mut Vec<Chunk>, pack: &mut Vec<usize>, len: &mut u64) {
    if !pack.is_empty() {
        chunks.push(Chunk { len: std::mem::take(len), content: ChunkContent::Pack { entries: std::mem::take(pack) } });
    }
}

fn slices(entry: usize, file: &FileEntry) -> impl Iterator<Item = Chunk> {
    let numbers = file.first_subtree..;
    numbers.zip(&file.subtrees).map(move |(number, subtree)| {
        // Decoding saw to it that no number is beyond the file's end; of records made by hand nothing is known.
        let offset = number.saturating_mul(CHUNK_SIZE);
        Chunk {
            len: file.size.saturating_sub(offset).min(CHUNK_SIZE),
            content: ChunkContent::Slice { entry, offset, subtree: *subtree },
        }
    })
}
