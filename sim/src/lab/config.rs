use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moorline_discovery::memory::NetworkConfig;

/// What a [`Lab`](super::Lab) is made from.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// Everything random comes from it.
    pub seed: u64,
    /// The folder below which each host has its own. What is left in there from an earlier run is not touched: give each run its own.
    pub root: PathBuf,
    /// How far one step goes. Messages between hosts are handed over once a step. Whole milliseconds; default 1 ms. The longer, the
    /// faster: 5 to 10 ms do for rooms and discovery.
    pub tick: Duration,
    /// Latency of every link, until it is changed: whole milliseconds, at least one. Default 1 ms.
    pub latency: Duration,
    /// The time of day at the start. Default: the first of January 2026.
    pub epoch: SystemTime,
    /// How discovery behaves. Its seed is replaced by one of this lab's.
    pub discovery: NetworkConfig,
    /// Whether hosts run in another order in each step. Default: yes.
    pub shuffle_hosts: bool,
    /// So much of the trace is kept as text, in bytes. Default: 64 MiB.
    pub trace_bytes: usize,
}

impl LabConfig {
    /// The defaults.
    #[must_use]
    pub fn new(seed: u64, root: impl Into<PathBuf>) -> Self {
        Self {
            seed,
            root: root.into(),
            tick: Duration::from_millis(1),
            latency: Duration::from_millis(1),
            epoch: UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            discovery: NetworkConfig::default(),
            shuffle_hosts: true,
            trace_bytes: 64 << 20,
        }
    }
}
