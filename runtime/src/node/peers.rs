use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_proto::{ItemId, LibraryDelta, PeerId, Thumbnail};
use moorline_transport::Connection;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::config::NodeLimits;
use super::event::{Offer, PeerView, Provider};
use super::listing::{Listing, Room};

/// The connected peers, each with one or more links, and what every link's peer offers.
///
/// Both sides may dial at once, so a peer can have two links. The newest is used: it is the one known to work.
pub(super) struct Peers {
    entries: Mutex<BTreeMap<PeerId, Entry>>,
    next_link: AtomicU64,
    /// Held while a peer comes or goes and that is told, so that what is told is in the order of what happened.
    order: Mutex<()>,
    changed: watch::Sender<u64>,
    links_per_peer: usize,
    items_per_peer: usize,
    uploads_per_peer: usize,
    room: Room,
}

/// One connection among those to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(u64);

impl LinkId {
    /// A number that is this link's own, for pings.
    pub(super) fn nonce(self) -> u64 {
        self.0
    }
}

struct Entry {
    uploads: Arc<Semaphore>,
    /// Newest last; never empty.
    links: Vec<Link>,
}

pub(super) struct Link {
    id: LinkId,
    pub(super) connection: Connection,
    pub(super) since: Instant,
    offers: Listing,
    listed: bool,
}

/// What [`Peers::attach`] did.
pub(super) struct Attached {
    pub(super) link: LinkId,
    /// The peer's share of upload places.
    pub(super) uploads: Arc<Semaphore>,
    /// The peer had no other link.
    pub(super) first: bool,
    /// The oldest link, pushed out by the bound: to be closed by the caller.
    pub(super) evicted: Option<Connection>,
}

/// A way to fetch an item.
pub(super) struct Route {
    pub(super) link: LinkId,
    pub(super) connection: Connection,
}

impl Peers {
    pub(super) fn new(limits: &NodeLimits) -> Self {
        Self {
            entries: Mutex::new(BTreeMap::new()),
            next_link: AtomicU64::new(0),
            order: Mutex::new(()),
            changed: watch::Sender::new(0),
            links_per_peer: limits.connections_per_peer.max(1),
            items_per_peer: limits.items_per_peer,
            uploads_per_peer: limits.uploads_per_peer,
            room: Room::new(limits.listing_bytes),
        }
    }

    /// Counts up whenever a peer, a link or an offer comes or goes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// To be held around [`attach`](Self::attach) or [`detach`](Self::detach) and the events about it. Emitting never waits.
    pub(super) fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attach(&self, connection: &Connection) -> Attached {
        let peer = connection.peer().id;
        let offers = self.listing();
        let attached = {
            let mut entries = self.lock();
            let link = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
            let entry = entries.entry(peer).or_insert_with(|| Entry {
                uploads: Arc::new(Semaphore::new(self.uploads_per_peer)),
                links: Vec::new(),
            });
            let (links, uploads) = (&mut entry.links, entry.uploads.clone());
            let first = links.is_empty();
            let evicted = (links.len() >= self.links_per_peer).then(|| links.remove(0).connection);
            links.push(Link { id: link, connection: connection.clone(), since: Instant::now(), offers, listed: false });
            Attached { link, uploads, first, evicted }
        };
        self.touch();
        attached
    }

    /// Forgets a link. `true` when it was the last one of its peer.
    pub(super) fn detach(&self, peer: &PeerId, link: LinkId) -> bool {
        let last = {
            let mut entries = self.lock();
            let Some(entry) = entries.get_mut(peer) else { return false };
            let before = entry.links.len();
            entry.links.retain(|held| held.id != link);
            let last = before > 0 && entry.links.is_empty();
            if last {
                entries.remove(peer);
            }
            last
        };
        self.touch();
        last
    }

    /// An empty listing, within the bounds.
    pub(super) fn listing(&self) -> Listing {
        Listing::new(self.items_per_peer, self.room.clone())
    }

    /// Replaces what a link offers by a full listing.
    pub(super) fn set_offers(&self, peer: &PeerId, link: LinkId, offers: Listing) {
        self.with_link(peer, link, |held| {
            held.offers = offers;
            held.listed = true;
        });
    }

    /// Applies a change of a peer's library. `false`: there was no room for all of it.
    pub(super) fn apply(&self, peer: &PeerId, link: LinkId, delta: LibraryDelta) -> bool {
        let mut whole = true;
        self.with_link(peer, link, |held| {
            for id in &delta.removed {
                held.offers.remove(id);
            }
            for summary in delta.upserts {
                whole &= held.offers.insert(summary);
            }
        });
        whole
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.lock().contains_key(peer)
    }

