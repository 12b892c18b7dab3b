//! What an item consists of, in pages that each verify alone.

mod builder;
mod chunk;
mod error;
mod hasher;
mod head;
mod layout;
mod page;
mod sorted_paths;
mod verifier;

pub use builder::ManifestBuilder;
pub use chunk::{BadChunk, Chunk, ChunkContent, verify_slice};
pub use error::ManifestError;
pub use hasher::FileHasher;
pub use head::{ItemKind, ManifestHead, PageRef};
pub use page::{EncodedPage, Entry, FileEntry, Page};
pub use verifier::ManifestVerifier;

/// Bytes of a chunk of a large file, the last one excepted: an aligned subtree of BLAKE3's tree.
pub const CHUNK_SIZE: u64 = 1 << 20;
/// Most files in a pack.
pub const PACK_MAX_FILES: usize = 1024;
/// Most bytes of a page's hashed content. A page is closed when the next record does not fit.
pub const PAGE_TARGET: usize = 128 * 1024;
/// Most records in a page, which bounds what decoding one allocates.
pub const PAGE_MAX_RECORDS: usize = 4096;
/// Most pages of a manifest.
pub const MAX_PAGES: usize = 4096;
/// Largest file: what a signed 64-bit file offset reaches.
pub const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// How many subtree values a file of `size` bytes has: none up to [`CHUNK_SIZE`], one for each started chunk above it.
pub(crate) fn subtree_count(size: u64) -> u64 {
    if size <= CHUNK_SIZE { 0 } else { size.div_ceil(CHUNK_SIZE) }
}
