// The same as `unix.rs` with the means of std alone. It is compiled for tests everywhere, so that it stays alive.
#![cfg_attr(unix, allow(dead_code))]

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::library::stamp::{Kind, Meta, Stamp, Time};

/// A directory, by its path.
pub(in crate::library) struct Dir {
    path: PathBuf,
}

impl Dir {
    pub(in crate::library) fn open_root(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self { path: path.to_owned() })
    }

    pub(in crate::library) fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        if !fs::symlink_metadata(&path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path })
    }

    pub(in crate::library) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path.join(name);
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        File::open(path)
    }

    pub(in crate::library) fn meta(&self, name: &OsStr) -> io::Result<Meta> {
        Ok(meta(&fs::symlink_metadata(self.path.join(name))?))
    }

    pub(in crate::library) fn own_meta(&self) -> io::Result<Meta> {
        Ok(meta(&fs::metadata(&self.path)?))
    }

    pub(in crate::library) fn names(&self, mut each: impl FnMut(&OsStr) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            if !each(&entry?.file_name()) {
                break;
            }
        }
        Ok(())
    }
}

pub(in crate::library) fn meta_of(file: &File) -> io::Result<Meta> {
    Ok(meta(&file.metadata()?))
}

#[cfg(windows)]
pub(in crate::library) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Where the system cannot read at an offset, each read goes through a handle of its own.
#[cfg(not(windows))]
pub(in crate::library) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read as _, Seek as _};
    let mut own = file.try_clone()?;
    own.seek(io::SeekFrom::Start(offset))?;
    own.read(buffer)
}

/// What std opens is looked at before, so that no error says this.
pub(in crate::library) fn is_link(_error: &io::Error) -> bool {
    false
}

/// Only Unix has, and needs, a way to do this.
pub(in crate::library) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn meta(metadata: &Metadata) -> Meta {
    let file_type = metadata.file_type();
    let kind = if file_type.is_symlink() {
        Kind::Symlink
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File
    } else {
        Kind::Special
    };
    Meta {
        kind,
        stamp: Stamp { size: metadata.len(), modified: Time::of(metadata.modified().unwrap_or(UNIX_EPOCH)), inode: 0 },
        executable: false,
        changed: Time::default(),
        place: (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_directory_sees_files_and_refuses_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"0123456789").unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        let root = Dir::open_root(dir.path()).unwrap();
        let mut names = Vec::new();
        root.names(|name| {
            names.push(name.to_owned());
            true
        })
        .unwrap();
        names.sort();
        assert_eq!(names, ["file", "folder"]);
        assert_eq!(root.own_meta().unwrap().kind, Kind::Directory);
        let file = root.open_file("file".as_ref()).unwrap();
        assert_eq!(meta_of(&file).unwrap().stamp, root.meta("file".as_ref()).unwrap().stamp);
        let mut buffer = [0; 4];
        assert_eq!(read_at(&file, &mut buffer, 7).unwrap(), 3);
        assert_eq!(&buffer[..3], b"789");
        assert!(root.open_dir("file".as_ref()).is_err());
        assert!(root.open_file("folder".as_ref()).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("folder", dir.path().join("link")).unwrap();
            assert!(root.open_dir("link".as_ref()).is_err());
            assert_eq!(root.meta("link".as_ref()).unwrap().kind, Kind::Symlink);
        }
    }
}
