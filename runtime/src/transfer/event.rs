//! What a download tells while it runs, and how it ended.

use std::path::PathBuf;
use std::time::Duration;

use moorline_proto::PeerId;

use super::error::{DownloadError, DropReason};

/// What happens to a download. The last event is the only one for which [`is_terminal`](Self::is_terminal) is true.
///
/// `Checking` and `Progress` tell a state: a slow consumer misses some of them. All others are kept until they are taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// What is on this disk already is being compared with the item: staged data of an earlier run, or the target.
    Checking {
        /// Bytes read so far.
        bytes_done: u64,
        /// Bytes to read.
        bytes_total: u64,
    },
    /// The manifest is here and verified, there is room for the item, and fetching begins.
    Planned {
        /// Bytes of the whole item.
        bytes: u64,
        /// Files in it.
        files: u64,
        /// Chunks in it.
        chunks: u64,
        /// Bytes that an earlier run fetched and that are still good.
        resumed_bytes: u64,
    },
    /// How far it is; a few times a second at most.
    Progress(Progress),
    /// A source is no longer used.
    SourceDropped {
        /// Who.
        peer: PeerId,
        /// Its name, for a person.
        label: String,
        /// Why.
        reason: DropReason,
    },
    /// The last source left while work remains: once each time.
    AllPeersGone {
        /// True: the download goes on when a source comes. False: this is the end of it.
        waiting: bool,
    },
    /// No source came for as long as the download was to wait, or none can come any more. The end.
    GaveUp {
        /// How long there was none.
        waited: Duration,
    },
    /// The item is in its place, whole and verified. The end.
    Finished {
        /// Where.
        path: PathBuf,
        /// What it took.
        stats: DownloadStats,
    },
    /// The end.
    Failed(DownloadError),
    /// The end: somebody asked for it, or the task that ran the download was stopped.
    Cancelled,
}

impl DownloadEvent {
    /// Whether this is the last event of its download.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::AllPeersGone { waiting: false }
                | Self::GaveUp { .. }
                | Self::Finished { .. }
                | Self::Failed(_)
                | Self::Cancelled
        )
    }
}

/// How far a download is. Bytes count when they are verified and written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Bytes of the item that are verified and written, those of earlier runs included.
    pub bytes_done: u64,
    /// Bytes of the whole item.
    pub bytes_total: u64,
    /// Bytes a second lately, over all sources.
    pub rate: f64,
    /// The sources at work, in the order of their ids.
    pub sources: Vec<SourceProgress>,
}

/// The share of one source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceProgress {
    /// Who.
    pub peer: PeerId,
    /// Its name, for a person.
    pub label: String,
    /// Bytes of this download that came from it and were good.
    pub bytes: u64,
    /// Bytes a second lately; zero while it is not known.
    pub rate: f64,
}

/// What a finished download took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DownloadStats {
    /// Bytes of the item.
    pub bytes: u64,
    /// Bytes that were fetched, verified and written by this run.
    pub fetched_bytes: u64,
    /// Bytes that earlier runs had fetched.
    pub resumed_bytes: u64,
    /// Bytes that came in vain: second copies and bad ones.
    pub wasted_bytes: u64,
    /// The item was in its place before.
    pub already_there: bool,
    /// From the start of the download to its end.
    pub elapsed: Duration,
    /// Who gave how much, in the order of their ids.
    pub sources: Vec<SourceProgress>,
}

/// How a download ended; tells the same as its last event.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DownloadOutcome {
    /// The item is in its place, whole and verified.
    Finished {
        /// Where.
        path: PathBuf,
        /// What it took.
        stats: DownloadStats,
    },
    /// Nobody was left to fetch from, and the download was not to wait, or not any longer.
    AllPeersGone,
    /// See the error.
    Failed(DownloadError),
    /// Somebody asked for it.
    Cancelled,
}
