use super::Docket;
use super::counters::Counters;
use crate::FetchState;
use crate::run::World;
use crate::scenario::Expect;
use moorline_runtime::transfer::DownloadEvent;

/// `expected`.
pub(super) fn judge(world: &World<'_>, counters: &Counters, docket: &mut Docket) {
    for expect in &world.scenario.expect {
        match expect {
            Expect::Fetched { host, item } => {
                let state = world.cast.nodes.get(host).and_then(|node| node.fetch_state(item));
                if !matches!(state, Some(FetchState::Ended(DownloadEvent::Finished { .. }))) {
                    docket.accuse("expected", world.now(), host, format!("{item} was to be fetched, but {state:?}"));
                }
            }
            Expect::Counted { what, at_least, at_most } => {
                let count = counters.count(what);
                if count < *at_least || at_most.is_some_and(|most| count > most) {
                    let most = at_most.map_or("any number".to_owned(), |most| most.to_string());
                    let text =
                        format!("{what} was to be counted {at_least} to {most} times, and was counted {count} times");
                    docket.accuse("expected", world.now(), "", text);
                }
            }
        }
    }
}
