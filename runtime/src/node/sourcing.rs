use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::{ItemId, PeerId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::transfer::{PeerSource, SourceChange};

use super::context::Context;
use super::peers::LinkId;

/// After this a peer that a download dropped, and that still offers the item, is offered to the download again: a peer that was
/// slow once must not be lost for good.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Which peers a download should use.
pub(super) struct Feed {
    pub(super) context: Arc<Context>,
    pub(super) item: ItemId,
    /// Only this one.
    pub(super) from: Option<PeerId>,
    /// To the download.
    pub(super) changes: mpsc::Sender<SourceChange>,
    /// Peers that the download dropped.
    pub(super) dropped: mpsc::Receiver<PeerId>,
}

impl Feed {
    /// Tells the download which peers have its item, from the peers' own listings, until the download ends.
    ///
    /// Works on the difference between what is and what was said, so no event can be missed. A link is kept while it lives; another
    /// one then takes its place without a word of the peer being gone.
    pub(super) async fn run(mut self) {
        let mut news = self.context.peers.changes();
        let mut said: BTreeMap<PeerId, LinkId> = BTreeMap::new();
        // Links on which a peer was dropped, and when each may be tried again. Another link of that peer is used at once.
        let mut paused: BTreeMap<LinkId, Instant> = BTreeMap::new();
        loop {
            news.mark_unchanged();
            let now = Instant::now();
            paused.retain(|_, until| *until > now);
            let mut routes = self.context.peers.routes(&self.item, self.from, &said, &paused);
            routes.retain(|peer, _| self.context.condemned.remaining(peer).is_none());
            let gone: Vec<PeerId> = said.keys().filter(|peer| !routes.contains_key(peer)).copied().collect();
            for peer in gone {
                said.remove(&peer);
                if self.changes.send(SourceChange::Removed(peer)).await.is_err() {
                    return;
                }
            }
            for (peer, route) in routes {
                if said.get(&peer) == Some(&route.link) {
                    continue;
                }
                said.insert(peer, route.link);
                let source = Arc::new(PeerSource::new(route.connection));
                if self.changes.send(SourceChange::Added(source)).await.is_err() {
                    return;
                }
            }
            let wake = paused.values().copied().min();
            tokio::select! {
                biased;
                () = self.changes.closed() => return,
                Some(peer) = self.dropped.recv() => {
                    if let Some(link) = said.remove(&peer) {
                        paused.insert(link, Instant::now() + AGAIN_AFTER);
                    }
                }
                changed = news.changed() => if changed.is_err() {
                    return;
                },
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }
}
