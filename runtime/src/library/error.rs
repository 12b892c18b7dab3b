use std::io;
use std::path::PathBuf;

/// Why a library could not be opened or scanned. What is wrong with a single file or item is a [`Notice`](super::Notice) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder for manifests and hashes cannot be used.
    #[error("cannot use the cache folder {}: {source}; choose one that this user can write to", path.display())]
    CacheDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A setting makes no sense.
    #[error("library setting `{name}` must be {must}")]
    Setting {
        /// Name of the field.
        name: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The scope that the work ran in was cancelled.
    #[error("the library scan was stopped")]
    Stopped,
    /// The work ended by a panic.
    #[error("the library scan failed: {0}")]
    Failed(String),
}

/// Why a part of a shared item could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The file is not the one that was hashed; the item is withdrawn until it has been hashed again.
    #[error("{} changed since it was hashed; ask again when the item is offered again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file is not there any more.
    #[error("{} is gone", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// The item has no such chunk or page.
    #[error("asked for {what} {index}, but the item has {count}")]
    OutOfRange {
        /// "chunk" or "page".
        what: &'static str,
        /// The index asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// The system could not read the file.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
