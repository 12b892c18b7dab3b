//! The course of a download, phase by phase.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use moorline_proto::RelPath;
use moorline_sim_point::sim_point;

use super::chunk_set::ChunkSet;
use super::compare::{self, Comparison};
use super::error::DownloadError;
use super::event::{DownloadEvent, DownloadStats};
use super::fetch::Fetch;
use super::finish::{self, Placed};
use super::manifest;
use super::plan::Plan;
use super::session::{Session, Stop};
use super::staging::{STAGING_PREFIX, Staging};
use super::store::Store;
use super::tree::exists;

/// Runs the phases; answers where the item is and what it took.
pub(super) async fn run(session: &mut Session) -> Result<(PathBuf, DownloadStats), Stop> {
    let name = target_name(&session.config.name)?;
    let (into, item) = (session.config.into.clone(), session.config.item);
    let staging = Arc::new(session.blocking("staging", move || Staging::open(&into, &item)).await??);
    let result = phases(session, &staging, &name).await;
    session.scope.cancel();
    session.scope.join().await;
    sim_point!(await "transfer.clean-up");
    // Nobody else has it now: all that did were tasks.
    if let Some(staging) = Arc::into_inner(staging) {
        let keep = match &result {
            Ok(_) => false,
            Err(Stop::Failed(DownloadError::TargetExists { .. } | DownloadError::BadItem { .. })) => {
                staging.has_chunks()
            }
            Err(_) => staging.has_chunks() || staging.has_manifest(),
        };
        if !keep {
            staging.remove();
        }
    }
    result
}

async fn phases(
    session: &mut Session,
    staging: &Arc<Staging>,
    name: &RelPath,
) -> Result<(PathBuf, DownloadStats), Stop> {
    let plan = Arc::new(manifest::fetch(session, staging).await?);
    let path = name.join_under(staging.target().path());
    if let Some(stats) = compare_target(session, &plan, staging, name).await? {
        return Ok((path, stats));
    }
    let (store, done, resumed) = resume(session, &plan, staging).await?;
    check_space(session, staging, plan.head().bytes.saturating_sub(resumed)).await?;
    let head = plan.head();
    session.outbox.tell(DownloadEvent::Planned {
        bytes: head.bytes,
        files: head.files,
        chunks: head.chunks,
        resumed_bytes: resumed,
    });
    sim_point!(await "transfer.planned");
    let store = Arc::new(store);
    let tally = Fetch::new(session, Arc::clone(&plan), Arc::clone(&store), done, resumed).run().await?;
    sim_point!(await "transfer.fetched");
    place(session, plan, store, name.clone()).await?;
    Ok((path, tally.stats(session.started.elapsed())))
}

/// The name that the item gets. It may come from a peer, so it is held to the rules of remote names.
fn target_name(name: &str) -> Result<RelPath, DownloadError> {
    let bad = |reason: String| DownloadError::BadName { name: name.to_owned(), reason };
    let path = RelPath::parse(name).map_err(|error| bad(error.to_string()))?;
    if path.components().count() != 1 {
        return Err(bad("it is a path, not a name".into()));
    }
    if path.fold_key().starts_with(STAGING_PREFIX) {
        return Err(bad("names like this are used for unfinished downloads".into()));
    }
    Ok(path)
}

/// If something is where the item should go: it is the item, or that is an error.
async fn compare_target(
    session: &mut Session,
    plan: &Arc<Plan>,
    staging: &Arc<Staging>,
    name: &RelPath,
) -> Result<Option<DownloadStats>, Stop> {
    let path = name.join_under(staging.target().path());
    let (total, cancel) = (plan.head().bytes, session.scope.token().clone());
    let (plan, staging, name, at) = (Arc::clone(plan), Arc::clone(staging), name.clone(), path.clone());
    let compared = session
        .checking("compare", total, move |done| {
            if !exists(&at).map_err(|error| DownloadError::io("look at", &at, error))? {
                return Ok(None);
            }
            let report = |bytes| done.store(bytes, Ordering::Relaxed);
            compare::target(&plan, staging.target(), &name, &cancel, report).map(Some)
        })
        .await??;
    match compared {
        None => Ok(None),
        Some(Comparison::Cancelled) => Err(Stop::Cancelled),
        Some(Comparison::Differs(difference)) => Err(DownloadError::TargetExists { path, difference }.into()),
        Some(Comparison::Identical) => Ok(Some(DownloadStats {
            bytes: total,
            already_there: true,
            elapsed: session.started.elapsed(),
            ..DownloadStats::default()
        })),
    }
}

/// What an earlier run left and is good: a store that goes on from there.
async fn resume(
    session: &mut Session,
    plan: &Arc<Plan>,
    staging: &Arc<Staging>,
) -> Result<(Store, ChunkSet, u64), Stop> {
    let (total, cancel) = (plan.head().bytes, session.scope.token().clone());
    let (plan, staging) = (Arc::clone(plan), Arc::clone(staging));
    let (item, disk) = (session.config.item, Arc::clone(&session.config.disk));
    let resumed = session
        .checking("resume", total, move |done| {
            let claimed = staging.read_journal(&item, plan.head().chunks)?;
            let data = staging.data()?;
            let report = |bytes| done.store(bytes, Ordering::Relaxed);
            let Some((good, bytes)) = compare::staged_chunks(&plan, &data, &claimed, &cancel, report)? else {
                return Ok(None);
            };
            let journal = staging.begin_journal(&item, &good)?;
            Ok::<_, DownloadError>(Some((Store::new(staging, data, journal, disk), good, bytes)))
        })
        .await??;
    resumed.ok_or(Stop::Cancelled)
}

async fn check_space(session: &mut Session, staging: &Arc<Staging>, bytes: u64) -> Result<(), Stop> {
    let (disk, path) = (Arc::clone(&session.config.disk), staging.path().to_owned());
    let free = session.blocking("space", move || disk.free_bytes(&path)).await?;
    let need = bytes.saturating_add(session.config.space_reserve);
    match free {
        Ok(Some(free)) if free < need && bytes > 0 => {
            Err(DownloadError::NoSpace { path: session.config.into.clone(), need, free }.into())
        }
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::debug!(%error, "the system does not tell the free space");
            Ok(())
        }
    }
}

async fn place(session: &mut Session, plan: Arc<Plan>, store: Arc<Store>, name: RelPath) -> Result<(), Stop> {
    let (flush, cancel) = (session.config.flush, session.scope.token().clone());
    let placed = session.blocking("place", move || finish::place(&plan, &store, &name, flush, &cancel)).await??;
    match placed {
        Placed::Yes => Ok(()),
        Placed::Cancelled => Err(Stop::Cancelled),
    }
}
