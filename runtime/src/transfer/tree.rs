//! Files below one folder, reached without ever following a symbolic link.
//!
//! A path from a manifest cannot leave the folder ([`RelPath`] sees to that), but another user of this machine could plant a
//! link in it. So every component is opened on its own, relative to its parent and without following links, and a file that
//! is not a plain one with a single name is refused.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::Tree;

#[cfg(not(unix))]
mod portable;
#[cfg(not(unix))]
pub(super) use portable::Tree;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

/// Reads all of `buf` from `offset` on.
pub(super) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buf, offset);
    #[cfg(windows)]
    {
        let (mut buf, mut offset) = (buf, offset);
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(file, buf, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => {
                    buf = &mut buf[n..];
                    offset += n as u64;
                }
            }
        }
        Ok(())
    }
}

/// Writes all of `buf` from `offset` on.
pub(super) fn write_all_at(file: &File, buf: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, buf, offset);
    #[cfg(windows)]
    {
        let (mut buf, mut offset) = (buf, offset);
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(file, buf, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => {
                    buf = &buf[n..];
                    offset += n as u64;
                }
            }
        }
        Ok(())
    }
}

/// Whether anything is at `path`, be it a dangling link.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Counts what a manifest would have an entry for below `root`: everything that is not a folder, and empty folders.
/// Stops early when cancelled, or as soon as the count is beyond `limit`.
pub(super) fn count_entries(root: &Path, limit: u64, cancel: &CancellationToken) -> io::Result<u64> {
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let mut empty = true;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            empty = false;
            // The entry's own type: a link to a folder is not a folder.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                count += 1;
            }
        }
        // The item itself is no entry, empty or not.
        count += u64::from(empty && folder != root);
        if count > limit || cancel.is_cancelled() {
            break;
        }
    }
    Ok(count)
}
