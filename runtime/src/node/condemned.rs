use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_proto::PeerId;
use tokio::time::Instant;

/// Peers remembered at most; the one whose time is over first makes room.
const MAX_CONDEMNED: usize = 1024;

/// Peers that sent bad content, until they are given another chance. No download takes anything from them meanwhile.
pub(super) struct Condemned {
    until: Mutex<BTreeMap<PeerId, Instant>>,
    lasts: Duration,
}

impl Condemned {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { until: Mutex::new(BTreeMap::new()), lasts }
    }

    pub(super) fn add(&self, peer: PeerId) {
        let now = Instant::now();
        let mut until = self.lock();
        until.retain(|_, end| *end > now);
        if until.len() >= MAX_CONDEMNED
            && let Some(first) = until.iter().min_by_key(|(_, end)| **end).map(|(peer, _)| *peer)
        {
            until.remove(&first);
        }
        until.insert(peer, now + self.lasts);
    }

    /// How long `peer` stays condemned; `None` when it is not.
    pub(super) fn remaining(&self, peer: &PeerId) -> Option<Duration> {
        let end = *self.lock().get(peer)?;
        end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_condemned_peer_gets_another_chance_and_the_list_is_bounded() {
        let condemned = Condemned::new(Duration::from_secs(600));
        condemned.add(peer(0));
        assert_eq!(condemned.remaining(&peer(0)), Some(Duration::from_secs(600)));
        assert_eq!(condemned.remaining(&peer(1)), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        for number in 1..=MAX_CONDEMNED as u32 {
            condemned.add(peer(number));
        }
        assert_eq!(condemned.lock().len(), MAX_CONDEMNED);
        assert_eq!(condemned.remaining(&peer(0)), None, "the oldest made room");
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(condemned.remaining(&peer(1)), None);
    }
}
