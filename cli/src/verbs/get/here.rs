//! Who is connected and who offers what, at one moment: tells a peer that went away from one that changed its mind.

use moorline_runtime::node::Offer;
use moorline_runtime::proto::{ItemId, PeerId};

use crate::session::Session;

/// Read once a round, because it takes a lock.
#[derive(Debug, Default)]
pub(super) struct Here {
    peers: Vec<(PeerId, bool)>,
    offered: Vec<(ItemId, Vec<PeerId>)>,
}

impl Here {
    /// As the node sees it now.
    pub(super) fn look(session: &Session) -> Self {
        let node = session.node();
        let offered = |offer: &Offer| (offer.summary.id, offer.providers.iter().map(|provider| provider.id).collect());
        Self {
            peers: node.peers().iter().map(|peer| (peer.id, peer.listed)).collect(),
            offered: node.offers().iter().map(offered).collect(),
        }
    }

    /// Whether one of `sources` is connected, has listed what it has, and does not offer the item.
    pub(super) fn without(&self, item: &ItemId, sources: &[PeerId]) -> bool {
        let offers = |peer: &PeerId| self.offered.iter().any(|(id, peers)| id == item && peers.contains(peer));
        self.peers.iter().any(|(peer, listed)| *listed && sources.contains(peer) && !offers(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_former_source_that_is_connected_and_listed_counts() {
        let (item, other) = (ItemId::from_bytes([1; 32]), ItemId::from_bytes([2; 32]));
        let [alice, bob, carol] = [1, 2, 3].map(|n| PeerId::from_bytes([n; 32]));
        let here = Here { peers: vec![(alice, true), (bob, false), (carol, true)], offered: vec![(item, vec![carol])] };
        assert!(here.without(&item, &[alice]), "it is here and does not offer the item");
        assert!(!here.without(&item, &[bob]), "it has not said yet what it offers");
        assert!(!here.without(&item, &[carol]), "it offers the item");
        assert!(here.without(&other, &[carol]), "it offers something else");
        assert!(!here.without(&item, &[]), "nobody was a source");
    }
}
