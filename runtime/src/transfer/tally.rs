//! Who gave how much, and how fast it goes.

use std::collections::BTreeMap;
use std::time::Duration;

use moorline_proto::PeerId;

use super::event::{DownloadStats, Progress, SourceProgress};

/// Sources that are remembered for the statistics. Each gave at least one good chunk.
const MAX_SOURCES: usize = 1024;

#[derive(Debug)]
struct Share {
    label: String,
    bytes: u64,
}

/// The sums of one download.
#[derive(Debug)]
pub(super) struct Tally {
    total: u64,
    resumed: u64,
    fetched: u64,
    wasted: u64,
    shares: BTreeMap<PeerId, Share>,
    rate: f64,
    measured_at: Duration,
    measured_bytes: u64,
}

impl Tally {
    pub(super) fn new(total: u64, resumed: u64) -> Self {
        Self {
            total,
            resumed,
            fetched: 0,
            wasted: 0,
            shares: BTreeMap::new(),
            rate: 0.0,
            measured_at: Duration::ZERO,
            measured_bytes: 0,
        }
    }

    /// A source begins: its name is wanted for its share.
    pub(super) fn introduce(&mut self, peer: PeerId, label: &str) {
        if self.shares.len() < MAX_SOURCES || self.shares.contains_key(&peer) {
            self.shares.entry(peer).or_insert_with(|| Share { label: String::new(), bytes: 0 }).label = label.into();
        }
    }

    /// A chunk is verified and written.
    pub(super) fn good(&mut self, peer: PeerId, bytes: u64) {
        self.fetched += bytes;
        if let Some(share) = self.shares.get_mut(&peer) {
            share.bytes += bytes;
        }
    }

    /// A chunk came in vain.
    pub(super) fn wasted(&mut self, bytes: u64) {
        self.wasted += bytes;
    }

    /// Bytes that are missing.
    pub(super) fn left(&self) -> u64 {
        self.total.saturating_sub(self.resumed).saturating_sub(self.fetched)
    }

    /// How far it is, `now` after the start of fetching; `rates` are those of the sources at work.
    pub(super) fn progress(&mut self, now: Duration, rates: &BTreeMap<PeerId, f64>) -> Progress {
        let elapsed = now.saturating_sub(self.measured_at).as_secs_f64();
        if elapsed > 0.0 {
            let measured = (self.fetched - self.measured_bytes) as f64 / elapsed;
            // Follows within about a second at five measurements a second.
            self.rate = if self.measured_at.is_zero() { measured } else { self.rate + (measured - self.rate) * 0.3 };
            (self.measured_at, self.measured_bytes) = (now, self.fetched);
        }
        let sources =
            rates.iter().filter_map(|(peer, rate)| Some(self.share(peer, self.shares.get(peer)?, *rate))).collect();
        Progress { bytes_done: self.resumed + self.fetched, bytes_total: self.total, rate: self.rate, sources }
    }

    pub(super) fn stats(&self, elapsed: Duration) -> DownloadStats {
        let given = self.shares.iter().filter(|(_, share)| share.bytes > 0);
        let rate = |share: &Share| share.bytes as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        DownloadStats {
            bytes: self.total,
            fetched_bytes: self.fetched,
            resumed_bytes: self.resumed,
            wasted_bytes: self.wasted,
            already_there: false,
            elapsed,
            sources: given.map(|(peer, share)| self.share(peer, share, rate(share))).collect(),
        }
    }

    fn share(&self, peer: &PeerId, share: &Share, rate: f64) -> SourceProgress {
        SourceProgress { peer: *peer, label: share.label.clone(), bytes: share.bytes, rate }
    }
}
