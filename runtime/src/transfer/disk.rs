//! What a download asks the disk itself: how much room there is. A seam for tests and simulations.

use std::io;
use std::path::Path;

/// The disk that an item is downloaded to.
pub trait Disk: Send + Sync + 'static {
    /// Bytes that can still be written below `path`, an existing folder; `None` if the system does not tell.
    ///
    /// # Errors
    /// Whatever the system answers. The download then goes on without the check.
    fn free_bytes(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Called before `bytes` are written to the staged file at `path`. An error is taken as that of the write itself.
    ///
    /// # Errors
    /// Never for a real disk; a test fails a write here.
    fn before_write(&self, path: &str, bytes: u64) -> io::Result<()> {
        let _ = (path, bytes);
        Ok(())
    }

    /// Puts something where a power cut cannot take it back. `sync` has the system do that; a simulation only notes what is safe.
    ///
    /// # Errors
    /// Whatever the system answers.
    fn flush(&self, what: Flush<'_>, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let _ = what;
        sync()
    }
}

/// What is put on the disk.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Flush<'a> {
    /// The bytes of this file. Its name may still be lost.
    Bytes(&'a Path),
    /// All files and folders below this folder, with their names in it.
    Tree(&'a Path),
    /// The names in this folder: what was moved into it stays there.
    Names(&'a Path),
}

/// The disk that the operating system knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    #[cfg(unix)]
    fn free_bytes(&self, path: &Path) -> io::Result<Option<u64>> {
        let stat = rustix::fs::statvfs(path)?;
        // A file system that counts no blocks (some network ones) does not mean that it is full.
        let known = stat.f_blocks > 0;
        Ok(known.then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    #[cfg(not(unix))]
    fn free_bytes(&self, _path: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_real_folder_has_a_known_free_space() {
        let free = SystemDisk.free_bytes(&std::env::temp_dir()).expect("statvfs works on the temporary folder");
        assert!(free.is_some());
        assert!(SystemDisk.free_bytes(Path::new("/no/such/folder")).is_err());
    }
}
