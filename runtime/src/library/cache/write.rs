use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write as _};

use bytes::BufMut;
use moorline_proto::{EncodedPage, ManifestHead};

use super::{CachePaths, HEADER, Index, MAGIC, PAGE, Record, SPOT, Spot, TRAILER, checksum, put_record};
use crate::library::dir::sync_dir;

/// Writes a new cache beside the one in use.
///
/// Dropped before [`commit`](Self::commit), it leaves the pages written so far for the next scan to use, and no file at all if
/// there is none.
pub(in crate::library) struct CacheWriter {
    /// `None` once committed.
    file: Option<BufWriter<File>>,
    paths: CachePaths,
    offset: u64,
    spots: Vec<Spot>,
    /// What was found under the name to write to. Kept locked, so that a process that opened it before does not take it for its own.
    _left_over: File,
}

impl CacheWriter {
    /// Starts a new file. `None` if another process is writing one for this item: the lock on the file tells, so that a process
    /// that died does not count.
    ///
    /// What an interrupted scan left is set aside first, under `paths.interrupted`.
    pub(in crate::library) fn begin(paths: &CachePaths) -> io::Result<Option<Self>> {
        let Some(left_over) = lock(paths)? else { return Ok(None) };
        if left_over.metadata()?.len() > HEADER {
            fs::rename(&paths.part, &paths.interrupted)?;
        } else {
            fs::remove_file(&paths.part)?;
        }
        let Some(file) = lock(paths)? else { return Ok(None) };
        let mut header = Vec::with_capacity(40);
        header.put_slice(MAGIC);
        header.put_slice(&paths.key);
        let mut file = BufWriter::with_capacity(1 << 16, file);
        file.write_all(&header)?;
        Ok(Some(Self {
            file: Some(file),
            paths: paths.clone(),
            offset: HEADER,
            spots: Vec::new(),
            _left_over: left_over,
        }))
    }

    /// Appends a page with one record for each of its file entries.
    pub(in crate::library) fn page(&mut self, page: &EncodedPage, records: &[Record]) -> io::Result<()> {
        let mut block = Vec::with_capacity(page.content.len() + records.len() * 48 + 64);
        block.put_u8(PAGE);
        block.put_u32_le(length(page.content.len())?);
        block.put_u32_le(length(records.len())?);
        block.put_slice(&page.content);
        for (modified_ms, record) in page.modified_ms.iter().zip(records) {
            put_record(&mut block, *modified_ms, record);
        }
        let offset = self.append(block)?;
        self.spots.push(Spot { offset, length: length(usize::try_from(self.offset - offset).unwrap_or(usize::MAX))? });
        Ok(())
    }

    /// Completes the file, makes sure that it is on disk, and puts it in the place of the old one.
    pub(in crate::library) fn commit(mut self, head: ManifestHead) -> io::Result<Index> {
        let encoded = head.encode();
        let mut block = Vec::with_capacity(64 + encoded.len() + self.spots.len() * SPOT);
        block.put_u8(TRAILER);
        block.put_u32_le(length(encoded.len())?);
        block.put_slice(&encoded);
        for spot in &self.spots {
            block.put_u64_le(spot.offset);
            block.put_u32_le(spot.length);
        }
        let trailer_at = self.append(block)?;
        if let Some(mut file) = self.file.take() {
            file.write_all(&trailer_at.to_le_bytes())?;
            file.write_all(MAGIC)?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&self.paths.part, &self.paths.file)?;
            sync_dir(&self.paths.dir)?;
        }
        remove_if_there(&self.paths.interrupted)?;
        Ok(Index { head, spots: std::mem::take(&mut self.spots) })
    }

    fn append(&mut self, mut block: Vec<u8>) -> io::Result<u64> {
        let offset = self.offset;
        let sum = checksum(&block, offset);
        block.put_slice(&sum);
        if let Some(file) = &mut self.file {
            file.write_all(&block)?;
        }
        self.offset += block.len() as u64;
        Ok(offset)
    }
}

impl Drop for CacheWriter {
    fn drop(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        // Nothing is lost but time if either fails.
        let flushed = file.flush();
        if self.spots.is_empty() || flushed.is_err() {
            drop(fs::remove_file(&self.paths.part));
        }
    }
}

/// Opens the file to write to and locks it. `None` if another process has it.
fn lock(paths: &CachePaths) -> io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&paths.part)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks; there, two processes must not share a cache.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, path = %paths.part.display(), "the cache cannot be locked");
            Ok(Some(file))
        }
    }
}

fn remove_if_there(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn length(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(io::Error::other)
}
