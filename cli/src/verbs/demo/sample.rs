//! The sample that the demonstration shares: always the same, byte for byte.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Name of the item.
pub(super) const NAME: &str = "Sample Game";
/// Size of the large file, bytes: not a multiple of anything.
const LARGE: u64 = (64 << 20) + 12_345;
/// Number of small files.
const SMALL: u64 = 400;

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Writes the sample. Blocks.
pub(super) fn write(folder: &Path) -> io::Result<Sample> {
    let mut noise = Noise(0x6d6f_6f72_6c69_6e65);
    let mut sample = Sample::default();
    let mut file = |path: &Path, bytes: u64| -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        noise.write_file(path, bytes)?;
        sample.files += 1;
        sample.bytes += bytes;
        Ok(())
    };
    file(&folder.join("data/world.pak"), LARGE)?;
    for n in 0..SMALL {
        // 0 bytes to 16 KiB, in a dozen folders.
        file(&folder.join(format!("maps/area {:02}/tile-{n:03}.bin", n % 12)), n * n % 16_385)?;
    }
    file(&folder.join("music/Über den Wolken 🎵.ogg"), 150_000)?;
    file(&folder.join("empty.cfg"), 0)?;
    let program = folder.join("play");
    file(&program, 4_096)?;
    make_executable(&program)?;
    fs::create_dir_all(folder.join("saves"))?;
    Ok(sample)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A small generator (xorshift64*), so that no file compresses and every run has the same bytes.
struct Noise(u64);

impl Noise {
    fn write_file(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
        let mut left = bytes;
        while left > 0 {
            let word = self.next().to_le_bytes();
            let take = left.min(8) as usize;
            out.write_all(&word[..take])?;
            left -= take as u64;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::demo::compare::compare;

    #[test]
    fn the_sample_is_the_same_each_time_and_counted_right() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let made = write(&a).expect("writes");
        assert_eq!(write(&b).expect("writes"), made);
        let verdict = compare(&a, &b).expect("compares");
        assert_eq!(verdict.difference, None);
        assert_eq!((verdict.files, verdict.bytes, verdict.empty_folders), (made.files, made.bytes, 1));
        assert_eq!(made.files, SMALL + 4);
    }
}
