//! Order and collisions of the paths of a sorted manifest, in little memory.
//!
//! In ascending order of components all that lies in one folder stands together. Two paths collide where two names in
//! one folder do, so that only the folders on the way to the current path need be known: a folder's names are forgotten
//! when the order leaves it.

use std::collections::BTreeSet;

use super::ManifestError;
use crate::path_set::{Key, MAX_PATHS, PathCollision, half};
use crate::rel_path::{RelPath, fold};

#[derive(Debug)]
pub(super) struct SortedPaths {
    last: Option<Last>,
    /// Names seen so far, folded and hashed, in the root and in each folder on the way to `last`.
    folders: Vec<BTreeSet<Key>>,
    /// Sum over `folders`.
    names: usize,
    max_names: usize,
}

#[derive(Debug)]
struct Last {
    path: RelPath,
    is_file: bool,
}

impl SortedPaths {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_PATHS)
    }

    fn with_limit(max_names: usize) -> Self {
        Self { last: None, folders: vec![BTreeSet::new()], names: 0, max_names }
    }

    /// Adds the next path: a file's, or an empty folder's.
    pub(super) fn insert(&mut self, path: &RelPath, is_file: bool) -> Result<(), ManifestError> {
        let known = self.leave_folders(path)?;
        for name in path.components().skip(known) {
            if self.names == self.max_names {
                return Err(PathCollision::Full { path: path.clone(), max: self.max_names }.into());
            }
            let key = half(&blake3::hash(fold::fold(name).as_bytes()));
            let folder = self.folders.last_mut();
            if !folder.is_some_and(|names| names.insert(key)) {
                return Err(PathCollision::Spelling(path.clone()).into());
            }
            self.names += 1;
            self.folders.push(BTreeSet::new());
        }
        self.folders.pop(); // what the path itself would hold
        self.last = Some(Last { path: path.clone(), is_file });
        Ok(())
    }

    /// Checks the order, forgets the folders that `path` is not in, and returns how many of its components are folders
    /// known already.
    fn leave_folders(&mut self, path: &RelPath) -> Result<usize, ManifestError> {
        let Some(last) = &self.last else {
            return Ok(0);
        };
        if *path == last.path {
            return Err(PathCollision::Duplicate(path.clone()).into());
        }
        if *path < last.path {
            return Err(ManifestError::Unsorted { path: path.clone(), after: last.path.clone() });
        }
        if path.starts_with(&last.path) {
            return Err(if last.is_file {
                PathCollision::FileAndFolder(path.clone()).into()
            } else {
                ManifestError::FolderNotEmpty { path: path.clone() }
            });
        }
        let both = path.components().zip(last.path.components());
        let shared = both.take_while(|(new, old)| new == old).count();
        for left in self.folders.drain(shared + 1..) {
            self.names -= left.len();
        }
        Ok(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn insert_all(paths: &[&str]) -> Result<SortedPaths, ManifestError> {
        let mut sorted = SortedPaths::new();
        for text in paths {
            sorted.insert(&path(text), true)?;
        }
        Ok(sorted)
    }

    #[test]
    fn names_of_folders_left_behind_are_forgotten() {
        let sorted = insert_all(&["a/1", "a/2", "a/3/x/y/z", "b/1"]).unwrap();
        assert_eq!(sorted.names, 3); // a, b, b/1
        assert_eq!(sorted.folders.len(), 2);
    }

    #[test]
    fn the_limit_counts_what_is_remembered() {
        let mut sorted = SortedPaths::with_limit(3);
        for fits in ["a/1", "a/2", "b/1"] {
            sorted.insert(&path(fits), true).unwrap();
        }
        let full = sorted.insert(&path("b/2"), true);
        assert!(matches!(full, Err(ManifestError::Collision(PathCollision::Full { max: 3, .. }))));
    }

    #[test]
    fn a_component_order_that_byte_order_would_break_is_accepted() {
        // '-' and '.' sort before '/', so that plain byte order would tear "a" and what is in it apart.
        insert_all(&["a/b", "a-b", "a.txt"]).unwrap();
        assert!(matches!(insert_all(&["a-b", "a/b"]), Err(ManifestError::Unsorted { .. })));
    }
}
