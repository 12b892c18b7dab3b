//! Who fetches which chunk: a state machine without input, output or clock.
//!
//! Chunks are numbers here; what they hold, and how they travel, is for others. A *lane* is one source at work. The
//! driver calls [`Schedule::assign`] until it has nothing more to hand out, tells what arrived
//! ([`Schedule::received`]), what became of it ([`Schedule::written`], [`Schedule::rejected`]), and which lanes ended.
//! Time is passed in as a [`Duration`] since any fixed start.
//!
//! What holds, whatever the order of calls (property-tested):
//! - each chunk is written once: of several copies in flight, the first that arrives is the one that is written, and
//!   another is asked for only if that one is rejected;
//! - no chunk is lost: it is done, being written, held by a lane, or waiting to be handed out;
//! - what is in flight is bounded: `pipeline` requests a lane, `max_batch` chunks a request, `max_copies` lanes a chunk.

mod lane;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use super::chunk_set::ChunkSet;
use lane::Lane;
use work::Work;

/// One source at work, from its start to its first failure. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneId(pub(super) u64);

/// One request of a lane. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RequestId(pub(super) u64);

/// The bounds of a schedule.
#[derive(Debug, Clone)]
pub(super) struct ScheduleConfig {
    /// Requests in flight a lane.
    pub(super) pipeline: usize,
    /// Chunks a request, at most.
    pub(super) max_batch: u32,
    /// Chunks in the requests of a lane whose rate is not known yet.
    pub(super) first_batch: u32,
    /// A request is sized to take about this long.
    pub(super) batch_time: Duration,
    /// Lanes that fetch one chunk at the same time, at most.
    pub(super) max_copies: usize,
    /// Work in flight is fetched a second time only from a lane that would need longer than this to finish it.
    pub(super) steal_after: Duration,
}

/// A run of chunks for a lane to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) lane: LaneId,
    pub(super) request: RequestId,
    pub(super) first: u64,
    pub(super) count: u32,
}

/// What to do with a chunk that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Verify and write it, then call [`Schedule::written`] or [`Schedule::rejected`].
    Write,
    /// Another copy is written or being written: drop it.
    Discard,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Schedule {
    config: ScheduleConfig,
    work: Work,
    lanes: BTreeMap<LaneId, Lane>,
    next_lane: u64,
    next_request: u64,
}

impl Schedule {
    /// A schedule for all chunks but the `done` ones.
    pub(super) fn new(done: ChunkSet, config: ScheduleConfig) -> Self {
        Self { config, work: Work::new(done), lanes: BTreeMap::new(), next_lane: 0, next_request: 0 }
    }

    /// Whether every chunk is written.
    pub(super) fn is_complete(&self) -> bool {
        self.work.done().is_full()
    }

    /// A source comes to work.
    pub(super) fn add_lane(&mut self, now: Duration) -> LaneId {
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        self.lanes.insert(id, Lane::new(now));
        id
    }

    /// A lane ended: what it held, and no other lane holds, is handed out again. Chunks of it that are being written
    /// stay so.
    pub(super) fn remove_lane(&mut self, id: LaneId) {
        if self.lanes.remove(&id).is_some() {
            self.work.release_lane(id);
        }
    }

    /// The next request to make, if any. Call it until it answers `None`, after every change and now and then.
    pub(super) fn assign(&mut self, now: Duration) -> Option<Assignment> {
        // The lane with the fewest requests first, so that all get going before any gets its second.
        let mut free: Vec<(usize, LaneId)> = self
            .lanes
            .iter()
            .map(|(id, lane)| (lane.requests(), *id))
            .filter(|(requests, _)| *requests < self.config.pipeline)
            .collect();
        free.sort_unstable();
        let (_, fastest_idle) = *free.first()?;
        let batch = self.lanes[&fastest_idle].batch(&self.config);
        if let Some((first, count)) = self.work.take(fastest_idle, batch) {
            return Some(self.issue(fastest_idle, first, count, now));
        }
        free.into_iter().filter(|(requests, _)| *requests == 0).find_map(|(_, id)| self.steal(id, now))
    }

    /// A chunk of a request is off the wire.
    pub(super) fn received(
        &mut self,
        lane: LaneId,
        request: RequestId,
        chunk: u64,
        bytes: u64,
        now: Duration,
    ) -> Verdict {
        let Some(state) = self.lanes.get_mut(&lane) else { return Verdict::Discard };
        if !state.received(request, chunk, bytes, now) {
            return Verdict::Discard;
        }
        if self.work.arrived(lane, chunk) { Verdict::Write } else { Verdict::Discard }
    }

    /// A chunk was verified and written.
    pub(super) fn written(&mut self, chunk: u64) {
        self.work.written(chunk);
    }

    /// A chunk was not what it should be: it is fetched again, unless another copy is on its way.
    pub(super) fn rejected(&mut self, chunk: u64) {
        self.work.rejected(chunk);
    }

    /// Bytes a second that a lane delivers, once known.
    pub(super) fn rate(&self, lane: LaneId) -> Option<f64> {
        self.lanes.get(&lane)?.rate()
    }

    fn issue(&mut self, id: LaneId, first: u64, count: u32, now: Duration) -> Assignment {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.issued(request, first, count, now);
        }
        Assignment { lane: id, request, first, count }
    }

    /// Gives an idle lane a share of what the slowest lane still has to deliver: the far half, since the slow lane
    /// works from the near end.
    fn steal(&mut self, thief: LaneId, now: Duration) -> Option<Assignment> {
        let mut victims: Vec<(Duration, LaneId)> = self
            .lanes
            .iter()
            .filter(|(id, lane)| **id != thief && lane.requests() > 0)
            .map(|(id, lane)| (lane.time_left(now), *id))
            .filter(|(left, _)| *left >= self.config.steal_after)
            .collect();
        victims.sort_unstable_by(|a, b| b.cmp(a));
        let batch = self.lanes.get(&thief)?.batch(&self.config);
        let (first, count) = victims.into_iter().find_map(|(_, victim)| {
            let outstanding = self.lanes[&victim].outstanding();
            self.work.copy(thief, outstanding, batch, self.config.max_copies)
        })?;
        Some(self.issue(thief, first, count, now))
    }
}

#[cfg(test)]
mod tests;
