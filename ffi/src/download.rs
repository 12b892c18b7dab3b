//! A download behind a handle: it waits for an offer, then tells how far it is, and ends once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use moorline_runtime::node::{DownloadHandle, DownloadRequest};
use moorline_runtime::proto::{ItemId, PeerId};
use moorline_runtime::transfer::{DownloadError, DownloadEvent, Progress, WhenAlone};

use crate::args::{given, only_flags};
use crate::client::{Client, Running, Session};
use crate::entry::panic_text;
use crate::happening::Happening;
use crate::kinds::*;
use crate::library::Object;
use crate::life::Life;
use crate::node::Node;
use crate::pending::{Home, Part};
use crate::queue::Class;
use crate::requests::command_failure;
use crate::status::*;
use crate::sync::{Mutex, lock};
use crate::types::DownloadOptions;

const DEFAULT_WAIT_MS: u32 = 10_000;

/// What to fetch, checked.
pub(crate) struct Wanted {
    item: String,
    into: std::path::PathBuf,
    name: Option<String>,
    from: Option<PeerId>,
    when_alone: WhenAlone,
    share: bool,
    wait: Duration,
}

impl Wanted {
    pub(crate) fn from_options(options: &DownloadOptions) -> Outcome<Self> {
        only_flags(options.flags, MOORLINE_FLAG_END_WHEN_ALONE | MOORLINE_FLAG_SHARE)?;
        let missing = |what: &str| Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("{what} is empty"));
        let item = given(&options.item, "item")?.ok_or_else(|| missing("item"))?;
        let into = given(&options.into, "into")?.ok_or_else(|| missing("into"))?;
        let from = given(&options.from, "from")?.map(|id| {
            let wrong = |error| Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("from: {error}"));
            id.parse().map_err(wrong)
        });
        let alone = options.flags & MOORLINE_FLAG_END_WHEN_ALONE != 0;
        let wait_ms = if options.wait_ms == 0 { DEFAULT_WAIT_MS } else { options.wait_ms };
        Ok(Self {
            item: item.to_owned(),
            into: std::path::absolute(into)
                .map_err(|error| Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("into: {error}")))?,
            name: given(&options.name, "name")?.map(str::to_owned),
            from: from.transpose()?,
            when_alone: if alone { WhenAlone::End } else { WhenAlone::Wait },
            share: options.flags & MOORLINE_FLAG_SHARE != 0,
            wait: Duration::from_millis(wait_ms.into()),
        })
    }
}

pub(crate) struct Download {
    pub(crate) life: Life,
    node: u64,
    last: Mutex<Last>,
}

/// What a snapshot shows.
#[derive(Default)]
struct Last {
    item: String,
    name: String,
    progress: Progress,
    status: i32,
}

/// Starts a download and returns its handle.
pub(crate) fn start(client: &Arc<Client>, node: &Arc<Node>, wanted: Wanted) -> Outcome<u64> {
    node.running()?;
    let make = |life| {
        let last = Last { item: wanted.item.clone(), ..Last::default() };
        Arc::new(Download { life, node: node.life.handle, last: Mutex::new(last) })
    };
    let wrap = |download: Arc<Download>| (Object::Download(download.clone()), Session::Download(download));
    let download = client.admit(MOORLINE_KIND_DOWNLOAD, make, wrap)?;
    let handle = download.life.handle;
    let (owner, node) = (client.clone(), node.clone());
    let running = Running::new(client, Session::Download(download.clone()));
    let task = async move {
        let _running = running;
        let work = AssertUnwindSafe(pump(&owner, &node, &download, wanted)).catch_unwind().await;
        match work {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => download.end(&owner, failure.status, &failure.message),
            Err(panic) => {
                let message = panic_text(panic);
                owner.contain(Part::Node(node.life.handle), "download-events", &message);
                download.end(&owner, MOORLINE_E_PANIC, &message);
            }
        }
    };
    client.scope().spawn("download", task).detach();
    Ok(handle)
}

impl Download {
    pub(crate) fn home(&self) -> Home {
        Home { node: self.node, room: 0 }
    }

    pub(crate) fn cancel(&self) {
        self.life.stopping.cancel();
    }

    pub(crate) fn info(&self) -> Happening {
        let last = lock(&self.last);
        let record = Happening::new(MOORLINE_RECORD_DOWNLOAD, self.life.handle).status(last.status);
        record.numbers(progress_numbers(&last.progress)).texts([last.item.clone(), last.name.clone()])
    }

    /// Ends without a result.
    pub(crate) fn end(&self, client: &Client, status: i32, why: &str) {
        self.finish(client, status, [0; 5], why.to_owned());
    }

    fn finish(&self, client: &Client, status: i32, numbers: [u64; 5], text: String) {
        let item = lock(&self.last).item.clone();
        let event = Happening::new(MOORLINE_EVENT_DOWNLOAD_ENDED, self.life.handle).status(status).numbers(numbers);
        if self.life.end(client, None, "", event.texts([item, text])) {
            lock(&self.last).status = status;
        }
    }
}

