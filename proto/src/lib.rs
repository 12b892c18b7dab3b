#![doc = include_str!("../README.md")]

mod frame;
mod ids;
mod manifest;
mod message;
mod path_set;
mod rel_path;
mod version;
pub mod wire;

pub use frame::{FRAME_HEADER_LEN, FrameDecoder, FrameError, MAX_FRAME, encode_frame, parse_frame_len};
pub use ids::{Hash, ItemId, ParseIdError, PeerId};
pub use manifest::{
    BadChunk, CHUNK_SIZE, Chunk, ChunkContent, EncodedPage, Entry, FileEntry, FileHasher, ItemKind, MAX_FILE_SIZE,
    MAX_PAGES, ManifestBuilder, ManifestError, ManifestHead, ManifestVerifier, PACK_MAX_FILES, PAGE_MAX_RECORDS,
    PAGE_TARGET, Page, PageRef, verify_slice,
};
pub use message::{
    Admission, DecodeError, ErrorCode, Goodbye, Hello, HelloAnswer, HelloReply, Introduce, ItemPage, ItemSummary,
    LibraryDelta, LibraryDigest, PeerError, Refusal, Request, Response, Thumbnail, Welcome, limits,
};
pub use path_set::{MAX_PATHS, PathCollision, PathSet};
pub use rel_path::{MAX_COMPONENT_BYTES, MAX_PATH_BYTES, MAX_PATH_COMPONENTS, RelPath, RelPathError};
pub use version::{VERSIONS, VersionRange};
