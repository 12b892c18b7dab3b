use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use super::event::NodeEvent;

/// Sends events to every subscriber without ever waiting for one of them.
///
/// The ring is bounded: a subscriber that falls behind loses the oldest events and is told how many. The newest event is never lost,
/// so the last one, [`NodeEvent::Stopped`], reaches every subscriber, also one that comes after it.
#[derive(Clone)]
pub(super) struct Bus {
    sender: broadcast::Sender<NodeEvent>,
    last: Arc<OnceLock<NodeEvent>>,
}

impl Bus {
    pub(super) fn new(capacity: usize) -> Self {
        Self { sender: broadcast::Sender::new(capacity.max(1)), last: Arc::default() }
    }

    /// Nobody listening is no error: events are news, not commands.
    pub(super) fn emit(&self, event: NodeEvent) {
        if matches!(event, NodeEvent::Stopped { .. }) {
            let _ = self.last.set(event.clone());
        }
        let _ = self.sender.send(event);
    }

    pub(super) fn subscribe(&self) -> NodeEvents {
        // In this order: an end that comes in between is received, or found, or both.
        let receiver = self.sender.subscribe();
        NodeEvents { receiver, last: self.last.get().cloned(), stopped: false }
    }
}

/// The events of a node from the moment of subscription on, in order.
pub struct NodeEvents {
    receiver: broadcast::Receiver<NodeEvent>,
    /// The end, for who subscribed after it.
    last: Option<NodeEvent>,
    stopped: bool,
}

impl NodeEvents {
    /// The next event, or `None` after [`NodeEvent::Stopped`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        if self.stopped {
            return None;
        }
        if let Some(last) = self.last.take() {
            self.stopped = true;
            return Some(last);
        }
        match self.receiver.recv().await {
            Ok(event) => {
                self.stopped = matches!(event, NodeEvent::Stopped { .. });
                Some(event)
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(NodeEvent::Lagged { missed }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::StopReason;

    #[tokio::test]
    async fn a_slow_consumer_is_told_what_it_missed_and_still_hears_the_end() {
        let bus = Bus::new(4);
        let mut events = bus.subscribe();
        for _ in 0..10 {
            bus.emit(NodeEvent::OffersChanged);
        }
        bus.emit(NodeEvent::Stopped { reason: StopReason::Shutdown { stragglers: Vec::new() } });
        assert!(matches!(events.next().await, Some(NodeEvent::Lagged { missed: 7 })));
        for _ in 0..3 {
            assert!(matches!(events.next().await, Some(NodeEvent::OffersChanged)));
        }
        assert!(matches!(events.next().await, Some(NodeEvent::Stopped { .. })));
        assert!(events.next().await.is_none());
        let mut late = bus.subscribe();
        assert!(matches!(late.next().await, Some(NodeEvent::Stopped { .. })));
        assert!(late.next().await.is_none());
    }
}
