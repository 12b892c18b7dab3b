use std::fs::{self, File, FileTimes};
use std::io;
use std::path::Path;

/// Turns every byte of every file below a folder around, and leaves names, lengths, times and inodes as they are: a disk that has gone
/// bad. Doing it twice undoes it.
pub(super) fn turn_bytes_around(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            turn_bytes_around(&path)?;
            continue;
        }
        let modified = fs::metadata(&path)?.modified()?;
        let turned: Vec<u8> = fs::read(&path)?.into_iter().map(|byte| !byte).collect();
        fs::write(&path, turned)?;
        File::options().write(true).open(&path)?.set_times(FileTimes::new().set_modified(modified))?;
    }
    Ok(())
}
