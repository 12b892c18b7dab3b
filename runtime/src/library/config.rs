use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Something that the user asked to share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShareRoot {
    /// This file or directory is one item.
    Item(PathBuf),
    /// Every file and directory directly inside this directory is an item.
    Children(PathBuf),
}

impl ShareRoot {
    /// The path as the user gave it.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        match self {
            Self::Item(path) | Self::Children(path) => path,
        }
    }
}

/// What a [`Library`](super::Library) shares and how it looks after it.
#[derive(Clone, Debug)]
pub struct LibraryConfig {
    /// What to share. More can be added later with [`Library::add`](super::Library::add).
    pub roots: Vec<ShareRoot>,
    /// Where manifests and file hashes are kept from one run to the next: one file an item. Created if missing. Two processes may use
    /// the same folder.
    pub cache_dir: PathBuf,
    /// The revision that the first offer is counted from. It has to differ from one run of a node to the next, or a peer would take
    /// the revision of an earlier run for one of this run; [`LibraryConfig::new`] derives it from the caller's randomness.
    pub first_revision: u64,
    /// Whether to use the system's file watcher. Without it, changes are found every `rescan_interval`; for network drives that report
    /// nothing, and for simulations, in which no thread may have a will of its own.
    pub watch: bool,
    /// Time between two looks at everything that is shared. This finds what the watcher missed.
    pub rescan_interval: Duration,
    /// How long an item has to stay as it is before it is hashed again. Each change starts the wait anew.
    pub settle: Duration,
    /// Bounds.
    pub limits: LibraryLimits,
    /// The wall clock of the machine whose file system is read. Only compared with modification times, to tell files that may still
    /// change within the tick of the file system's clock.
    pub wall_clock: fn() -> SystemTime,
}

impl LibraryConfig {
    /// Shares nothing yet; keeps its cache in `cache_dir`. `entropy` are eight random bytes, fresh for each run.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>, entropy: [u8; 8]) -> Self {
        Self {
            roots: Vec::new(),
            cache_dir: cache_dir.into(),
            // The top bit stays free, so that counting up never wraps; zero stays free, because peers say it for "nothing seen yet".
            first_revision: (u64::from_le_bytes(entropy) >> 1).max(1),
            watch: true,
            rescan_interval: Duration::from_secs(60),
            settle: Duration::from_secs(2),
            limits: LibraryLimits::default(),
            wall_clock: SystemTime::now,
        }
    }
}

/// Bounds of a library. Together they bound its memory; see the [module](super) for the sum.
#[derive(Clone, Debug)]
pub struct LibraryLimits {
    /// Roots, those added later included.
    pub roots: usize,
    /// Items offered at once; further ones are left out with a notice.
    pub items: usize,
    /// Names in one directory; a directory with more is left out with a notice.
    pub names_per_directory: usize,
    /// Changes of the set of offers that are remembered; a peer that is further behind lists anew.
    pub history: usize,
    /// Notices kept as text, over all items; the rest is only counted.
    pub notices: usize,
    /// Files held open between two reads.
    pub open_files: usize,
    /// Decoded manifest pages held in memory.
    pub decoded_pages: usize,
    /// Idle read buffers of one chunk (1 MiB) each.
    pub idle_buffers: usize,
    /// Reports of the file watcher that wait to be looked at; when there are more, everything is looked at instead.
    pub watch_events: usize,
}

impl Default for LibraryLimits {
    fn default() -> Self {
        Self {
            roots: 1024,
            items: 4096,
            names_per_directory: 1 << 20,
            history: 64,
            notices: 256,
            open_files: 32,
            decoded_pages: 16,
            idle_buffers: 4,
            watch_events: 1024,
        }
    }
}
