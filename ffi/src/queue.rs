//! Events that wait to be taken: bounded, in order, and nothing that matters is ever dropped.
//!
//! When nobody takes them, the newest *news* are dropped and counted; where they would have been, one `MOORLINE_EVENT_LAGGED` says how
//! many. *States* take the place of older ones of their kind. *Paced* ones wait at their source. What *must* come is always let in:
//! there is one for each request and one for each session, and both are bounded.

mod bell;

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Instant;

use crate::happening::Happening;
use crate::kinds::MOORLINE_EVENT_LAGGED;
use crate::status::{Failure, Outcome};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

use bell::Bell;

/// Bytes of spans that may wait, beyond which the queue counts as full.
const MAX_BYTES: usize = 64 << 20;

/// How an event is treated when nobody takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Always let in.
    Must,
    /// Dropped and counted when the queue is full.
    News,
    /// Takes the place of one of the same kind and handle that still waits.
    State,
}

/// The queue of one client.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    events: VecDeque<Happening>,
    bytes: usize,
    /// Events taken so far: with it a place in `events` has a number that lasts.
    taken: u64,
    /// Where the newest state of a kind and handle is.
    states: BTreeMap<(u32, u64), u64>,
    /// How many events of whom were dropped since that was last said.
    lagged: BTreeMap<u64, u64>,
    /// Sources that wait for room.
    sources: Vec<Waker>,
    waiting: usize,
    bell: Option<Bell>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), capacity }
    }

    /// Puts an event at the end. After [`close`](Self::close) nothing is let in.
    pub(crate) fn push(&self, class: Class, event: Happening) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        match class {
            Class::Must => state.append_after_lag(event),
            Class::News if state.is_full(self.capacity) => *state.lagged.entry(event.handle).or_default() += 1,
            Class::News => state.append_after_lag(event),
            Class::State => state.renew(event),
        }
        self.announce(state);
    }

    /// Puts an event at the end if there is room; else gives it back, and wakes `waker` when there is. Let in and gone when the queue is
    /// closed.
    #[allow(clippy::result_large_err, reason = "it comes back unchanged, to be tried again")]
    pub(crate) fn push_paced(&self, event: Happening, waker: &Waker) -> Result<(), Happening> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        if state.is_full(self.capacity) {
            if !state.sources.iter().any(|known| known.will_wake(waker)) {
                state.sources.push(waker.clone());
            }
            return Err(event);
        }
        state.append_after_lag(event);
        self.announce(state);
        Ok(())
    }

    /// Takes up to `most` events. If there is none, waits until there is, until `deadline`, until the queue is closed, or until `enough`
    /// says so (looked at when [`nudge`](Self::nudge)d).
    pub(crate) fn take(&self, most: usize, deadline: Option<Instant>, enough: impl Fn() -> bool) -> Vec<Happening> {
        let mut state = self.lock();
        while !state.has_something() && !state.closed && !enough() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Vec::new();
            }
            state.waiting += 1;
            state = match left {
                Some(left) => self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.waiting -= 1;
        }
        let (events, sources) = state.split_off(most, self.capacity);
        drop(state);
        // Outside of the lock: a waker runs what it likes.
        sources.into_iter().for_each(Waker::wake);
        events
    }

    /// Has those who wait look whether they still should.
    pub(crate) fn nudge(&self) {
        drop(self.lock());
        self.arrived.notify_all();
    }

    /// Lets nothing in any more after this event. What waits can still be taken.
    pub(crate) fn close(&self, last: Happening) {
        let sources = {
            let mut state = self.lock();
            if !state.closed {
                state.append_after_lag(last);
                if let Some(bell) = &state.bell {
                    bell.ring();
                }
            }
            state.closed = true;
            std::mem::take(&mut state.sources)
        };
        self.arrived.notify_all();
        sources.into_iter().for_each(Waker::wake);
    }

    /// A descriptor that is readable while events wait.
    pub(crate) fn descriptor(&self) -> Outcome<i32> {
        let mut state = self.lock();
        if state.bell.is_none() {
            let bell = Bell::new()?;
            if state.has_something() {
                bell.ring();
            }
            state.bell = Some(bell);
        }
        state.bell.as_ref().map_or_else(|| Err(Failure::internal("the bell is gone")), |bell| Ok(bell.descriptor()))
    }

    fn announce(&self, state: MutexGuard<'_, State>) {
        if let Some(bell) = &state.bell {
            bell.ring();
        }
        let wanted = state.waiting > 0;
        drop(state);
        if wanted {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn is_full(&self, capacity: usize) -> bool {
        self.events.len() >= capacity || self.bytes >= MAX_BYTES
    }

    fn has_something(&self) -> bool {
        !self.events.is_empty() || !self.lagged.is_empty()
    }

    fn append(&mut self, event: Happening) {
        self.bytes += event.size();
        self.events.push_back(event);
    }

    /// What was lost before this one is told before it.
    fn append_after_lag(&mut self, event: Happening) {
        self.tell_lag();
        self.append(event);
    }

    fn tell_lag(&mut self) {
        for (handle, count) in std::mem::take(&mut self.lagged) {
            self.append(Happening::new(MOORLINE_EVENT_LAGGED, handle).numbers([count]));
        }
    }

    fn renew(&mut self, event: Happening) {
        let key = (event.kind, event.handle);
        let known = self.states.get(&key).and_then(|place| place.checked_sub(self.taken));
        if let Some(old) = known.and_then(|index| self.events.get_mut(index as usize)) {
            self.bytes = self.bytes - old.size() + event.size();
            *old = event;
            return;
        }
        self.tell_lag();
        self.states.insert(key, self.taken + self.events.len() as u64);
        self.append(event);
    }

    fn split_off(&mut self, most: usize, capacity: usize) -> (Vec<Happening>, Vec<Waker>) {
        if self.events.len() < most {
            self.tell_lag();
        }
        let count = most.min(self.events.len());
        let mut events: Vec<_> = self.events.drain(..count).collect();
        for event in &mut events {
            self.taken += 1;
            event.sequence = self.taken;
            self.bytes -= event.size();
        }
        // States that were taken are nobody's place any more.
        let taken = self.taken;
        if !self.states.is_empty() {
            self.states.retain(|_, place| *place >= taken);
        }
        if let Some(bell) = self.bell.as_ref().filter(|_| !self.has_something()) {
            bell.hush();
        }
        let sources = if self.is_full(capacity) { Vec::new() } else { std::mem::take(&mut self.sources) };
        (events, sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{MOORLINE_EVENT_LOG, MOORLINE_EVENT_OFFERS_CHANGED, MOORLINE_EVENT_ROOM_DISCONNECTED};

    fn news(number: u64) -> Happening {
        Happening::new(MOORLINE_EVENT_LOG, 1).numbers([number])
    }

    fn take(queue: &Queue) -> Vec<(u32, u64, u64)> {
        let events = queue.take(usize::MAX, Some(Instant::now()), || false);
        events.into_iter().map(|event| (event.kind, event.numbers[0], event.sequence)).collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_where_it_is_missing() {
        let queue = Queue::new(2);
        (0..5).for_each(|number| queue.push(Class::News, news(number)));
        queue.push(Class::Must, Happening::new(MOORLINE_EVENT_ROOM_DISCONNECTED, 1));
        queue.push(Class::News, news(5));
        let expected = [
            (MOORLINE_EVENT_LOG, 0, 1),
            (MOORLINE_EVENT_LOG, 1, 2),
            (MOORLINE_EVENT_LAGGED, 3, 3),
            (MOORLINE_EVENT_ROOM_DISCONNECTED, 0, 4),
            (MOORLINE_EVENT_LAGGED, 1, 5),
        ];
        assert_eq!(take(&queue), expected);
        queue.push(Class::News, news(6));
        assert_eq!(take(&queue), [(MOORLINE_EVENT_LOG, 6, 6)]);
    }

    #[test]
    fn a_state_takes_the_place_of_an_older_one() {
        let queue = Queue::new(2);
        let state = |number| Happening::new(MOORLINE_EVENT_OFFERS_CHANGED, 1).numbers([number]);
        queue.push(Class::State, state(1));
        queue.push(Class::News, news(0));
        (2..1000).for_each(|number| queue.push(Class::State, state(number)));
        assert_eq!(take(&queue), [(MOORLINE_EVENT_OFFERS_CHANGED, 999, 1), (MOORLINE_EVENT_LOG, 0, 2)]);
        queue.push(Class::State, state(7));
        assert_eq!(take(&queue), [(MOORLINE_EVENT_OFFERS_CHANGED, 7, 3)]);
    }

    #[test]
    fn a_paced_source_waits_for_room() {
        let queue = Queue::new(1);
        let waker = Waker::noop();
        assert!(queue.push_paced(news(1), waker).is_ok());
        assert!(queue.push_paced(news(2), waker).is_err());
        assert_eq!(take(&queue).len(), 1);
        assert!(queue.push_paced(news(2), waker).is_ok());
    }

    #[test]
    fn a_closed_queue_is_emptied_and_lets_nothing_in() {
        let queue = Queue::new(4);
        queue.push(Class::News, news(1));
        queue.close(news(2));
        queue.push(Class::Must, news(3));
        assert_eq!(take(&queue), [(MOORLINE_EVENT_LOG, 1, 1), (MOORLINE_EVENT_LOG, 2, 2)]);
        assert!(queue.take(1, None, || false).is_empty(), "and does not wait");
    }
}
