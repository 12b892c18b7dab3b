//! The service that keeps the offers true to the files.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Library;
use super::error::LibraryError;
use super::notice::{NoticeReason, Notices, Subject};
use super::refresh::{Outcome, Probe};
use super::report::ScanReport;
use super::roots::Target;
use super::walk::Base;
use super::watcher::{Depth, Reports, WatchEvent, Watcher};
use crate::supervisor::{BoxError, Scope};

/// Reports about one item that come within this time are answered by one comparison.
const GATHER: Duration = Duration::from_millis(50);
/// Comparisons take at most one part in so many of the monitor's time.
const PROBE_SHARE: u32 = 10;
/// How long the watcher's thread may take to end.
const WATCHER_END: Duration = Duration::from_secs(1);

/// Starts a watcher whose queue holds so many reports.
type StartWatcher = Box<dyn FnMut(usize) -> notify::Result<(Watcher, Reports)> + Send>;

pub(super) async fn run(library: Library, scope: Scope) -> Result<(), BoxError> {
    run_with(library, scope, Box::new(Watcher::start)).await
}

async fn run_with(library: Library, scope: Scope, start_watcher: StartWatcher) -> Result<(), BoxError> {
    let mut monitor = Monitor::new(library, scope, start_watcher);
    let outcome = monitor.follow().await;
    monitor.stop().await;
    match outcome {
        Ok(()) | Err(LibraryError::Stopped) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Monitor {
    library: Library,
    scope: Scope,
    start_watcher: StartWatcher,
    watcher: Option<Watcher>,
    reports: Option<Reports>,
    targets: BTreeMap<PathBuf, Target>,
    /// Directories of which each child is an item.
    parents: Vec<PathBuf>,
    /// Items to compare with their files, and when.
    to_probe: BTreeMap<PathBuf, Instant>,
    no_probe_before: Instant,
    /// Items to hash, and when at the earliest: put off by each further change.
    to_hash: BTreeMap<PathBuf, Instant>,
    hashing: Option<Hashing>,
    discover_at: Option<Instant>,
    rescan_at: Instant,
}

struct Hashing {
    root: PathBuf,
    /// Something in it changed meanwhile.
    touched: bool,
    work: Pin<Box<dyn Future<Output = Result<Outcome, LibraryError>> + Send>>,
}

enum Wake {
    Cancelled,
    Hashed(Result<Outcome, LibraryError>),
    Report(Option<WatchEvent>),
    Suspect,
    RootsChanged,
    Deadline,
}

/// Which items a look at the roots is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// All of them; new ones are taken as they are.
    First,
    /// Those that were added by the user, who knows that they are complete.
    Added,
    /// New ones, once they have settled.
    New,
    /// All of them; new ones once they have settled.
    Everything,
}

impl Monitor {
    fn new(library: Library, scope: Scope, start_watcher: StartWatcher) -> Self {
        let now = Instant::now();
        Self {
            library,
            scope,
            start_watcher,
            watcher: None,
            reports: None,
            targets: BTreeMap::new(),
            parents: Vec::new(),
            to_probe: BTreeMap::new(),
            no_probe_before: now,
            to_hash: BTreeMap::new(),
            hashing: None,
            discover_at: None,
            rescan_at: now,
        }
    }

    async fn follow(&mut self) -> Result<(), LibraryError> {
        self.look(Look::First).await?;
        loop {
            self.do_what_is_due().await?;
            let deadline = self.next_deadline();
            let wake = tokio::select! {
                biased;
                () = self.scope.cancelled() => Wake::Cancelled,
                outcome = hashed(&mut self.hashing) => Wake::Hashed(outcome),
                report = next_report(&mut self.reports) => Wake::Report(report),
                () = self.library.inner.serving.suspected.notified() => Wake::Suspect,
                () = self.library.inner.roots_changed.notified() => Wake::RootsChanged,
                () = sleep_until(deadline) => Wake::Deadline,
            };
            match wake {
                Wake::Cancelled => return Ok(()),
                Wake::Hashed(outcome) => self.after_hashing(outcome)?,
                Wake::Report(report) => self.on_report(report),
                Wake::Suspect => self.probe_suspects(),
                Wake::RootsChanged => self.look(Look::Added).await?,
                Wake::Deadline => {}
            }
        }
    }

    async fn stop(&mut self) {
        // The files being hashed belong to a task of the scope, which waits for it.
        self.hashing = None;
        self.watcher = None;
        if let Some(reports) = self.reports.take() {
            reports.closed(WATCHER_END).await;
        }
    }

    /// Deadlines are looked at before each wait, so that a flood of reports puts off none of them.
    async fn do_what_is_due(&mut self) -> Result<(), LibraryError> {
        let now = Instant::now();
        if now >= self.rescan_at {
            self.look(Look::Everything).await?;
        } else if self.discover_at.is_some_and(|at| now >= at) {
            self.look(Look::New).await?;
        }
        let due = |(root, at): (&PathBuf, &Instant)| (*at <= now).then(|| root.clone());
        let probes: Vec<PathBuf> = self.to_probe.iter().filter_map(due).collect();
        for root in probes {
            self.to_probe.remove(&root);
            self.probe(&root).await?;
        }
        if self.hashing.is_none()
            && let Some(root) = self.to_hash.iter().find_map(due)
        {
            self.to_hash.remove(&root);
            self.start_hashing(root);
        }
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let to_hash = self.to_hash.values().filter(|_| self.hashing.is_none());
        let others = self.to_probe.values().chain(&self.discover_at).chain(to_hash);
        others.copied().fold(self.rescan_at, Instant::min)
    }

    /// Finds out what there is to share, watches it, and plans what to do about it.
    async fn look(&mut self, look: Look) -> Result<(), LibraryError> {
        let all = matches!(look, Look::First | Look::Everything);
        self.discover_at = None;
        if all {
            self.rescan_at = after(self.library.inner.config.rescan_interval);
        }
        let discovery = self.library.discover(&self.scope).await?;
        self.targets = discovery.targets;
        self.parents = discovery.parents.into_iter().collect();
        self.to_hash.retain(|root, _| self.targets.contains_key(root));
        self.to_probe.retain(|root, _| self.targets.contains_key(root));
        // Before anything is looked at: what changes from here on is reported.
        self.watch(all).await?;
        let wait = if matches!(look, Look::First | Look::Added) { Duration::ZERO } else { self.settle() };
        let roots: Vec<PathBuf> = self.targets.keys().cloned().collect();
        for root in roots {
            if !self.library.offers_at(&root) {
                if !self.is_hashing(&root) && (all || self.is_new(&root)) {
                    self.to_hash.entry(root).or_insert_with(|| after(wait));
                }
            } else if all {
                self.probe(&root).await?;
            }
        }
        if all {
            self.library.inner.serving.close_idle();
        }
        Ok(())
    }

    /// Whether nothing is known of an item, not even why it is not offered.
    fn is_new(&self, root: &Path) -> bool {
        !self.library.lock().notices.is_about_item(root)
    }

    /// Watches what is shared now. If the watcher does not run, tries to start it when `retry` is set.
    async fn watch(&mut self, retry: bool) -> Result<(), LibraryError> {
        if self.watcher.is_none() && retry && self.library.inner.config.watch {
            match (self.start_watcher)(self.library.inner.config.limits.watch_events) {
                Ok((watcher, reports)) => (self.watcher, self.reports) = (Some(watcher), Some(reports)),
                Err(error) => self.not_watched(&[(PathBuf::new(), error.to_string())]),
            }
        }
        let Some(mut watcher) = self.watcher.take() else { return Ok(()) };
        let wanted = self.wanted();
        let syncing = self.scope.spawn_blocking("library-watch", move || {
            let failed = watcher.sync(&wanted);
            (watcher, failed)
        });
        let (watcher, failed) = syncing.await.map_err(LibraryError::from_task)?;
        self.watcher = Some(watcher);
        self.not_watched(&failed);
        Ok(())
    }

    fn wanted(&self) -> BTreeMap<PathBuf, Depth> {
        let mut wanted: BTreeMap<PathBuf, Depth> =
            self.parents.iter().map(|parent| (parent.clone(), Depth::Everything)).collect();
        for target in self.targets.values() {
            let (path, depth) = match &target.base {
                Base::Directory(root) => (root, Depth::Everything),
                // A file that is replaced by another is a change of its folder.
                Base::File { parent, .. } => (parent, Depth::OneLevel),
            };
            let known = wanted.entry(path.clone()).or_insert(depth);
            *known = depth.max(*known);
        }
        wanted
    }

    fn not_watched(&self, failed: &[(PathBuf, String)]) {
        let mut notices = Notices::default();
        for (path, why) in failed {
            notices.push(self.library.inner.config.limits.notices, path, NoticeReason::NotWatched(why.clone()));
        }
        let first = failed.first().map(|(path, why)| (path.display().to_string(), why.clone()));
        if self.library.note(Subject::Watcher, notices)
            && let Some((path, why)) = first
        {
            let interval = self.library.inner.config.rescan_interval;
            tracing::warn!(
                path,
                why,
                ?interval,
                "changes of shared files are not all reported; looking for them instead"
            );
        }
    }

    fn on_report(&mut self, report: Option<WatchEvent>) {
        match report {
            Some(WatchEvent::At(paths)) => paths.iter().for_each(|path| self.touch(path)),
            Some(WatchEvent::Anywhere) => {
                tracing::debug!("reports of the file watcher were lost; looking at everything");
                self.rescan_at = Instant::now();
            }
            Some(WatchEvent::Degraded(why)) => {
                self.not_watched(&[(PathBuf::new(), why)]);
                self.rescan_at = Instant::now();
            }
            // The next look at everything starts another.
            None => {
                (self.watcher, self.reports) = (None, None);
                self.not_watched(&[(PathBuf::new(), "the file watcher ended".to_owned())]);
            }
        }
    }

    /// Something at `path` may have changed.
    fn touch(&mut self, path: &Path) {
        let is_parent = |path: &Path| self.parents.iter().any(|parent| parent == path);
        if is_parent(path) || path.parent().is_some_and(is_parent) {
            self.discover_soon();
        }
        let touched: Vec<PathBuf> =
            path.ancestors().filter(|above| self.targets.contains_key(*above)).map(Path::to_owned).collect();
        for root in touched {
            let settled_at = after(self.settle());
            if let Some(at) = self.to_hash.get_mut(&root) {
                *at = settled_at;
            } else if let Some(hashing) = self.hashing.as_mut().filter(|hashing| hashing.root == root) {
                hashing.touched = true;
            } else if self.library.offers_at(&root) {
                self.probe_soon(root);
            } else {
                self.to_hash.insert(root, settled_at);
            }
        }
    }

    fn probe_suspects(&mut self) {
        for root in self.library.inner.serving.take_suspects() {
            if self.targets.contains_key(&root) && self.library.offers_at(&root) {
                self.probe_soon(root);
            }
        }
    }

    fn probe_soon(&mut self, root: PathBuf) {
        let at = after(GATHER).max(self.no_probe_before);
        self.to_probe.entry(root).or_insert(at);
    }

    fn discover_soon(&mut self) {
        self.discover_at.get_or_insert_with(|| after(GATHER));
    }

    /// Compares an item on offer with its files; withdraws it and plans to hash it if they differ.
    async fn probe(&mut self, root: &Path) -> Result<(), LibraryError> {
        let Some(target) = self.targets.get(root) else { return Ok(()) };
        if self.is_hashing(root) || self.to_hash.contains_key(root) {
            return Ok(());
        }
        let started = Instant::now();
        let probe = self.library.probe(&self.scope, target).await?;
        self.no_probe_before = after(started.elapsed().saturating_mul(PROBE_SHARE));
        match probe {
            Probe::Same => return Ok(()),
            Probe::Doubtful => {}
            // Perhaps because it is not there any more.
            Probe::Different => self.discover_soon(),
        }
        self.to_hash.insert(root.to_owned(), after(self.settle()));
        Ok(())
    }

    fn start_hashing(&mut self, root: PathBuf) {
        let Some(target) = self.targets.get(&root).cloned() else { return };
        let (library, scope) = (self.library.clone(), self.scope.clone());
        let work = Box::pin(async move { library.refresh(&scope, &target, &mut ScanReport::default()).await });
        self.hashing = Some(Hashing { root, touched: false, work });
    }

    fn after_hashing(&mut self, outcome: Result<Outcome, LibraryError>) -> Result<(), LibraryError> {
        let Some(Hashing { root, touched, .. }) = self.hashing.take() else { return Ok(()) };
        if !self.targets.contains_key(&root) {
            // It vanished while it was hashed.
            self.library.forget(&root);
        } else if outcome? == Outcome::Unsettled {
            self.to_hash.insert(root, after(self.settle()));
        } else if touched {
            if self.library.offers_at(&root) {
                self.probe_soon(root);
            } else {
                self.to_hash.insert(root, after(self.settle()));
            }
        }
        Ok(())
    }

    fn is_hashing(&self, root: &Path) -> bool {
        self.hashing.as_ref().is_some_and(|hashing| hashing.root == root)
    }

    fn settle(&self) -> Duration {
        self.library.inner.config.settle
    }
}

async fn hashed(hashing: &mut Option<Hashing>) -> Result<Outcome, LibraryError> {
    match hashing {
        Some(hashing) => hashing.work.as_mut().await,
        None => pending().await,
    }
}

async fn next_report(reports: &mut Option<Reports>) -> Option<WatchEvent> {
    match reports {
        Some(reports) => reports.next().await,
        None => pending().await,
    }
}

/// So far in the future that it makes no difference, where a wait is longer than the clock reaches.
fn after(wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    Instant::now() + wait.min(FAR)
}
