//! A member of the network: the backend that a node is given.

use super::{
    dice::Dice,
    post::{Body, Letter, Post, Presence},
};
use crate::{
    Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent,
    table::{Sighting, Table, TableLimits},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    select,
    sync::{Notify, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// The only source in a member's table.
const NETWORK: u64 = 0;

/// One host on a [`Network`](super::Network). Dropping the future of a run is a crash: no goodbye.
pub struct Member {
    post: Arc<Post>,
    host: String,
    shared: Mutex<Shared>,
    changed: Notify,
}

/// Written from outside, read by the run.
struct Shared {
    addrs: Vec<IpAddr>,
    moved: bool,
    verify: BTreeSet<String>,
}

impl Member {
    pub(super) fn new(post: Arc<Post>, host: String, addrs: Vec<IpAddr>) -> Member {
        let shared = Mutex::new(Shared { addrs, moved: false, verify: BTreeSet::new() });
        Member { post, host, shared, changed: Notify::new() }
    }

    /// The host has other addresses from now on, and announces them.
    pub fn set_addrs(&self, addrs: Vec<IpAddr>) {
        self.with(|shared| {
            shared.addrs = addrs;
            shared.moved = true;
        });
        self.changed.notify_one();
    }

    fn with<T>(&self, f: impl FnOnce(&mut Shared) -> T) -> T {
        f(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Discovery for Member {
    fn run<'a>(
        &'a self,
        own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            own.as_ref().map_or(Ok(()), Announcement::check)?;
            Run::new(self, own).run(events, cancel).await
        })
    }

    fn verify(&self, key: &str) {
        let max = self.post.config.max_peers;
        self.with(|shared| {
            if shared.verify.len() < max {
                shared.verify.insert(key.to_owned());
            }
        });
        self.changed.notify_one();
    }
}

/// One run of a member.
struct Run<'a> {
    member: &'a Member,
    post: &'a Post,
    presence: Presence,
    own: Option<Announcement>,
    table: Table,
    /// When each record expires. No more than the table has peers.
    expires: BTreeMap<String, Instant>,
    /// Letters under way, by arrival and order of sending. No more than fit into the box, since all is read in time.
    arriving: BTreeMap<(Instant, u64), Letter>,
    taken: u64,
    outbox: VecDeque<DiscoveryEvent>,
    rounds: u64,
}

impl<'a> Run<'a> {
    fn new(member: &'a Member, own: Option<Announcement>) -> Run<'a> {
        let own = own.map(|own| own.public());
        let own_key = own.as_ref().and_then(Announcement::own_key).map(str::to_owned);
        Run {
            member,
            post: &member.post,
            presence: Presence::new(&member.post, &member.host),
            own,
            table: Table::new(own_key, TableLimits { peers: member.post.config.max_peers, sightings_per_peer: 1 }),
            expires: BTreeMap::new(),
            arriving: BTreeMap::new(),
            taken: 0,
            outbox: VecDeque::new(),
            rounds: 0,
        }
    }

    async fn run(
        mut self,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> Result<(), DiscoveryError> {
        let outcome = self.listen(&events, &cancel).await;
        if let Some(key) = self.own.as_ref().and_then(Announcement::own_key) {
            self.post.broadcast(&self.member.host, &Body::Goodbye { key: key.to_owned() });
        }
        outcome
    }

    async fn listen(
        &mut self,
        events: &mpsc::Sender<DiscoveryEvent>,
        cancel: &CancellationToken,
    ) -> Result<(), DiscoveryError> {
        let mut round = interval(self.post.config.announce_every);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.post.broadcast(&self.member.host, &Body::Query { key: None });
        loop {
            let due = self.next_due();
            select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                () = events.closed() => return Err(DiscoveryError::ConsumerGone),
                permit = events.reserve(), if !self.outbox.is_empty() => {
                    let permit = permit.map_err(|_| DiscoveryError::ConsumerGone)?;
                    if let Some(event) = self.outbox.pop_front() {
                        permit.send(event);
                    }
                }
                () = self.member.changed.notified() => self.look_at_shared(),
                _ = round.tick() => self.round(),
                letters = self.presence.letters(), if self.outbox.is_empty() => self.take(letters),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && self.outbox.is_empty() => self.work_off(),
            }
        }
    }

    fn round(&mut self) {
        self.announce(None);
        self.rounds += 1;
        let mut dice = Dice::new(self.post.config.seed, [&self.member.host, "flap"], self.rounds);
        let forgotten: Vec<String> =
            self.expires.keys().filter(|_| dice.chance(self.post.config.flap)).cloned().collect();
        forgotten.iter().for_each(|key| self.forget(key));
    }

    fn announce(&self, to: Option<&str>) {
        let Some(announcement) = self.own.clone() else { return };
        let body = Body::Announce { announcement, addrs: self.member.with(|shared| shared.addrs.clone()) };
        match to {
            Some(to) => self.post.send(&self.member.host, to, &body),
            None => self.post.broadcast(&self.member.host, &body),
        }
    }

    fn look_at_shared(&mut self) {
        let (moved, verify) =
            self.member.with(|shared| (std::mem::take(&mut shared.moved), std::mem::take(&mut shared.verify)));
        if moved {
            self.announce(None);
        }
        let by = Instant::now() + self.post.config.verify_timeout;
        for key in verify {
            // Expires soon, unless it answers.
            if let Some(expires) = self.expires.get_mut(&key) {
                *expires = by.min(*expires);
                self.post.broadcast(&self.member.host, &Body::Query { key: Some(key) });
            }
        }
    }

    fn take(&mut self, letters: VecDeque<Letter>) {
        let now = Instant::now();
        for letter in letters {
            if self.arriving.len() < self.post.config.max_letters {
                self.arriving.insert((now + letter.delay, self.taken), letter);
                self.taken += 1;
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let arrival = self.arriving.keys().next().map(|(at, _)| *at);
        arrival.into_iter().chain(self.expires.values().copied()).min()
    }

    fn work_off(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.arriving.first_entry().filter(|entry| entry.key().0 <= now) {
            let letter = entry.remove();
            if self.post.reaches(&letter.from, &self.member.host) {
                self.open(letter);
            }
        }
        let expired: Vec<String> =
            self.expires.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        expired.iter().for_each(|key| self.forget(key));
    }

    fn open(&mut self, letter: Letter) {
        match letter.body {
            Body::Announce { announcement, addrs } => {
                let Some(key) = announcement.own_key().map(str::to_owned) else { return };
                let addrs: BTreeSet<SocketAddr> =
                    addrs.into_iter().map(|ip| SocketAddr::new(ip, announcement.port)).collect();
                let sighting = Sighting {
                    key: key.clone(),
                    announcement,
                    addrs: addrs.into_iter().collect(),
                    interfaces: vec!["memory".to_owned()],
                };
                self.outbox.extend(self.table.seen(NETWORK, &key, sighting));
                if !self.table.spots_of(&key).is_empty() {
                    self.expires.insert(key, Instant::now() + self.post.config.ttl);
                }
            }
            Body::Goodbye { key } => self.forget(&key),
            Body::Query { key } => {
                let own = self.own.as_ref().and_then(Announcement::own_key);
                if key.is_none() || key.as_deref() == own {
                    self.announce(Some(&letter.from));
                }
            }
        }
    }

    fn forget(&mut self, key: &str) {
        self.expires.remove(key);
        self.outbox.extend(self.table.gone(NETWORK, key));
    }
}
