use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use moorline_proto::RelPath;

use crate::transfer::error::DownloadError;

/// See the [module](super). Where paths cannot be opened relative to a folder, each component is looked at before use.
#[derive(Debug)]
pub(crate) struct Tree {
    path: PathBuf,
}

impl Tree {
    pub(crate) fn open(path: &Path) -> Result<Self, DownloadError> {
        check_folder(path)?;
        Ok(Self { path: path.to_owned() })
    }

    pub(crate) fn follow(path: &Path) -> Result<Self, DownloadError> {
        let metadata = fs::metadata(path).map_err(|error| DownloadError::io("open", path, error))?;
        if !metadata.is_dir() {
            return Err(DownloadError::io("open", path, io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { path: path.to_owned() })
    }

    pub(crate) fn subtree(&self, name: &RelPath, _private: bool) -> Result<Self, DownloadError> {
        self.create_dir(name)?;
        Self::open(&name.join_under(&self.path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn create_dir(&self, path: &RelPath) -> Result<(), DownloadError> {
        let mut folder = self.path.clone();
        for name in path.components() {
            folder.push(name);
            match fs::create_dir(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_folder(&folder)?,
                Err(error) => return Err(DownloadError::io("create", &folder, error)),
            }
        }
        Ok(())
    }

    pub(crate) fn create_file(&self, path: &RelPath, _executable: bool) -> Result<File, DownloadError> {
        let full = self.parent(path, true)?;
        match fs::remove_file(&full) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DownloadError::io("replace", &full, error)),
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&full)
            .map_err(|error| DownloadError::io("create", &full, error))
    }

    pub(crate) fn open_file(&self, path: &RelPath, _executable: bool, size: u64) -> Result<File, DownloadError> {
        let file = self.control_file(path)?;
        let io = |error| DownloadError::io("set the size of", &path.join_under(&self.path), error);
        if file.metadata().map_err(io)?.len() != size {
            file.set_len(size).map_err(io)?;
        }
        Ok(file)
    }

    pub(crate) fn append_file(&self, path: &RelPath) -> Result<File, DownloadError> {
        self.open_plain(path, OpenOptions::new().read(true).append(true).create(true))
    }

    pub(crate) fn control_file(&self, path: &RelPath) -> Result<File, DownloadError> {
        self.open_plain(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    pub(crate) fn read_file(&self, path: &RelPath) -> Result<Option<File>, DownloadError> {
        let full = match self.parent(path, false) {
            Ok(full) => full,
            Err(DownloadError::Tampered { .. }) => return Ok(None),
            Err(DownloadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match fs::symlink_metadata(&full) {
            Ok(metadata) if metadata.is_file() => {
                File::open(&full).map(Some).map_err(|error| DownloadError::io("open", &full, error))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DownloadError::io("look at", &full, error)),
        }
    }

    pub(crate) fn is_dir(&self, path: &RelPath) -> Result<bool, DownloadError> {
        Ok(self.parent(path, false).is_ok() && check_folder(&path.join_under(&self.path)).is_ok())
    }

    pub(crate) fn is_same(&self, path: &RelPath, _file: &File) -> io::Result<bool> {
        // An open file cannot be removed here, hence the name still stands for it.
        super::exists(&path.join_under(&self.path))
    }

    pub(crate) fn replace(&self, from: &RelPath, to: &RelPath) -> Result<(), DownloadError> {
        let from = from.join_under(&self.path);
        fs::rename(&from, to.join_under(&self.path)).map_err(|error| DownloadError::io("rename", &from, error))
    }

    pub(crate) fn move_out(&self, from: &RelPath, target: &Self, name: &RelPath) -> io::Result<bool> {
        let to = name.join_under(&target.path);
        if super::exists(&to)? {
            return Ok(false);
        }
        fs::rename(from.join_under(&self.path), to)?;
        Ok(true)
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    OpenOptions::new().write(true).open(entry.path())?.sync_all()?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn flush_names(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_executable(_permissions: &Permissions) -> bool {
        false
    }

    fn open_plain(&self, path: &RelPath, options: &OpenOptions) -> Result<File, DownloadError> {
        let full = self.parent(path, true)?;
        if let Ok(metadata) = fs::symlink_metadata(&full)
            && !metadata.is_file()
        {
            return Err(DownloadError::Tampered { path: full, reason: "it is not a plain file".into() });
        }
        options.open(&full).map_err(|error| DownloadError::io("open", &full, error))
    }

    fn parent(&self, path: &RelPath, create: bool) -> Result<PathBuf, DownloadError> {
        let full = path.join_under(&self.path);
        let mut folder = self.path.clone();
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                break;
            }
            folder.push(name);
            if !create || fs::create_dir(&folder).is_err() {
                check_folder(&folder)?;
            }
        }
        Ok(full)
    }
}

fn check_folder(path: &Path) -> Result<(), DownloadError> {
    let metadata = fs::symlink_metadata(path).map_err(|error| DownloadError::io("look at", path, error))?;
    if metadata.is_dir() {
        return Ok(());
    }
    Err(DownloadError::Tampered {
        path: path.to_owned(),
        reason: "it is a link or a file where a folder should be".into(),
    })
}
