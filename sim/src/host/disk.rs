use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moorline_runtime::transfer::Disk;

/// What is free on a disk that is not full. Not asked of the real one: it would differ from machine to machine.
const PLENTY: u64 = 1 << 40;

/// The disk of a node, as far as its room goes. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct HostDisk {
    full: Arc<AtomicBool>,
}

impl HostDisk {
    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

impl Disk for HostDisk {
    fn free_bytes(&self, _path: &Path) -> io::Result<Option<u64>> {
        Ok(Some(if self.is_full() { 0 } else { PLENTY }))
    }

    fn before_write(&self, _path: &str, _bytes: u64) -> io::Result<()> {
        if self.is_full() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}
