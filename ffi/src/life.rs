//! What nodes, rooms and downloads have in common: events until the last one, and nothing after it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::happening::{Happening, Hold};
use crate::pending::{Home, Part};
use crate::queue::Class;
use crate::status::{MOORLINE_E_CLOSED, MOORLINE_E_PANIC, MOORLINE_E_READY_TIMEOUT};
use crate::sync::{Mutex, lock};

pub(crate) struct Life {
    pub(crate) handle: u64,
    /// Somebody listens.
    pub(crate) ready: CancellationToken,
    /// It was asked to end.
    pub(crate) stopping: CancellationToken,
    /// Its last event was told and its task is done.
    pub(crate) finished: CancellationToken,
    ended: Mutex<bool>,
    /// Among the sessions that a client may have: kept until the session is dropped and its last event was taken.
    place: Hold,
    #[cfg(feature = "test-hooks")]
    pub(crate) hooks: crate::hooks::LifeHooks,
}

/// How the wait for somebody to listen ended.
pub(crate) enum Held {
    /// Somebody does, or the session is to end anyway.
    Released,
    /// Nobody did in time.
    Expired,
}

impl Life {
    pub(crate) fn new(handle: u64, place: Hold) -> Self {
        Self {
            handle,
            ready: CancellationToken::new(),
            stopping: CancellationToken::new(),
            finished: CancellationToken::new(),
            ended: Mutex::new(false),
            place,
            #[cfg(feature = "test-hooks")]
            hooks: crate::hooks::LifeHooks::default(),
        }
    }

    /// Whether its last event was told.
    pub(crate) fn is_ended(&self) -> bool {
        *lock(&self.ended)
    }

    /// Tells an event, unless the last one was told. Gives it back then.
    pub(crate) fn tell(&self, client: &Client, class: Class, event: Happening) -> Option<Happening> {
        let ended = lock(&self.ended);
        if *ended {
            return Some(event);
        }
        client.queue.push(class, event);
        None
    }

    /// Tells an event when there is room for it. When the session is to end, without waiting: then it may be dropped and counted.
    pub(crate) async fn tell_paced(&self, client: &Client, event: Happening) {
        let mut event = Some(event);
        let paced = std::future::poll_fn(|context| {
            let ended = lock(&self.ended);
            let Some(next) = event.take().filter(|_| !*ended) else { return std::task::Poll::Ready(()) };
            match client.queue.push_paced(next, context.waker()) {
                Ok(()) => std::task::Poll::Ready(()),
                Err(back) => {
                    event = Some(back);
                    std::task::Poll::Pending
                }
            }
        });
        tokio::select! {
            biased;
            () = paced => return,
            () = self.stopping.cancelled() => {}
        }
        if let Some(event) = event {
            drop(self.tell(client, Class::News, event));
        }
    }

    /// Calls off the requests of `part`, then tells the last event. True for the first who does; whoever comes later finds it told.
    pub(crate) fn end(&self, client: &Client, part: Option<Part>, why: &str, last: Happening) -> bool {
        let mut ended = lock(&self.ended);
        if *ended {
            return false;
        }
        let status = match last.status {
            MOORLINE_E_READY_TIMEOUT | MOORLINE_E_PANIC => last.status,
            _ => MOORLINE_E_CLOSED,
        };
        if let Some(part) = part {
            client.call_off(part, status, why);
        }
        client.queue.push(Class::Must, last.hold(self.place.clone()));
        *ended = true;
        drop(ended);
        client.forget(self.handle);
        true
    }

    /// Waits until somebody listens.
    pub(crate) async fn hold(&self, timeout: Duration) -> Held {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Held::Released,
            () = self.ready.cancelled() => Held::Released,
            () = tokio::time::sleep(timeout) => Held::Expired,
        }
    }

    /// Never ready, but where tests make it panic.
    pub(crate) async fn poisoned(&self) {
        #[cfg(feature = "test-hooks")]
        self.hooks.pump_panics().await;
        #[cfg(not(feature = "test-hooks"))]
        std::future::pending::<()>().await;
    }
}

/// The part of a client that a home is.
pub(crate) fn part_of(home: Home) -> Part {
    match home {
        Home { node: 0, room: 0 } => Part::Client,
        Home { node, room: 0 } => Part::Node(node),
        Home { room, .. } => Part::Room(room),
    }
}
