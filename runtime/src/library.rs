//! What this node shares: items, their manifests, and the changes of both.
//!
//! An item is a directory or a file. [`Library::scan`] walks it in the order of its manifest, hashes what it does not know yet, and
//! keeps manifest and hashes in one cache file an item; so nothing is hashed twice, in this run or the next. [`Library::monitor`]
//! does the same whenever something changes: told by the system's file watcher, and by looking at everything now and then, which
//! finds what the watcher missed.
//!
//! What is promised:
//! - A file is known by path, size, modification time and inode. Only if all of them are as they were, its hash is believed.
//! - What is served is what was hashed, or an error: the state of a file is checked before and after each read.
//! - An item whose files differ from its manifest is not on offer. It is again, as another item, once it has stayed as it is for
//!   [`settle`](LibraryConfig::settle).
//! - Symbolic links are never followed. What cannot be shared is left out, and [`Library::notices`] says what and why.
//! - Only what is asked for is held open, and that not for long: a drive with shared files can be taken out.
//!
//! # Memory
//! Bounded by [`LibraryLimits`], whatever is shared. A walk holds the names of the directories on the way to where it is (some 30
//! bytes a name, at most [`names_per_directory`](LibraryLimits::names_per_directory) each); the manifest builder one page of at most
//! 128 KiB, 16 bytes for each name in those directories, and 32 bytes for each MiB of the largest file; a comparison with the cache
//! two pages. An item on offer costs some hundred bytes and 48 for each page. Serving holds
//! [`decoded_pages`](LibraryLimits::decoded_pages) (up to 0.6 MiB each, 0.2 MiB on average) and
//! [`idle_buffers`](LibraryLimits::idle_buffers) (1 MiB each), besides the chunks that are being sent. A manifest is never in memory
//! as a whole.
//!
//! # Threads
//! All reading of files happens in [`Scope::spawn_blocking`]; one item is hashed at a time. The methods that are not `async` return
//! at once, but for those of [`SharedItem`] that say that they block.

mod cache;
mod config;
mod dir;
mod error;
mod item;
mod listing;
mod metadata;
mod monitor;
mod notice;
mod offers;
mod opener;
mod pool;
mod refresh;
mod report;
mod roots;
mod scan;
mod serving;
mod stamp;
mod walk;
mod watcher;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_proto::{ItemId, ItemPage, LibraryDelta, LibraryDigest};
use tokio::sync::{Notify, Semaphore, watch};

pub use config::{LibraryConfig, LibraryLimits, ShareRoot};
pub use error::{LibraryError, ServeError};
pub use item::SharedItem;
pub use notice::{Notice, NoticeReason, Notices};
pub use report::ScanReport;

use crate::supervisor::{BoxError, Scope};
use dir::Dir;
use notice::{NoticeBoard, Subject};
use offers::Offers;
use roots::Discovery;
use serving::Serving;

/// What this node shares. A handle: clones are the same library.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner {
    config: LibraryConfig,
    cache_place: (u64, u64),
    serving: Arc<Serving>,
    /// Written by scans and the monitor, read by whoever serves. Held for moments only, never while something is read.
    state: Mutex<State>,
    revision: watch::Sender<u64>,
    /// Counts changes of the offers and of the notices.
    activity: watch::Sender<u64>,
    /// Rung when a root was added; heard by the monitor.
    roots_changed: Notify,
    /// One item is hashed at a time, whoever asks.
    gate: Semaphore,
}

struct State {
    roots: Vec<ShareRoot>,
    offers: Offers,
    notices: NoticeBoard,
}

impl Library {
    /// Opens a library. Nothing is on offer before the first [`scan`](Self::scan) or [`monitor`](Self::monitor). Blocks for a moment.
    ///
    /// # Errors
    /// The cache folder cannot be made, or a setting makes no sense.
    pub fn open(config: LibraryConfig) -> Result<Self, LibraryError> {
        let settings = [
            ("rescan_interval", !config.rescan_interval.is_zero()),
            ("settle", !config.settle.is_zero()),
            ("limits.watch_events", config.limits.watch_events > 0),
        ];
        if let Some((name, _)) = settings.into_iter().find(|(_, fine)| !fine) {
            return Err(LibraryError::Setting { name, must: "more than zero" });
        }
        let cache_place = make_cache_dir(&config.cache_dir)
            .map_err(|source| LibraryError::CacheDir { path: config.cache_dir.clone(), source })?;
        let offers = Offers::new(config.first_revision, config.limits.history);
        let mut state = State { roots: Vec::new(), offers, notices: NoticeBoard::new(config.limits.notices) };
        for root in &config.roots {
            state.add_root(root.clone(), config.limits.roots);
        }
        Ok(Self {
            inner: Arc::new(Inner {
                cache_place,
                serving: Serving::new(&config.limits),
                state: Mutex::new(state),
                revision: watch::Sender::new(config.first_revision),
                activity: watch::Sender::new(0),
                roots_changed: Notify::new(),
                gate: Semaphore::new(1),
                config,
            }),
        })
    }

    /// Shares one thing more. The monitor picks it up at once; without one, the next [`scan`](Self::scan) does. Beyond
    /// [`LibraryLimits::roots`] it is left out with a notice.
    pub fn add(&self, root: ShareRoot) {
        self.lock().add_root(root, self.inner.config.limits.roots);
        self.bump_activity();
        self.inner.roots_changed.notify_one();
    }

