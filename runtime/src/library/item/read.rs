use std::fs::File;
use std::io;

use bytes::Bytes;
use moorline_proto::{Chunk, ChunkContent, Entry, FileEntry, RelPath};

use super::SharedItem;
use crate::library::cache::Record;
use crate::library::dir::{is_gone, is_link, meta_of, read_full_at};
use crate::library::error::ServeError;
use crate::library::opener::Opener;
use crate::library::serving::PageView;
use crate::library::stamp::{Kind, Stamp};

/// Reads the bytes of a chunk, and makes sure that they are those that were hashed.
pub(super) fn chunk(item: &SharedItem, view: &PageView, chunk: &Chunk) -> Result<Bytes, ServeError> {
    let mut buffer = item.serving.buffers.take();
    let mut racy = false;
    match &chunk.content {
        ChunkContent::Pack { entries } => {
            let mut opener = Opener::new(&item.base);
            for entry in entries {
                let (file, record) = file_of(item, view, *entry)?;
                racy |= record.racy;
                let space = buffer.next(in_memory(file.size)).ok_or_else(|| changed(item, &file.path))?;
                let open = opener.open(&file.path).map_err(|error| failed(item, &file.path, error))?;
                read(item, &open, (&file.path, record), 0, space)?;
            }
        }
        ChunkContent::Slice { entry, offset, .. } => {
            let (file, record) = file_of(item, view, *entry)?;
            racy |= record.racy;
            let space = buffer.next(in_memory(chunk.len)).ok_or_else(|| changed(item, &file.path))?;
            let key = (item.owner, Some(file.path.clone()));
            let open = item.serving.handle(key, || Opener::new(&item.base).open(&file.path));
            let open = open.map_err(|error| failed(item, &file.path, error))?;
            read(item, &open, (&file.path, record), *offset, space)?;
        }
    }
    let bytes = buffer.freeze();
    // Where the file's time cannot tell, the bytes have to.
    if racy && let Err(error) = view.page.verify_chunk(chunk, &bytes) {
        tracing::debug!(%error, root = %item.root.display(), "a file changed within a tick of the clock after it was hashed");
        return Err(ServeError::Changed { path: item.root.clone() });
    }
    Ok(bytes)
}

/// Reads a part of a file that has to be in the recorded state.
fn read(
    item: &SharedItem,
    file: &File,
    (path, record): (&RelPath, &Record),
    offset: u64,
    space: &mut [u8],
) -> Result<(), ServeError> {
    let wanted = space.len();
    let count = while_unchanged(file, &record.stamp, || read_full_at(file, space, offset));
    match count.map_err(|error| failed(item, path, error))? {
        Some(count) if count == wanted => Ok(()),
        _ => Err(changed(item, path)),
    }
}

/// Runs `read` while `file` is in the state `stamp`: looks before and after. Whatever was written in between is either not in what
/// was read, or shows in the state, because a system stamps a file before it takes the new bytes. `None` if the state is another.
fn while_unchanged<T>(file: &File, stamp: &Stamp, read: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
    let is_unchanged = || meta_of(file).map(|meta| meta.kind == Kind::File && meta.stamp == *stamp);
    if !is_unchanged()? {
        return Ok(None);
    }
    let value = read()?;
    Ok(is_unchanged()?.then_some(value))
}

fn file_of<'a>(item: &SharedItem, view: &'a PageView, entry: usize) -> Result<(&'a FileEntry, &'a Record), ServeError> {
    match (view.page.entries.get(entry), view.records.get(entry)) {
        (Some(Entry::File(file)), Some(Some(record))) => Ok((file, record)),
        _ => Err(item.cache_changed()),
    }
}

fn failed(item: &SharedItem, path: &RelPath, source: io::Error) -> ServeError {
    let on_disk = item.base.locate(path);
    if is_gone(&source) {
        ServeError::Gone { path: on_disk }
    } else if is_link(&source) {
        ServeError::Changed { path: on_disk }
    } else {
        ServeError::Io { path: on_disk, source }
    }
}

fn changed(item: &SharedItem, path: &RelPath) -> ServeError {
    ServeError::Changed { path: item.base.locate(path) }
}

/// A length that a chunk can have; anything else does not fit a buffer and is refused there.
fn in_memory(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_read_while_a_file_changes_is_not_used() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        std::fs::write(&path, b"old").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.set_modified(long_ago).unwrap();
        let file = File::open(&path).unwrap();
        let stamp = meta_of(&file).unwrap().stamp;
        let mut bytes = [0; 3];
        assert_eq!(while_unchanged(&file, &stamp, || read_full_at(&file, &mut bytes, 0)).unwrap(), Some(3));
        let read = while_unchanged(&file, &stamp, || {
            writer.write_all(b"new")?;
            read_full_at(&file, &mut bytes, 0)
        });
        assert_eq!((read.unwrap(), &bytes), (None, b"new"));
        let mut tried = false;
        let again = while_unchanged(&file, &stamp, || {
            tried = true;
            Ok(())
        });
        assert_eq!((again.unwrap(), tried), (None, false));
    }
}
