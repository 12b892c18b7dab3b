use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::Participant;
use crate::machine::Event;

/// What happens in the room and to the client, in order, from the start to [`Event::Closed`], which is always there and always last.
/// Outcomes of sends and calls are not among it: they go to who waits for them. Also a [`Stream`].
///
/// Dropping it says that nobody listens: events are discarded, and the session goes on.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Queue>,
}

/// The end of the client's task.
pub(super) struct EventSink {
    queue: Arc<Queue>,
    bound: Size,
}

/// How much is queued, or may be.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    events: usize,
    bytes: usize,
}

impl Size {
    /// Whether it is below in both.
    fn is_below(self, bound: Self) -> bool {
        self.events < bound.events && self.bytes < bound.bytes
    }

    fn is_within(self, bound: Self) -> bool {
        self.events <= bound.events && self.bytes <= bound.bytes
    }
}

#[derive(Debug)]
struct Queue {
    inner: Mutex<Inner>,
    /// For the application: something is there, or nothing will be.
    arrived: AtomicWaker,
    /// For the client's task: half of the bound is free, or nobody listens.
    room: Arc<Notify>,
    low_water: Size,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    bytes: usize,
    /// The last event is in, or has been discarded.
    ended: bool,
    deaf: bool,
}

/// A queue that asks for patience from so many events or bytes on, and tells `room` when half of that is free again.
pub(super) fn queue(events: usize, bytes: usize, room: Arc<Notify>) -> (EventSink, Events) {
    let inner = Mutex::new(Inner::default());
    let low_water = Size { events: events / 2, bytes: bytes / 2 };
    let queue = Arc::new(Queue { inner, arrived: AtomicWaker::new(), room, low_water });
    (EventSink { queue: queue.clone(), bound: Size { events, bytes } }, Events { queue })
}

impl Events {
    /// The next event; `None` after [`Event::Closed`]. Cancel-safe: an event is taken only when it is returned.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        let mut inner = self.queue.lock();
        self.queue.take(&mut inner)
    }
}

impl Events {
    fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        // There is one reader. What comes after this finds its waker; what came before is looked at now.
        self.queue.arrived.register(cx.waker());
        let mut inner = self.queue.lock();
        match self.queue.take(&mut inner) {
            None if !inner.ended => Poll::Pending,
            event => Poll::Ready(event),
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut inner = self.queue.lock();
        inner.deaf = true;
        let unheard = std::mem::take(&mut inner.events);
        inner.bytes = 0;
        drop(inner);
        drop(unheard);
        self.queue.room.notify_one();
    }
}

impl EventSink {
    /// Takes every event, also over the bound: it is the task's duty to cause no more of them.
    pub(super) fn push(&self, event: Event) {
        let mut inner = self.queue.lock();
        if inner.ended || inner.deaf {
            return;
        }
        // They come with each attempt, without end if there is no deadline; everything else comes with something that was read.
        if matches!(event, Event::Decision(_)) && !inner.size().is_below(self.bound) {
            return;
        }
        inner.bytes = inner.bytes.saturating_add(weight(&event));
        inner.events.push_back(event);
        drop(inner);
        self.queue.arrived.wake();
    }

    /// The last event. Whatever comes after it is discarded.
    pub(super) fn finish(&self, last: Event) {
        self.push(last);
        self.queue.lock().ended = true;
        self.queue.arrived.wake();
    }

    /// Whether the application is behind. Once it is, it stays so until half of the bound is free.
    pub(super) fn is_behind(&self, was: bool) -> bool {
        let size = self.size();
        if was { !size.is_within(self.queue.low_water) } else { !size.is_below(self.bound) }
    }

    /// Whether there is room for what a recovery brings: as much again as the bound.
    pub(super) fn has_room_for_recovery(&self) -> bool {
        let Size { events, bytes } = self.bound;
        self.size().is_below(Size { events: events.saturating_mul(2), bytes: bytes.saturating_mul(2) })
    }

    fn size(&self) -> Size {
        self.queue.lock().size()
    }
}

impl Inner {
    fn size(&self) -> Size {
        Size { events: self.events.len(), bytes: self.bytes }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it is held; and a queue of events is whole after each step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, inner: &mut Inner) -> Option<Event> {
        let was_within = inner.size().is_within(self.low_water);
        let event = inner.events.pop_front()?;
        inner.bytes = inner.bytes.saturating_sub(weight(&event));
        if !was_within && inner.size().is_within(self.low_water) {
            self.room.notify_one();
        }
        Some(event)
    }
}

