use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::SimClock;

/// The disk of a host: a real folder, which outlives crashes. Clones are the same folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    clock: SimClock,
}

impl Folder {
    pub(crate) fn new(root: PathBuf, clock: SimClock) -> Self {
        Self { root, clock }
    }

    /// Where it is. Never to be recorded: it differs from run to run.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a file, with the folders above it. Its modification time is the simulated time of day, because a node tells its peers of it.
    ///
    /// # Errors
    /// Whatever the file system answers.
    pub fn write(&self, relative: impl AsRef<Path>, content: &[u8]) -> io::Result<()> {
        self.write_aged(relative, content, Duration::ZERO)
    }

    /// The same of a file that has not been changed for so long.
    pub(crate) fn write_aged(&self, relative: impl AsRef<Path>, content: &[u8], age: Duration) -> io::Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content)?;
        let now = self.clock.wall() - age;
        File::options().write(true).open(&path)?.set_times(FileTimes::new().set_modified(now).set_accessed(now))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Whatever the file system answers.
    pub fn read(&self, relative: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        fs::read(self.path(relative))
    }

    /// `text` with this folder's place taken out of it.
    pub(crate) fn without_place(&self, text: &str) -> String {
        match self.root.to_str() {
            Some(root) => text.replace(root, "~"),
            None => text.to_owned(),
        }
    }
}
