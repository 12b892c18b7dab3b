//! How a manifest can be wrong.

use crate::ids::{Hash, ItemId};
use crate::path_set::PathCollision;
use crate::rel_path::{RelPath, RelPathError};

/// A manifest, or a part of one, that is not what it must be. Whoever sent it is at fault; from
/// [`ManifestBuilder`](crate::ManifestBuilder), whoever called it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The head hashes to another item.
    #[error("the manifest head belongs to item {actual}, not to {expected}")]
    WrongItem {
        /// The item asked for.
        expected: ItemId,
        /// The item that the head describes.
        actual: ItemId,
    },
    /// The content of a page has another hash than the head says.
    #[error("page {page} has the hash {actual}, the head says {expected}")]
    WrongPage {
        /// Index of the page.
        page: usize,
        /// Hash in the head.
        expected: Hash,
        /// Hash of what came.
        actual: Hash,
    },
    /// Bytes that the layout does not allow.
    #[error("the {part} is malformed at byte {at}: {what}")]
    Layout {
        /// "head" or "page".
        part: &'static str,
        /// Offset of the record or field.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A path that must not be.
    #[error(transparent)]
    Path(#[from] RelPathError),
    /// Two paths that must not be together.
    #[error(transparent)]
    Collision(#[from] PathCollision),
    /// Records are not in strictly ascending order of path.
    #[error("{path:?} does not come after {after:?}: records must be in ascending order")]
    Unsorted {
        /// The record out of order.
        path: RelPath,
        /// The one before it.
        after: RelPath,
    },
    /// A folder has a record of its own, which only empty ones have, and something in it.
    #[error("{path:?} lies in a folder that is recorded as empty")]
    FolderNotEmpty {
        /// What lies in the folder.
        path: RelPath,
    },
    /// A file larger than any file system holds.
    #[error("{path:?} is said to have {size} bytes, more than a file can have")]
    FileTooLarge {
        /// The file.
        path: RelPath,
        /// Its alleged size in bytes.
        size: u64,
    },
    /// Too few or too many subtree values, or not the next ones.
    #[error("{path:?} has subtree values {first} to {end} where {expected} should follow")]
    Subtrees {
        /// The file.
        path: RelPath,
        /// First value given.
        first: u64,
        /// One past the last value given.
        end: u64,
        /// What would be right.
        expected: String,
    },
    /// The subtree values do not merge to the file's hash (or an empty file has another hash than the empty input).
    #[error("the subtree values of {path:?} give the hash {actual}, its record says {expected}")]
    WrongRoot {
        /// The file.
        path: RelPath,
        /// Hash in the record.
        expected: Hash,
        /// Hash that the values give.
        actual: Hash,
    },
    /// Another number of modification times than of file records.
    #[error("a page has {times} modification times for {files} file records")]
    Times {
        /// Modification times.
        times: usize,
        /// File records.
        files: usize,
    },
    /// A sum in the head is not what its parts give.
    #[error("the head says {said} {what}, the pages have {found}")]
    Totals {
        /// Which sum.
        what: &'static str,
        /// What the head says.
        said: u64,
        /// What was counted, at least.
        found: u64,
    },
    /// More pages than [`MAX_PAGES`](crate::MAX_PAGES), or than the head lists.
    #[error("more than {max} pages")]
    TooManyPages {
        /// How many there may be.
        max: usize,
    },
    /// Fewer pages came than the head lists.
    #[error("{missing} pages are missing")]
    Incomplete {
        /// How many are missing.
        missing: usize,
    },
    /// The item is a single file, and the manifest has something else.
    #[error("the item is a single file, but the manifest holds something else than one file")]
    NotOneFile,
}
