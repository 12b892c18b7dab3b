use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use moorline_proto::RelPath;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use crate::transfer::error::DownloadError;

/// Folders that are kept open: files of one folder follow each other in a manifest.
const OPEN_FOLDERS: usize = 64;

/// `NONBLOCK` so that a planted pipe cannot hold a thread; it means nothing for plain files.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// See the [module](super).
#[derive(Debug)]
pub(crate) struct Tree {
    root: Arc<OwnedFd>,
    path: PathBuf,
    folders: Mutex<BTreeMap<String, Arc<OwnedFd>>>,
}

impl Tree {
    /// Opens an existing folder, which must not be a link itself.
    pub(crate) fn open(path: &Path) -> Result<Self, DownloadError> {
        let root = openat(CWD, path, FOLDER, Mode::empty()).map_err(|errno| refused("open", path, errno))?;
        Ok(Self::at(root, path.to_owned()))
    }

    /// Opens a folder through links, if the path has any: for a folder that the user named.
    pub(crate) fn follow(path: &Path) -> Result<Self, DownloadError> {
        let root = openat(CWD, path, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())
            .map_err(|errno| DownloadError::io("open", path, errno.into()))?;
        Ok(Self::at(root, path.to_owned()))
    }

    /// Opens the folder `name` right in this one, and makes it if it is missing; `private`: for nobody else.
    pub(crate) fn subtree(&self, name: &RelPath, private: bool) -> Result<Self, DownloadError> {
        let path = self.full(name.as_str());
        let mode = if private { Mode::RWXU } else { Mode::from_raw_mode(0o777) };
        match mkdirat(&self.root, name.as_str(), mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(DownloadError::io("create", &path, errno.into())),
        }
        let root =
            openat(&self.root, name.as_str(), FOLDER, Mode::empty()).map_err(|errno| refused("open", &path, errno))?;
        Ok(Self::at(root, path))
    }

    fn at(root: OwnedFd, path: PathBuf) -> Self {
        Self { root: Arc::new(root), path, folders: Mutex::default() }
    }

    /// The folder, for messages and for asking about its disk.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder, and those on the way to it.
    pub(crate) fn create_dir(&self, path: &RelPath) -> Result<(), DownloadError> {
        self.folder(path.as_str(), true).map(drop)
    }

    /// Makes a new file, in place of whatever file or link has the name, to be written from its start.
    pub(crate) fn create_file(&self, path: &RelPath, executable: bool) -> Result<File, DownloadError> {
        let (folder, name) = self.parent(path, true)?;
        let open = || openat(&*folder, name, FILE | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode(executable));
        let file = match open() {
            Err(Errno::EXIST) => {
                // Not truncated and reused: the name could stand for a file elsewhere (a second hard link to it).
                unlinkat(&*folder, name, AtFlags::empty())
                    .map_err(|errno| refused("replace", &self.full(path.as_str()), errno))?;
                open()
            }
            other => other,
        };
        file.map(File::from).map_err(|errno| refused("create", &self.full(path.as_str()), errno))
    }

    /// Opens a file to be read and written anywhere, made if it is missing, and makes it `size` bytes long.
    pub(crate) fn open_file(&self, path: &RelPath, executable: bool, size: u64) -> Result<File, DownloadError> {
        let file = self.open_plain(path, OFlags::RDWR | OFlags::CREATE, mode(executable))?;
        let io = |error| DownloadError::io("set the size of", &self.full(path.as_str()), error);
        if file.metadata().map_err(io)?.len() != size {
            file.set_len(size).map_err(io)?;
        }
        Ok(file)
    }

    /// Opens a file to be appended to, made if it is missing.
    pub(crate) fn append_file(&self, path: &RelPath) -> Result<File, DownloadError> {
        self.open_plain(path, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE, mode(false))
    }

    /// Opens a file to be read and written anywhere, made if it is missing, whatever its size.
    pub(crate) fn control_file(&self, path: &RelPath) -> Result<File, DownloadError> {
        self.open_plain(path, OFlags::RDWR | OFlags::CREATE, Mode::RUSR | Mode::WUSR)
    }