/// Tells the download's events until its last one. An error is the last one.
async fn pump(client: &Arc<Client>, node: &Node, download: &Download, wanted: Wanted) -> Outcome {
    let stopping = &download.life.stopping;
    let cancelled = || Failure::new(MOORLINE_E_CANCELLED, "called off");
    let item = tokio::select! {
        biased;
        () = stopping.cancelled() => return Err(cancelled()),
        item = find(node, &wanted) => item?,
    };
    let request = DownloadRequest {
        name: wanted.name,
        from: wanted.from,
        when_alone: wanted.when_alone,
        share: wanted.share,
        ..DownloadRequest::new(item, wanted.into)
    };
    lock(&download.last).item = item.to_string();
    let mut handle: DownloadHandle =
        node.running()?.download(request).await.map_err(|error| command_failure(&error))?;
    handle.name().clone_into(&mut lock(&download.last).name);
    let mut asked = false;
    loop {
        let event = tokio::select! {
            biased;
            () = stopping.cancelled(), if !asked => {
                asked = true;
                handle.cancel();
                continue;
            }
            event = handle.next() => event,
        };
        match event {
            Some(event) => tell(client, download, handle.name(), event)?,
            None if download.life.is_ended() => return Ok(()),
            None => return Err(cancelled()),
        }
    }
}

/// The item that is wanted, once somebody offers it.
async fn find(node: &Node, wanted: &Wanted) -> Outcome<ItemId> {
    let mut changed = node.offers_changed.subscribe();
    let id = wanted.item.parse::<ItemId>().ok();
    let search = async {
        loop {
            let offers = node.running()?.offers();
            let mut found = offers.iter().filter(|offer| match id {
                Some(id) => offer.summary.id == id,
                None => offer.providers.iter().any(|provider| {
                    provider.item_name == wanted.item && wanted.from.is_none_or(|from| from == provider.id)
                }),
            });
            match (found.next(), found.next()) {
                (Some(offer), None) => return Ok(offer.summary.id),
                (Some(_), Some(_)) => {
                    let message = format!("several items are called {:?}: name one by its id", wanted.item);
                    return Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, message));
                }
                (None, _) => {}
            }
            if changed.changed().await.is_err() {
                return Err(crate::requests::closed());
            }
        }
    };
    tokio::time::timeout(wanted.wait, search).await.unwrap_or_else(|_| {
        let message = format!("nobody offered {:?} within {:?}", wanted.item, wanted.wait);
        Err(Failure::new(MOORLINE_E_UNKNOWN_ITEM, message))
    })
}

fn tell(client: &Client, download: &Download, name: &str, event: DownloadEvent) -> Outcome {
    let new = |kind| Happening::new(kind, download.life.handle);
    let (class, event) = match event {
        DownloadEvent::Checking { bytes_done, bytes_total } => {
            (Class::State, new(MOORLINE_EVENT_DOWNLOAD_CHECKING).numbers([bytes_done, bytes_total]))
        }
        DownloadEvent::Planned { bytes, files, chunks, resumed_bytes } => {
            let event = new(MOORLINE_EVENT_DOWNLOAD_PLANNED).numbers([bytes, files, chunks, resumed_bytes]);
            let item = lock(&download.last).item.clone();
            (Class::News, event.texts([item, name.to_owned()]))
        }
        DownloadEvent::Progress(progress) => {
            let event = new(MOORLINE_EVENT_DOWNLOAD_PROGRESS).numbers(progress_numbers(&progress));
            lock(&download.last).progress = progress;
            (Class::State, event)
        }
        DownloadEvent::SourceDropped { peer, label, reason } => {
            let texts = [peer.to_string(), label, reason.to_string()];
            (Class::News, new(MOORLINE_EVENT_DOWNLOAD_SOURCE_DROPPED).texts(texts))
        }
        DownloadEvent::AllPeersGone { waiting: true } => (Class::News, new(MOORLINE_EVENT_DOWNLOAD_ALONE)),
        DownloadEvent::AllPeersGone { waiting: false } => {
            return Err(Failure::new(MOORLINE_E_PEERS_GONE, "the last peer that has it left"));
        }
        DownloadEvent::GaveUp { waited } => {
            let message = format!("no peer that has it came within {waited:?}");
            return Err(Failure::new(MOORLINE_E_PEERS_GONE, message));
        }
        DownloadEvent::Failed(error) => return Err(Failure::new(error_status(&error), error.to_string())),
        DownloadEvent::Cancelled => return Err(Failure::new(MOORLINE_E_CANCELLED, "called off")),
        DownloadEvent::Finished { path, stats } => {
            let elapsed_ms = u64::try_from(stats.elapsed.as_millis()).unwrap_or(u64::MAX);
            let there = u64::from(stats.already_there);
            let numbers = [stats.bytes, stats.fetched_bytes, stats.resumed_bytes, elapsed_ms, there];
            download.finish(client, MOORLINE_OK, numbers, path.to_string_lossy().into_owned());
            return Ok(());
        }
        _ => return Ok(()),
    };
    drop(download.life.tell(client, class, event));
    Ok(())
}

fn progress_numbers(progress: &Progress) -> [u64; 4] {
    [progress.bytes_done, progress.bytes_total, progress.rate as u64, progress.sources.len() as u64]
}

fn error_status(error: &DownloadError) -> i32 {
    match error {
        DownloadError::BadName { .. } => MOORLINE_E_INVALID_ARGUMENT,
        DownloadError::Locked { .. } => MOORLINE_E_ALREADY,
        DownloadError::TargetExists { .. } => MOORLINE_E_EXISTS,
        DownloadError::NoSpace { .. } => MOORLINE_E_NO_SPACE,
        DownloadError::Io { .. } | DownloadError::Tampered { .. } => MOORLINE_E_IO,
        DownloadError::BadItem { .. } => MOORLINE_E_BAD_ITEM,
        _ => MOORLINE_E_INTERNAL,
    }
}
