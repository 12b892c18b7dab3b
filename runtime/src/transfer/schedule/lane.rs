//! What one lane was asked for, and how fast it is.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_proto::CHUNK_SIZE;

use super::{RequestId, ScheduleConfig};

/// A rate is taken over at least this long, so that a burst is not mistaken for it.
const RATE_WINDOW: Duration = Duration::from_millis(200);

/// The first estimate, which only sizes the next requests, may come sooner.
const FIRST_WINDOW: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Request {
    id: RequestId,
    /// The next chunk that is to arrive: a request is answered in order.
    next: u64,
    end: u64,
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Oldest first; the peer answers in this order or not, the driver reads in this order.
    requests: VecDeque<Request>,
    rate: Option<f64>,
    window_start: Duration,
    window_bytes: u64,
    last_progress: Duration,
}

impl Lane {
    pub(super) fn new(now: Duration) -> Self {
        Self { requests: VecDeque::new(), rate: None, window_start: now, window_bytes: 0, last_progress: now }
    }

    /// How many requests are in flight.
    pub(super) fn requests(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// How many chunks the next request is for.
    pub(super) fn batch(&self, config: &ScheduleConfig) -> u32 {
        let Some(rate) = self.rate else { return config.first_batch.clamp(1, config.max_batch.max(1)) };
        let chunks = rate * config.batch_time.as_secs_f64() / CHUNK_SIZE as f64;
        // A float cast saturates, and the clamp bounds it.
        (chunks as u32).clamp(1, config.max_batch.max(1))
    }

    pub(super) fn issued(&mut self, id: RequestId, first: u64, count: u32, now: Duration) {
        if self.requests.is_empty() {
            // Idle time is nobody's rate.
            self.window_start = now;
            self.window_bytes = 0;
            self.last_progress = now;
        }
        self.requests.push_back(Request { id, next: first, end: first + u64::from(count) });
    }

    /// Notes a chunk; false if it is not the one that this request has to deliver next.
    pub(super) fn received(&mut self, id: RequestId, chunk: u64, bytes: u64, now: Duration) -> bool {
        let Some(at) = self.requests.iter().position(|request| request.id == id) else { return false };
        let request = &mut self.requests[at];
        if request.next != chunk {
            return false;
        }
        request.next += 1;
        if request.next == request.end {
            self.requests.remove(at);
        }
        self.measure(bytes, now);
        true
    }

    /// The chunks that have yet to arrive, in the order asked for.
    pub(super) fn outstanding(&self) -> impl Iterator<Item = u64> + '_ {
        self.requests.iter().flat_map(|request| request.next..request.end)
    }

    /// How long the lane will need for what it was asked for; what it has not moved for counts as well, so that a
    /// lane that fell silent looks slower and slower.
    pub(super) fn time_left(&self, now: Duration) -> Duration {
        let silent = now.saturating_sub(self.last_progress);
        let bytes = self.outstanding().count() as f64 * CHUNK_SIZE as f64;
        match self.rate {
            Some(rate) if rate > 0.0 => silent.max(Duration::try_from_secs_f64(bytes / rate).unwrap_or(Duration::MAX)),
            _ => silent,
        }
    }

    fn measure(&mut self, bytes: u64, now: Duration) {
        self.last_progress = now;
        self.window_bytes += bytes;
        let elapsed = now.saturating_sub(self.window_start);
        let window = if self.rate.is_none() { FIRST_WINDOW } else { RATE_WINDOW };
        if elapsed < window {
            return;
        }
        let measured = self.window_bytes as f64 / elapsed.as_secs_f64();
        // Half new, half old: follows a change within a few windows, and does not jump about.
        self.rate = Some(self.rate.map_or(measured, |old| old.midpoint(measured)));
        self.window_start = now;
        self.window_bytes = 0;
    }
}
