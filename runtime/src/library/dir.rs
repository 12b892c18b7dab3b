//! Directories and files, opened without ever following a symbolic link below the root.

use std::fs::File;
use std::io;

#[cfg(any(test, not(unix)))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use portable::{Dir, is_link, meta_of, read_at, sync_dir};
#[cfg(unix)]
pub(super) use unix::{Dir, is_link, meta_of, read_at, sync_dir};

/// Fills `buffer` from `offset` on. Returns how much was there: less than asked for only at the end of the file.
pub(super) fn read_full_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether an error means that a path leads nowhere (any more).
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
