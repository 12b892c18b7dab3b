//! Several backends as one.

use crate::{
    Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent,
    table::{Sighting, Table, TableLimits},
};
use std::{collections::VecDeque, fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Events of one backend that may wait to be merged; then it waits.
const CHILD_EVENTS: usize = 16;

/// Runs several backends side by side. A peer that more than one of them finds is one peer, and `Lost` when none has it.
///
/// A backend that fails does not stop the others: what only it had found is `Lost`, and it is run again after a while.
#[derive(Clone)]
pub struct Combined {
    children: Vec<Arc<dyn Discovery>>,
    max_peers: usize,
    retry: Duration,
}

impl Combined {
    /// With room for 4,096 peers; a backend that failed is run again after 5 s.
    pub fn new(children: Vec<Arc<dyn Discovery>>) -> Combined {
        Combined { children, max_peers: 4096, retry: Duration::from_secs(5) }
    }

    /// Most peers known at a time; more are left out. The backends have bounds of their own.
    pub fn with_max_peers(self, max_peers: usize) -> Combined {
        Combined { max_peers, ..self }
    }

    /// How long to wait before a backend that failed is run again.
    pub fn with_retry(self, retry: Duration) -> Combined {
        Combined { retry, ..self }
    }
}

impl fmt::Debug for Combined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combined").field("children", &self.children.len()).finish_non_exhaustive()
    }
}

impl Discovery for Combined {
    fn run<'a>(
        &'a self,
        own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            own.as_ref().map_or(Ok(()), Announcement::check)?;
            // Should the consumer go, the children are to say goodbye all the same.
            let stop = cancel.child_token();
            let mut children: Vec<Child<'a>> =
                self.children.iter().map(|child| Child::start(child, own.clone(), &stop)).collect();
            let outcome = self.merge(&mut children, &own, &events, &stop).await;
            stop.cancel();
            end(children).await;
            outcome
        })
    }

    fn verify(&self, key: &str) {
        self.children.iter().for_each(|child| child.verify(key));
    }
}

impl Combined {
    async fn merge<'a>(
        &'a self,
        children: &mut [Child<'a>],
        own: &Option<Announcement>,
        events: &mpsc::Sender<DiscoveryEvent>,
        stop: &CancellationToken,
    ) -> Result<(), DiscoveryError> {
        let limits = TableLimits { peers: self.max_peers, sightings_per_peer: self.children.len() };
        let mut table = Table::new(None, limits);
        let mut outbox = VecDeque::new();
        loop {
            let retry_at = children.iter().filter_map(|child| child.retry_at).min();
            select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = events.closed() => return Err(DiscoveryError::ConsumerGone),
                () = at(retry_at) => {
                    for child in children.iter_mut().filter(|child| child.retry_at == retry_at) {
                        *child = Child::start(child.discovery, own.clone(), stop);
                    }
                }
                permit = events.reserve(), if !outbox.is_empty() => {
                    let permit = permit.map_err(|_| DiscoveryError::ConsumerGone)?;
                    if let Some(event) = outbox.pop_front() {
                        permit.send(event);
                    }
                }
                (source, step) = next_step(children), if outbox.is_empty() => match step {
                    Step::Event(DiscoveryEvent::Found(found) | DiscoveryEvent::Updated(found)) => {
                        let key = found.key.clone();
                        let sighting = Sighting {
                            key: found.key,
                            announcement: found.announcement,
                            addrs: found.addrs,
                            interfaces: found.interfaces,
                        };
                        outbox.extend(table.seen(source as u64, &key, sighting));
                    }
                    Step::Event(DiscoveryEvent::Lost { key }) => outbox.extend(table.gone(source as u64, &key)),
                    Step::Ended(outcome) => {
                        let why = outcome.err().map_or_else(|| "it ended by itself".to_owned(), |error| error.to_string());
                        tracing::warn!(why, "a discovery backend stopped; running it again in {:?}", self.retry);
                        children[source].retry_at = Some(Instant::now() + self.retry);
                        outbox.extend(table.drop_source(source as u64));
                    }
                },
            }
        }
    }
}

/// One backend: running, or waiting to be run again.
struct Child<'a> {
    discovery: &'a Arc<dyn Discovery>,
    run: Option<BoxFuture<'a, Result<(), DiscoveryError>>>,
    events: mpsc::Receiver<DiscoveryEvent>,
    retry_at: Option<Instant>,
}

enum Step {
    Event(DiscoveryEvent),
    Ended(Result<(), DiscoveryError>),
}

impl<'a> Child<'a> {
    fn start(discovery: &'a Arc<dyn Discovery>, own: Option<Announcement>, stop: &CancellationToken) -> Child<'a> {
        let (sender, events) = mpsc::channel(CHILD_EVENTS);
        Child { discovery, run: Some(discovery.run(own, sender, stop.clone())), events, retry_at: None }
    }
}

/// What the next backend to say something says. Cancel safe.
async fn next_step(children: &mut [Child<'_>]) -> (usize, Step) {
    poll_fn(|cx| {
        for (source, child) in children.iter_mut().enumerate() {
            let Some(run) = &mut child.run else { continue };
            // What it said before it ended comes first.
            let ended = run.as_mut().poll(cx);
            if let Poll::Ready(Some(event)) = child.events.poll_recv(cx) {
                // A run that ended must not be polled again; its result is kept as a run that is ready at once.
                if let Poll::Ready(outcome) = ended {
                    child.run = Some(Box::pin(std::future::ready(outcome)));
                }
                return Poll::Ready((source, Step::Event(event)));
            }
            if let Poll::Ready(outcome) = ended {
                child.run = None;
                return Poll::Ready((source, Step::Ended(outcome)));
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits until all have stopped, as each promises to do.
async fn end(mut children: Vec<Child<'_>>) {
    poll_fn(|cx| {
        children.retain_mut(|child| child.run.as_mut().is_some_and(|run| run.as_mut().poll(cx).is_pending()));
        if children.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
