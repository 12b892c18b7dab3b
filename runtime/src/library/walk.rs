use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use moorline_proto::{PathCollision, RelPath};

use super::dir::{Dir, is_gone};
use super::listing::Listing;
use super::notice::{NoticeReason, NoticeSink};
use super::stamp::{Kind, Meta};

/// Names that start with this are folders that downloads are assembled in; they are never shared, and that is no news to anyone.
pub(super) const STAGING_PREFIX: &str = ".moorline-";

/// Where an item lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// All that is in this directory.
    Directory(PathBuf),
    /// One file, offered under `path`, which is its own name wherever that is valid.
    File { parent: PathBuf, name: OsString, path: RelPath },
}

impl Base {
    /// Where on this machine a path of the item lies.
    pub(super) fn locate(&self, path: &RelPath) -> PathBuf {
        match self {
            Self::Directory(root) => path.join_under(root),
            Self::File { parent, name, .. } => parent.join(name),
        }
    }
}

/// One entry of an item, in the order of a manifest.
pub(super) enum Found {
    /// A directory with nothing in it that is shared.
    EmptyDir(RelPath),
    /// A regular file. It may not be readable.
    File { path: RelPath, meta: Meta },
}

/// Walks an item in [`RelPath`] order, which is depth first with the names of each directory sorted. Holds one open directory and
/// its names for each level, and nothing else.
pub(super) struct Walk<'a> {
    base: &'a Base,
    frames: Vec<Frame>,
    last_name: OsString,
    names_limit: usize,
    cache_place: (u64, u64),
}

struct Frame {
    dir: Dir,
    /// Empty for the root.
    path: String,
    names: Listing,
    /// Entries given out below here that were not rejected.
    kept: u64,
}

impl<'a> Walk<'a> {
    /// Starts at the root of `base`. `cache_place` is left out wherever it is met.
    ///
    /// # Errors
    /// The root cannot be opened or read.
    pub(super) fn start(
        base: &'a Base,
        names_limit: usize,
        cache_place: (u64, u64),
        notices: &mut NoticeSink,
    ) -> io::Result<Self> {
        let frame = match base {
            Base::Directory(root) => {
                let dir = Dir::open_root(root)?;
                match Listing::read(&dir, names_limit, |name| notices.push(root.join(name), NoticeReason::NotUnicode))?
                {
                    Some(names) => Frame { dir, path: String::new(), names, kept: 0 },
                    None => return Err(io::Error::other(format!("more than {names_limit} names in one folder"))),
                }
            }
            Base::File { parent, .. } => {
                Frame { dir: Dir::open_root(parent)?, path: String::new(), names: Listing::default(), kept: 0 }
            }
        };
        let mut walk = Self { base, frames: vec![frame], last_name: OsString::new(), names_limit, cache_place };
        if let Base::File { name, .. } = base {
            walk.last_name.clone_from(name);
        }
        Ok(walk)
    }

    /// The next entry. What cannot be shared is noted and passed over.
    ///
    /// # Errors
    /// The file of a single-file item cannot be looked at.
    pub(super) fn next(&mut self, notices: &mut NoticeSink) -> io::Result<Option<Found>> {
        if let Base::File { path, .. } = self.base {
            return self.next_single(path);
        }
        while let Some(frame) = self.frames.last_mut() {
            let Some(name) = frame.names.next() else {
                if let Some(empty) = self.leave() {
                    return Ok(Some(empty));
                }
                continue;
            };
            if name.starts_with(STAGING_PREFIX) {
                continue;
            }
            let path = if frame.path.is_empty() { name.to_owned() } else { format!("{}/{name}", frame.path) };
            self.last_name = OsString::from(name);
            if let Some(found) = self.look_at(&path, notices) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Opens the file that `next` gave out last.
    pub(super) fn open_last(&self) -> io::Result<File> {
        match self.frames.last() {
            Some(frame) => frame.dir.open_file(&self.last_name),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Says that the file given out last is left out after all, so that its directory may turn out to be empty.
    pub(super) fn reject_last(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kept = frame.kept.saturating_sub(1);
            frame.names.unclaim(&self.last_name.to_string_lossy());
        }
    }

    fn next_single(&mut self, path: &RelPath) -> io::Result<Option<Found>> {
        let Some(frame) = self.frames.last_mut() else { return Ok(None) };
        if frame.kept > 0 {
            return Ok(None);
        }
        frame.kept = 1;
        let meta = frame.dir.meta(&self.last_name)?;
        match meta.kind {
            Kind::File => Ok(Some(Found::File { path: path.clone(), meta })),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn leave(&mut self) -> Option<Found> {
        let frame = self.frames.pop()?;
        let parent = self.frames.last_mut()?;
        parent.kept += 1;
        if frame.kept > 0 {
            return None;
        }
        // It parsed when the directory was entered.
        RelPath::parse(&frame.path).ok().map(Found::EmptyDir)
    }

    fn look_at(&mut self, path: &str, notices: &mut NoticeSink) -> Option<Found> {
        let on_disk = |base: &Base| match base {
            Base::Directory(root) => root.join(path),
            Base::File { parent, .. } => parent.join(path),
        };
        let frame = self.frames.last_mut()?;
        let meta = match frame.dir.meta(&self.last_name) {
            Ok(meta) => meta,
            // It vanished since the directory was listed: the watcher, or the next look, tells.
            Err(error) if is_gone(&error) => return None,
            Err(error) => {
                notices.push(on_disk(self.base), NoticeReason::Unreadable(error.to_string()));
                return None;
            }
        };
        let refused = match meta.kind {
            Kind::Symlink => Some(NoticeReason::Symlink),
            Kind::Special => Some(NoticeReason::Special),
            Kind::Directory if meta.place == self.cache_place && meta.place != (0, 0) => Some(NoticeReason::OwnCache),
            Kind::Directory | Kind::File => None,
        };
        if let Some(reason) = refused {
            notices.push(on_disk(self.base), reason);
            return None;
        }
        let parsed = match RelPath::parse(path) {
            Ok(parsed) => parsed,
            Err(error) => {
                notices.push(on_disk(self.base), NoticeReason::BadName(error.to_string()));
                return None;
            }
        };
        // Of names that some system takes for one, the first is shared.
        if !frame.names.claim(parsed.file_name()) {
            notices.push(on_disk(self.base), NoticeReason::Collision(PathCollision::Spelling(parsed).to_string()));
            return None;
        }
        if meta.kind == Kind::File {
            frame.kept += 1;
            return Some(Found::File { path: parsed, meta });
        }
        match Self::enter(frame, &self.last_name, self.names_limit, |name| {
            notices.push(on_disk(self.base).join(name), NoticeReason::NotUnicode);
        }) {
            Ok(Some((dir, names))) => self.frames.push(Frame { dir, path: path.to_owned(), names, kept: 0 }),
            Ok(None) => notices.push(on_disk(self.base), NoticeReason::TooManyNames(self.names_limit)),
            Err(error) if is_gone(&error) => {}
            Err(error) => notices.push(on_disk(self.base), NoticeReason::Unreadable(error.to_string())),
        }
        None
    }

    fn enter(
        parent: &Frame,
        name: &OsStr,
        limit: usize,
        not_unicode: impl FnMut(&Path),
    ) -> io::Result<Option<(Dir, Listing)>> {
        let dir = parent.dir.open_dir(name)?;
        Ok(Listing::read(&dir, limit, not_unicode)?.map(|names| (dir, names)))
    }
}
