//! Finds paths of one item that some platform would make one file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::rel_path::{RelPath, fold};

/// Most paths, folders on the way included, that a [`PathSet`] holds unless told otherwise.
pub const MAX_PATHS: usize = 1 << 22;

/// A path that cannot stand beside those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathCollision {
    /// The same path again.
    #[error("{0:?} occurs twice")]
    Duplicate(RelPath),
    /// Another path differs only in case or Unicode form: on some platform both are one file.
    #[error("{0:?} differs from another path only in upper and lower case or in its Unicode form")]
    Spelling(RelPath),
    /// A file and a folder of the same name: one path is a file, and another needs it to be a folder.
    #[error("{0:?} is a file in one place and a folder in another")]
    FileAndFolder(RelPath),
    /// The set is full.
    #[error("{path:?} is beyond the limit of {max} paths in an item")]
    Full {
        /// The path that found no room.
        path: RelPath,
        /// How many there is room for.
        max: usize,
    },
}

/// The paths of one item so far, in any order: refuses one that would collide on a platform that ignores case or
/// Unicode form, and one that makes a folder of a file or a file of a folder.
///
/// Keeps two 16-byte hashes for each path and each folder on the way, never the text. Manifests, which are sorted, are
/// checked with less; this is for those who gather paths before they sort them.
///
/// ```
/// # use moorline_proto::{PathSet, RelPath};
/// let mut paths = PathSet::new();
/// paths.insert_file(&RelPath::parse("Maps/one.bsp")?)?;
/// assert!(paths.insert_file(&RelPath::parse("maps/two.bsp")?).is_err());
/// assert!(paths.insert_dir(&RelPath::parse("Maps/one.bsp")?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PathSet {
    paths: BTreeMap<Key, Known>,
    max: usize,
}

/// The first half of a BLAKE3 hash: to find two texts with one key is 2⁶⁴ work, even for who chooses both.
pub(crate) type Key = [u8; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    spelling: Key,
    is_file: bool,
}

impl PathSet {
    /// Room for [`MAX_PATHS`].
    pub fn new() -> Self {
        Self::with_limit(MAX_PATHS)
    }

    /// Room for `max` paths and folders on the way to them.
    pub fn with_limit(max: usize) -> Self {
        Self { paths: BTreeMap::new(), max }
    }

    /// Adds a file, and the folders on the way to it.
    ///
    /// # Errors
    /// See [`PathCollision`]; the set may then hold folders on the way to `path`, but not `path`.
    pub fn insert_file(&mut self, path: &RelPath) -> Result<(), PathCollision> {
        self.insert(path, true)
    }

    /// Adds a folder, and the folders on the way to it. A folder may come again, and after what is in it.
    ///
    /// # Errors
    /// As [`insert_file`](Self::insert_file).
    pub fn insert_dir(&mut self, path: &RelPath) -> Result<(), PathCollision> {
        self.insert(path, false)
    }

    /// How many paths the set knows, folders on the way included.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    fn insert(&mut self, path: &RelPath, is_file: bool) -> Result<(), PathCollision> {
        // Running hashes give every prefix its key in one pass. A separator cannot be a part of a component, so that
        // different lists of components are different inputs.
        let (mut folded, mut spelled) = (blake3::Hasher::new(), blake3::Hasher::new());
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            folded.update(fold::fold(component).as_bytes()).update(b"/");
            spelled.update(component.as_bytes()).update(b"/");
            let known = Known { spelling: half(&spelled.finalize()), is_file: is_file && components.peek().is_none() };
            self.insert_one(half(&folded.finalize()), known, path)?;
        }
        Ok(())
    }

    fn insert_one(&mut self, key: Key, new: Known, path: &RelPath) -> Result<(), PathCollision> {
        let full = self.paths.len() >= self.max;
        match self.paths.entry(key) {
            Entry::Vacant(_) if full => Err(PathCollision::Full { path: path.clone(), max: self.max }),
            Entry::Vacant(vacant) => {
                vacant.insert(new);
                Ok(())
            }
            Entry::Occupied(known) => {
                let known = *known.get();
                if known.spelling != new.spelling {
                    Err(PathCollision::Spelling(path.clone()))
                } else if known.is_file != new.is_file {
                    Err(PathCollision::FileAndFolder(path.clone()))
                } else if new.is_file {
                    Err(PathCollision::Duplicate(path.clone()))
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Default for PathSet {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn half(hash: &blake3::Hash) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&hash.as_bytes()[..16]);
    key
}
