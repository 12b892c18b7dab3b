//! `moorline list --watch`: the changes after the first picture.

use std::collections::BTreeMap;

use moorline_runtime::node::{NodeEvent, Offer, PeerView};
use moorline_runtime::proto::{ItemId, PeerId};

use super::offer_event;
use crate::exit::Result;
use crate::json::Event;
use crate::output::{Output, Style};
use crate::session::{self, Session};
use crate::signals::Stop;
use crate::{text, units};

/// Prints what changes until the user stops it or nobody reads it any more.
pub(super) async fn run(
    output: &Output,
    session: &mut Session,
    stop: &Stop,
    peers: &[PeerView],
    offers: &[Offer],
) -> Result<()> {
    let mut known = Known::new(peers, offers);
    while !output.is_closed() {
        tokio::select! {
            biased;
            () = stop.requested() => break,
            event = session.next(output) => {
                let event = event?;
                // The difference to what is there now covers events that were missed. Offers are read first: whoever goes in between is
                // missing among the peers.
                let offers = session.node().offers();
                if known.peers(output, &session.node().peers(), event.as_ref()) {
                    known.offers(output, offers);
                }
            }
        }
    }
    output.event(&Event::Stopped { reason: "stopped as asked" });
    Ok(())
}

/// What the user was told.
struct Known {
    peers: BTreeMap<PeerId, String>,
    offers: BTreeMap<ItemId, (Offer, Vec<PeerId>)>,
}

impl Known {
    fn new(peers: &[PeerView], offers: &[Offer]) -> Self {
        Self {
            peers: peers.iter().filter(|peer| peer.serves).map(|peer| (peer.id, peer.name.clone())).collect(),
            offers: offers.iter().map(|offer| (offer.summary.id, (offer.clone(), providers(offer)))).collect(),
        }
    }

    /// `false`: somebody is gone whose event is still to come. What they offered is told as gone after that.
    fn peers(&mut self, output: &Output, now: &[PeerView], event: Option<&NodeEvent>) -> bool {
        if let Some(NodeEvent::PeerDown { id, reason, goodbye, .. }) = event
            && let Some(name) = self.peers.remove(id)
        {
            down(output, id, &name, reason, *goodbye);
        }
        // Events that were missed do not come.
        if let Some(NodeEvent::Lagged { .. }) = event {
            for (id, name) in self.peers.extract_if(.., |id, _| !now.iter().any(|peer| peer.id == *id)) {
                down(output, &id, &name, "it is gone", false);
            }
        }
        for peer in now.iter().filter(|peer| peer.serves) {
            if self.peers.insert(peer.id, peer.name.clone()).is_none() {
                let address = session::canonical(peer.addr).to_string();
                output.event(&Event::PeerUp { peer: &peer.id.to_string(), name: &peer.name, address: &address });
                output.line(format_args!(
                    "{} {} at {address}",
                    output.styled(Style::Good, "+ peer"),
                    text::name(&peer.name)
                ));
            }
        }
        self.peers.keys().all(|id| now.iter().any(|peer| peer.id == *id))
    }

    fn offers(&mut self, output: &Output, now: Vec<Offer>) {
        let mut next = BTreeMap::new();
        for offer in now {
            let (id, providers) = (offer.summary.id, providers(&offer));
            let before = self.offers.remove(&id);
            if before.is_none_or(|(_, before)| before != providers) {
                output.event(&offer_event(&offer, &id.to_string()));
                let names: Vec<String> = offer.providers.iter().map(|provider| text::name(&provider.name)).collect();
                output.line(format_args!(
                    "{} {}: {}, id {}, from {}",
                    output.styled(Style::Good, "+ item"),
                    text::name(&offer.summary.name),
                    units::bytes(offer.summary.bytes),
                    id.short(),
                    names.join(", "),
                ));
            }
            next.insert(id, (offer, providers));
        }
        for (id, (offer, _)) in std::mem::replace(&mut self.offers, next) {
            output.event(&Event::OfferRemoved { item: &id.to_string(), name: &offer.summary.name });
            let mark = output.styled(Style::Bad, "- item");
            output.line(format_args!("{mark} {}, id {}", text::name(&offer.summary.name), id.short()));
        }
    }
}

fn down(output: &Output, id: &PeerId, name: &str, reason: &str, goodbye: bool) {
    output.event(&Event::PeerDown { peer: &id.to_string(), name, reason, goodbye });
    let mark = output.styled(Style::Bad, "- peer");
    output.line(format_args!("{mark} {}: {}", text::name(name), text::reason(reason)));
}

fn providers(offer: &Offer) -> Vec<PeerId> {
    offer.providers.iter().map(|provider| provider.id).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn peer(number: u8) -> PeerView {
        PeerView {
            id: PeerId::from_bytes([number; 32]),
            name: format!("peer {number}"),
            addr: SocketAddr::from(([127, 0, 0, 1], 1)),
            rtt: Duration::ZERO,
            serves: true,
            listed: true,
            items: 0,
            agent: String::new(),
        }
    }

    fn down(peer: &PeerView) -> NodeEvent {
        let (id, name, reason) = (peer.id, peer.name.clone(), "it left".to_owned());
        NodeEvent::PeerDown { id, name, reason, goodbye: true }
    }

    #[test]
    fn whoever_is_gone_is_told_by_the_event_and_what_they_offered_after_that() {
        let output = Output::new(true, true, 0);
        let (alice, bob) = (peer(1), peer(2));
        let mut known = Known::new(&[alice.clone(), bob.clone()], &[]);
        assert!(known.peers(&output, &[alice.clone(), bob.clone()], Some(&NodeEvent::OffersChanged)));
        assert!(
            !known.peers(&output, std::slice::from_ref(&alice), Some(&NodeEvent::OffersChanged)),
            "bob's event is to come"
        );
        assert!(known.peers.contains_key(&bob.id), "nothing was told of him yet");
        assert!(known.peers(&output, std::slice::from_ref(&alice), Some(&down(&bob))));
        assert!(!known.peers.contains_key(&bob.id));
        // An event that was missed is made up for.
        assert!(known.peers(&output, &[], Some(&NodeEvent::Lagged { missed: 1 })));
        assert!(known.peers.is_empty());
    }

    #[test]
    fn whoever_is_back_before_the_event_is_there() {
        let output = Output::new(true, true, 0);
        let alice = peer(1);
        let mut known = Known::new(std::slice::from_ref(&alice), &[]);
        assert!(known.peers(&output, std::slice::from_ref(&alice), Some(&down(&alice))));
        assert!(known.peers.contains_key(&alice.id));
    }
}
