use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_proto::{ItemId, PeerId, RelPath};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::library::ShareRoot;
use crate::supervisor::{Scope, TaskError};
use crate::transfer::{self, DownloadConfig, DownloadError, DownloadEvent, DownloadOutcome, WhenAlone};

use super::commands::CommandError;
use super::context::Context;
use super::event::NodeEvent;
use super::sourcing;

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

/// Keeps a download on the list. Lives inside the download's task, so that completion, error, cancellation and abort all take it off.
pub(super) struct DownloadGuard {
    context: Arc<Context>,
    id: DownloadId,
}

impl DownloadGuard {
    fn enter(context: &Arc<Context>, request: &DownloadRequest) -> Result<Self, CommandError> {
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
        Ok(Self { context: context.clone(), id })
    }
}

impl Drop for DownloadGuard {
    fn drop(&mut self) {
        self.context.downloads.lock().by_id.remove(&self.id);
    }
}

/// Starts a download below the node's scope for downloads.
pub(super) fn start(context: &Arc<Context>, request: DownloadRequest) -> Result<DownloadHandle, CommandError> {
    if request.share && context.library.is_none() {
        return Err(CommandError::NoLibrary);
    }
    let name = name_for(context, &request)?;
    let guard = DownloadGuard::enter(context, &request)?;
    let id = guard.id;
    let scope = context.downloads.parent.child("download");
    let events = broadcast::Sender::new(EVENTS);
    let (report, outcome) = oneshot::channel();
    let handle = DownloadHandle { id, name: name.clone(), events: events.subscribe(), outcome, scope: scope.clone() };
    let own_scope = scope.clone();
    drop(scope.spawn("download", async move {
        let outcome = drive(&guard, request, name, &events, &own_scope).await;
        // Off the list before anybody hears of the end, so that a retry in reaction is not refused.
        drop(guard);
        let _ = report.send(outcome);
        own_scope.cancel();
    }));
    Ok(handle)
}

fn name_for(context: &Context, request: &DownloadRequest) -> Result<String, CommandError> {
    let name = match &request.name {
        Some(name) => name.clone(),
        None => {
            let offers = context.peers.offers();
            let offer = offers.into_iter().find(|offer| offer.summary.id == request.item);
            offer.ok_or(CommandError::UnknownItem { item: request.item })?.summary.name
        }
    };
    let bad = |why: String| CommandError::BadName { name: name.clone(), why };
    let path = RelPath::parse(&name).map_err(|error| bad(error.to_string()))?;
    if path.components().count() != 1 {
        return Err(bad("it has folders in it".into()));
    }
    Ok(name)
}

/// Runs the transfer, feeds it sources and passes on what it says.
async fn drive(
    guard: &DownloadGuard,
    request: DownloadRequest,
    name: String,
    events: &broadcast::Sender<DownloadEvent>,
    scope: &Scope,
) -> DownloadOutcome {
    let context = &guard.context;
    let emit = |event: DownloadEvent| {
        let _ = events.send(event.clone());
        context.bus.emit(NodeEvent::Download { id: guard.id, event });
    };
    let (changes, sources) = mpsc::channel(QUEUE);
    let (sender, mut said) = mpsc::channel(QUEUE);
    let config =
        DownloadConfig { when_alone: request.when_alone, ..DownloadConfig::new(request.item, request.into, name) };
    let feed = sourcing::feed(context.clone(), request.item, request.from, changes);
    drop(scope.spawn("sources", feed));
    let transfer = scope.spawn("transfer", transfer::download(config, sources, sender, scope.clone()));
    let mut ended = false;
    while let Some(event) = said.recv().await {
        ended |= event.is_terminal();
        if let DownloadEvent::Finished { path, .. } = &event
            && request.share
            && let Some(library) = &context.library
        {
            library.add(ShareRoot::Item(path.clone()));
        }
        emit(event);
    }
    match transfer.await {
        Ok(outcome) => outcome,
        Err(error) => {
            let (event, outcome) = match error {
                TaskError::Panicked { message, .. } => {
                    let error = DownloadError::Internal(message);
                    (DownloadEvent::Failed(error.clone()), DownloadOutcome::Failed(error))
                }
                _ => (DownloadEvent::Cancelled, DownloadOutcome::Cancelled),
            };
            if !ended {
                emit(event);
            }
            outcome
        }
    }
}