/// Bytes of what an event carries.
fn weight(event: &Event) -> usize {
    match event {
        Event::Joined { participants, .. } | Event::ResyncRequired { participants, .. } => {
            participants.iter().map(weight_of).sum()
        }
        Event::ParticipantJoined(who)
        | Event::ParticipantUpdated(who)
        | Event::ParticipantLeft { participant: who, .. } => weight_of(who),
        Event::Message(message) => message.topic.len() + message.payload.len(),
        Event::ValueChanged { key, payload, .. } => key.len() + payload.len(),
        Event::CallRequest(call) => call.method.len() + call.payload.len(),
        // Of a length that nobody else chooses.
        _ => 0,
    }
}

fn weight_of(who: &Participant) -> usize {
    let attributes: usize = who.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    let values: usize = who.values.iter().map(|(key, value)| key.len() + value.payload.len()).sum();
    who.identity.len() + who.name.len() + who.metadata.len() + attributes + values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CloseReason, ParticipantId};

    fn value(rev: u64) -> Event {
        Event::ValueChanged { from: ParticipantId(1), key: String::new(), rev, payload: bytes::Bytes::new() }
    }

    fn closed() -> Event {
        Event::Closed { reason: CloseReason::UserClosed }
    }

    #[tokio::test]
    async fn the_last_event_has_room_in_a_full_queue() {
        let (sink, mut events) = queue(1, 1 << 20, Arc::default());
        sink.push(value(1));
        assert!(sink.is_behind(false));
        sink.finish(closed());
        sink.push(value(2));
        assert_eq!(events.next().await, Some(value(1)));
        assert_eq!(events.next().await, Some(closed()));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
    }

    #[tokio::test]
    async fn it_is_a_stream_that_wakes_and_ends() {
        let (sink, events) = queue(4, 1 << 20, Arc::default());
        let heard = tokio::spawn(futures_util::StreamExt::collect::<Vec<_>>(events));
        tokio::task::yield_now().await;
        sink.push(value(1));
        tokio::task::yield_now().await;
        sink.finish(closed());
        assert_eq!(heard.await.unwrap(), [value(1), closed()]);
    }

    #[tokio::test]
    async fn room_is_told_of_when_half_is_free() {
        let room = Arc::new(Notify::new());
        let (sink, mut events) = queue(4, 1 << 20, room.clone());
        (0..4).for_each(|rev| sink.push(value(rev)));
        assert!(events.try_next().is_some());
        assert!(sink.is_behind(true));
        assert!(events.try_next().is_some());
        assert!(!sink.is_behind(true));
        room.notified().await;
    }

    #[tokio::test]
    async fn a_few_heavy_events_fill_it_as_well() {
        let heavy = || Event::ValueChanged {
            from: ParticipantId(1),
            key: String::new(),
            rev: 1,
            payload: bytes::Bytes::from(vec![0; 300]),
        };
        let room = Arc::new(Notify::new());
        let (sink, mut events) = queue(100, 1_000, room.clone());
        (0..3).for_each(|_| sink.push(heavy()));
        assert!(!sink.is_behind(false));
        sink.push(heavy());
        assert!(sink.is_behind(false));
        assert!(sink.has_room_for_recovery());
        (0..3).for_each(|_| sink.push(heavy()));
        assert!(!sink.has_room_for_recovery());
        (0..5).for_each(|_| drop(events.try_next()));
        assert!(sink.is_behind(true));
        assert!(events.try_next().is_some());
        assert!(!sink.is_behind(true));
        room.notified().await;
    }

    #[tokio::test]
    async fn a_dropped_wait_takes_nothing() {
        let (sink, mut events) = queue(4, 1 << 20, Arc::default());
        tokio::select! {
            biased;
            _ = events.next() => unreachable!("nothing is there"),
            () = std::future::ready(()) => {}
        }
        sink.push(value(1));
        assert_eq!(events.next().await, Some(value(1)));
    }

    #[test]
    fn nobody_listening_is_no_obstacle() {
        let (sink, events) = queue(1, 1 << 20, Arc::default());
        sink.push(value(1));
        drop(events);
        assert!(!sink.is_behind(true));
        sink.push(value(2));
        assert!(!sink.is_behind(false));
    }
}
