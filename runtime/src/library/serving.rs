//! What all items of a library share while they are served: bounded caches, and the list of items that turned out to have changed.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_proto::{Chunk, Page, RelPath};
use tokio::sync::Notify;

use super::cache::Record;
use super::config::LibraryLimits;
use super::pool::BufferPool;

/// Shared by all items; dropped with the last of them.
pub(super) struct Serving {
    pub(super) buffers: Arc<BufferPool>,
    handles: Mutex<Recent<HandleKey, Arc<File>>>,
    pages: Mutex<Recent<(u64, usize), Arc<PageView>>>,
    /// Roots of items of which a part could not be served as hashed. Taken by the monitor.
    suspects: Mutex<BTreeSet<PathBuf>>,
    /// Rung with each suspect.
    pub(super) suspected: Notify,
    next_owner: AtomicU64,
}

/// A file of an item, or its cache file.
type HandleKey = (u64, Option<RelPath>);

/// A decoded page, ready to map chunks to files.
pub(super) struct PageView {
    pub(super) page: Page,
    pub(super) chunks: Vec<Chunk>,
    /// For each entry of the page that is a file, the state that was hashed.
    pub(super) records: Vec<Option<Record>>,
}

impl Serving {
    pub(super) fn new(limits: &LibraryLimits) -> Arc<Self> {
        Arc::new(Self {
            buffers: BufferPool::new(limits.idle_buffers),
            handles: Mutex::new(Recent::new(limits.open_files)),
            pages: Mutex::new(Recent::new(limits.decoded_pages)),
            suspects: Mutex::default(),
            suspected: Notify::new(),
            next_owner: AtomicU64::new(0),
        })
    }

    /// A number that tells one state of one item from all others.
    pub(super) fn new_owner(&self) -> u64 {
        self.next_owner.fetch_add(1, Ordering::Relaxed)
    }

    /// The open file under `key`, opened now if it is not. No lock is held while opening.
    pub(super) fn handle(&self, key: HandleKey, open: impl FnOnce() -> io::Result<File>) -> io::Result<Arc<File>> {
        if let Some(file) = lock(&self.handles).find(&key) {
            return Ok(file);
        }
        let file = Arc::new(open()?);
        let evicted = lock(&self.handles).insert(key, Arc::clone(&file));
        drop(evicted);
        Ok(file)
    }

    /// The decoded page under `key`, read now if it is not there. No lock is held while reading.
    pub(super) fn page<E>(
        &self,
        key: (u64, usize),
        read: impl FnOnce() -> Result<PageView, E>,
    ) -> Result<Arc<PageView>, E> {
        if let Some(page) = lock(&self.pages).find(&key) {
            return Ok(page);
        }
        let page = Arc::new(read()?);
        drop(lock(&self.pages).insert(key, Arc::clone(&page)));
        Ok(page)
    }

    /// Drops what is kept for an item.
    pub(super) fn forget(&self, owner: u64) {
        drop(lock(&self.handles).remove_if(|key| key.0 == owner));
        drop(lock(&self.pages).remove_if(|key| key.0 == owner));
    }

    /// Closes the files that nobody read since the last call, so that a drive that is only offered can be taken out.
    pub(super) fn close_idle(&self) {
        drop(lock(&self.handles).remove_unused());
    }

    pub(super) fn suspect(&self, root: &Path) {
        lock(&self.suspects).insert(root.to_owned());
        self.suspected.notify_one();
    }

    pub(super) fn take_suspects(&self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut *lock(&self.suspects))
    }
}

/// Values by key, the most recently used first. Small enough to be searched from front to back.
struct Recent<K, V> {
    entries: VecDeque<Used<K, V>>,
    limit: usize,
}

struct Used<K, V> {
    key: K,
    value: V,
    since_sweep: bool,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), limit }
    }

    fn find(&mut self, key: &K) -> Option<V> {
        let index = self.entries.iter().position(|entry| entry.key == *key)?;
        let mut entry = self.entries.remove(index)?;
        entry.since_sweep = true;
        let value = entry.value.clone();
        self.entries.push_front(entry);
        Some(value)
    }

    /// Returns what had to go, for the caller to drop without the lock.
    #[must_use]
    fn insert(&mut self, key: K, value: V) -> Vec<V> {
        if self.entries.iter().any(|entry| entry.key == key) {
            return Vec::new();
        }
        self.entries.push_front(Used { key, value, since_sweep: true });
        let excess = self.limit.min(self.entries.len());
        self.entries.drain(excess..).map(|entry| entry.value).collect()
    }

    #[must_use]
    fn remove_if(&mut self, mut gone: impl FnMut(&K) -> bool) -> Vec<V> {
        let (gone, kept): (VecDeque<_>, _) = self.entries.drain(..).partition(|entry| gone(&entry.key));
        self.entries = kept;
        gone.into_iter().map(|entry| entry.value).collect()
    }

    #[must_use]
    fn remove_unused(&mut self) -> Vec<V> {
        let (mut kept, gone): (VecDeque<_>, VecDeque<_>) = self.entries.drain(..).partition(|entry| entry.since_sweep);
        kept.iter_mut().for_each(|entry| entry.since_sweep = false);
        self.entries = kept;
        gone.into_iter().map(|entry| entry.value).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first_and_the_unused_go_in_a_sweep() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1, "a").is_empty());
        assert!(recent.insert(2, "b").is_empty());
        assert_eq!(recent.find(&1), Some("a"));
        assert_eq!(recent.insert(3, "c"), ["b"]);
        assert!(recent.remove_unused().is_empty());
        assert_eq!(recent.find(&3), Some("c"));
        assert_eq!(recent.remove_unused(), ["a"]);
        assert_eq!(recent.remove_if(|key| *key == 3), ["c"]);
        assert!(Recent::new(0).insert(1, "a") == ["a"]);
    }
}
