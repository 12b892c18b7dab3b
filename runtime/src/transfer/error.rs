//! Why a download failed, and why it left a source.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a download failed. What was verified until then stays in the staging folder, and the next download of the item
/// into the same folder goes on from there.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The name that the item should get is no safe file name.
    #[error("{name:?} cannot name a file or folder here: {reason}; choose another name")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another download, of this process or another, has the staging folder.
    #[error("this item is being downloaded into {} already; wait for that download to end, or stop it", .into.display())]
    Locked {
        /// The folder that both download into.
        into: PathBuf,
    },
    /// Something else is where the item should go.
    #[error("{} exists already and {difference}; move it away, or choose another folder or name", .path.display())]
    TargetExists {
        /// The path.
        path: PathBuf,
        /// How it differs from the item.
        difference: String,
    },
    /// The disk is too full.
    #[error("{need} bytes are needed on the disk of {}, and {free} are free; free some space, or choose another folder", .path.display())]
    NoSpace {
        /// A folder on that disk.
        path: PathBuf,
        /// Bytes that are still to be written, and what is kept in reserve.
        need: u64,
        /// Bytes that this user can still write there.
        free: u64,
    },
    /// The local file system refused something.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The item itself is malformed: whoever made it is at fault, and no source has a better one.
    #[error("the item {} is malformed and cannot be downloaded from anyone: {reason}", Whose(.from))]
    BadItem {
        /// The name of the peer that sent the bad part; `None` if it was here from an earlier run.
        from: Option<String>,
        /// What is wrong with its manifest.
        reason: String,
    },
    /// The staging folder holds what no download puts there: a symbolic link, a device, another program's files.
    #[error("{} is not as this program left it: {reason}; remove that folder and start again", .path.display())]
    Tampered {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A defect of this program.
    #[error("the download failed because of a defect of this program: {0}; please report it")]
    Internal(String),
}

impl DownloadError {
    /// An error of the local file system. A full disk is told as what it is.
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                // How much more would be needed is not known here; the caller that knows fills it in.
                Self::NoSpace { path: path.to_owned(), need: 0, free: 0 }
            }
            _ => Self::Io { what, path: path.to_owned(), source: Arc::new(source) },
        }
    }
}

struct Whose<'a>(&'a Option<String>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(from) => write!(f, "that {from} offers"),
            None => f.write_str("itself"),
        }
    }
}

/// Why a download takes nothing more from a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// The connection to it ended.
    #[error("the connection ended: {0}")]
    Gone(String),
    /// It no longer has the item, or another version of it.
    #[error("it does not have this version of the item any more: {0}")]
    Stale(String),
    /// It does not let us.
    #[error("it refuses: {0}")]
    Refused(String),
    /// It sent nothing, or next to nothing, for this long.
    #[error("it made no progress for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// It did not answer in time, in the transport's view.
    #[error("{0}")]
    TimedOut(String),
    /// It failed again and again.
    #[error("it failed {failures} times, at last: {last}")]
    Failing {
        /// How often, without any success in between.
        failures: u32,
        /// The last failure.
        last: String,
    },
    /// It sent bytes that are not the item's. It is not asked again, and its connection is closed.
    #[error("it sent bad content: {0}")]
    BadContent(String),
    /// It is one source more than the configuration allows.
    #[error("there are {limit} sources already")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}
