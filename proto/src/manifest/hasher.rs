//! One pass over a file gives its standard hash and the values that its chunks verify against.

use blake3::hazmat::{self, HasherExt as _, Mode};

use super::CHUNK_SIZE;
use crate::ids::Hash;

/// Hashes a file that comes in pieces: its BLAKE3 hash, the chaining value of each chunk, and its length.
///
/// Fastest when the pieces are large; they need not be aligned. Keeps 32 bytes for each MiB hashed.
///
/// ```
/// # use moorline_proto::{CHUNK_SIZE, FileHasher, Hash, verify_slice};
/// let content = vec![7; CHUNK_SIZE as usize + 1];
/// let mut hasher = FileHasher::new();
/// for piece in content.chunks(65_536) {
///     hasher.update(piece);
/// }
/// let (hash, subtrees, len) = hasher.finish();
/// assert_eq!(hash, Hash::of(&content));
/// assert_eq!((subtrees.len(), len), (2, CHUNK_SIZE + 1));
/// assert!(verify_slice(&content[CHUNK_SIZE as usize..], CHUNK_SIZE, &subtrees[1]));
/// ```
#[derive(Debug)]
pub struct FileHasher {
    /// The chunk at hand.
    chunk: blake3::Hasher,
    /// Whole chunks before it.
    subtrees: Vec<[u8; 32]>,
}

impl FileHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self { chunk: blake3::Hasher::new(), subtrees: Vec::new() }
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // A full chunk is closed only when more follows: if it is the whole file, it is the root of its tree.
            if self.chunk.count() == CHUNK_SIZE {
                self.close_chunk();
            }
            let room = CHUNK_SIZE - self.chunk.count();
            let taken = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(taken);
            self.chunk.update(now);
            bytes = later;
        }
    }

    /// The file's hash, the chaining values of its chunks (none if it has at most [`CHUNK_SIZE`] bytes), and its length.
    pub fn finish(mut self) -> (Hash, Vec<[u8; 32]>, u64) {
        let len = self.subtrees.len() as u64 * CHUNK_SIZE + self.chunk.count();
        if self.subtrees.is_empty() {
            let hash = *self.chunk.finalize().as_bytes();
            return (hash.into(), Vec::new(), len);
        }
        self.close_chunk();
        let mut tree = SubtreeStack::new();
        self.subtrees.iter().for_each(|value| tree.push(*value));
        let root = tree.root().expect("a file of more than one chunk has two");
        (root, self.subtrees, len)
    }

    fn close_chunk(&mut self) {
        self.subtrees.push(self.chunk.finalize_non_root());
        self.chunk = blake3::Hasher::new();
        let offset = self.subtrees.len() as u64 * CHUNK_SIZE;
        self.chunk.set_input_offset(offset);
    }
}

impl Default for FileHasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Merges chaining values of consecutive chunks, one at a time, into the hash of the whole.
///
/// Holds one value for each complete subtree that waits for its sibling: no more than there are bits in their number.
/// Merging is put off until the next value comes, since the last merge of all is another one (BLAKE3 paper, 5.1.2).
#[derive(Debug, Default)]
pub(super) struct SubtreeStack {
    waiting: Vec<[u8; 32]>,
    pushed: u64,
}

impl SubtreeStack {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    pub(super) fn push(&mut self, value: [u8; 32]) {
        while self.waiting.len() > self.pushed.count_ones() as usize {
            let right = self.waiting.pop();
            let left = self.waiting.pop();
            if let (Some(left), Some(right)) = (left, right) {
                let parent = hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash);
                self.waiting.push(parent);
            }
        }
        self.waiting.push(value);
        self.pushed += 1;
    }

    /// The root; `None` for fewer than two values, which make no tree.
    pub(super) fn root(&self) -> Option<Hash> {
        let (last, before) = self.waiting.split_last()?;
        let (first, between) = before.split_first()?;
        let merge = |right, left: &[u8; 32]| hazmat::merge_subtrees_non_root(left, &right, Mode::Hash);
        let right = between.iter().rev().fold(*last, merge);
        let root = hazmat::merge_subtrees_root(first, &right, Mode::Hash);
        Some(Hash::from_bytes(*root.as_bytes()))
    }
}
