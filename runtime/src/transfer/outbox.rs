//! Events on their way to whoever listens: in order, without ever holding up the download, and with the last one certain.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::time::timeout;

use super::error::DownloadError;
use super::event::DownloadEvent;
use crate::supervisor::Scope;

/// Events other than states that wait for a slow listener; further ones push out the oldest.
const WAITING: usize = 256;

/// How long the end of a download waits for a slow listener to take what came before it.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Sends exactly one terminal event: the one given to [`end`](Self::end), or, when it is dropped before, the one that says
/// how that came about.
#[derive(Debug)]
pub(super) struct Outbox {
    events: Sender<DownloadEvent>,
    /// A place in the channel that is kept for the last event.
    last: Option<OwnedPermit<DownloadEvent>>,
    waiting: VecDeque<DownloadEvent>,
    ended: bool,
}

impl Outbox {
    /// Takes a place in the channel for the last event, waiting for one unless cancelled.
    pub(super) async fn open(events: Sender<DownloadEvent>, scope: &Scope) -> Self {
        let mut this = Self { events: events.clone(), last: None, waiting: VecDeque::new(), ended: false };
        this.last = tokio::select! {
            biased;
            permit = events.reserve_owned() => permit.ok(),
            () = scope.cancelled() => None,
        };
        this
    }

    /// Tells an event that must not be lost.
    pub(super) fn tell(&mut self, event: DownloadEvent) {
        if self.waiting.is_empty() {
            match self.events.try_send(event) {
                Ok(()) => return,
                Err(error) => self.waiting.push_back(error.into_inner()),
            }
        } else {
            self.waiting.push_back(event);
        }
        if self.waiting.len() > WAITING {
            let lost = self.waiting.pop_front();
            tracing::warn!(?lost, "nobody takes the events of a download: one is lost");
        }
    }

    /// Tells a state, if there is room: a newer one will come.
    pub(super) fn state(&mut self, event: DownloadEvent) {
        if self.waiting.is_empty() {
            drop(self.events.try_send(event));
        }
    }

    /// Sends one waiting event as soon as there is room; never ends if none waits. Cancel-safe.
    pub(super) async fn flush(&mut self) {
        if self.waiting.is_empty() {
            return pending().await;
        }
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            // Nobody listens any more.
            Err(_) => self.waiting.clear(),
        }
    }

    /// Sends what waits, for a while, and then the last event.
    pub(super) async fn end(mut self, event: DownloadEvent) {
        let flushed = timeout(LAST_CALL, async {
            while !self.waiting.is_empty() {
                self.flush().await;
            }
        });
        if flushed.await.is_err() {
            tracing::warn!(lost = self.waiting.len(), "nobody takes the events of a download: some are lost");
        }
        self.send_last(event);
    }

    fn send_last(&mut self, event: DownloadEvent) {
        self.ended = true;
        match self.last.take() {
            Some(permit) => drop(permit.send(event)),
            None => drop(self.events.try_send(event)),
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        while let Some(event) = self.waiting.pop_front() {
            drop(self.events.try_send(event));
        }
        let event = if std::thread::panicking() {
            DownloadEvent::Failed(DownloadError::Internal("the download panicked".into()))
        } else {
            // The task that ran the download was aborted.
            DownloadEvent::Cancelled
        };
        self.send_last(event);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::supervisor::{Supervisor, SupervisorConfig};

    fn alone(waiting: bool) -> DownloadEvent {
        DownloadEvent::AllPeersGone { waiting }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_channel_loses_states_but_neither_events_nor_the_last() {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let (sender, mut receiver) = mpsc::channel(2);
        let mut outbox = Outbox::open(sender, &supervisor.root()).await;
        outbox.state(DownloadEvent::Checking { bytes_done: 1, bytes_total: 2 });
        outbox.state(DownloadEvent::Checking { bytes_done: 2, bytes_total: 2 });
        outbox.tell(alone(true));
        outbox.tell(alone(true));
        let ending = tokio::spawn(outbox.end(DownloadEvent::Cancelled));
        let mut seen = Vec::new();
        while let Some(event) = receiver.recv().await {
            seen.push(format!("{event:?}"));
        }
        ending.await.expect("the end does not panic");
        assert_eq!(
            seen,
            [
                "Checking { bytes_done: 1, bytes_total: 2 }",
                "AllPeersGone { waiting: true }",
                "AllPeersGone { waiting: true }",
                "Cancelled"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_never_takes_anything_does_not_hold_up_the_end_and_finds_it() {
        let supervisor = Supervisor::new(SupervisorConfig::default());
        let (sender, mut receiver) = mpsc::channel(1);
        let mut outbox = Outbox::open(sender, &supervisor.root()).await;
        for _ in 0..2 * WAITING {
            outbox.tell(alone(true));
        }
        assert_eq!(outbox.waiting.len(), WAITING);
        outbox.end(DownloadEvent::Cancelled).await;
        assert!(matches!(receiver.recv().await, Some(DownloadEvent::Cancelled)));
        assert!(receiver.recv().await.is_none());
    }
}
