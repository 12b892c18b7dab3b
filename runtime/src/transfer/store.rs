//! From verified bytes to staged files, and back. Everything here blocks.

use std::collections::VecDeque;
use std::fs::{File, FileTimes};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use moorline_proto::{ChunkContent, Entry, FileEntry, RelPath};
use moorline_sim_point::sim_point;

use super::disk::{Disk, Flush};
use super::error::DownloadError;
use super::journal::Journal;
use super::plan::ChunkRef;
use super::staging::Staging;
use super::tree::{Tree, read_exact_at, write_all_at};

/// Large files that are kept open.
const OPEN_FILES: usize = 8;

/// Why a chunk was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The bytes are not the chunk's.
    BadContent(String),
    /// They are, but this machine could not keep them.
    Local(DownloadError),
}

impl From<DownloadError> for WriteError {
    fn from(error: DownloadError) -> Self {
        Self::Local(error)
    }
}

/// The staged data of one download. Shared by the jobs that write.
pub(super) struct Store {
    data: Tree,
    journal: Journal,
    disk: Arc<dyn Disk>,
    /// Used last comes last.
    files: Mutex<VecDeque<(RelPath, Arc<File>)>>,
    /// Held while a large file is written: systems let one writer at a time into a file, and some have the others spin. One for all of
    /// them: most of the time all writers have the same file.
    writing: Mutex<()>,
    /// Keeps the lock for as long as any job may write, be the download itself gone.
    staging: Arc<Staging>,
}

impl Store {
    pub(super) fn new(staging: Arc<Staging>, data: Tree, journal: Journal, disk: Arc<dyn Disk>) -> Self {
        Self { data, journal, disk, files: Mutex::default(), writing: Mutex::default(), staging }
    }

    pub(super) fn data(&self) -> &Tree {
        &self.data
    }

    pub(super) fn staging(&self) -> &Staging {
        &self.staging
    }

    /// Verifies `bytes`, writes them to where they belong, and notes it in the journal. Nothing is written before all of
    /// the chunk is verified.
    pub(super) fn write(&self, chunk: &ChunkRef, bytes: &[u8]) -> Result<(), WriteError> {
        let page = chunk.page();
        page.verify_chunk(chunk.chunk(), bytes).map_err(|error| WriteError::BadContent(error.to_string()))?;
        match &chunk.chunk().content {
            ChunkContent::Slice { entry, offset, .. } => {
                let file = file_of(chunk, *entry)?;
                self.allow(file, bytes.len())?;
                let open = self.large(file)?;
                let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
                write_all_at(&open, bytes, *offset).map_err(|error| self.io("write", &file.path, error))?;
            }
            ChunkContent::Pack { entries } => {
                let mut rest = bytes;
                for entry in entries {
                    let file = file_of(chunk, *entry)?;
                    // Cannot be short: the chunk was verified. No panic all the same.
                    let size = usize::try_from(file.size).unwrap_or(usize::MAX).min(rest.len());
                    let (content, tail) = rest.split_at(size);
                    self.write_small(file, content)?;
                    rest = tail;
                }
            }
        }
        sim_point!("transfer.journal");
        self.journal.append(chunk.index).map_err(|error| DownloadError::io("write", self.staging.path(), error).into())
    }

