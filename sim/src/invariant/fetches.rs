use moorline_runtime::transfer::{DownloadError, DownloadEvent};

use super::Checker;
use crate::FetchState;
use crate::run::World;

/// `fetches-finish`.
pub(super) struct Fetches;

impl Checker for Fetches {
    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let there = |host: &str| world.runs(host) && !world.is_dismissed(host);
        let mut missing = Vec::new();
        for ((host, item), called_off) in &world.wishes {
            let Some(sharers) = world.sharers.get(item) else { continue };
            if *called_off
                || !there(host)
                || !sharers.iter().any(|sharer| sharer != host && there(sharer) && world.lists(sharer))
            {
                continue;
            }
            let state = world.cast.nodes.get(host).and_then(|node| node.fetch_state(item));
            let excused = match &state {
                Some(FetchState::Ended(DownloadEvent::Finished { .. })) => true,
                Some(FetchState::Ended(DownloadEvent::Failed(DownloadError::NoSpace { .. }))) => {
                    world.were_full.contains(host)
                }
                // Only a panic does that: see `no-defect`.
                Some(FetchState::Ended(DownloadEvent::Failed(DownloadError::Internal(_)))) => true,
                _ => false,
            };
            if !excused {
                missing.push(("fetches-finish", host.clone(), format!("{item} is not there, but {state:?}")));
            }
        }
        missing
    }
}
