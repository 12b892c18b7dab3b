//! One item: is it still what its cache says, and if not, what is it now?

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::SystemTime;

use moorline_proto::FileHasher;
use tokio_util::sync::CancellationToken;

use super::cache::{CachePaths, Index};
use super::dir::{is_gone, is_link, meta_of};
use super::notice::{NoticeReason, NoticeSink, Notices};
use super::stamp::{Kind, Meta, is_racy};
use super::walk::{Base, Walk};

mod build;
mod check;

pub(super) use build::build;
pub(super) use check::{Verdict, check};

/// Everything that it takes to look at one item.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) base: Base,
    pub(super) paths: CachePaths,
    pub(super) names_limit: usize,
    pub(super) notice_limit: usize,
    pub(super) cache_place: (u64, u64),
    pub(super) wall_clock: fn() -> SystemTime,
    pub(super) cancel: CancellationToken,
}

/// An item as it was found, with its manifest in the cache.
pub(super) struct Scanned {
    pub(super) index: Index,
    pub(super) notices: Notices,
    pub(super) work: Work,
}

/// How much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) files_seen: u64,
    pub(super) files_hashed: u64,
    pub(super) bytes_hashed: u64,
}

/// Why there is no manifest of an item now.
#[derive(Debug)]
pub(super) enum Setback {
    Cancelled,
    /// A file changed while it was looked at.
    Unsettled(PathBuf),
    /// Another process is at it.
    Busy,
    Gone,
    Failed(String),
}

impl Setback {
    fn of_root(error: &io::Error) -> Self {
        if is_gone(error) { Self::Gone } else { Self::Failed(format!("its folder cannot be read ({error})")) }
    }
}

/// How opening a file that a walk found ended.
enum Opened {
    Open(File),
    /// This process may not read it.
    Denied(io::Error),
    /// It is not the file any more that was found.
    Different,
}

fn open(walk: &Walk<'_>, expected: &Meta) -> Opened {
    let file = match walk.open_last() {
        Ok(file) => file,
        Err(error) if is_gone(&error) || is_link(&error) => return Opened::Different,
        Err(error) => return Opened::Denied(error),
    };
    match meta_of(&file) {
        Ok(meta) if meta.kind == Kind::File && meta.stamp == expected.stamp => Opened::Open(file),
        Ok(_) => Opened::Different,
        Err(error) => Opened::Denied(error),
    }
}

/// How hashing a file ended.
enum Hashed {
    Done { hash: moorline_proto::Hash, subtrees: Vec<[u8; 32]>, racy: bool },
    Unreadable(io::Error),
    Different,
    Cancelled,
}

/// Hashes a file, and makes sure that it was one and the same state from the first byte to the last.
fn hash(file: &mut File, expected: &Meta, job: &Job, buffer: &mut [u8], work: &mut Work) -> Hashed {
    let started = (job.wall_clock)();
    let mut hasher = FileHasher::new();
    let mut total = 0u64;
    loop {
        if job.cancel.is_cancelled() {
            return Hashed::Cancelled;
        }
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                total += count as u64;
                work.bytes_hashed += count as u64;
                // A file that grows as fast as it is read would never end.
                if total > expected.stamp.size {
                    return Hashed::Different;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Hashed::Unreadable(error),
        }
    }
    match meta_of(file) {
        Ok(meta) if meta.stamp == expected.stamp && total == expected.stamp.size => {}
        Ok(_) => return Hashed::Different,
        Err(error) => return Hashed::Unreadable(error),
    }
    work.files_hashed += 1;
    let (hash, subtrees, _) = hasher.finish();
    Hashed::Done { hash, subtrees, racy: is_racy(expected.stamp.modified, started) }
}

/// Leaves the file out that `walk` gave out last.
fn leave_out(walk: &mut Walk<'_>, notices: &mut NoticeSink, path: PathBuf, error: &io::Error) {
    walk.reject_last();
    notices.push(path, NoticeReason::Unreadable(error.to_string()));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn job(dir: &std::path::Path) -> Job {
        Job {
            base: Base::Directory(dir.to_owned()),
            paths: CachePaths::new(dir, dir),
            names_limit: 10,
            notice_limit: 10,
            cache_place: (0, 0),
            wall_clock: SystemTime::now,
            cancel: CancellationToken::new(),
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_hashed_has_no_hash() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, [1; 1000]).unwrap();
        let job = job(temp.path());
        let expected = meta_of(&File::open(&path).unwrap()).unwrap();
        let hash_now = || {
            let mut work = Work::default();
            let hashed = hash(&mut File::open(&path).unwrap(), &expected, &job, &mut [0; 64], &mut work);
            (hashed, work)
        };
        assert!(matches!(hash_now(), (Hashed::Done { .. }, Work { files_hashed: 1, bytes_hashed: 1000, .. })));
        let written = File::options().write(true).open(&path).unwrap();
        written.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(matches!(hash_now(), (Hashed::Different, Work { files_hashed: 0, .. })), "written to");
        written.set_len(999).unwrap();
        assert!(matches!(hash_now().0, Hashed::Different), "shorter");
        written.set_len(1 << 40).unwrap();
        let (hashed, work) = hash_now();
        assert!(matches!(hashed, Hashed::Different) && work.bytes_hashed < 2000, "longer: not read to its end");
        job.cancel.cancel();
        assert!(matches!(hash_now(), (Hashed::Cancelled, Work { bytes_hashed: 0, .. })));
    }
}
