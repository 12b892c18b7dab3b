use std::collections::VecDeque;
use std::io;

use moorline_proto::{CHUNK_SIZE, EncodedPage, Entry, Hash, ManifestBuilder, ManifestError, Page, RelPath};

use super::{Hashed, Job, Opened, Scanned, Setback, Work, hash, leave_out, open};
use crate::library::cache::{CacheWriter, Hashes, Record};
use crate::library::notice::NoticeSink;
use crate::library::stamp::Meta;
use crate::library::walk::{Base, Found, Walk};

/// Makes a new manifest of an item: hashes what is not known yet, takes over what is, and puts the result in the place of the old
/// cache. Pages go to disk as they fill up.
///
/// # Errors
/// Why there is none, with the work that was done for nothing.
pub(in crate::library) fn build(job: &Job) -> Result<Scanned, (Setback, Work)> {
    let none = |setback| (setback, Work::default());
    let mut notices = NoticeSink::new(job.notice_limit);
    let walk = Walk::start(&job.base, job.names_limit, job.cache_place, &mut notices);
    let walk = walk.map_err(|error| none(Setback::of_root(&error)))?;
    let writer = CacheWriter::begin(&job.paths).map_err(|error| none(cache_failed(&error)))?;
    let writer = writer.ok_or_else(|| none(Setback::Busy))?;
    let builder = match job.base {
        Base::Directory(_) => ManifestBuilder::new(),
        Base::File { .. } => ManifestBuilder::single_file(),
    };
    let mut building = Building {
        job,
        walk,
        notices,
        hashes: Hashes::open(&job.paths),
        builder,
        records: VecDeque::new(),
        writer,
        buffer: vec![0; CHUNK_SIZE as usize],
        work: Work::default(),
    };
    building.run().map_err(|setback| (setback, building.work))?;
    building.finish()
}

struct Building<'a> {
    job: &'a Job,
    walk: Walk<'a>,
    notices: NoticeSink,
    hashes: Hashes,
    builder: ManifestBuilder,
    /// Of the files that are in the builder but not yet in a page that was written.
    records: VecDeque<(RelPath, Record)>,
    writer: CacheWriter,
    buffer: Vec<u8>,
    work: Work,
}

/// The hash of a file, its subtree values, and whether it is racy.
type Content = (Hash, Vec<[u8; 32]>, bool);

impl Building<'_> {
    fn run(&mut self) -> Result<(), Setback> {
        while let Some(found) = self.walk.next(&mut self.notices).map_err(|error| Setback::of_root(&error))? {
            if self.job.cancel.is_cancelled() {
                return Err(Setback::Cancelled);
            }
            match found {
                Found::EmptyDir(path) => self.builder.push_dir(path).map_err(|error| refused(&error))?,
                Found::File { path, meta } => self.file(path, &meta)?,
            }
            let pages = self.builder.take_pages();
            write(&mut self.writer, &mut self.records, &pages)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Scanned, (Setback, Work)> {
        let work = self.work;
        let failed = |setback| (setback, work);
        let (pages, head) = self.builder.finish().map_err(|error| failed(refused(&error)))?;
        write(&mut self.writer, &mut self.records, &pages).map_err(failed)?;
        let index = self.writer.commit(head).map_err(|error| failed(cache_failed(&error)))?;
        Ok(Scanned { index, notices: self.notices.notices, work })
    }

    fn file(&mut self, path: RelPath, meta: &Meta) -> Result<(), Setback> {
        self.work.files_seen += 1;
        let Some((hash, subtrees, racy)) = self.content(&path, meta)? else { return Ok(()) };
        let stamp = meta.stamp;
        let millis = stamp.modified.millis();
        self.builder
            .push_file(path.clone(), stamp.size, meta.executable, millis, hash, &subtrees)
            .map_err(|error| refused(&error))?;
        self.records.push_back((path, Record { stamp, changed: meta.changed, racy }));
        Ok(())
    }

    /// Known from before, or hashed now. `None` for a file that is left out.
    fn content(&mut self, path: &RelPath, meta: &Meta) -> Result<Option<Content>, Setback> {
        let known = self.hashes.take(path, &meta.stamp);
        if let Some(known) = &known
            && known.record.changed == meta.changed
        {
            return Ok(Some((known.hash, known.subtrees.clone(), false)));
        }
        let on_disk = self.job.base.locate(path);
        let failed = match (open(&self.walk, meta), known) {
            (Opened::Different, _) => return Err(Setback::Unsettled(on_disk)),
            (Opened::Denied(error), _) => error,
            // It only had to be seen that it can still be read.
            (Opened::Open(_), Some(known)) => return Ok(Some((known.hash, known.subtrees, false))),
            (Opened::Open(mut file), None) => match hash(&mut file, meta, self.job, &mut self.buffer, &mut self.work) {
                Hashed::Done { hash, subtrees, racy } => return Ok(Some((hash, subtrees, racy))),
                Hashed::Different => return Err(Setback::Unsettled(on_disk)),
                Hashed::Cancelled => return Err(Setback::Cancelled),
                Hashed::Unreadable(error) => error,
            },
        };
        leave_out(&mut self.walk, &mut self.notices, on_disk, &failed);
        Ok(None)
    }
}

fn write(
    writer: &mut CacheWriter,
    records: &mut VecDeque<(RelPath, Record)>,
    pages: &[EncodedPage],
) -> Result<(), Setback> {
    for page in pages {
        let of_page = records_of(page, records)?;
        writer.page(page, &of_page).map_err(|error| cache_failed(&error))?;
    }
    Ok(())
}

/// One record for each file entry of a page. A large file has an entry on each page that it reaches into.
fn records_of(page: &EncodedPage, records: &mut VecDeque<(RelPath, Record)>) -> Result<Vec<Record>, Setback> {
    let decoded = Page::decode(page).map_err(|error| Setback::Failed(error.to_string()))?;
    let mut of_page = Vec::with_capacity(page.modified_ms.len());
    for entry in &decoded.entries {
        let Entry::File(file) = entry else { continue };
        while records.front().is_some_and(|(path, _)| *path != file.path) {
            records.pop_front();
        }
        let Some((_, record)) = records.front() else {
            return Err(Setback::Failed("the manifest has a file that was not found".to_owned()));
        };
        of_page.push(*record);
    }
    Ok(of_page)
}

/// The walk gives out nothing that the builder could object to, but for what is beyond its limits.
fn refused(error: &ManifestError) -> Setback {
    Setback::Failed(error.to_string())
}

fn cache_failed(error: &io::Error) -> Setback {
    Setback::Failed(format!("its hashes cannot be stored in the cache folder ({error})"))
}
