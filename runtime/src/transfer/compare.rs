//! What is on this disk already, compared with the manifest. Everything here blocks.

use std::path::Path;

use moorline_proto::{Entry, FileEntry, ItemKind, RelPath};
use tokio_util::sync::CancellationToken;

use super::chunk_set::ChunkSet;
use super::error::DownloadError;
use super::plan::Plan;
use super::store::Store;
use super::tree::{Tree, count_entries};

const READ_BUFFER: usize = 1 << 20;

/// What a comparison found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Identical,
    /// Differs, in words that go after "exists already and".
    Differs(String),
    Cancelled,
}

/// Which of the chunks that a journal claims are on disk as they should be, and how many bytes these have. `None` when
/// cancelled. `report` is told the bytes looked at so far.
pub(super) fn staged_chunks(
    plan: &Plan,
    data: &Tree,
    claimed: &ChunkSet,
    cancel: &CancellationToken,
    report: impl Fn(u64),
) -> Result<Option<(ChunkSet, u64)>, DownloadError> {
    let (mut good, mut bytes, mut seen) = (ChunkSet::new(claimed.total()), 0, 0);
    let mut scratch = Vec::with_capacity(READ_BUFFER);
    for index in claimed.iter() {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let chunk = plan.chunk(index)?;
        if Store::holds(data, &chunk, &mut scratch)? {
            good.insert(index);
            bytes += chunk.len();
        }
        seen += chunk.len();
        report(seen);
    }
    Ok(Some((good, bytes)))
}

/// Compares what is at `into`/`name` with the whole item: contents, executable bits, nothing missing and nothing more.
/// Times do not count: they are not part of an item.
pub(super) fn target(
    plan: &Plan,
    into: &Tree,
    name: &RelPath,
    cancel: &CancellationToken,
    report: impl Fn(u64),
) -> Result<Comparison, DownloadError> {
    let path = name.join_under(into.path());
    let root = match plan.head().kind {
        ItemKind::File => None,
        _ if into.is_dir(name)? => Some(Tree::open(&path)?),
        _ => return Ok(Comparison::Differs("is not a folder".into())),
    };
    let mut reader = Reader { buf: vec![0; READ_BUFFER], done: 0, cancel, report };
    for number in 0..plan.head().pages.len() {
        for entry in &plan.page(number)?.page.entries {
            let (tree, place) = root.as_ref().map_or((into, name), |root| (root, entry.path()));
            let difference = match entry {
                Entry::Dir(folder) => (!tree.is_dir(folder)?).then(|| format!("{folder:?} is missing in it")),
                // The later records of a large file say nothing new.
                Entry::File(file) if file.first_subtree > 0 => None,
                Entry::File(file) => reader.difference(tree, place, file)?,
            };
            if cancel.is_cancelled() {
                return Ok(Comparison::Cancelled);
            }
            if let Some(difference) = difference {
                return Ok(Comparison::Differs(difference));
            }
        }
    }
    extra_entries(plan, root.is_some().then_some(path.as_path()), cancel)
}

/// Whether `folder` has more in it than the item: `None` for an item that is a file.
pub(super) fn extra_entries(
    plan: &Plan,
    folder: Option<&Path>,
    cancel: &CancellationToken,
) -> Result<Comparison, DownloadError> {
    let Some(folder) = folder else { return Ok(Comparison::Identical) };
    let entries = plan.head().entries;
    let found = count_entries(folder, entries, cancel).map_err(|error| DownloadError::io("read", folder, error))?;
    Ok(match found {
        _ if cancel.is_cancelled() => Comparison::Cancelled,
        found if found == entries => Comparison::Identical,
        _ => Comparison::Differs("has files in it that are not the item's".into()),
    })
}

struct Reader<'c, F> {
    buf: Vec<u8>,
    done: u64,
    cancel: &'c CancellationToken,
    report: F,
}

impl<F: Fn(u64)> Reader<'_, F> {
    fn difference(&mut self, tree: &Tree, place: &RelPath, file: &FileEntry) -> Result<Option<String>, DownloadError> {
        let path = place.join_under(tree.path());
        let io = |error| DownloadError::io("read", &path, error);
        let Some(mut open) = tree.read_file(place)? else {
            return Ok(Some(format!("{:?} is missing in it, or is not a file", file.path)));
        };
        let metadata = open.metadata().map_err(io)?;
        if metadata.len() != file.size {
            return Ok(Some(format!("{:?} in it has {} bytes, not {}", file.path, metadata.len(), file.size)));
        }
        if cfg!(unix) && Tree::is_executable(&metadata.permissions()) != file.executable {
            return Ok(Some(format!("{:?} in it differs in whether it may be executed", file.path)));
        }
        let mut hasher = blake3::Hasher::new();
        loop {
            let n = std::io::Read::read(&mut open, &mut self.buf).map_err(io)?;
            if n == 0 || self.cancel.is_cancelled() {
                break;
            }
            hasher.update(&self.buf[..n]);
            self.done += n as u64;
            (self.report)(self.done);
        }
        let same = hasher.finalize().as_bytes() == file.hash.as_bytes();
        Ok((!same && !self.cancel.is_cancelled()).then(|| format!("{:?} in it has other contents", file.path)))
    }
}
