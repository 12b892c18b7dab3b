//! The staging folder `INTO/.moorline-partial-…`: where an item grows until it is whole.
//!
//! Holds `lock`, `manifest`, `journal` and the folder `data`. The lock keeps a second download of the item into the same
//! folder out, of this process or another; the system lets go of it when a process dies.

use std::fs::{self, File, TryLockError};
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use moorline_proto::{ItemId, RelPath};

use super::chunk_set::ChunkSet;
use super::error::DownloadError;
use super::journal::Journal;
use super::tree::Tree;

/// What the names of staging folders begin with. Such a folder is never an item's name, nor a part of an item.
pub const STAGING_PREFIX: &str = ".moorline-partial-";

/// Another process may remove the folder while we lock it; then it is made anew, this often.
const ATTEMPTS: usize = 5;

/// An open and locked staging folder. Let go of, it stays on disk, to be resumed.
#[derive(Debug)]
pub(super) struct Staging {
    into: Tree,
    folder: Tree,
    _lock: File,
}

impl Staging {
    /// Opens or makes the staging folder of `item` in `into`, which is made if missing.
    pub(super) fn open(into: &Path, item: &ItemId) -> Result<Self, DownloadError> {
        fs::create_dir_all(into).map_err(|error| DownloadError::io("create", into, error))?;
        let tree = Tree::follow(into)?;
        let id = item.to_string();
        let name = own(&format!("{STAGING_PREFIX}{}", id.get(..16).unwrap_or(&id)))?;
        for _ in 0..ATTEMPTS {
            let folder = tree.subtree(&name, true)?;
            let lock = match folder.control_file(&own("lock")?) {
                Ok(lock) => lock,
                // Removed between the two steps.
                Err(DownloadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(DownloadError::Locked { into: into.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(DownloadError::io("lock", folder.path(), error)),
            }
            // Its last owner may have removed it before we got the lock, which then locks nothing.
            let current = folder
                .is_same(&own("lock")?, &lock)
                .map_err(|error| DownloadError::io("lock", folder.path(), error))?;
            if current {
                return Ok(Self { into: tree, folder, _lock: lock });
            }
        }
        Err(DownloadError::Locked { into: into.to_owned() })
    }

    /// The folder that the item goes into.
    pub(super) fn target(&self) -> &Tree {
        &self.into
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The manifest file, whatever is in it.
    pub(super) fn manifest(&self) -> Result<File, DownloadError> {
        self.folder.control_file(&own("manifest")?)
    }

    /// Where the manifest file is.
    pub(super) fn manifest_path(&self) -> PathBuf {
        self.folder.path().join("manifest")
    }

    /// Where the item grows.
    pub(super) fn data(&self) -> Result<Tree, DownloadError> {
        self.folder.subtree(&own("data")?, false)
    }

    /// What the journal of earlier runs claims.
    pub(super) fn read_journal(&self, item: &ItemId, total: u64) -> Result<ChunkSet, DownloadError> {
        let path = self.folder.path().join("journal");
        let Some(file) = self.folder.read_file(&own("journal")?)? else { return Ok(ChunkSet::new(total)) };
        Journal::read(&mut BufReader::new(file), item, total).map_err(|error| DownloadError::io("read", &path, error))
    }

    /// Replaces the journal by one that has `chunks`, and opens it for more.
    pub(super) fn begin_journal(&self, item: &ItemId, chunks: &ChunkSet) -> Result<Journal, DownloadError> {
        let path = self.folder.path().join("journal");
        let io = |error| DownloadError::io("write", &path, error);
        let next = own("journal.new")?;
        let mut file = self.folder.control_file(&next)?;
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        let mut out = BufWriter::new(file);
        Journal::write(&mut out, item, chunks).and_then(|()| out.flush()).map_err(io)?;
        // In one step, so that there is a whole journal at any instant.
        self.folder.replace(&next, &own("journal")?)?;
        Ok(Journal::new(self.folder.append_file(&own("journal")?)?, *item))
    }

    /// Moves the data, or the one file `only` of it, to its place. False if something is there.
    pub(super) fn move_out(&self, data: &Tree, only: Option<&RelPath>, name: &RelPath) -> Result<bool, DownloadError> {
        let moved = match only {
            Some(file) => data.move_out(file, &self.into, name),
            None => self.folder.move_out(&own("data")?, &self.into, name),
        };
        moved.map_err(|error| {
            DownloadError::io("move the finished item to", &self.into.path().join(name.as_str()), error)
        })
    }

    /// Whether an earlier run, or this one, noted any chunk.
    pub(super) fn has_chunks(&self) -> bool {
        self.has_content("journal")
    }

    /// Whether any of the manifest is here.
    pub(super) fn has_manifest(&self) -> bool {
        self.has_content("manifest")
    }

    fn has_content(&self, name: &str) -> bool {
        // What cannot be looked at is kept: it is somebody's to look at.
        fs::symlink_metadata(self.folder.path().join(name))
            .map_or_else(|error| error.kind() != std::io::ErrorKind::NotFound, |metadata| metadata.len() > 0)
    }

    /// Removes the folder with everything in it.
    pub(super) fn remove(self) {
        let path = self.folder.path().to_owned();
        #[cfg(windows)]
        drop(self);
        // Does not follow links. The item is in its place by now, so this is no reason to fail.
        if let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove the staging folder");
        }
    }
}

/// A name of our own.
fn own(name: &str) -> Result<RelPath, DownloadError> {
    RelPath::parse(name).map_err(|error| DownloadError::Internal(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_downloads_of_one_item_into_one_folder_are_kept_apart() {
        let into = tempfile::tempdir().expect("a temporary folder");
        let item = ItemId::from_bytes([3; 32]);
        let first = Staging::open(into.path(), &item).expect("nobody has it");
        let error = Staging::open(into.path(), &item).expect_err("it is locked");
        assert!(matches!(error, DownloadError::Locked { .. }), "{error}");
        Staging::open(into.path(), &ItemId::from_bytes([4; 32])).expect("another item is not locked");
        drop(first);
        let again = Staging::open(into.path(), &item).expect("the lock is free again");
        again.remove();
        Staging::open(into.path(), &item).expect("made anew");
    }

    #[cfg(unix)]
    #[test]
    fn a_staging_folder_that_is_a_link_is_refused() {
        let into = tempfile::tempdir().expect("a temporary folder");
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        let item = ItemId::from_bytes([3; 32]);
        let name = format!("{STAGING_PREFIX}{}", &item.to_string()[..16]);
        std::os::unix::fs::symlink(elsewhere.path(), into.path().join(name)).expect("a link");
        let error = Staging::open(into.path(), &item).expect_err("a link");
        assert!(matches!(error, DownloadError::Tampered { .. }), "{error}");
        assert_eq!(fs::read_dir(elsewhere.path()).expect("readable").count(), 0);
    }
}
