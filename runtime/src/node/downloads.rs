use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_proto::{ItemId, PeerId, RelPath};
use moorline_sim_point::sim_point;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::library::ShareRoot;
use crate::supervisor::{Scope, Task, TaskError};
use crate::transfer::{self, DownloadConfig, DownloadError, DownloadEvent, DownloadOutcome, DropReason, WhenAlone};

use super::commands::CommandError;
use super::context::Context;
use super::event::NodeEvent;
use super::sourcing::Feed;

/// Events of one download that a slow consumer may fall behind.
const EVENTS: usize = 256;
/// Changes of sources, and events, that wait between the node and a transfer.
const QUEUE: usize = 64;

/// Names one download of one node; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DownloadId(u64);

impl fmt::Display for DownloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct DownloadRequest {
    /// The item.
    pub item: ItemId,
    /// The folder that receives it, under its name.
    pub into: PathBuf,
    /// The name to give it; `None` for the one that a peer offers it under.
    pub name: Option<String>,
    /// Fetch from this peer alone.
    pub from: Option<PeerId>,
    /// What to do when nobody is left who has it.
    pub when_alone: WhenAlone,
    /// Offer it to others once it is whole. Needs a node with a library.
    pub share: bool,
}

impl DownloadRequest {
    /// Fetches from everybody who has it, and waits when nobody is left.
    #[must_use]
    pub fn new(item: ItemId, into: impl Into<PathBuf>) -> Self {
        Self { item, into: into.into(), name: None, from: None, when_alone: WhenAlone::Wait, share: false }
    }
}

/// A download in progress. Dropping it changes nothing: the download goes on, [`cancel`](Self::cancel) ends it.
pub struct DownloadHandle {
    id: DownloadId,
    name: String,
    events: broadcast::Receiver<DownloadEvent>,
    outcome: oneshot::Receiver<DownloadOutcome>,
    scope: Scope,
}

impl DownloadHandle {
    /// Which one.
    #[must_use]
    pub fn id(&self) -> DownloadId {
        self.id
    }

    /// The file or folder name that it gets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops it at the next boundary of a chunk. What was verified stays for the next time.
    pub fn cancel(&self) {
        self.scope.cancel();
    }

