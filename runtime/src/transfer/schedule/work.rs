//! The state of each chunk.

use std::collections::{BTreeMap, BTreeSet};

use super::LaneId;
use crate::transfer::chunk_set::ChunkSet;

/// A chunk that some lane was asked for and that is not written yet.
#[derive(Debug, Default)]
struct Held {
    /// Lanes that have yet to deliver it.
    lanes: BTreeSet<LaneId>,
    /// A copy arrived and is being verified and written.
    writing: bool,
}

/// Each chunk is in exactly one of: `done`, `held`, `returned`, or at or beyond `cursor` and in none of these.
#[derive(Debug)]
pub(super) struct Work {
    done: ChunkSet,
    held: BTreeMap<u64, Held>,
    /// Handed out before, and to be handed out again.
    returned: BTreeSet<u64>,
    /// Chunks from here on were never handed out.
    cursor: u64,
}

impl Work {
    pub(super) fn new(done: ChunkSet) -> Self {
        Self { done, held: BTreeMap::new(), returned: BTreeSet::new(), cursor: 0 }
    }

    pub(super) fn done(&self) -> &ChunkSet {
        &self.done
    }

    /// Hands out the next run of at most `max` chunks that nobody holds, as (first, count).
    pub(super) fn take(&mut self, lane: LaneId, max: u32) -> Option<(u64, u32)> {
        let (first, count) = match self.returned.first().copied() {
            Some(first) => {
                let count = (0..u64::from(max)).take_while(|i| self.returned.remove(&(first + i))).count();
                (first, count as u32)
            }
            None => self.advance(max)?,
        };
        for chunk in first..first + u64::from(count) {
            self.held.entry(chunk).or_default().lanes.insert(lane);
        }
        Some((first, count))
    }

    fn advance(&mut self, max: u32) -> Option<(u64, u32)> {
        while self.done.contains(self.cursor) {
            self.cursor += 1;
        }
        let first = self.cursor;
        let end = self.done.total().min(first.saturating_add(u64::from(max)));
        while self.cursor < end && !self.done.contains(self.cursor) {
            self.cursor += 1;
        }
        (self.cursor > first).then(|| (first, (self.cursor - first) as u32))
    }

    /// Lets `thief` fetch chunks as well that another lane has yet to deliver: of those that may be copied, a run at
    /// the far end, at most half of them and at most `max`.
    pub(super) fn copy(
        &mut self,
        thief: LaneId,
        outstanding: impl Iterator<Item = u64>,
        max: u32,
        max_copies: usize,
    ) -> Option<(u64, u32)> {
        let candidates: BTreeSet<u64> = outstanding
            .filter(|chunk| {
                self.held
                    .get(chunk)
                    .is_some_and(|held| !held.writing && held.lanes.len() < max_copies && !held.lanes.contains(&thief))
            })
            .collect();
        let last = *candidates.last()?;
        let most = candidates.len().div_ceil(2).min(max as usize);
        let count =
            candidates.iter().rev().zip((0..=last).rev()).take(most).take_while(|(a, b)| *a == b).count() as u32;
        let first = last + 1 - u64::from(count);
        for chunk in first..=last {
            self.held.entry(chunk).or_default().lanes.insert(thief);
        }
        Some((first, count))
    }

    /// `lane` delivered `chunk`; true if that copy is the one to write.
    pub(super) fn arrived(&mut self, lane: LaneId, chunk: u64) -> bool {
        // No entry: another copy was written meanwhile.
        let Some(held) = self.held.get_mut(&chunk) else { return false };
        held.lanes.remove(&lane) && !std::mem::replace(&mut held.writing, true)
    }

    pub(super) fn written(&mut self, chunk: u64) {
        if self.held.remove(&chunk).is_some() {
            self.done.insert(chunk);
        }
    }

    pub(super) fn rejected(&mut self, chunk: u64) {
        if let Some(held) = self.held.get_mut(&chunk) {
            held.writing = false;
            self.settle(chunk);
        }
    }

    pub(super) fn release_lane(&mut self, lane: LaneId) {
        // Few enough to look at all: what is held is what is in flight.
        let held: Vec<u64> =
            self.held.iter().filter(|(_, h)| h.lanes.contains(&lane)).map(|(chunk, _)| *chunk).collect();
        for chunk in held {
            if let Some(held) = self.held.get_mut(&chunk) {
                held.lanes.remove(&lane);
            }
            self.settle(chunk);
        }
    }

    /// Takes a chunk back that nobody delivers and nobody writes.
    fn settle(&mut self, chunk: u64) {
        if self.held.get(&chunk).is_some_and(|held| held.lanes.is_empty() && !held.writing) {
            self.held.remove(&chunk);
            self.returned.insert(chunk);
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    #[cfg(test)]
    pub(super) fn copies(&self) -> usize {
        self.held.values().map(|held| held.lanes.len()).max().unwrap_or(0)
    }
}
