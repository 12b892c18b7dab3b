use std::ffi::OsStr;
use std::fs::File;
use std::io;

use moorline_proto::RelPath;

use super::dir::Dir;
use super::walk::Base;

/// Opens files of an item without following links, one folder at a time. Consecutive files mostly lie in one folder, which is kept
/// open meanwhile.
pub(super) struct Opener<'a> {
    base: &'a Base,
    folder: Option<(String, Dir)>,
}

impl<'a> Opener<'a> {
    pub(super) fn new(base: &'a Base) -> Self {
        Self { base, folder: None }
    }

    pub(super) fn open(&mut self, path: &RelPath) -> io::Result<File> {
        let root = match self.base {
            Base::Directory(root) => root,
            Base::File { parent, name, .. } => return Dir::open_root(parent)?.open_file(name),
        };
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if self.folder.as_ref().is_none_or(|(open, _)| open != folder) {
            let mut dir = Dir::open_root(root)?;
            for component in folder.split('/').filter(|component| !component.is_empty()) {
                dir = dir.open_dir(OsStr::new(component))?;
            }
            self.folder = Some((folder.to_owned(), dir));
        }
        match &self.folder {
            Some((_, dir)) => dir.open_file(OsStr::new(name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
