use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use crate::library::stamp::{Kind, Meta, Stamp, Time};

/// An open directory. Names are looked up in the directory itself, so that swapping a folder on the way for a link leads nowhere.
pub(in crate::library) struct Dir {
    fd: OwnedFd,
}

impl Dir {
    /// Opens the root of an item. Its own path may lead through links: the user chose it.
    pub(in crate::library) fn open_root(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    pub(in crate::library) fn open_dir(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { fd: rustix::fs::openat(&self.fd, name, flags, Mode::empty())? })
    }

    /// Opens a file for reading. Never waits, not even if a pipe took the file's place; the caller checks what it got.
    pub(in crate::library) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?))
    }

    pub(in crate::library) fn meta(&self, name: &OsStr) -> io::Result<Meta> {
        Ok(meta(&rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    pub(in crate::library) fn own_meta(&self) -> io::Result<Meta> {
        Ok(meta(&rustix::fs::fstat(&self.fd)?))
    }

    /// Gives every name but `.` and `..` to `each`, in no order, until that says stop.
    pub(in crate::library) fn names(&self, mut each: impl FnMut(&OsStr) -> bool) -> io::Result<()> {
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." && !each(OsStr::from_bytes(name)) {
                break;
            }
        }
        Ok(())
    }
}

pub(in crate::library) fn meta_of(file: &File) -> io::Result<Meta> {
    Ok(meta(&rustix::fs::fstat(file)?))
}

pub(in crate::library) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Whether an error means that a symbolic link was not followed.
pub(in crate::library) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Makes a rename in this directory survive a power cut.
pub(in crate::library) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

// The types of the fields of `stat` differ between platforms; on this one some of the casts do nothing.
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
fn meta(stat: &Stat) -> Meta {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Special,
    };
    Meta {
        kind,
        stamp: Stamp {
            size: stat.st_size as u64,
            modified: Time { seconds: stat.st_mtime as i64, nanos: stat.st_mtime_nsec as u32 },
            inode: stat.st_ino as u64,
        },
        executable: stat.st_mode & 0o111 != 0,
        changed: Time { seconds: stat.st_ctime as i64, nanos: stat.st_ctime_nsec as u32 },
        place: (stat.st_dev as u64, stat.st_ino as u64),
    }
}
