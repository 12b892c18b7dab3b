//! The last step: from staged data that is complete to an item in its place. Blocks.

use moorline_proto::{Entry, ItemKind, RelPath};
use moorline_sim_point::sim_point;
use tokio_util::sync::CancellationToken;

use super::compare::{Comparison, extra_entries};
use super::error::DownloadError;
use super::plan::Plan;
use super::store::Store;

/// Whether the item was put in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Yes,
    Cancelled,
}

/// Makes the empty folders, sets the times of large files, puts all on the disk if asked to, and renames. The staging
/// folder is left for the caller to remove.
pub(super) fn place(
    plan: &Plan,
    store: &Store,
    name: &RelPath,
    flush: bool,
    cancel: &CancellationToken,
) -> Result<Placed, DownloadError> {
    let mut only = None;
    for number in 0..plan.head().pages.len() {
        for entry in &plan.page(number)?.page.entries {
            if cancel.is_cancelled() {
                return Ok(Placed::Cancelled);
            }
            match entry {
                Entry::Dir(folder) => store.data().create_dir(folder)?,
                Entry::File(file) => {
                    if file.is_large() && file.first_subtree == 0 {
                        store.finish_large(file)?;
                    }
                    only = Some(file.path.clone());
                }
            }
        }
    }
    // Handles would keep renamed files open, which some systems mind.
    store.close();
    match extra_entries(plan, Some(store.data().path()), cancel)? {
        Comparison::Identical => {}
        Comparison::Cancelled => return Ok(Placed::Cancelled),
        Comparison::Differs(difference) => {
            return Err(DownloadError::Tampered {
                path: store.data().path().to_owned(),
                reason: format!("it {difference}"),
            });
        }
    }
    let into = store.staging().target();
    if flush {
        store.flush().map_err(|error| DownloadError::io("flush", store.data().path(), error))?;
    }
    let only = only.filter(|_| plan.head().kind == ItemKind::File);
    sim_point!("transfer.rename");
    if !store.staging().move_out(store.data(), only.as_ref(), name)? {
        let difference = "appeared there during the download".into();
        return Err(DownloadError::TargetExists { path: name.join_under(into.path()), difference });
    }
    if flush {
        store.flush_names().map_err(|error| DownloadError::io("flush", into.path(), error))?;
    }
    Ok(Placed::Yes)
}
