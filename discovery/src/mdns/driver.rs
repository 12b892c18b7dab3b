//! The loop of one run: follows the interfaces, keeps a [`Link`] on each that is used, and turns what they see into events.

mod interfaces;

use super::{
    MdnsConfig, VerifyQueue,
    link::{Link, LinkEvent},
    sighting::{Place, sighting},
};
use crate::{
    Announcement, BoxFuture, DiscoveryError, DiscoveryEvent, InterfaceChoice, race,
    table::{Table, TableLimits},
};
use mdns_sd::ServiceEvent;
use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    task::Poll,
};
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

pub(super) struct Driver<'a> {
    config: &'a MdnsConfig,
    verify: &'a VerifyQueue,
    own: Option<Announcement>,
    table: Table,
    /// By the number under which the table knows them. Numbers are not used again.
    links: BTreeMap<u64, Link>,
    next_link: u64,
    /// The link that was heard last; the others are heard first.
    heard: u64,
    /// Goodbyes under way.
    closing: Vec<BoxFuture<'static, ()>>,
    /// Interfaces on which the responder failed: when to try again, and why it failed.
    failed: BTreeMap<String, (Instant, String)>,
    /// Since when an interface has been waiting for its addresses to be checked.
    settling: BTreeMap<String, Instant>,
    /// Events not yet taken. While there are any, links are not listened to, so that it holds no more than one step gave.
    outbox: VecDeque<DiscoveryEvent>,
    choices: Vec<InterfaceChoice>,
    told_full: bool,
    next_relisting: Instant,
}

