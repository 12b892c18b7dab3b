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
                let Some(event) = event? else { continue };
                // The difference to what is there now covers events that were missed.
                known.peers(output, &session.node().peers(), &event);
                known.offers(output, session.node().offers());
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

    fn peers(&mut self, output: &Output, now: &[PeerView], event: &NodeEvent) {
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
        let gone: Vec<PeerId> =
            self.peers.keys().filter(|id| !now.iter().any(|peer| peer.id == **id)).copied().collect();
        for id in gone {
            let name = self.peers.remove(&id).unwrap_or_default();
            let (reason, goodbye) = match event {
                NodeEvent::PeerDown { id: down, reason, goodbye, .. } if *down == id => (reason.as_str(), *goodbye),
                _ => ("it is gone", false),
            };
            output.event(&Event::PeerDown { peer: &id.to_string(), name: &name, reason, goodbye });
            let mark = output.styled(Style::Bad, "- peer");
            output.line(format_args!("{mark} {}: {}", text::name(&name), text::reason(reason)));
        }
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

fn providers(offer: &Offer) -> Vec<PeerId> {
    offer.providers.iter().map(|provider| provider.id).collect()
}
