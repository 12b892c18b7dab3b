//! Which interfaces have a [`Link`], and what becomes of those that fail, flood or change.

use super::Driver;
use crate::{
    DiscoveryError, InterfaceChoice, choose,
    interface::{Wanted, plan, wanted},
    mdns::link::Link,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Too many names in less time than this are a flood, not a large network.
const FLOOD: Duration = Duration::from_secs(60);

impl Driver<'_> {
    pub(super) fn follow_interfaces(&mut self) -> Result<(), DiscoveryError> {
        let list = match (self.config.interfaces)() {
            Ok(list) => list,
            Err(error) if self.links.is_empty() => return Err(DiscoveryError::Interfaces(error)),
            Err(error) => {
                tracing::warn!(%error, "cannot list the network interfaces; going on with those in use");
                return Ok(());
            }
        };
        let choices = choose(&list, &self.config.policy);
        let wanted = wanted(&choices, self.config.max_interfaces);
        self.tell(choices);
        self.failed.retain(|name, _| wanted.contains_key(name));
        self.settling.retain(|name, _| wanted.contains_key(name));

        let current = || self.links.iter().filter(|(_, link)| link.retire_at.is_none());
        let running = current().map(|(_, link)| (link.interface.clone(), link.wanted.clone())).collect();
        let ids: BTreeMap<String, u64> = current().map(|(id, link)| (link.interface.clone(), *id)).collect();
        let plan = plan(&running, &wanted);
        for name in &plan.stop {
            // Those being replaced as well: the interface is gone.
            let ids: Vec<u64> =
                self.links.iter().filter(|(_, link)| link.interface == *name).map(|(id, _)| *id).collect();
            ids.into_iter().for_each(|id| self.stop(id));
        }
        for name in &plan.start {
            if self.is_ready(name, &wanted[name]) {
                self.start(name, &wanted[name], 0)?;
            }
        }
        for name in &plan.replace {
            let (Some(id), wanted) = (ids.get(name), &wanted[name]) else { continue };
            if self.is_ready(name, wanted) {
                self.replace(*id, wanted)?;
            }
        }
        Ok(())
    }

    /// Not while it waits to be tried again, nor (for a while) while its addresses are being checked.
    fn is_ready(&mut self, name: &str, wanted: &Wanted) -> bool {
        let now = Instant::now();
        if self.failed.get(name).is_some_and(|(retry_at, _)| *retry_at > now) {
            return false;
        }
        let since = *self.settling.entry(name.to_owned()).or_insert(now);
        let ready = !wanted.settling || now.duration_since(since) >= self.config.settle_timeout;
        if ready {
            self.settling.remove(name);
        }
        ready
    }

    fn start(&mut self, name: &str, wanted: &Wanted, generation: u32) -> Result<(), DiscoveryError> {
        let id = self.next_link;
        self.next_link += 1;
        match Link::start(self.config, name, wanted.clone(), self.own.as_ref(), generation) {
            Ok(link) => {
                tracing::info!(interface = name, addrs = ?wanted.addrs, "mDNS starts on this interface");
                self.links.insert(id, link);
                Ok(())
            }
            Err(error) => self.note_failure(name.to_owned(), error.to_string()),
        }
    }

    /// Starts a new responder and lets the old one go on for a while, so that others do not see this peer leave.
    pub(super) fn replace(&mut self, old: u64, wanted: &Wanted) -> Result<(), DiscoveryError> {
        let Some(link) = self.links.get_mut(&old) else { return Ok(()) };
        let (name, generation) = (link.interface.clone(), link.generation.wrapping_add(1));
        let overlaps = !link.wanted.addrs.is_disjoint(&wanted.addrs);
        link.retire_at = Some(Instant::now() + self.config.overlap);
        if !overlaps {
            self.stop(old);
        }
        self.start(&name, wanted, generation)
    }

    /// What mdns-sd remembers has no bound but the life of its thread.
    pub(super) fn refresh(&mut self, id: u64) -> Result<(), DiscoveryError> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        if link.since.elapsed() < FLOOD {
            let why = format!("the network is flooded: {} instance names in {:?}", link.names, link.since.elapsed());
            return self.fail(id, why);
        }
        let wanted = link.wanted.clone();
        self.replace(id, &wanted)
    }

    pub(super) fn stop(&mut self, id: u64) {
        if let Some(link) = self.links.remove(&id) {
            tracing::info!(interface = link.interface, "mDNS stops on this interface");
            self.outbox.extend(self.table.drop_source(id));
            self.closing.push(link.close(self.config.goodbye_timeout));
        }
    }

    pub(super) fn fail(&mut self, id: u64, why: String) -> Result<(), DiscoveryError> {
        let Some(name) = self.links.get(&id).map(|link| link.interface.clone()) else { return Ok(()) };
        self.stop(id);
        self.note_failure(name, why)
    }

    /// One interface that fails is tried again; when none works, discovery is broken and says so.
    fn note_failure(&mut self, name: String, why: String) -> Result<(), DiscoveryError> {
        let retry = self.config.retry;
        tracing::warn!(interface = name, why, "mDNS fails on this interface; trying again in {retry:?}");
        self.failed.insert(name, (Instant::now() + retry, why));
        if !self.links.is_empty() {
            return Ok(());
        }
        let details: Vec<String> = self.failed.iter().map(|(name, (_, why))| format!("{name}: {why}")).collect();
        Err(DiscoveryError::NoMulticast { port: self.config.port, details: details.join("; ") })
    }

    fn tell(&mut self, choices: Vec<InterfaceChoice>) {
        if choices == self.choices {
            return;
        }
        for InterfaceChoice { interface, used, why } in &choices {
            tracing::debug!(interface = interface.name, used, why, "interface");
        }
        let used = choices.iter().filter(|choice| choice.used).count();
        if used == 0 {
            tracing::warn!("no network interface is usable; waiting for one");
        } else if used > self.config.max_interfaces {
            tracing::warn!(
                "{used} interfaces are usable, the first {} are used; name those to use",
                self.config.max_interfaces
            );
        }
        self.choices = choices;
    }
}
