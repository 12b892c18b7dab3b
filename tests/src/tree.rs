//! A folder as something that can be compared: every path with what is there.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

/// What stands at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An empty folder. Folders with something in them are known by that.
    EmptyFolder,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The BLAKE3 hash of its content, as `b3sum` prints it.
        hash: String,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link, to where.
    Link(String),
}

/// The whole content of a folder, by the path relative to it. A file gives one entry with an empty path.
///
/// # Panics
/// When something cannot be read.
#[must_use]
pub fn tree(root: &Path) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    walk(root, "", &mut nodes);
    nodes
}

/// Compares two folders and tells the first differences by name: a dump of 10,000 entries tells nobody anything.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn assert_same(expected: &BTreeMap<String, Node>, found: &BTreeMap<String, Node>) {
    let mut differences = Vec::new();
    for (path, node) in expected {
        match found.get(path) {
            None => differences.push(format!("missing: {path:?} ({node:?})")),
            Some(other) if other != node => differences.push(format!("differs: {path:?}: {node:?} became {other:?}")),
            Some(_) => {}
        }
    }
    differences
        .extend(found.keys().filter(|path| !expected.contains_key(*path)).map(|path| format!("extra: {path:?}")));
    assert!(
        differences.is_empty(),
        "{} differences, the first of them:\n  {}",
        differences.len(),
        differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ")
    );
}

/// The BLAKE3 hash of a file, as `b3sum` prints it.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn b3sum(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hasher.update_reader(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hasher.finalize().to_hex().to_string()
}

fn walk(path: &Path, name: &str, nodes: &mut BTreeMap<String, Node>) {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if meta.is_symlink() {
        let to = fs::read_link(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        nodes.insert(name.to_owned(), Node::Link(to.to_string_lossy().into_owned()));
    } else if meta.is_file() {
        let executable = meta.permissions().mode() & 0o100 != 0;
        nodes.insert(name.to_owned(), Node::File { size: meta.len(), hash: b3sum(path), executable });
    } else {
        let children = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut empty = true;
        for child in children {
            let child = child.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            empty = false;
            let below = child.file_name().into_string().expect("test trees have names in UTF-8");
            let below = if name.is_empty() { below } else { format!("{name}/{below}") };
            walk(&child.path(), &below, nodes);
        }
        if empty {
            nodes.insert(name.to_owned(), Node::EmptyFolder);
        }
    }
}
