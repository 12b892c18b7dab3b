mod durable;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moorline_runtime::transfer::{Disk, Flush};
use rand_core::RngCore;

use durable::Durable;

/// What is free on a disk that is not full. Not asked of the real one: it would differ from machine to machine.
const PLENTY: u64 = 1 << 40;

/// The disk of a node: how much room it has, and what a power cut leaves of it. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct HostDisk {
    full: Arc<AtomicBool>,
    durable: Arc<Mutex<Durable>>,
}

impl HostDisk {
    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Leaves of what is below `folder` what a power cut may leave.
    pub(super) fn lose_power(&self, folder: &Path, dice: &mut impl RngCore) -> io::Result<()> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).lose_power(folder, dice)
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

    /// The real disk is left alone.
    fn flush(&self, what: Flush<'_>, _sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).flush(what)
    }
}
