//! Whether two folders hold the same: read from disk and hashed again, with nothing taken over from the transfer.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) empty_folders: u64,
    /// The first thing that differs.
    pub(super) difference: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Node {
    EmptyFolder,
    File { bytes: u64, executable: bool, hash: blake3::Hash },
    Other,
}

/// Compares what was sent with what arrived. Blocks.
pub(super) fn compare(sent: &Path, arrived: &Path) -> io::Result<Verdict> {
    let (sent, arrived) = (tree(sent)?, tree(arrived)?);
    let mut verdict = Verdict::default();
    for node in sent.values() {
        match node {
            Node::EmptyFolder => verdict.empty_folders += 1,
            Node::File { bytes, .. } => {
                verdict.files += 1;
                verdict.bytes += bytes;
            }
            Node::Other => {}
        }
    }
    let missing = sent.iter().find(|(path, node)| arrived.get(*path) != Some(*node)).map(|(path, _)| path);
    let extra = arrived.keys().find(|path| !sent.contains_key(*path));
    verdict.difference = match (missing, extra) {
        (Some(path), _) => Some(format!("{} differs or is missing", path.display())),
        (None, Some(path)) => Some(format!("{} was never sent", path.display())),
        (None, None) => None,
    };
    Ok(verdict)
}

fn tree(root: &Path) -> io::Result<BTreeMap<PathBuf, Node>> {
    let mut nodes = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut is_empty = true;
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            is_empty = false;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                nodes.insert(path, file(&entry.path())?);
            } else {
                nodes.insert(path, Node::Other);
            }
        }
        if is_empty {
            nodes.insert(folder, Node::EmptyFolder);
        }
    }
    Ok(nodes)
}

fn file(path: &Path) -> io::Result<Node> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(Node::File { bytes: metadata.len(), executable: is_executable(&metadata), hash: hasher.finalize() })
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for side in [&a, &b] {
            fs::create_dir_all(side.join("empty")).expect("creates");
            fs::write(side.join("file"), "content").expect("writes");
        }
        (folder, a, b)
    }

    fn difference(a: &Path, b: &Path) -> String {
        compare(a, b).expect("compares").difference.unwrap_or_default()
    }

    #[test]
    fn the_same_is_the_same() {
        let (_folder, a, b) = pair();
        let verdict = compare(&a, &b).expect("compares");
        assert_eq!(verdict, Verdict { files: 1, bytes: 7, empty_folders: 1, difference: None });
    }

    #[test]
    fn one_wrong_byte_a_missing_folder_and_an_extra_file_are_found() {
        let (_folder, a, b) = pair();
        fs::write(b.join("file"), "contemt").expect("writes");
        assert!(difference(&a, &b).contains("file differs"));

        let (_folder, a, b) = pair();
        fs::remove_dir(b.join("empty")).expect("removes");
        assert!(difference(&a, &b).contains("empty differs or is missing"));

        let (_folder, a, b) = pair();
        fs::write(b.join("more"), "").expect("writes");
        assert!(difference(&a, &b).contains("more was never sent"));
    }

    #[cfg(unix)]
    #[test]
    fn a_lost_executable_bit_is_found() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, a, b) = pair();
        fs::set_permissions(a.join("file"), fs::Permissions::from_mode(0o755)).expect("sets");
        assert!(difference(&a, &b).contains("file differs"));
    }
}
