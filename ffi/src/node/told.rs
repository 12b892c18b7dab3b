//! Events and snapshots of a node, as the other side reads them.

use moorline_runtime::node::{NodeEvent, Offer, PeerView};

use crate::happening::Happening;
use crate::kinds::*;
use crate::queue::Class;
use crate::status::{MOORLINE_E_ACCESS, MOORLINE_E_PANIC, MOORLINE_E_PROTOCOL, Outcome};

use super::Node;

/// An event of the node; `None` for those that downloads tell themselves.
pub(super) fn event(node: u64, event: NodeEvent) -> Option<(Class, Happening)> {
    let new = |kind| Happening::new(kind, node);
    let news = |happening| Some((Class::News, happening));
    match event {
        NodeEvent::PeerUp(peer) => news(fill_peer(new(MOORLINE_EVENT_PEER_UP), &peer)),
        NodeEvent::PeerDown { id, name, reason, goodbye } => {
            let texts = [id.to_string(), name, reason];
            news(new(MOORLINE_EVENT_PEER_DOWN).numbers([goodbye.into()]).texts(texts))
        }
        NodeEvent::PeerRefused { target, reason, access } => {
            let status = if access { MOORLINE_E_ACCESS } else { MOORLINE_E_PROTOCOL };
            news(new(MOORLINE_EVENT_PEER_REFUSED).status(status).texts([target, reason]))
        }
        NodeEvent::OffersChanged => Some((Class::State, new(MOORLINE_EVENT_OFFERS_CHANGED))),
        NodeEvent::LibraryChanged { revision } => {
            Some((Class::State, new(MOORLINE_EVENT_LIBRARY_CHANGED).numbers([revision])))
        }
        NodeEvent::UploadStarted { id, name, item } => {
            news(new(MOORLINE_EVENT_UPLOAD_STARTED).texts([id.to_string(), name, item.to_string()]))
        }
        NodeEvent::Service(service) => {
            news(new(MOORLINE_EVENT_SERVICE).texts([service.name.to_owned(), service.state.to_string()]))
        }
        NodeEvent::TaskPanicked { task, message } => {
            // Contained where it happened: the node goes on, and what depended on the task has ended with a reason.
            let event = new(MOORLINE_EVENT_PANIC).status(MOORLINE_E_PANIC).texts([task, message]);
            Some((Class::Must, event))
        }
        NodeEvent::RuntimeFailed(failed) => {
            let texts = [failed.component.to_string(), failed.error.to_string()];
            Some((Class::Must, new(MOORLINE_EVENT_NODE_FAILED).texts(texts)))
        }
        NodeEvent::Lagged { missed } => Some((Class::Must, new(MOORLINE_EVENT_LAGGED).numbers([missed]))),
        // Downloads tell their own; of others than ours there are none.
        _ => None,
    }
}

impl Node {
    pub(crate) fn info(&self) -> Outcome<Happening> {
        let node = &self.inner;
        let counts = [node.peers().len(), node.active_downloads(), node.alive_tasks()].map(|count| count as u64);
        let [peers, downloads, tasks] = counts;
        let texts = [node.peer_id().to_string(), node.local_addr().to_string(), node.services().to_string()];
        let numbers = [peers, downloads, tasks, (!self.life.is_ended()).into()];
        Ok(Happening::new(MOORLINE_RECORD_NODE, self.life.handle).numbers(numbers).texts(texts))
    }

    pub(crate) fn peers(&self) -> Outcome<Vec<Happening>> {
        let record = |peer| fill_peer(Happening::new(MOORLINE_RECORD_PEER, self.life.handle), peer);
        Ok(self.inner.peers().iter().map(record).collect())
    }

    pub(crate) fn offers(&self) -> Outcome<Vec<Happening>> {
        Ok(self.inner.offers().into_iter().flat_map(|offer| self.offer(offer)).collect())
    }

    pub(crate) fn items(&self) -> Outcome<Vec<Happening>> {
        let items = self.inner.library().map(moorline_runtime::library::Library::items).unwrap_or_default();
        let record = |item: &moorline_runtime::proto::ItemSummary| {
            Happening::new(MOORLINE_RECORD_ITEM, self.life.handle)
                .numbers([item.bytes, item.files])
                .texts(item_texts(item))
        };
        Ok(items.iter().map(|item| record(item.summary())).collect())
    }

    fn offer(&self, offer: Offer) -> Vec<Happening> {
        let item = &offer.summary;
        let numbers = [item.bytes, item.files, offer.providers.len() as u64];
        let head = Happening::new(MOORLINE_RECORD_OFFER, self.life.handle);
        let mut records = vec![head.numbers(numbers).texts(item_texts(item))];
        records.extend(offer.providers.into_iter().map(|provider| {
            let texts = [provider.id.to_string(), provider.name, provider.addr.to_string(), provider.item_name];
            Happening::new(MOORLINE_RECORD_PROVIDER, self.life.handle).texts(texts)
        }));
        records
    }
}

fn fill_peer(happening: Happening, peer: &PeerView) -> Happening {
    let rtt = u64::try_from(peer.rtt.as_micros()).unwrap_or(u64::MAX);
    happening.numbers([peer.items as u64, rtt, peer.serves.into()]).texts([
        peer.id.to_string(),
        peer.name.clone(),
        peer.addr.to_string(),
        peer.agent.clone(),
    ])
}

fn item_texts(item: &moorline_runtime::proto::ItemSummary) -> [String; 4] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [item.id.to_string(), item.name.clone(), text(&item.version), text(&item.title)]
}
