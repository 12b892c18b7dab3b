//! The download of one item from every peer that has it.
//!
//! [`download`] is given sources as they come and go, and ends with one [`DownloadOutcome`]. What it promises:
//!
//! - What appears under the item's name is whole: every byte of it was verified against the item's id, and it appears in one
//!   step.
//! - Killed at any instant, the next download of the item into the same folder goes on from there. Nothing that was verified
//!   and written is fetched again, and nothing is believed to be there without having been verified again.
//! - Exactly one terminal event, the last, whatever happens: success, error, cancellation, the abort of its task, a panic.
//! - A source that sends bad bytes is named, dropped, and never asked again; the item still arrives from another. A source that
//!   is silent or too slow to be of use is dropped by a deadline, and loses its work to faster ones before that.
//! - Nothing outside of the target folder is touched, and no symbolic link below it is followed.
//! - Memory is bounded, whatever the size of the item and the number of sources: buffers for chunks, a few manifest pages, and
//!   one bit a chunk.
//!
//! How it goes: the *manifest* is fetched page by page into the staging folder, verified as it comes. What an earlier run left
//! is verified again. Then each source has a *lane*: requests for runs of chunks are made ahead, the answers read into buffers
//! and handed to *writers*, which verify, write and journal. The *schedule* decides who fetches what. At last the staged data
//! is renamed into place.

mod chunk_set;
mod compare;
mod config;
mod disk;
mod error;
mod event;
mod fetch;
mod finish;
mod journal;
mod lane;
mod manifest;
mod manifest_file;
mod outbox;
mod peer_source;
mod plan;
mod pool;
mod roster;
mod run;
mod schedule;
mod session;
mod source;
mod staging;
mod store;
mod tally;
mod tree;
mod writers;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::supervisor::Scope;

pub use config::{DownloadConfig, WhenAlone};
pub use disk::{Disk, Flush, SystemDisk};
pub use error::{DownloadError, DropReason};
pub use event::{DownloadEvent, DownloadOutcome, DownloadStats, Progress, SourceProgress};
pub use peer_source::PeerSource;
pub use source::{BoxFuture, ChunkStream, Source, SourceChange, SourceError};
pub use staging::STAGING_PREFIX;

use outbox::Outbox;
use roster::Roster;
use session::{ScopeGuard, Session, Stop};

/// Downloads one item; see the [module](self).
///
/// `sources` tells who has the item; once it is closed and nobody is left, nobody is waited for. `events` should have room for
/// some dozen events: one place is kept for the last event, and a listener that takes nothing for long misses some of the
/// others. Cancelling `scope` ends the download between two chunks.
///
/// Dropping the future (an abort) sends the last event, cancels all tasks of the download, and leaves the staging folder to be
/// resumed; writes that have begun end in their own time, and the folder stays locked until then.
pub async fn download(
    config: DownloadConfig,
    sources: mpsc::Receiver<SourceChange>,
    events: mpsc::Sender<DownloadEvent>,
    scope: Scope,
) -> DownloadOutcome {
    let work = ScopeGuard(scope.child("transfer"));
    let outbox = Outbox::open(events, &work.0).await;
    let roster = Roster::new(sources, &config);
    let mut session = Session::new(Arc::new(config), work.0.clone(), roster, outbox);
    let result = run::run(&mut session).await;
    // Nothing of it goes on once the end is told: no task, no open file, no lock.
    work.0.cancel();
    work.0.join().await;
    let (event, outcome) = match result {
        Ok((path, stats)) => (
            DownloadEvent::Finished { path: path.clone(), stats: stats.clone() },
            DownloadOutcome::Finished { path, stats },
        ),
        Err(Stop::Cancelled) => (DownloadEvent::Cancelled, DownloadOutcome::Cancelled),
        Err(Stop::Alone) => (DownloadEvent::AllPeersGone { waiting: false }, DownloadOutcome::AllPeersGone),
        Err(Stop::GaveUp { waited }) => (DownloadEvent::GaveUp { waited }, DownloadOutcome::AllPeersGone),
        Err(Stop::Failed(error)) => (DownloadEvent::Failed(error.clone()), DownloadOutcome::Failed(error)),
    };
    session.outbox.end(event).await;
    outcome
}
