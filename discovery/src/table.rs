//! Who is known: merges sightings of one peer (over interfaces, responders, backends) and decides which event there is to tell. No I/O, no clock.
//!
//! A *source* is whatever can vanish as a whole: a responder on an interface, a backend. A *handle* is what the source calls a
//! sighting: an instance name, a key. Sightings with the same key are one peer.

use crate::{Announcement, DiscoveryEvent, Found};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// One source's view of a peer. What a stranger wrote in it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) key: String,
    pub(crate) announcement: Announcement,
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) interfaces: Vec<String>,
}

/// Bounds of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableLimits {
    /// Most peers at a time; more are left out until others leave.
    pub(crate) peers: usize,
    /// Most sightings of one peer at a time; more are left out.
    pub(crate) sightings_per_peer: usize,
}

type Spot = (u64, String);

pub(crate) struct Table {
    own: Option<String>,
    limits: TableLimits,
    peers: BTreeMap<String, Peer>,
    spots: BTreeMap<Spot, String>,
    clock: u64,
    left_out: bool,
}

struct Peer {
    sightings: BTreeMap<Spot, Seen>,
    told: Found,
}

struct Seen {
    sighting: Sighting,
    /// Later is larger.
    at: u64,
    /// Whether it was seen since the last [`Table::begin_resync`] of its source.
    confirmed: bool,
}

impl Table {
    /// `own` is the key that is never reported.
    pub(crate) fn new(own: Option<String>, limits: TableLimits) -> Table {
        Table { own, limits, peers: BTreeMap::new(), spots: BTreeMap::new(), clock: 0, left_out: false }
    }

    /// `source` sees a peer, anew or again.
    pub(crate) fn seen(&mut self, source: u64, handle: &str, sighting: Sighting) -> Vec<DiscoveryEvent> {
        let spot = (source, handle.to_owned());
        let mut events = Vec::new();
        // The name was taken over by another peer, or the peer has a new identity.
        if self.spots.get(&spot).is_some_and(|key| *key != sighting.key) {
            events.extend(self.forget(&spot));
        }
        if self.own.as_ref() == Some(&sighting.key) || !self.has_room(&spot, &sighting.key) {
            return events;
        }
        self.clock += 1;
        let key = sighting.key.clone();
        self.spots.insert(spot.clone(), key.clone());
        let seen = Seen { sighting, at: self.clock, confirmed: true };
        match self.peers.get_mut(&key) {
            Some(peer) => {
                peer.sightings.insert(spot, seen);
                events.extend(peer.retell());
            }
            None => {
                let sightings = BTreeMap::from([(spot, seen)]);
                let Some(told) = merge(&sightings) else { return events };
                events.push(DiscoveryEvent::Found(told.clone()));
                self.peers.insert(key, Peer { sightings, told });
            }
        }
        events
    }

    /// `source` sees `handle` no more.
    pub(crate) fn gone(&mut self, source: u64, handle: &str) -> Option<DiscoveryEvent> {
        self.forget(&(source, handle.to_owned()))
    }

    /// The source itself is gone, with all that it saw.
    pub(crate) fn drop_source(&mut self, source: u64) -> Vec<DiscoveryEvent> {
        self.forget_all(source, |_| true)
    }

    /// The source lost track, and lists everything again from here on.
    pub(crate) fn begin_resync(&mut self, source: u64) {
        for peer in self.peers.values_mut() {
            for (_, seen) in peer.sightings.iter_mut().filter(|((from, _), _)| *from == source) {
                seen.confirmed = false;
            }
        }
        self.left_out = false;
    }

    /// By now the source has listed everything: what it did not list is gone.
    pub(crate) fn end_resync(&mut self, source: u64) -> Vec<DiscoveryEvent> {
        self.forget_all(source, |seen| !seen.confirmed)
    }

    /// Which sources know the peer `key`, and what they call it.
    pub(crate) fn spots_of(&self, key: &str) -> Vec<(u64, String)> {
        self.peers.get(key).map(|peer| peer.sightings.keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether somebody was left out for want of room, and there is room now: time for the sources to list everything again.
    pub(crate) fn wants_resync(&self) -> bool {
        self.left_out && self.peers.len() < self.limits.peers
    }

    /// Whether somebody is left out.
    pub(crate) fn is_full(&self) -> bool {
        self.left_out
    }

    fn has_room(&mut self, spot: &Spot, key: &str) -> bool {
        let room = match self.peers.get(key) {
            Some(peer) => peer.sightings.contains_key(spot) || peer.sightings.len() < self.limits.sightings_per_peer,
            None => self.peers.len() < self.limits.peers,
        };
        self.left_out |= !room;
        room
    }

    fn forget_all(&mut self, source: u64, which: impl Fn(&Seen) -> bool) -> Vec<DiscoveryEvent> {
        let of_source =
            self.peers.values().flat_map(|peer| peer.sightings.iter()).filter(|((from, _), _)| *from == source);
        let spots: BTreeSet<Spot> = of_source.filter(|(_, seen)| which(seen)).map(|(spot, _)| spot.clone()).collect();
        spots.iter().filter_map(|spot| self.forget(spot)).collect()
    }

    fn forget(&mut self, spot: &Spot) -> Option<DiscoveryEvent> {
        let key = self.spots.remove(spot)?;
        let peer = self.peers.get_mut(&key)?;
        peer.sightings.remove(spot);
        if peer.sightings.is_empty() {
            self.peers.remove(&key);
            return Some(DiscoveryEvent::Lost { key });
        }
        peer.retell()
    }
}

impl Peer {
    fn retell(&mut self) -> Option<DiscoveryEvent> {
        let now = merge(&self.sightings)?;
        if now == self.told {
            return None;
        }
        self.told = now.clone();
        Some(DiscoveryEvent::Updated(now))
    }
}

/// All addresses and interfaces of the sightings, and what the latest says; `None` only if there are none.
fn merge(sightings: &BTreeMap<Spot, Seen>) -> Option<Found> {
    let latest = &sightings.values().max_by_key(|seen| seen.at)?.sighting;
    let addrs: BTreeSet<SocketAddr> = sightings.values().flat_map(|seen| seen.sighting.addrs.iter().copied()).collect();
    let interfaces: BTreeSet<&String> = sightings.values().flat_map(|seen| &seen.sighting.interfaces).collect();
    Some(Found {
        key: latest.key.clone(),
        announcement: latest.announcement.clone(),
        addrs: addrs.into_iter().collect(),
        interfaces: interfaces.into_iter().cloned().collect(),
    })
}

#[cfg(test)]
mod tests;