impl<'a> Driver<'a> {
    pub(super) fn new(config: &'a MdnsConfig, verify: &'a VerifyQueue, own: Option<Announcement>) -> Driver<'a> {
        let limits = TableLimits { peers: config.max_peers, sightings_per_peer: config.max_sightings_per_peer };
        let own_key = own.as_ref().and_then(Announcement::own_key).map(str::to_owned);
        Driver {
            config,
            verify,
            own,
            table: Table::new(own_key, limits),
            links: BTreeMap::new(),
            next_link: 0,
            heard: 0,
            closing: Vec::new(),
            failed: BTreeMap::new(),
            settling: BTreeMap::new(),
            outbox: VecDeque::new(),
            choices: Vec::new(),
            told_full: false,
            next_relisting: Instant::now(),
        }
    }

    /// Until cancelled, or broken; either way with a goodbye.
    pub(super) async fn run(
        mut self,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> Result<(), DiscoveryError> {
        let outcome = self.listen(&events, &cancel).await;
        let limit = self.config.goodbye_timeout;
        let mut closing = self.closing;
        closing.extend(self.links.into_values().map(|link| link.close(limit)));
        race::all(closing).await;
        outcome
    }

    async fn listen(
        &mut self,
        events: &mpsc::Sender<DiscoveryEvent>,
        cancel: &CancellationToken,
    ) -> Result<(), DiscoveryError> {
        let mut watch = interval(self.config.watch_interval);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                () = events.closed() => return Err(DiscoveryError::ConsumerGone),
                _ = watch.tick() => self.look_after()?,
                keys = self.verify.take() => self.verify(keys),
                permit = events.reserve(), if !self.outbox.is_empty() => {
                    let permit = permit.map_err(|_| DiscoveryError::ConsumerGone)?;
                    if let Some(event) = self.outbox.pop_front() {
                        permit.send(event);
                    }
                }
                (id, event) = next_event(&mut self.links, self.heard), if self.outbox.is_empty() => {
                    self.heard = id;
                    self.handle(id, event)?;
                }
                () = race::drive(&mut self.closing) => {}
            }
        }
    }

    /// Once a second: interfaces, and whatever is due.
    fn look_after(&mut self) -> Result<(), DiscoveryError> {
        self.follow_interfaces()?;
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            if due(link.start_by) {
                self.fail(id, "it did not open its sockets in time".to_owned())?;
                continue;
            }
            if due(link.retire_at) {
                self.stop(id);
                continue;
            }
            if due(link.resync_by) {
                link.resync_by = None;
                self.outbox.extend(self.table.end_resync(id));
            }
            if link.unsubscribed {
                self.list_again(id)?;
            }
        }
        // Somebody was left out, and there is room now. Not more often than that: a crowd would have us list all the time.
        if self.table.wants_resync() && self.next_relisting <= now {
            self.next_relisting = now + 2 * self.config.resync;
            for id in self.links.keys().copied().collect::<Vec<_>>() {
                self.list_again(id)?;
            }
        }
        Ok(())
    }

    fn list_again(&mut self, id: u64) -> Result<(), DiscoveryError> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match link.subscribe() {
            Ok(()) => {
                link.unsubscribed = false;
                link.resync_by = Some(Instant::now() + self.config.resync);
                self.table.begin_resync(id);
                Ok(())
            }
            Err(mdns_sd::Error::Again) => {
                link.unsubscribed = true;
                Ok(())
            }
            Err(error) => self.fail(id, error.to_string()),
        }
    }

    fn verify(&mut self, keys: impl IntoIterator<Item = String>) {
        for (id, fullname) in keys.into_iter().flat_map(|key| self.table.spots_of(&key)) {
            let Some(link) = self.links.get(&id) else { continue };
            if let Err(error) = link.verify(&fullname, self.config.verify_timeout) {
                // Its record expires in the end; the caller will ask again as long as the peer does not answer.
                tracing::debug!(interface = link.interface, fullname, %error, "cannot verify");
            }
        }
    }

    fn handle(&mut self, id: u64, event: LinkEvent) -> Result<(), DiscoveryError> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match event {
            LinkEvent::Started { addrs: 0 } => {
                return self
                    .fail(id, "the socket could not be opened, or the multicast group not be joined".to_owned());
            }
            LinkEvent::Started { .. } => {
                link.start_by = None;
                self.failed.remove(&link.interface);
            }
            LinkEvent::Service(ServiceEvent::ServiceFound(..)) => {
                link.names += 1;
                if link.names > self.config.max_names && link.retire_at.is_none() {
                    return self.refresh(id);
                }
            }
            LinkEvent::Service(event) => self.handle_service(id, event),
            LinkEvent::SubscriptionClosed => return self.list_again(id),
            LinkEvent::Renamed { instance } => {
                tracing::info!(interface = link.interface, instance, "the name was taken; announced by another one");
            }
            LinkEvent::Complaint(why) => tracing::warn!(interface = link.interface, why, "mDNS complains"),
            LinkEvent::Died => return self.fail(id, "its thread has ended".to_owned()),
        }
        Ok(())
    }

    fn handle_service(&mut self, id: u64, event: ServiceEvent) {
        let Some(link) = self.links.get(&id) else { return };
        match event {
            ServiceEvent::ServiceResolved(service) => {
                let place =
                    Place { interface: &link.interface, index: link.wanted.index, loopback: link.wanted.loopback };
                match sighting(&service, place, self.config.max_addrs) {
                    Ok(sighting) => self.outbox.extend(self.table.seen(id, &service.fullname, sighting)),
                    Err(why) => {
                        tracing::debug!(interface = link.interface, instance = service.fullname, %why, "not taken for a peer");
                        self.outbox.extend(self.table.gone(id, &service.fullname));
                    }
                }
                if self.table.is_full() && !self.told_full {
                    tracing::warn!(
                        "more peers or sightings than are kept ({} peers); some are left out until others leave",
                        self.config.max_peers
                    );
                }
                self.told_full = self.table.is_full();
            }
            ServiceEvent::ServiceRemoved(_, fullname) => self.outbox.extend(self.table.gone(id, &fullname)),
            _ => {}
        }
    }
}

/// The next event of any link, in turns, beginning after the one `heard` last. Cancel safe.
async fn next_event(links: &mut BTreeMap<u64, Link>, heard: u64) -> (u64, LinkEvent) {
    poll_fn(|cx| {
        let mut order: Vec<(u64, &mut Link)> = links.iter_mut().map(|(id, link)| (*id, link)).collect();
        order.sort_by_key(|(id, _)| (*id <= heard, *id));
        for (id, link) in order {
            if let Poll::Ready(event) = link.poll_event(cx) {
                return Poll::Ready((id, event));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
