use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_proto::{ItemId, PeerId};
use tokio::sync::mpsc;

use crate::transfer::{PeerSource, SourceChange};

use super::context::Context;
use super::peers::LinkId;

/// Tells a download which peers have its item, from the peers' own listings, until the download ends.
///
/// Works on the difference between what is and what was said, so no event can be missed: a link that was replaced is removed and
/// added anew.
pub(super) async fn feed(
    context: Arc<Context>,
    item: ItemId,
    from: Option<PeerId>,
    changes: mpsc::Sender<SourceChange>,
) {
    let mut news = context.peers.changes();
    let mut said: BTreeMap<PeerId, LinkId> = BTreeMap::new();
    loop {
        news.mark_unchanged();
        let routes = context.peers.routes(&item, from);
        let gone: Vec<PeerId> = said
            .iter()
            .filter(|(peer, link)| routes.get(peer).is_none_or(|route| route.link != **link))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in gone {
            said.remove(&peer);
            if changes.send(SourceChange::Removed(peer)).await.is_err() {
                return;
            }
        }
        for (peer, route) in routes {
            if said.contains_key(&peer) {
                continue;
            }
            said.insert(peer, route.link);
            if changes.send(SourceChange::Added(Arc::new(PeerSource::new(route.connection)))).await.is_err() {
                return;
            }
        }
        tokio::select! {
            biased;
            () = changes.closed() => return,
            changed = news.changed() => if changed.is_err() {
                return;
            },
        }
    }
}
