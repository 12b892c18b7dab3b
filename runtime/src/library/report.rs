use std::path::PathBuf;

use super::scan::Work;

/// What a scan found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanReport {
    /// Items on offer after it.
    pub items: usize,
    /// Items whose manifest was made anew.
    pub built: u64,
    /// Items that are as they were hashed, this time or in an earlier run.
    pub unchanged: u64,
    /// Files looked at.
    pub files_seen: u64,
    /// Files read and hashed.
    pub files_hashed: u64,
    /// Bytes read to be hashed, those of files that were given up on included.
    pub bytes_hashed: u64,
    /// What was left out, over the whole library. See [`Library::notices`](super::Library::notices) for what and why.
    pub left_out: u64,
    /// Roots of items that are not offered because they changed while they were looked at, or because another process hashes them.
    /// The monitor tries again.
    pub unsettled: Vec<PathBuf>,
}

impl ScanReport {
    pub(super) fn add(&mut self, work: Work) {
        self.files_seen += work.files_seen;
        self.files_hashed += work.files_hashed;
        self.bytes_hashed += work.bytes_hashed;
    }
}
