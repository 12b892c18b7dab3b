//! Whether everything that the user named has been looked at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moorline_runtime::library::{Library, Notice, NoticeReason, ShareRoot};

/// Start of the names of folders in which unfinished downloads are kept; those are no items.
const STAGING: &str = ".moorline-";

/// The paths of which nothing has been heard yet: neither that they are on offer nor why they are not.
#[derive(Debug)]
pub(super) struct Expected {
    open: BTreeSet<PathBuf>,
}

impl Expected {
    /// What the roots consist of now.
    pub(super) fn of(roots: &[ShareRoot]) -> Self {
        let mut open = BTreeSet::new();
        for root in roots {
            match root {
                ShareRoot::Item(path) => {
                    open.insert(path.clone());
                }
                ShareRoot::Children(path) => open.extend(children(path)),
            }
        }
        Self { open }
    }

    /// Strikes out what the library has dealt with. `true` when nothing is open any more.
    pub(super) fn look(&mut self, library: &Library) -> bool {
        for item in library.items() {
            self.open.remove(item.root());
        }
        let notices = library.notices();
        self.settle(&notices.list);
        // With more notices than are kept, some paths would be waited for in vain: early is better than never.
        if notices.total > notices.list.len() as u64 {
            self.open.clear();
        }
        self.is_met()
    }

    /// Everything was dealt with once.
    pub(super) fn is_met(&self) -> bool {
        self.open.is_empty()
    }

    fn settle(&mut self, notices: &[Notice]) {
        for notice in notices {
            // A renamed item is still to come.
            if !matches!(notice.reason, NoticeReason::Renamed(_) | NoticeReason::NotWatched(_)) {
                self.open.remove(&notice.path);
            }
        }
        // What vanished meanwhile, or whose whole library was refused, is not waited for.
        let refused: Vec<&Path> = notices.iter().map(|notice| notice.path.as_path()).collect();
        self.open.retain(|path| {
            path.symlink_metadata().is_ok() && !path.parent().is_some_and(|parent| refused.contains(&parent))
        });
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(STAGING))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = fs::canonicalize(folder.path()).expect("it is there");
        for name in names {
            fs::write(path.join(name), "x").expect("writes");
        }
        (folder, path)
    }

    fn notice(path: PathBuf, reason: NoticeReason) -> Notice {
        Notice { path, reason }
    }

    #[test]
    fn children_are_waited_for_until_each_has_a_notice_or_is_gone() {
        let (_folder, path) = folder_with(&["a", "b", ".moorline-part"]);
        let mut expected = Expected::of(&[ShareRoot::Children(path.clone())]);
        assert_eq!(expected.open.len(), 2);
        expected.settle(&[notice(path.join("a"), NoticeReason::Renamed("c".to_owned()))]);
        assert_eq!(expected.open.len(), 2, "a renamed item is still to come");
        expected.settle(&[notice(path.join("a"), NoticeReason::Empty)]);
        fs::remove_file(path.join("b")).expect("removes");
        expected.settle(&[]);
        assert!(expected.is_met());
    }

    #[test]
    fn a_refused_library_is_not_waited_for() {
        let (_folder, path) = folder_with(&["a"]);
        let mut expected = Expected::of(&[ShareRoot::Children(path.clone())]);
        expected.settle(&[notice(path, NoticeReason::TooManyNames(1))]);
        assert!(expected.is_met());
    }

    #[test]
    fn an_empty_library_is_ready_at_once() {
        let (_folder, path) = folder_with(&[]);
        assert!(Expected::of(&[ShareRoot::Children(path)]).is_met());
    }
}
