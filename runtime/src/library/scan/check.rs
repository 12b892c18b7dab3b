use std::path::PathBuf;

use super::{Job, Opened, Scanned, Setback, Work, leave_out, open};
use crate::library::cache::{Cached, CachedEntries, Index, Record, load_index};
use crate::library::notice::NoticeSink;
use crate::library::stamp::Meta;
use crate::library::walk::{Found, Walk};

/// How an item compares with its cache.
pub(in crate::library) enum Verdict {
    /// As it was hashed.
    Same(Scanned),
    /// The same as far as can be told, but some files were hashed so soon after they changed that they have to be hashed again.
    Doubtful,
    /// Different, or never hashed.
    Different,
}

/// Compares an item with its cache without reading any file.
pub(in crate::library) fn check(job: &Job) -> Result<Verdict, Setback> {
    let mut notices = NoticeSink::new(job.notice_limit);
    let walk = Walk::start(&job.base, job.names_limit, job.cache_place, &mut notices);
    let walk = walk.map_err(|error| Setback::of_root(&error))?;
    let Some(index) = load_index(&job.paths) else { return Ok(Verdict::Different) };
    let Some(cached) = CachedEntries::open(&job.paths.file, &job.paths.key) else { return Ok(Verdict::Different) };
    Comparison { job, walk, notices, cached, ahead: None, doubtful: false, work: Work::default() }.run(index)
}

struct Comparison<'a> {
    job: &'a Job,
    walk: Walk<'a>,
    notices: NoticeSink,
    cached: CachedEntries,
    ahead: Option<Cached>,
    doubtful: bool,
    work: Work,
}

impl Comparison<'_> {
    fn run(mut self, index: Index) -> Result<Verdict, Setback> {
        self.advance();
        while let Some(found) = self.walk.next(&mut self.notices).map_err(|error| Setback::of_root(&error))? {
            if self.job.cancel.is_cancelled() {
                return Err(Setback::Cancelled);
            }
            if !self.matches(&found) {
                return Ok(Verdict::Different);
            }
        }
        if self.ahead.is_some() || self.cached.pages_read() != index.spots.len() {
            return Ok(Verdict::Different);
        }
        if self.doubtful {
            return Ok(Verdict::Doubtful);
        }
        Ok(Verdict::Same(Scanned { index, notices: self.notices.notices, work: self.work }))
    }

    fn matches(&mut self, found: &Found) -> bool {
        match found {
            Found::EmptyDir(path) => {
                let same = matches!(&self.ahead, Some(Cached::Dir(cached)) if cached == path);
                self.advance();
                same
            }
            Found::File { path, meta } => {
                self.work.files_seen += 1;
                match &self.ahead {
                    Some(Cached::File(file, record)) if file.path == *path => {
                        let same = record.stamp == meta.stamp && file.executable == meta.executable;
                        self.doubtful |= record.racy;
                        let readable = same && self.is_still_readable(record, meta);
                        self.advance();
                        readable
                    }
                    // A file that the cache does not have is no difference if it cannot be read now either.
                    _ => self.is_left_out(self.job.base.locate(path), meta),
                }
            }
        }
    }

    fn is_still_readable(&self, record: &Record, meta: &Meta) -> bool {
        record.changed == meta.changed || matches!(open(&self.walk, meta), Opened::Open(_))
    }

    fn is_left_out(&mut self, path: PathBuf, meta: &Meta) -> bool {
        let Opened::Denied(error) = open(&self.walk, meta) else { return false };
        leave_out(&mut self.walk, &mut self.notices, path, &error);
        true
    }

    /// Goes to the next entry, past further records of the same large file.
    fn advance(&mut self) {
        self.ahead = self.cached.find(|entry| !matches!(entry, Cached::File(file, _) if file.first_subtree > 0));
    }
}
