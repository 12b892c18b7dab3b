//! From what the user asked to share to the items that this is at present.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use moorline_proto::{MAX_COMPONENT_BYTES, RelPath};

use super::config::{LibraryLimits, ShareRoot};
use super::dir::{Dir, is_gone};
use super::listing::Listing;
use super::notice::{NoticeReason, NoticeSink, Notices};
use super::stamp::Kind;
use super::walk::{Base, STAGING_PREFIX};

/// An item to be, under its canonical path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) root: PathBuf,
    /// Under which it is offered.
    pub(super) name: String,
    pub(super) base: Base,
}

/// What the roots lead to.
#[derive(Default)]
pub(super) struct Discovery {
    pub(super) targets: BTreeMap<PathBuf, Target>,
    /// Directories of which every child is an item, as far as they are there.
    pub(super) parents: BTreeSet<PathBuf>,
    pub(super) notices: Notices,
}

/// Looks at the roots. Blocks.
pub(super) fn discover(roots: &[ShareRoot], limits: &LibraryLimits, cache_place: (u64, u64)) -> Discovery {
    let mut search =
        Search { limits, cache_place, found: Discovery::default(), notices: NoticeSink::new(limits.notices) };
    for root in roots {
        match root {
            ShareRoot::Item(path) => search.item(path),
            ShareRoot::Children(path) => search.children(path),
        }
    }
    search.found.notices = search.notices.notices;
    search.found
}

struct Search<'a> {
    limits: &'a LibraryLimits,
    cache_place: (u64, u64),
    found: Discovery,
    notices: NoticeSink,
}

impl Search<'_> {
    fn item(&mut self, path: &Path) {
        let resolved = fs::canonicalize(path).and_then(|root| Ok((fs::metadata(&root)?, root)));
        match resolved {
            Ok((metadata, root)) if metadata.is_dir() => self.add(root, Kind::Directory),
            Ok((metadata, root)) if metadata.is_file() => self.add(root, Kind::File),
            Ok((_, root)) => self.notices.push(root, NoticeReason::Special),
            Err(error) => self.notices.push(path, NoticeReason::Missing(error.to_string())),
        }
    }

    fn children(&mut self, path: &Path) {
        let root = match fs::canonicalize(path) {
            Ok(root) => root,
            Err(error) => return self.notices.push(path, NoticeReason::Missing(error.to_string())),
        };
        let opened = Dir::open_root(&root).and_then(|dir| {
            let notices = &mut self.notices;
            let names = Listing::read(&dir, self.limits.names_per_directory, |name| {
                notices.push(root.join(name), NoticeReason::NotUnicode);
            })?;
            Ok((dir, names))
        });
        let (dir, mut names) = match opened {
            Ok((dir, Some(names))) => (dir, names),
            Ok((_, None)) => {
                return self.notices.push(root, NoticeReason::TooManyNames(self.limits.names_per_directory));
            }
            Err(error) => return self.notices.push(path, NoticeReason::Missing(error.to_string())),
        };
        while let Some(name) = names.next() {
            if name.starts_with(STAGING_PREFIX) {
                continue;
            }
            let child = root.join(name);
            match dir.meta(name.as_ref()) {
                Ok(meta) if meta.kind == Kind::Directory && meta.place == self.cache_place && meta.place != (0, 0) => {
                    self.notices.push(child, NoticeReason::OwnCache);
                }
                Ok(meta) if matches!(meta.kind, Kind::Directory | Kind::File) => self.add(child, meta.kind),
                Ok(meta) if meta.kind == Kind::Symlink => self.notices.push(child, NoticeReason::Symlink),
                Ok(_) => self.notices.push(child, NoticeReason::Special),
                Err(error) if is_gone(&error) => {}
                Err(error) => self.notices.push(child, NoticeReason::Unreadable(error.to_string())),
            }
        }
        self.found.parents.insert(root);
    }

    fn add(&mut self, root: PathBuf, kind: Kind) {
        if self.found.targets.contains_key(&root) {
            return;
        }
        if self.found.targets.len() >= self.limits.items {
            return self.notices.push(root, NoticeReason::TooMany(self.limits.items));
        }
        let own_name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_exact = root.file_name().is_some_and(|name| name.to_str().is_some());
        let path = match RelPath::parse(&own_name) {
            Ok(path) if is_exact => path,
            _ => {
                let clean = clean_name(&own_name);
                self.notices.push(&root, NoticeReason::Renamed(clean.as_str().to_owned()));
                clean
            }
        };
        let name = path.as_str().to_owned();
        let base = match (kind, root.parent(), root.file_name()) {
            (Kind::File, Some(parent), Some(file)) => {
                Base::File { parent: parent.to_owned(), name: file.to_owned(), path }
            }
            _ => Base::Directory(root.clone()),
        };
        self.found.targets.insert(root.clone(), Target { root, name, base });
    }
}

/// The nearest name that is valid everywhere.
fn clean_name(name: &str) -> RelPath {
    let is_bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*');
    let mut clean: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    while clean.len() > MAX_COMPONENT_BYTES {
        clean.pop();
    }
    clean.truncate(clean.trim_end_matches(['.', ' ']).len());
    if clean.is_empty() {
        clean.push_str("item");
    }
    RelPath::parse(&clean)
        // What is still wrong is the name of a device, and this is not.
        .or_else(|_| RelPath::parse(&format!("_{clean}")))
        .or_else(|_| RelPath::parse("item"))
        .expect("`item` is a valid name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_into_valid_ones() {
        for (name, clean) in [
            ("a:b?.", "a_b_"),
            ("con", "_con"),
            ("nul.txt", "_nul.txt"),
            ("", "item"),
            ("...", "item"),
            ("tab\there ", "tab_here"),
        ] {
            assert_eq!(clean_name(name).as_str(), clean, "{name:?}");
        }
        assert_eq!(clean_name(&"ä".repeat(200)).as_str().len(), 254);
    }
}
