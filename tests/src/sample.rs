//! Sample trees, made fast and always the same for the same seed.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

/// The unit of transfer: sizes around it are where mistakes are.
pub const CHUNK: u64 = moorline_proto::CHUNK_SIZE;
/// 1 MiB.
pub const MIB: u64 = 1 << 20;
/// 1 GiB.
pub const GIB: u64 = 1 << 30;

/// Writes a file of pseudo-random bytes, which no file system can store as holes and no network can shrink.
///
/// # Panics
/// When it cannot be written.
pub fn random_file(path: &Path, bytes: u64, seed: u64) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
    let file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let mut state = seed ^ bytes.rotate_left(32);
    let mut block = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        fill(&mut state, &mut block[..now]);
        file.write_all(&block[..now]).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        left -= now as u64;
    }
    file.flush().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Pseudo-random bytes.
#[must_use]
pub fn random_bytes(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut out = vec![0; bytes];
    fill(&mut state, &mut out);
    out
}

/// Writes `count` files of `bytes` each, a hundred a folder.
///
/// # Panics
/// When they cannot be written.
pub fn small_files(folder: &Path, count: u64, bytes: u64) {
    for index in 0..count {
        random_file(&folder.join(format!("{:03}/file-{index:05}.bin", index / 100)), bytes, index);
    }
}

/// Every kind of file that has a right to arrive, and the two that have none: a symbolic link, and a file that may not be read.
///
/// Root reads everything, so as root the unreadable file is shared like any other.
///
/// # Panics
/// When it cannot be written.
pub fn everything(root: &Path) {
    let file = |name: &str, bytes, seed| random_file(&root.join(name), bytes, seed);
    file("empty.bin", 0, 1);
    file("one-byte.bin", 1, 2);
    file("chunk-less-one.bin", CHUNK - 1, 3);
    file("chunk.bin", CHUNK, 4);
    file("chunk-and-one.bin", CHUNK + 1, 5);
    file("several-chunks.bin", 5 * CHUNK + 12_345, 6);
    file("with spaces in the name.txt", 300, 7);
    file("emoji-🚢⚓.txt", 301, 8);
    file("-rf", 302, 9);
    file("--help", 303, 10);
    file("naïve-Ünicode-名前.txt", 304, 11);
    file(&format!("deep/{}bottom.bin", "folder/".repeat(40)), 305, 12);
    file(&format!("long-name-{}.bin", "x".repeat(200)), 306, 13);
    file("run.sh", 307, 14);
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("the file was just written");
    fs::create_dir_all(root.join("empty-folder")).expect("the sample root can be written");
    fs::create_dir_all(root.join("nested/empty/inside")).expect("the sample root can be written");
    for index in 0..200 {
        file(&format!("many/{index:04}.txt"), 40 + index, index);
    }
    symlink("one-byte.bin", root.join("link.bin")).expect("the sample root can be written");
}

/// A copy of a tree with other times, as another person would have it. Symbolic links are left out.
///
/// # Panics
/// When it cannot be read or written.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let (kind, target) = (entry.file_type().expect("the sample is readable"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        }
    }
}

/// splitmix64: eight bytes a step, good enough to be incompressible.
fn fill(state: &mut u64, out: &mut [u8]) {
    for word in out.chunks_mut(8) {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (z ^ (z >> 31)).to_le_bytes();
        word.copy_from_slice(&bytes[..word.len()]);
    }
}