    /// Opens a file to be read; `None` if there is no plain file of that name.
    pub(crate) fn read_file(&self, path: &RelPath) -> Result<Option<File>, DownloadError> {
        let (folder, name) = match self.parent(path, false) {
            Ok(found) => found,
            Err(DownloadError::Tampered { .. }) => return Ok(None),
            Err(DownloadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match openat(&*folder, name, FILE | OFlags::RDONLY, Mode::empty()) {
            Ok(fd) => {
                let file = File::from(fd);
                let plain =
                    file.metadata().map_err(|error| DownloadError::io("look at", &self.full(path.as_str()), error))?;
                Ok(plain.is_file().then_some(file))
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::NXIO) => Ok(None),
            Err(errno) => Err(DownloadError::io("open", &self.full(path.as_str()), errno.into())),
        }
    }

    /// Whether `path` is a folder, reached through folders only.
    pub(crate) fn is_dir(&self, path: &RelPath) -> Result<bool, DownloadError> {
        match self.folder(path.as_str(), false) {
            Ok(_) => Ok(true),
            Err(DownloadError::Tampered { .. }) => Ok(false),
            Err(DownloadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether `file` is still what has the name `path`.
    pub(crate) fn is_same(&self, path: &RelPath, file: &File) -> io::Result<bool> {
        let held = file.metadata()?;
        match statat(&*self.root, path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => {
                // The widths of these differ between systems.
                #[allow(clippy::unnecessary_cast)]
                let same = found.st_ino as u64 == held.ino() && found.st_dev as u64 == held.dev();
                Ok(same)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Renames a file right in this folder, over another one.
    pub(crate) fn replace(&self, from: &RelPath, to: &RelPath) -> Result<(), DownloadError> {
        renameat(&*self.root, from.as_str(), &*self.root, to.as_str())
            .map_err(|errno| DownloadError::io("rename", &self.full(from.as_str()), errno.into()))
    }

    /// Moves `from`, right in this folder, to `name` in `target`, in one step and never over something else. False if
    /// there is something of that name.
    pub(crate) fn move_out(&self, from: &RelPath, target: &Self, name: &RelPath) -> io::Result<bool> {
        let (from, to) = (from.as_str(), name.as_str());
        match renameat_with(&*self.root, from, &*target.root, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
            // A file system without that operation: look first. Who creates the name in between loses it, if a file.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match statat(&*target.root, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => return Ok(false),
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno.into()),
                }
                renameat(&*self.root, from, &*target.root, to)?;
                Ok(true)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Puts everything that was written below this folder on the disk.
    pub(crate) fn flush(&self) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        rustix::fs::syncfs(&*self.root)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        flush_files(&self.path)?;
        Ok(())
    }

    /// Puts the names in this folder on the disk.
    pub(crate) fn flush_names(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&*self.root)?)
    }

    /// Whether a file may be executed by its owner.
    pub(crate) fn is_executable(permissions: &Permissions) -> bool {
        permissions.mode() & 0o100 != 0
    }

    fn full(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    fn open_plain(&self, path: &RelPath, flags: OFlags, mode: Mode) -> Result<File, DownloadError> {
        let (folder, name) = self.parent(path, true)?;
        let full = || self.full(path.as_str());
        let fd = openat(&*folder, name, FILE | flags, mode).map_err(|errno| refused("open", &full(), errno))?;
        let file = File::from(fd);
        let metadata = file.metadata().map_err(|error| DownloadError::io("look at", &full(), error))?;
        if !metadata.is_file() {
            return Err(DownloadError::Tampered { path: full(), reason: "it is not a plain file".into() });
        }
        if metadata.nlink() > 1 {
            return Err(DownloadError::Tampered {
                path: full(),
                reason: "the file has a second name elsewhere".into(),
            });
        }
        Ok(file)
    }

    fn parent<'p>(&self, path: &'p RelPath, create: bool) -> Result<(Arc<OwnedFd>, &'p str), DownloadError> {
        match path.as_str().rsplit_once('/') {
            Some((folder, name)) => Ok((self.folder(folder, create)?, name)),
            None => Ok((Arc::clone(&self.root), path.as_str())),
        }
    }

    fn folder(&self, path: &str, create: bool) -> Result<Arc<OwnedFd>, DownloadError> {
        if let Some(open) = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(Arc::clone(open));
        }
        let mut folder = Arc::clone(&self.root);
        let mut end = 0;
        for name in path.split('/') {
            end += name.len();
            let step = match openat(&*folder, name, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) if create => match mkdirat(&*folder, name, Mode::from_raw_mode(0o777)) {
                    // Another thread may have been first.
                    Ok(()) | Err(Errno::EXIST) => openat(&*folder, name, FOLDER, Mode::empty()),
                    Err(errno) => return Err(DownloadError::io("create", &self.full(&path[..end]), errno.into())),
                },
                other => other,
            };
            folder = Arc::new(step.map_err(|errno| refused("open", &self.full(&path[..end]), errno))?);
            end += 1;
        }
        let mut open = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_FOLDERS {
            open.clear();
        }
        open.insert(path.to_owned(), Arc::clone(&folder));
        Ok(folder)
    }
}

/// An error of an open that does not follow links: those that a link, or a file where a folder should be, leads to are told
/// apart.
fn refused(what: &'static str, path: &Path, errno: Errno) -> DownloadError {
    let reason = match errno {
        // Linux answers LOOP, FreeBSD MLINK; with DIRECTORY both answer NOTDIR.
        Errno::LOOP | Errno::MLINK => "it is a symbolic link",
        Errno::NOTDIR => "it is a symbolic link or a file where a folder should be",
        Errno::ISDIR => "it is a folder where a file should be",
        _ => return DownloadError::io(what, path, errno.into()),
    };
    DownloadError::Tampered { path: path.to_owned(), reason: reason.into() }
}

/// As the user's umask leaves it.
fn mode(executable: bool) -> Mode {
    Mode::from_raw_mode(if executable { 0o777 } else { 0o666 })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn flush_files(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(&folder)?.sync_all()?;
    }
    Ok(())
}
