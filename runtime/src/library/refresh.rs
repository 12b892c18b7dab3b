//! One item from start to end: compare, hash what differs, offer.

use std::path::Path;
use std::sync::Arc;

use super::cache::CachePaths;
use super::error::LibraryError;
use super::item::SharedItem;
use super::metadata::{self, Metadata};
use super::notice::{NoticeReason, NoticeSink, Notices, Subject};
use super::report::ScanReport;
use super::roots::Target;
use super::scan::{Job, Scanned, Setback, Verdict, Work, build, check};
use super::{Inner, Library};
use crate::supervisor::{Scope, TaskError};

/// How an item came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// On offer, or there is nothing to offer, until something changes.
    Settled,
    /// To be tried again.
    Unsettled,
}

/// How an item on offer compares with its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Same,
    /// To be hashed again, while it stays on offer.
    Doubtful,
    Different,
}

enum Refreshed {
    Unchanged(Arc<SharedItem>, Notices, Work),
    Built(Arc<SharedItem>, Notices, Work),
}

impl Library {
    /// Brings what is offered of `target` up to date.
    pub(super) async fn refresh(
        &self,
        scope: &Scope,
        target: &Target,
        report: &mut ScanReport,
    ) -> Result<Outcome, LibraryError> {
        let Ok(_permit) = self.inner.gate.acquire().await else { return Err(LibraryError::Stopped) };
        let job = self.inner.job(scope, target);
        let (inner, of) = (Arc::clone(&self.inner), target.clone());
        let refreshed = scope.spawn_blocking("library-hash", move || inner.refresh(&job, &of)).await;
        let subject = Subject::Item(target.root.clone());
        let root = &target.root;
        let (item, notices) = match refreshed {
            Ok(Ok(Refreshed::Unchanged(item, notices, work))) => {
                report.unchanged += 1;
                report.add(work);
                (item, notices)
            }
            Ok(Ok(Refreshed::Built(item, notices, work))) => {
                report.built += 1;
                report.add(work);
                (item, notices)
            }
            Ok(Err((setback, work))) => {
                report.add(work);
                return self.set_back(root, setback, report);
            }
            // The panic was logged and announced; other items are not to blame.
            Err(TaskError::Panicked { message, .. }) => {
                return self.set_back(root, Setback::Failed(format!("an internal error ({message})")), report);
            }
            Err(error) => return Err(LibraryError::from_task(error)),
        };
        if item.head().entries == 0 {
            self.withdraw(root, NoticeReason::Empty);
        } else {
            self.offer(root, Some(&item), subject, notices);
        }
        Ok(Outcome::Settled)
    }

    /// Compares an item on offer with its files without reading them. If they differ, it is withdrawn.
    pub(super) async fn probe(&self, scope: &Scope, target: &Target) -> Result<Probe, LibraryError> {
        let job = self.inner.job(scope, target);
        let checked = scope.spawn_blocking("library-check", move || check(&job)).await;
        let probe = match checked {
            Ok(Ok(Verdict::Same(_))) => Probe::Same,
            Ok(Ok(Verdict::Doubtful)) => Probe::Doubtful,
            Ok(Err(Setback::Cancelled)) => return Err(LibraryError::Stopped),
            Ok(Ok(Verdict::Different) | Err(_)) | Err(TaskError::Panicked { .. }) => Probe::Different,
            Err(error) => return Err(LibraryError::from_task(error)),
        };
        if probe == Probe::Different {
            self.withdraw(&target.root, NoticeReason::Changing);
        }
        Ok(probe)
    }

    /// Takes an item off offer, and says why.
    pub(super) fn withdraw(&self, root: &Path, reason: NoticeReason) {
        let mut notices = Notices::default();
        notices.push(1, root, reason);
        self.offer(root, None, Subject::Item(root.to_owned()), notices);
    }

    fn set_back(&self, root: &Path, setback: Setback, report: &mut ScanReport) -> Result<Outcome, LibraryError> {
        let (reason, outcome) = match setback {
            Setback::Cancelled => return Err(LibraryError::Stopped),
            Setback::Gone => (NoticeReason::Missing("it is gone".to_owned()), Outcome::Settled),
            Setback::Unsettled(file) => {
                tracing::debug!(root = %root.display(), file = %file.display(), "a file changes while it is hashed");
                (NoticeReason::Changing, Outcome::Unsettled)
            }
            Setback::Busy => (NoticeReason::Busy, Outcome::Unsettled),
            Setback::Failed(why) => {
                tracing::warn!(root = %root.display(), why, "an item cannot be shared");
                (NoticeReason::Failed(why), Outcome::Settled)
            }
        };
        if outcome == Outcome::Unsettled {
            report.unsettled.push(root.to_owned());
        }
        self.withdraw(root, reason);
        Ok(outcome)
    }
}

impl Inner {
    fn job(&self, scope: &Scope, target: &Target) -> Job {
        Job {
            base: target.base.clone(),
            paths: CachePaths::new(&self.config.cache_dir, &target.root),
            names_limit: self.config.limits.names_per_directory,
            notice_limit: self.config.limits.notices,
            cache_place: self.cache_place,
            wall_clock: self.config.wall_clock,
            cancel: scope.token().clone(),
        }
    }

    /// Blocks for as long as hashing takes.
    fn refresh(&self, job: &Job, target: &Target) -> Result<Refreshed, (Setback, Work)> {
        let none = |setback| (setback, Work::default());
        match check(job).map_err(none)? {
            Verdict::Same(scanned) => {
                let work = scanned.work;
                let (item, notices) = self.assemble(job, target, scanned);
                Ok(Refreshed::Unchanged(item, notices, work))
            }
            Verdict::Doubtful | Verdict::Different => {
                let scanned = build(job)?;
                let work = scanned.work;
                let (item, notices) = self.assemble(job, target, scanned);
                Ok(Refreshed::Built(item, notices, work))
            }
        }
    }

    fn assemble(&self, job: &Job, target: &Target, scanned: Scanned) -> (Arc<SharedItem>, Notices) {
        let Scanned { index, notices, .. } = scanned;
        let mut sink = NoticeSink::continued(job.notice_limit, notices);
        let metadata = metadata::read(&target.base, &mut sink);
        let place = (target.root.clone(), target.name.clone(), target.base.clone());
        let item = SharedItem::new(place.clone(), &job.paths, index.clone(), metadata, &self.serving);
        let item = match item.summary().check() {
            Ok(()) => item,
            // Metadata is checked before; this is for rules that peers have and this version forgot.
            Err(error) => {
                sink.push(&target.root, NoticeReason::Metadata(error.to_string()));
                SharedItem::new(place, &job.paths, index, Metadata::default(), &self.serving)
            }
        };
        (Arc::new(item), sink.notices)
    }
}

impl LibraryError {
    pub(super) fn from_task(error: TaskError) -> Self {
        match error {
            TaskError::Cancelled => Self::Stopped,
            other => Self::Failed(other.to_string()),
        }
    }
}