    /// Whether there is a link to the peer of which this is true.
    pub(super) fn has_link(&self, peer: &PeerId, is_it: impl Fn(&Link) -> bool) -> bool {
        self.lock().get(peer).is_some_and(|entry| entry.links.iter().any(is_it))
    }

    /// Every link, for pinging.
    pub(super) fn connections(&self) -> Vec<(PeerId, LinkId, Connection)> {
        let entries = self.lock();
        let links = entries.iter().flat_map(|(id, entry)| entry.links.iter().map(move |link| (*id, link)));
        links.map(|(id, link)| (id, link.id, link.connection.clone())).collect()
    }

    /// A link of each peer that offers an item, `paused` ones left out: the one in use while it lives, else the newest.
    pub(super) fn routes(
        &self,
        item: &ItemId,
        from: Option<PeerId>,
        in_use: &BTreeMap<PeerId, LinkId>,
        paused: &BTreeMap<LinkId, Instant>,
    ) -> BTreeMap<PeerId, Route> {
        let entries = self.lock();
        let wanted = entries.iter().filter(|(id, _)| from.is_none_or(|only| only == **id));
        wanted
            .filter_map(|(id, entry)| {
                let usable = |link: &&Link| link.offers.items().contains_key(item) && !paused.contains_key(&link.id);
                let offering = || entry.links.iter().rev().filter(|link| usable(link));
                let used = offering().find(|link| in_use.get(id) == Some(&link.id));
                let link = used.or_else(|| offering().next())?;
                Some((*id, Route { link: link.id, connection: link.connection.clone() }))
            })
            .collect()
    }

    /// Who lists a picture of an item, and which.
    pub(super) fn thumbnails(&self, item: &ItemId) -> Vec<(Connection, Thumbnail)> {
        let entries = self.lock();
        let listed = entries.values().filter_map(|entry| {
            entry.links.iter().rev().find_map(|link| {
                let picture = link.offers.items().get(item)?.thumbnail.clone()?;
                Some((link.connection.clone(), picture))
            })
        });
        listed.collect()
    }

    pub(super) fn views(&self) -> Vec<PeerView> {
        self.lock().values().filter_map(|entry| entry.links.last().map(|link| view(entry, link))).collect()
    }

    pub(super) fn view(&self, peer: &PeerId) -> Option<PeerView> {
        let entries = self.lock();
        let entry = entries.get(peer)?;
        entry.links.last().map(|link| view(entry, link))
    }

    /// All items on offer, by id, each with every peer that has it.
    pub(super) fn offers(&self) -> Vec<Offer> {
        let entries = self.lock();
        let mut offers: BTreeMap<ItemId, Offer> = BTreeMap::new();
        for (peer, entry) in entries.iter() {
            let mut seen = BTreeMap::new();
            for link in entry.links.iter().rev() {
                for (id, summary) in link.offers.items() {
                    seen.entry(*id).or_insert((summary, link));
                }
            }
            for (id, (summary, link)) in seen {
                let offer =
                    offers.entry(id).or_insert_with(|| Offer { summary: summary.clone(), providers: Vec::new() });
                offer.providers.push(Provider {
                    id: *peer,
                    name: link.connection.peer().name.clone(),
                    addr: link.connection.remote_addr(),
                    item_name: summary.name.clone(),
                });
            }
        }
        offers.into_values().collect()
    }

    fn with_link(&self, peer: &PeerId, link: LinkId, change: impl FnOnce(&mut Link)) {
        {
            let mut entries = self.lock();
            let found = entries.get_mut(peer).and_then(|entry| entry.links.iter_mut().find(|held| held.id == link));
            let Some(held) = found else { return };
            change(held);
        }
        self.touch();
    }

    fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// A panic while the lock was held can only come from a failed allocation; the map is whole at every step.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn view(entry: &Entry, link: &Link) -> PeerView {
    let info = link.connection.peer();
    let addr: SocketAddr = link.connection.remote_addr();
    PeerView {
        id: info.id,
        name: info.name.clone(),
        addr,
        rtt: link.connection.rtt(),
        serves: info.serves,
        listed: entry.links.iter().any(|link| link.listed),
        items: entry.links.iter().map(|link| link.offers.items().len()).max().unwrap_or_default(),
        agent: info.agent.clone(),
    }
}