    /// The next event, or `None` after the last. A consumer that is too slow misses older ones, never the last. Cancel-safe.
    pub async fn next(&mut self) -> Option<DownloadEvent> {
        loop {
            match self.events.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Waits for the end.
    pub async fn outcome(self) -> DownloadOutcome {
        self.outcome.await.unwrap_or(DownloadOutcome::Cancelled)
    }
}

/// The downloads in progress.
pub(super) struct Downloads {
    active: Mutex<Active>,
    parent: Scope,
}

#[derive(Default)]
struct Active {
    next: u64,
    by_id: BTreeMap<DownloadId, (ItemId, PathBuf)>,
}

impl Downloads {
    pub(super) fn new(parent: Scope) -> Self {
        Self { active: Mutex::new(Active::default()), parent }
    }

    /// How many are in progress.
    pub(super) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a download on the list and speaks for it. Lives inside the download's task, so that completion, error, cancellation and abort
/// all take it off, and so that each ends with exactly one terminal event.
pub(super) struct DownloadGuard {
    context: Arc<Context>,
    id: DownloadId,
    events: broadcast::Sender<DownloadEvent>,
    /// The terminal event was emitted.
    ended: bool,
    /// Of all its tasks.
    scope: Scope,
    /// For who waits for the outcome.
    report: Option<oneshot::Sender<DownloadOutcome>>,
    outcome: Option<DownloadOutcome>,
}

impl DownloadGuard {
    fn enter(
        context: &Arc<Context>,
        request: &DownloadRequest,
    ) -> Result<(Self, oneshot::Receiver<DownloadOutcome>), CommandError> {
        let limit = context.limits.downloads;
        let mut active = context.downloads.lock();
        if active.by_id.len() >= limit {
            return Err(CommandError::TooMany { what: "downloads", limit });
        }
        if active.by_id.values().any(|(item, into)| *item == request.item && *into == request.into) {
            return Err(CommandError::AlreadyDownloading { item: request.item, into: request.into.clone() });
        }
        active.next += 1;
        let id = DownloadId(active.next);
        active.by_id.insert(id, (request.item, request.into.clone()));
        let (report, outcome) = oneshot::channel();
        let guard = Self {
            context: context.clone(),
            id,
            events: broadcast::Sender::new(EVENTS),
            ended: false,
            scope: context.downloads.parent.child("download"),
            report: Some(report),
            outcome: None,
        };
        Ok((guard, outcome))
    }

    /// What follows a terminal event is dropped.
    fn emit(&mut self, event: DownloadEvent) {
        if self.ended {
            return;
        }
        self.ended = event.is_terminal();
        if self.ended {
            // Off the list before anybody hears of the end, so that a retry in reaction is not refused.
            self.leave();
        }
        let _ = self.events.send(event.clone());
        self.context.bus.emit(NodeEvent::Download { id: self.id, event });
    }

    fn leave(&self) {
        self.context.downloads.lock().by_id.remove(&self.id);
    }
}

impl Drop for DownloadGuard {
    fn drop(&mut self) {
        self.scope.cancel();
        // Aborted, unless it was a panic.
        let (event, outcome) = if std::thread::panicking() {
            let error = DownloadError::Internal("the task of the download panicked".into());
            (DownloadEvent::Failed(error.clone()), DownloadOutcome::Failed(error))
        } else {
            (DownloadEvent::Cancelled, DownloadOutcome::Cancelled)
        };
        self.emit(event);
        self.leave();
        if let Some(report) = self.report.take() {
            // Nobody has to wait for it.
            let _ = report.send(self.outcome.take().unwrap_or(outcome));
        }
    }
}

/// Starts a download below the node's scope for downloads.
pub(super) fn start(context: &Arc<Context>, request: DownloadRequest) -> Result<DownloadHandle, CommandError> {
    if request.share && context.library.is_none() {
        return Err(CommandError::NoLibrary);
    }
    let name = name_for(context, &request)?;
    let (mut guard, outcome) = DownloadGuard::enter(context, &request)?;
    let (id, scope, events) = (guard.id, guard.scope.clone(), guard.events.subscribe());
    let handle = DownloadHandle { id, name: name.clone(), events, outcome, scope: scope.clone() };
    let own_scope = scope.clone();
    scope
        .spawn("download", async move {
            sim_point!(await "download.begun");
            guard.outcome = Some(drive(&mut guard, request, name, &own_scope).await);
            sim_point!(await "download.ended");
            drop(guard);
        })
        .detach();
    Ok(handle)
}

/// The name asked for, else the first usable one among those that peers offer the item under: one peer with a bad name must not
/// keep the item from everybody.
fn name_for(context: &Context, request: &DownloadRequest) -> Result<String, CommandError> {
    if let Some(name) = &request.name {
        return usable(name.clone());
    }
    let offer = context.peers.offers().into_iter().find(|offer| offer.summary.id == request.item);
    let providers = offer.map(|offer| offer.providers).unwrap_or_default();
    let wanted = providers.into_iter().filter(|provider| request.from.is_none_or(|from| from == provider.id));
    let mut refused = CommandError::UnknownItem { item: request.item };
    for provider in wanted {
        match usable(provider.item_name) {
            Ok(name) => return Ok(name),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn usable(name: String) -> Result<String, CommandError> {
    match RelPath::parse(&name) {
        Ok(path) if path.components().count() == 1 => Ok(name),
        Ok(_) => Err(CommandError::BadName { name, why: "it has folders in it".into() }),
        Err(error) => Err(CommandError::BadName { name, why: error.to_string() }),
    }
}

/// Runs the transfer, feeds it sources and passes on what it says.
async fn drive(guard: &mut DownloadGuard, request: DownloadRequest, name: String, scope: &Scope) -> DownloadOutcome {
    let context = guard.context.clone();
    let (changes, sources) = mpsc::channel(QUEUE);
    let (drop_sender, dropped) = mpsc::channel(QUEUE);
    let (sender, mut said) = mpsc::channel(QUEUE);
    let config = DownloadConfig {
        when_alone: request.when_alone,
        disk: context.disk.clone(),
        ..DownloadConfig::new(request.item, request.into, name)
    };
    // Without it, a feed that dies would look like peers that are gone.
    let mut open = Some(changes.clone());
    let feed = Feed { context: context.clone(), item: request.item, from: request.from, changes, dropped };
    let mut feeding = Some(scope.spawn("sources", feed.run()));
    let mut failure = None;
    let transfer = scope.spawn("transfer", transfer::download(config, sources, sender, scope.clone()));
    loop {
        let event = tokio::select! {
            biased;
            fed = ended(&mut feeding) => {
                match fed {
                    Ok(()) | Err(TaskError::Cancelled) => open = None,
                    Err(error) if !guard.ended => {
                        failure = Some(DownloadError::Internal(match error {
                            TaskError::Panicked { message, .. } => message,
                            other => other.to_string(),
                        }));
                        scope.cancel();
                    }
                    Err(_) => {}
                }
                continue;
            }
            event = said.recv() => event,
        };
        let Some(event) = event else { break };
        if failure.is_some() && event.is_terminal() {
            if !matches!(event, DownloadEvent::Finished { .. }) {
                continue;
            }
            // Whole and in its place: nothing has failed.
            failure = None;
        }
        match &event {
            DownloadEvent::SourceDropped { peer, reason: DropReason::BadContent(_), .. } => {
                context.condemned.add(*peer);
            }
            // The feed sees a link that ended by itself.
            DownloadEvent::SourceDropped { reason: DropReason::Gone(_), .. } => {}
            // When the queue is full the peer is only offered again with its next link.
            DownloadEvent::SourceDropped { peer, .. } => drop(drop_sender.try_send(*peer)),
            DownloadEvent::Finished { path, .. } if request.share => {
                if let Some(library) = &context.library {
                    library.add(ShareRoot::Item(path.clone()));
                }
            }
            _ => {}
        }
        guard.emit(event);
    }
    drop(open);
    let transferred = transfer.await;
    if let Some(error) = failure {
        guard.emit(DownloadEvent::Failed(error.clone()));
        return DownloadOutcome::Failed(error);
    }
    match transferred {
        Ok(outcome) => outcome,
        Err(TaskError::Panicked { message, .. }) => {
            let error = DownloadError::Internal(message);
            guard.emit(DownloadEvent::Failed(error.clone()));
            DownloadOutcome::Failed(error)
        }
        Err(_) => {
            guard.emit(DownloadEvent::Cancelled);
            DownloadOutcome::Cancelled
        }
    }
}

/// Waits for the end of a task; for ever once that has come. Cancel-safe.
async fn ended(task: &mut Option<Task<()>>) -> Result<(), TaskError> {
    let Some(running) = task else { return std::future::pending().await };
    let end = running.await;
    *task = None;
    end
}