    /// Takes what is staged of `chunk` and says whether it is right. `scratch` is a buffer to be used again.
    pub(super) fn holds(data: &Tree, chunk: &ChunkRef, scratch: &mut Vec<u8>) -> Result<bool, DownloadError> {
        scratch.clear();
        match &chunk.chunk().content {
            ChunkContent::Slice { entry, offset, .. } => {
                let file = file_of(chunk, *entry)?;
                let Some(open) = data.read_file(&file.path)? else { return Ok(false) };
                scratch.resize(usize::try_from(chunk.len()).unwrap_or(0), 0);
                // Unreadable is as good as gone: it is fetched again, and writing it tells what is wrong.
                if read_exact_at(&open, scratch, *offset).is_err() {
                    return Ok(false);
                }
            }
            ChunkContent::Pack { entries } => {
                for entry in entries {
                    let file = file_of(chunk, *entry)?;
                    let Some(open) = data.read_file(&file.path)? else { return Ok(false) };
                    // One byte more than there should be tells a file that is too long.
                    if open.take(file.size.saturating_add(1)).read_to_end(scratch).is_err() {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(chunk.page().verify_chunk(chunk.chunk(), scratch).is_ok())
    }

    /// Opens what is staged of a large file and gives it its time.
    pub(super) fn finish_large(&self, file: &FileEntry) -> Result<(), DownloadError> {
        let open = self.large(file)?;
        set_modified(&open, file.modified_ms);
        Ok(())
    }

    /// Puts what was written so far of the large files that are open on the disk. An error comes again when all is flushed.
    pub(super) fn flush_large(&self) {
        let files: Vec<(RelPath, Arc<File>)> =
            self.files.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for (path, file) in files {
            let path = path.join_under(self.data.path());
            if let Err(error) = self.disk.flush(Flush::Bytes(&path), &|| file.sync_data()) {
                tracing::debug!(%error, "an early flush failed");
            }
        }
    }

    /// Puts everything that is staged on the disk.
    pub(super) fn flush(&self) -> std::io::Result<()> {
        self.disk.flush(Flush::Tree(self.data.path()), &|| self.data.flush())
    }

    /// Puts the names in the folder that the item goes into on the disk.
    pub(super) fn flush_names(&self) -> std::io::Result<()> {
        let into = self.staging.target();
        self.disk.flush(Flush::Names(into.path()), &|| into.flush_names())
    }

    /// Closes all files.
    pub(super) fn close(&self) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn write_small(&self, file: &FileEntry, content: &[u8]) -> Result<(), WriteError> {
        self.allow(file, content.len())?;
        let mut open = self.data.create_file(&file.path, file.executable)?;
        open.write_all(content).map_err(|error| self.io("write", &file.path, error))?;
        set_modified(&open, file.modified_ms);
        Ok(())
    }

    fn allow(&self, file: &FileEntry, bytes: usize) -> Result<(), WriteError> {
        let path = file.path.as_str();
        self.disk.before_write(path, bytes as u64).map_err(|error| self.io("write", &file.path, error).into())
    }

    /// The open large file, of its full size.
    fn large(&self, file: &FileEntry) -> Result<Arc<File>, DownloadError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = files.iter().position(|(path, _)| *path == file.path)
            && let Some(found) = files.remove(at)
        {
            let open = Arc::clone(&found.1);
            files.push_back(found);
            return Ok(open);
        }
        // Opened under the lock: it is a matter of microseconds, and the other writer is likely to want the same file.
        let open = Arc::new(self.data.open_file(&file.path, file.executable, file.size)?);
        if files.len() >= OPEN_FILES {
            files.pop_front();
        }
        files.push_back((file.path.clone(), Arc::clone(&open)));
        Ok(open)
    }

    fn io(&self, what: &'static str, path: &RelPath, error: std::io::Error) -> DownloadError {
        DownloadError::io(what, &path.join_under(self.data.path()), error)
    }
}

fn file_of(chunk: &ChunkRef, entry: usize) -> Result<&FileEntry, DownloadError> {
    match chunk.page().entries.get(entry) {
        Some(Entry::File(file)) => Ok(file),
        _ => Err(DownloadError::Internal(format!("chunk {} has no file", chunk.index))),
    }
}

/// Sets the time of the last change. It is advice, and comes from a peer: a time that the system does not take is no
/// reason to fail.
fn set_modified(file: &File, modified_ms: i64) {
    let distance = Duration::from_millis(modified_ms.unsigned_abs());
    let time = if modified_ms < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    if let Some(time) = time
        && let Err(error) = file.set_times(FileTimes::new().set_modified(time))
    {
        tracing::debug!(%error, modified_ms, "the system does not take the time of a file");
    }
}
