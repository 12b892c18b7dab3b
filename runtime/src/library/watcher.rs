//! The system's file watcher, behind a bounded queue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, mpsc};

use super::dir::Dir;
use super::walk::STAGING_PREFIX;

/// Something may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WatchEvent {
    /// At or below these paths.
    At(Vec<PathBuf>),
    /// Anywhere: reports were lost.
    Anywhere,
    /// Anywhere, and from now on not everything is reported.
    Degraded(String),
}

/// Watches directories. Dropping it ends its thread soon; [`Reports::closed`] waits for that.
pub(super) struct Watcher {
    inner: RecommendedWatcher,
    watched: BTreeMap<PathBuf, Watched>,
}

/// Reports of a [`Watcher`].
pub(super) struct Reports {
    queue: mpsc::Receiver<WatchEvent>,
    overflow: Arc<Overflow>,
}

#[derive(Default)]
struct Overflow {
    happened: AtomicBool,
    rung: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Watched {
    depth: Depth,
    /// The directory that had the path then: another one there has to be watched anew.
    place: (u64, u64),
}

/// How far down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    OneLevel,
    Everything,
}

impl Watcher {
    /// Starts the watcher's thread. At most `capacity` reports wait.
    pub(super) fn start(capacity: usize) -> notify::Result<(Self, Reports)> {
        let (sender, queue) = mpsc::channel(capacity);
        let overflow = Arc::new(Overflow::default());
        let lost = Arc::clone(&overflow);
        let handler = move |event: notify::Result<Event>| {
            if let Some(event) = translate(event) {
                deliver(&sender, &lost, event);
            }
        };
        let inner = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))?;
        Ok((Self { inner, watched: BTreeMap::new() }, Reports { queue, overflow }))
    }

    /// Watches exactly `wanted` from now on. Returns what could not be watched. Blocks: every folder below is visited.
    pub(super) fn sync(&mut self, wanted: &BTreeMap<PathBuf, Depth>) -> Vec<(PathBuf, String)> {
        let mut failed = Vec::new();
        let mut plan = BTreeMap::new();
        for (path, depth) in without_covered(wanted) {
            match Dir::open_root(path).and_then(|dir| dir.own_meta()) {
                Ok(meta) => drop(plan.insert(path.clone(), Watched { depth, place: meta.place })),
                Err(error) => failed.push((path.clone(), error.to_string())),
            }
        }
        let stale: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, watched)| plan.get(*path) != Some(watched))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            self.watched.remove(&path);
            // Fails for a directory that is gone, which is watched no more anyway.
            drop(self.inner.unwatch(&path));
        }
        for (path, watched) in plan {
            if self.watched.contains_key(&path) {
                continue;
            }
            let mode = match watched.depth {
                Depth::Everything => RecursiveMode::Recursive,
                Depth::OneLevel => RecursiveMode::NonRecursive,
            };
            match self.inner.watch(&path, mode) {
                Ok(()) => drop(self.watched.insert(path, watched)),
                Err(error) => failed.push((path, describe(&error))),
            }
        }
        failed
    }
}

impl Reports {
    /// Waits until the thread of a watcher that was dropped has let go of its end: all that is left for it then is to return.
    pub(super) async fn closed(mut self, deadline: Duration) {
        let ended = tokio::time::timeout(deadline, async { while self.queue.recv().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("the file watcher did not end in time");
        }
    }

    /// The next report. `None` if the watcher has died. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if self.overflow.happened.swap(false, Ordering::AcqRel) {
                // What is queued is older than the look at everything that follows.
                while self.queue.try_recv().is_ok() {}
                return Some(WatchEvent::Anywhere);
            }
            tokio::select! {
                biased;
                () = self.overflow.rung.notified() => {}
                event = self.queue.recv() => return event,
            }
        }
    }
}

/// Called on the watcher's thread, which must not wait.
fn deliver(sender: &mpsc::Sender<WatchEvent>, lost: &Overflow, event: WatchEvent) {
    if sender.try_send(event).is_err() {
        lost.happened.store(true, Ordering::Release);
        lost.rung.notify_one();
    }
}

/// Leaves out what lies below a directory that is watched with all below it: watching it twice would, on the end of one, end both.
fn without_covered(wanted: &BTreeMap<PathBuf, Depth>) -> impl Iterator<Item = (&PathBuf, Depth)> {
    let is_covered = |path: &Path| path.ancestors().skip(1).any(|above| wanted.get(above) == Some(&Depth::Everything));
    wanted.iter().filter(move |(path, _)| !is_covered(path)).map(|(path, depth)| (path, *depth))
}

/// `None` for what changes nothing: our own reading, above all, and downloads at work.
fn translate(event: notify::Result<Event>) -> Option<WatchEvent> {
    let event = match event {
        Ok(event) => event,
        Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => {
            return Some(WatchEvent::Degraded(describe(&error)));
        }
        Err(_) => return Some(WatchEvent::Anywhere),
    };
    if event.need_rescan() {
        return Some(WatchEvent::Anywhere);
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return None,
        _ => {}
    }
    let paths: Vec<PathBuf> = event.paths.into_iter().filter(|path| !is_staging(path)).collect();
    (!paths.is_empty()).then_some(WatchEvent::At(paths))
}

fn is_staging(path: &Path) -> bool {
    path.components().any(|component| component.as_os_str().as_encoded_bytes().starts_with(STAGING_PREFIX.as_bytes()))
}

fn describe(error: &notify::Error) -> String {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system's limit of watched folders is reached; on Linux raise fs.inotify.max_user_watches".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, path: &str) -> notify::Result<Event> {
        Ok(Event::new(kind).add_path(path.into()))
    }

    #[test]
    fn reading_and_staging_are_no_news() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(translate(event(open, "/a")), None);
        assert_eq!(translate(event(written, "/a")), Some(WatchEvent::At(vec!["/a".into()])));
        assert_eq!(translate(event(written, "/a/.moorline-x/b")), None);
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(translate(Ok(lost)), Some(WatchEvent::Anywhere));
    }

    #[test]
    fn a_directory_below_a_watched_one_is_not_watched_again() {
        let wanted =
            [("/a", Depth::Everything), ("/a/b", Depth::OneLevel), ("/c", Depth::OneLevel), ("/c/d", Depth::OneLevel)]
                .map(|(path, depth)| (PathBuf::from(path), depth))
                .into();
        let watched: Vec<_> = without_covered(&wanted).map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(watched, ["/a", "/c", "/c/d"]);
    }

    #[tokio::test]
    async fn reports_beyond_the_limit_become_one_that_says_anywhere() {
        let (sender, queue) = mpsc::channel(1);
        let mut reports = Reports { queue, overflow: Arc::default() };
        let overflow = Arc::clone(&reports.overflow);
        let report = |path: &str| deliver(&sender, &overflow, WatchEvent::At(vec![path.into()]));
        report("/at the limit");
        assert_eq!(reports.next().await, Some(WatchEvent::At(vec!["/at the limit".into()])));
        report("/a");
        report("/beyond it");
        assert_eq!(reports.next().await, Some(WatchEvent::Anywhere));
        report("/b");
        assert_eq!(reports.next().await, Some(WatchEvent::At(vec!["/b".into()])));
        drop(sender);
        assert_eq!(reports.next().await, None);
    }
}
