//! Multicast DNS, over the crate mdns-sd.

mod config;
mod driver;
mod link;
mod names;
mod probe;
mod sighting;

pub use config::{MdnsConfig, SERVICE_TYPE};
pub use probe::{InterfaceProbe, Multicast, ProbeReport, probe};

use crate::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent};
use driver::Driver;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Announces and finds peers by multicast DNS on the interfaces chosen by [`choose`](crate::choose).
///
/// Each responder is a thread of mdns-sd, started and ended by [`Discovery::run`]; between runs there is none.
#[derive(Debug)]
pub struct Mdns {
    config: MdnsConfig,
    verify: VerifyQueue,
}

impl Mdns {
    /// Does nothing until it is run.
    pub fn new(config: MdnsConfig) -> Mdns {
        Mdns { config, verify: VerifyQueue::default() }
    }
}

impl Default for Mdns {
    fn default() -> Self {
        Mdns::new(MdnsConfig::default())
    }
}

impl Discovery for Mdns {
    fn run<'a>(
        &'a self,
        own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            own.as_ref().map_or(Ok(()), Announcement::check)?;
            Driver::new(&self.config, &self.verify, own).run(events, cancel).await
        })
    }

    fn verify(&self, key: &str) {
        self.verify.push(key, self.config.max_peers);
    }
}

/// Keys to be verified: written by anyone, emptied by the run that is under way.
#[derive(Debug, Default)]
struct VerifyQueue {
    keys: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl VerifyQueue {
    fn push(&self, key: &str, max: usize) {
        let mut keys = self.lock();
        // More keys than peers can only be keys that nobody has.
        if keys.len() < max {
            keys.insert(key.to_owned());
        }
        drop(keys);
        self.wake.notify_one();
    }

    /// Waits until there are keys, and takes them. Cancel safe.
    async fn take(&self) -> BTreeSet<String> {
        loop {
            let keys = std::mem::take(&mut *self.lock());
            if !keys.is_empty() {
                return keys;
            }
            self.wake.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A set of strings is whole at any moment, also after a panic elsewhere.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_to_verify_are_merged_and_bounded() {
        let queue = VerifyQueue::default();
        for key in ["b", "a", "b", "c"] {
            queue.push(key, 2);
        }
        assert_eq!(queue.take().await.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
