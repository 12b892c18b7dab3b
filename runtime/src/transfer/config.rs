//! The knobs of one download.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{CHUNK_SIZE, ItemId};

use super::disk::{Disk, SystemDisk};
use super::schedule::ScheduleConfig;

/// What to do when the last source left while work remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenAlone {
    /// Go on when a source comes.
    #[default]
    Wait,
    /// End.
    End,
}

/// What to fetch, where to, and within which bounds. Start from [`DownloadConfig::new`].
#[derive(Clone)]
pub struct DownloadConfig {
    /// The item.
    pub item: ItemId,
    /// The folder that the item goes into. It is created if it is missing.
    pub into: PathBuf,
    /// The item's name in that folder: one component, checked like a remote name.
    pub name: String,
    /// What to do when the last source left. Default: wait.
    pub when_alone: WhenAlone,
    /// With [`WhenAlone::Wait`]: for how long at most. Default: `None`, for ever.
    pub alone_deadline: Option<Duration>,
    /// With no source from the start: how long until that counts as being alone. Default: 10 s.
    pub first_source_timeout: Duration,
    /// For how long no source may be known before that counts as being alone: a connection that is replaced by a better one
    /// is gone for a moment. Default: 250 ms.
    pub alone_grace: Duration,
    /// A source that delivers less than `stall_bytes` within this time, while it is being read, is dropped. Also the
    /// deadline of every other request. Default: 10 s.
    pub stall_timeout: Duration,
    /// See `stall_timeout`. Together they are the least rate that a source may have. Default: 64 KiB.
    pub stall_bytes: usize,
    /// Requests in flight a source, so that it never waits for our next one. Default: 2, at least 1.
    pub pipeline: usize,
    /// Chunks a request, at most. Default: 16.
    pub max_batch: u32,
    /// Sources that are read at the same time; further ones stand by. Default: 8, and never more than half the buffers.
    pub active_sources: usize,
    /// Sources that are kept in mind, those standing by included. Default: 256.
    pub max_sources: usize,
    /// Memory for chunks on their way from the network to the disk, for all sources together, in bytes. Rounded down to
    /// whole chunks, at least two. Default: 16 MiB.
    pub buffer_bytes: u64,
    /// Chunks that are verified and written at the same time. Default: 2.
    pub writers: usize,
    /// Manifest pages a request. Default: 8, about 1 MiB.
    pub page_batch: u32,
    /// Failures in a row after which a source is dropped. Default: 5.
    pub max_failures: u32,
    /// How long a source is left alone after its first failure; doubles with each further one. Default: 250 ms.
    pub retry_delay: Duration,
    /// How long at most. Default: 5 s.
    pub retry_ceiling: Duration,
    /// An unanswered manifest request is put to a second source after this. Default: 1 s.
    pub hedge_delay: Duration,
    /// How often `Progress` is told. Default: 200 ms.
    pub progress_interval: Duration,
    /// Free space to leave on the disk, in bytes. Default: 16 MiB.
    pub space_reserve: u64,
    /// Whether the data is flushed to the disk before it gets its final name, so that a power cut cannot leave a hollow
    /// item under it. Default: yes.
    pub flush: bool,
    /// Where free space is looked up; tests and simulations hand in a disk that is full.
    pub disk: Arc<dyn Disk>,
}

impl DownloadConfig {
    /// A download of `item` to `into`/`name` with the defaults.
    #[must_use]
    pub fn new(item: ItemId, into: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            item,
            into: into.into(),
            name: name.into(),
            when_alone: WhenAlone::default(),
            alone_deadline: None,
            first_source_timeout: Duration::from_secs(10),
            alone_grace: Duration::from_millis(250),
            stall_timeout: Duration::from_secs(10),
            stall_bytes: 64 << 10,
            pipeline: 2,
            max_batch: 16,
            active_sources: 8,
            max_sources: 256,
            buffer_bytes: 16 << 20,
            writers: 2,
            page_batch: 8,
            max_failures: 5,
            retry_delay: Duration::from_millis(250),
            retry_ceiling: Duration::from_secs(5),
            hedge_delay: Duration::from_secs(1),
            progress_interval: Duration::from_millis(200),
            space_reserve: 16 << 20,
            flush: true,
            disk: Arc::new(SystemDisk),
        }
    }

    /// How many chunk buffers there are.
    pub(super) fn buffers(&self) -> usize {
        usize::try_from(self.buffer_bytes / CHUNK_SIZE).unwrap_or(usize::MAX).max(2)
    }

    /// How many sources may be read at once: each holds a buffer while it does, and as many are left for the writers.
    pub(super) fn lanes(&self) -> usize {
        self.active_sources.clamp(1, self.buffers() / 2)
    }

    pub(super) fn schedule(&self) -> ScheduleConfig {
        ScheduleConfig {
            pipeline: self.pipeline.max(1),
            max_batch: self.max_batch.max(1),
            first_batch: 2,
            batch_time: Duration::from_secs(1),
            max_copies: 3,
            steal_after: Duration::from_millis(250),
        }
    }
}

impl std::fmt::Debug for DownloadConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DownloadConfig")
            .field("item", &self.item)
            .field("into", &self.into)
            .field("name", &self.name)
            .field("when_alone", &self.when_alone)
            .finish_non_exhaustive()
    }
}
