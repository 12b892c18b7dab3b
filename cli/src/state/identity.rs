//! Which key this process is. Two processes must not be one peer at the same time, so each holds a lock on its key.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use moorline_runtime::transport::{Identity, OsEntropy};

use super::Home;
use crate::exit::{Code, Failure, Result};

/// Processes of one user on one machine that each have an identity of their own.
const MAX_SLOTS: u32 = 64;

/// Where an identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// One of this user's own, counted from 1.
    Numbered(u32),
    /// A file that the user named.
    Named,
}

/// An identity that no other process uses for as long as this lives.
#[derive(Debug)]
pub(crate) struct IdentityLock {
    identity: Identity,
    path: PathBuf,
    slot: Slot,
    /// The lock file. Closing it gives the identity back; so does the end of the process, however it ends.
    _lock: File,
}

impl IdentityLock {
    /// Takes the named key file, or the first of `identity.key`, `identity-2.key`, … that is free; makes it if missing.
    pub(crate) fn take(home: &Home, named: Option<&Path>) -> Result<Self> {
        if let Some(path) = named {
            let Some(lock) = lock(path)? else {
                return Err(Failure::new(
                    Code::Failure,
                    format!("the identity {} is in use by another process", crate::text::path(path)),
                )
                .hint("End that process, or name another file with --identity."));
            };
            return Self::load(path.to_owned(), Slot::Named, lock);
        }
        home.create()?;
        for slot in 1..=MAX_SLOTS {
            let path = home.state().join(file_name(slot));
            if let Some(lock) = lock(&path)? {
                return Self::load(path, Slot::Numbered(slot), lock);
            }
        }
        Err(Failure::new(
            Code::Failure,
            format!("all {MAX_SLOTS} identities of this user are in use by running processes"),
        )
        .hint("End some of them, or name a key file of your own with --identity."))
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity.clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of this process among those of this user, if it is not the first one.
    pub(crate) fn sibling(&self) -> Option<u32> {
        match self.slot {
            Slot::Numbered(1) | Slot::Named => None,
            Slot::Numbered(n) => Some(n),
        }
    }

    fn load(path: PathBuf, slot: Slot, lock: File) -> Result<Self> {
        let identity = Identity::load_or_create(&path, &OsEntropy).map_err(|error| {
            Failure::new(Code::LocalDisk, error.to_string()).hint("Or name another key file with --identity.")
        })?;
        Ok(Self { identity, path, slot, _lock: lock })
    }
}

fn file_name(slot: u32) -> String {
    if slot == 1 { "identity.key".to_owned() } else { format!("identity-{slot}.key") }
}

/// Locks a key by a file beside it: the key itself may be replaced while the lock is held, and on Windows a locked file
/// cannot be read. `None` when another process has it.
fn lock(key: &Path) -> Result<Option<File>> {
    let mut path = key.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Failure::disk("open the lock file", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Failure::disk("lock", &path, &error)
            .hint("Set MOORLINE_HOME to a folder on a local disk: some network disks know no locks.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_holders_are_two_peers_and_a_freed_identity_is_used_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path());
        let first = IdentityLock::take(&home, None).expect("first");
        let second = IdentityLock::take(&home, None).expect("second");
        assert_eq!((first.sibling(), second.sibling()), (None, Some(2)));
        assert_ne!(first.identity().peer_id(), second.identity().peer_id());

        let id = first.identity().peer_id();
        drop(first);
        let again = IdentityLock::take(&home, None).expect("again");
        assert_eq!((again.sibling(), again.identity().peer_id()), (None, id));
    }

    #[test]
    fn a_named_identity_in_use_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(&folder.path().join("unused"));
        let key = folder.path().join("me.key");
        let held = IdentityLock::take(&home, Some(&key)).expect("first");
        assert_eq!(held.path(), key);
        let failure = IdentityLock::take(&home, Some(&key)).expect_err("in use");
        assert!(failure.message.contains("in use"), "{failure}");
        assert!(!home.state().exists(), "a named identity needs no home");
    }

    #[test]
    fn a_key_that_is_no_key_is_named_in_the_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = folder.path().join("bad.key");
        std::fs::write(&key, "not a key").expect("writes");
        let failure = IdentityLock::take(&Home::at(folder.path()), Some(&key)).expect_err("not a key");
        assert!(failure.message.contains("bad.key"), "{failure}");
        assert_eq!(failure.code, Code::LocalDisk);
    }
}
