use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use moorline_runtime::transfer::Flush;
use rand_core::RngCore;

/// The least that a file system writes at once.
const PAGE: usize = 4096;
/// What it may write at once of a file that grows.
const EXTENT: usize = 1 << 20;

/// What a power cut cannot take back, of one folder.
///
/// A simplification: of names, a cut keeps either all that there are or all that are safe, as a file system does that journals them;
/// of bytes, each file fares on its own.
#[derive(Debug, Default)]
pub(super) struct Durable {
    names: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, Known>,
}

/// What is known of a file, by the number that the system has for it.
#[derive(Debug)]
struct Known {
    /// As long as it is open, no other file gets its number.
    _open: File,
    /// `None`: none of it is safe.
    bytes: Option<Vec<u8>>,
}

impl Durable {
    /// Takes note of what is put on the disk.
    pub(super) fn flush(&mut self, what: Flush<'_>) -> io::Result<()> {
        match what {
            Flush::Bytes(path) => self.keep_bytes(path),
            Flush::Tree(folder) => {
                self.keep_names(folder)?;
                walk(folder)?.iter().try_for_each(|path| self.keep_bytes(path))
            }
            Flush::Names(folder) => self.keep_names(folder),
            _ => Ok(()),
        }
    }

    fn keep_bytes(&mut self, path: &Path) -> io::Result<()> {
        let number = self.know(path)?;
        let bytes = fs::read(path)?;
        self.files.entry(number).and_modify(|known| known.bytes = Some(bytes));
        Ok(())
    }

    fn keep_names(&mut self, folder: &Path) -> io::Result<()> {
        self.names.retain(|path, _| !path.starts_with(folder));
        for path in walk(folder)? {
            let number = self.know(&path)?;
            self.names.insert(path, number);
        }
        Ok(())
    }

    fn know(&mut self, path: &Path) -> io::Result<u64> {
        let open = File::open(path)?;
        let number = open.metadata()?.ino();
        self.files.entry(number).or_insert(Known { _open: open, bytes: None });
        Ok(number)
    }

    /// The power goes: what is below `folder` is what a disk may hold then. All of that is safe from then on.
    pub(super) fn lose_power(&mut self, folder: &Path, dice: &mut impl RngCore) -> io::Result<()> {
        let mut there = BTreeMap::new();
        for path in walk(folder)? {
            let number = self.know(&path)?;
            there.insert(path.clone(), (number, fs::read(&path)?));
        }
        let mut left: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        if dice.next_u32().is_multiple_of(2) {
            for (path, (number, bytes)) in &there {
                left.insert(path.clone(), survives(self.safe(*number), bytes, dice));
            }
        } else {
            let written: BTreeMap<u64, &Vec<u8>> = there.values().map(|(number, bytes)| (*number, bytes)).collect();
            for (path, number) in self.names.iter().filter(|(path, _)| path.starts_with(folder)) {
                let safe = self.safe(*number);
                let bytes = written.get(number).map(|written| survives(safe, written, dice));
                left.insert(path.clone(), bytes.or_else(|| safe.map(<[u8]>::to_vec)).unwrap_or_default());
            }
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        for (path, bytes) in &left {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, bytes)?;
        }
        *self = Self::default();
        self.flush(Flush::Tree(folder))
    }

    fn safe(&self, number: u64) -> Option<&[u8]> {
        self.files.get(&number).and_then(|known| known.bytes.as_deref())
    }
}

/// What is left of a file: all that was written, what is safe of it, or some parts of each.
fn survives(safe: Option<&[u8]>, written: &[u8], dice: &mut impl RngCore) -> Vec<u8> {
    match (dice.next_u32() % 3, safe) {
        (0, _) => written.to_vec(),
        (1, Some(safe)) => safe.to_vec(),
        // Its length was written, or not even that.
        (1, None) => vec![0; if dice.next_u32().is_multiple_of(2) { 0 } else { written.len() }],
        _ => {
            let mut torn = safe.unwrap_or_default().to_vec();
            torn.resize(written.len(), 0);
            // Page by page, or as much at once as a system writes that has had time.
            let step = [PAGE, 16 * PAGE, EXTENT][dice.next_u32() as usize % 3];
            for (part, written) in torn.chunks_mut(step).zip(written.chunks(step)) {
                if dice.next_u32().is_multiple_of(2) {
                    part.copy_from_slice(written);
                }
            }
            torn
        }
    }
}

/// All files below a folder, in the order of their names; none if there is no folder.
fn walk(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// Every state that a folder with these two files can be found in: one safe in bytes and name, one in neither.
    #[test]
    fn what_was_flushed_survives_and_the_rest_may_be_lost_torn_or_kept() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let folder = tempfile::tempdir().unwrap();
            let (kept, loose) = (folder.path().join("kept"), folder.path().join("loose"));
            let mut disk = Durable::default();
            fs::write(&kept, vec![1; 3 * PAGE]).unwrap();
            disk.flush(Flush::Tree(folder.path())).unwrap();
            fs::write(&loose, vec![2; 3 * PAGE]).unwrap();
            disk.lose_power(folder.path(), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            assert_eq!(fs::read(&kept).unwrap(), vec![1; 3 * PAGE]);
            let pages = fs::read(&loose).map(|left| left.iter().step_by(PAGE).filter(|byte| **byte == 2).count());
            seen.insert(match pages {
                Err(_) => "no name",
                Ok(3) => "kept",
                Ok(0) => "lost",
                Ok(_) => "torn",
            });
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["kept", "lost", "no name", "torn"]);
    }

    #[test]
    fn what_was_moved_is_in_its_place_only_once_that_was_flushed() {
        for flushed in [false, true] {
            let mut places = std::collections::BTreeSet::new();
            for seed in 0..32 {
                let folder = tempfile::tempdir().unwrap();
                let (from, to) = (folder.path().join("from"), folder.path().join("to"));
                let mut disk = Durable::default();
                fs::write(&from, b"all of it").unwrap();
                disk.flush(Flush::Tree(folder.path())).unwrap();
                fs::rename(&from, &to).unwrap();
                if flushed {
                    disk.flush(Flush::Names(folder.path())).unwrap();
                }
                disk.lose_power(folder.path(), &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
                let there = [&from, &to].map(|path| fs::read(path).ok());
                assert_eq!(there.iter().flatten().collect::<Vec<_>>(), [b"all of it"]);
                places.insert(there[1].is_some());
            }
            assert_eq!(places.contains(&false), !flushed);
        }
    }
}