    /// Looks at everything that is shared, and hashes what is new or changed, one item after another; each is on offer as soon as it
    /// is hashed. Returns when all is done.
    ///
    /// Dropping the future stops it after the item at hand; cancelling `scope` stops it within a buffer's length. What was hashed by
    /// then is kept either way.
    ///
    /// # Errors
    /// [`LibraryError::Stopped`] if `scope` was cancelled. An item that fails is a notice and not an error.
    pub async fn scan(&self, scope: &Scope) -> Result<ScanReport, LibraryError> {
        let discovery = self.discover(scope).await?;
        let mut report = ScanReport::default();
        for target in discovery.targets.values() {
            self.refresh(scope, target, &mut report).await?;
        }
        let state = self.lock();
        report.items = state.offers.items().len();
        report.left_out = state.notices.all().total;
        Ok(report)
    }

    /// Keeps the offers true to the files until `scope` is cancelled: scans, then follows changes. Adds items that appear under a
    /// [`ShareRoot::Children`], withdraws what changes or vanishes, hashes what has settled.
    ///
    /// Where the system's file watcher cannot be used, or not for all folders, a notice says so, and changes are found every
    /// [`rescan_interval`](LibraryConfig::rescan_interval). When this returns, the watcher and its thread are gone. Run one at a time.
    ///
    /// # Errors
    /// Work ended by a panic, or `scope` has no room for it.
    pub async fn monitor(self, scope: Scope) -> Result<(), BoxError> {
        monitor::run(self, scope).await
    }

    /// The library in three numbers.
    #[must_use]
    pub fn digest(&self) -> LibraryDigest {
        self.lock().offers.digest()
    }

    /// All items on offer, in the order of their ids.
    #[must_use]
    pub fn items(&self) -> Vec<Arc<SharedItem>> {
        self.lock().offers.items()
    }

    /// The item with this id, if it is on offer.
    #[must_use]
    pub fn item(&self, id: &ItemId) -> Option<Arc<SharedItem>> {
        self.lock().offers.item(id)
    }

    /// A page of the listing: the items after `after` in the order of ids, as many as fit a message.
    #[must_use]
    pub fn list_page(&self, after: Option<ItemId>) -> ItemPage {
        self.lock().offers.list_page(after)
    }

    /// What changed since revision `since`. With `reset` set, the asker has to list anew from `to` on: its revision is further back
    /// than [`LibraryLimits::history`] changes, of another run of this node, or the change is larger than a message.
    #[must_use]
    pub fn deltas_since(&self, since: u64) -> LibraryDelta {
        self.lock().offers.deltas_since(since)
    }

    /// The current revision, to be awaited. It grows by one with each change of what peers see.
    #[must_use]
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.inner.revision.subscribe()
    }

    /// A number that grows with each change of the offers or of the [`notices`](Self::notices), to be awaited.
    #[must_use]
    pub fn activity(&self) -> watch::Receiver<u64> {
        self.inner.activity.subscribe()
    }

    /// What is left out at present, and why.
    #[must_use]
    pub fn notices(&self) -> Notices {
        self.lock().notices.all()
    }

    /// Looks at the roots, and withdraws the items of those that are gone.
    async fn discover(&self, scope: &Scope) -> Result<Discovery, LibraryError> {
        let inner = Arc::clone(&self.inner);
        let roots = self.lock().roots.clone();
        let search = move || roots::discover(&roots, &inner.config.limits, inner.cache_place);
        let mut discovery = scope.spawn_blocking("library-roots", search).await.map_err(LibraryError::from_task)?;
        let is_there = |root: &Path| discovery.targets.contains_key(root);
        let gone: Vec<_> = self.lock().offers.roots().filter(|root| !is_there(root)).cloned().collect();
        for root in gone {
            self.forget(&root);
        }
        if self.lock().notices.keep_items(is_there) {
            self.bump_activity();
        }
        let notices = std::mem::take(&mut discovery.notices);
        self.note(Subject::Roots, notices);
        Ok(discovery)
    }

    /// Whether something at this root is on offer.
    fn offers_at(&self, root: &Path) -> bool {
        self.lock().offers.at(root).is_some()
    }

    /// Changes what is offered at `root`, and what is said about it, in one step.
    fn offer(&self, root: &Path, item: Option<&Arc<SharedItem>>, subject: Subject, notices: Notices) {
        let (changed, noted, revision, before) = {
            let mut state = self.lock();
            let (changed, before) = state.offers.set(root, item);
            let noted = state.notices.set(subject, notices);
            (changed, noted, state.offers.digest().revision, before)
        };
        // Closes files, so not under the lock.
        drop(before);
        if changed {
            self.publish(revision);
        }
        if changed || noted {
            self.bump_activity();
        }
    }

    /// Forgets what was found out about an item that is not there any more.
    fn forget(&self, root: &Path) {
        self.offer(root, None, Subject::Item(root.to_owned()), Notices::default());
    }

    /// Replaces what is said about `subject`. Returns whether that changed anything.
    fn note(&self, subject: Subject, notices: Notices) -> bool {
        let changed = self.lock().notices.set(subject, notices);
        if changed {
            self.bump_activity();
        }
        changed
    }

    /// Two changes may be published in either order; the revision only grows.
    fn publish(&self, revision: u64) {
        self.inner.revision.send_if_modified(|current| {
            let newer = revision > *current;
            *current = revision.max(*current);
            newer
        });
    }

    fn bump_activity(&self) {
        self.inner.activity.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add_root(&mut self, root: ShareRoot, limit: usize) {
        if self.roots.contains(&root) {
            return;
        }
        if self.roots.len() < limit {
            self.roots.push(root);
        } else {
            tracing::warn!(path = %root.path().display(), limit, "not shared: too many roots");
            self.notices.add(Subject::Refused, root.path(), NoticeReason::TooMany(limit));
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// Makes the folder, for this user alone where it is new, and says which one it is.
fn make_cache_dir(path: &Path) -> std::io::Result<(u64, u64)> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(Dir::open_root(path)?.own_meta()?.place)
}
