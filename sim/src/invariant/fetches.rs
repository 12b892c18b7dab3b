use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moorline_runtime::node::{DownloadId, NodeEvent};
use moorline_runtime::transfer::{DownloadError, DownloadEvent};

use super::{Checker, Docket};
use crate::FetchState;
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// `fetches-finish`.
#[derive(Default)]
pub(super) struct Fetches {
    begun: BTreeMap<(Arc<str>, u64, DownloadId), String>,
    /// Of which the node said that they are finished, by host and item.
    finished: BTreeSet<(Arc<str>, String)>,
    /// Missed events: what they were not told, they ask for.
    lagged: BTreeSet<Arc<str>>,
}

impl Checker for Fetches {
    fn hear(&mut self, _world: &World<'_>, seen: &Seen, _docket: &mut Docket) {
        let host = seen.host.clone();
        match &seen.what {
            Happened::FetchBegun { item, id } => drop(self.begun.insert((host, seen.life, *id), item.clone())),
            Happened::Node(NodeEvent::Lagged { .. }) => drop(self.lagged.insert(host)),
            Happened::Node(NodeEvent::Download { id, event: DownloadEvent::Finished { .. } }) => {
                let item = self.begun.get(&(host.clone(), seen.life, *id)).cloned();
                self.finished.extend(item.map(|item| (host, item)));
            }
            _ => {}
        }
    }

    fn missing(&self, world: &World<'_>) -> Vec<(&'static str, String, String)> {
        let mut missing = Vec::new();
        for ((host, item), called_off) in &world.wishes {
            let Some(sharers) = world.sharers.get(item) else { continue };
            let honest = |name: &&String| !world.scenario.host(name).is_some_and(HostSpec::lies);
            let mut sources = sharers.iter().filter(|sharer| *sharer != host).filter(honest);
            let can_fetch = |source: &String| world.lists(source) && can_fetch(world, host, source);
            if *called_off || !world.is_there(host) || !sources.any(can_fetch) {
                continue;
            }
            let state = world.cast.nodes.get(host).and_then(|node| node.fetch_state(item));
            let excused = match &state {
                Some(FetchState::Ended(DownloadEvent::Finished { .. })) => {
                    let host: Arc<str> = host.as_str().into();
                    self.lagged.contains(&host) || self.finished.contains(&(host, item.clone()))
                }
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

/// Whether a source is there that the host has a way to.
fn can_fetch(world: &World<'_>, host: &str, source: &str) -> bool {
    world.is_there(source) && super::links::are_to_meet(world, host, source)
}
