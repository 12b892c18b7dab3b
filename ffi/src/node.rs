//! A node behind a handle: it is started, its events become ours, and it ends once.

mod settings;
mod told;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use futures_util::FutureExt;
use moorline_runtime::node::{Node as Peer, NodeEvent, NodeEvents, NodeHandle, StartError, StopReason};
use tokio::sync::watch;

use crate::client::{Client, Running, Session};
use crate::entry::panic_text;
use crate::happening::Happening;
use crate::kinds::{MOORLINE_EVENT_NODE_STARTED, MOORLINE_EVENT_NODE_STOPPED, MOORLINE_KIND_NODE};
use crate::library::Object;
use crate::life::{Held, Life};
use crate::pending::{Home, Part};
use crate::queue::Class;
use crate::requests::closed;
use crate::status::{
    Failure, MOORLINE_E_BIND, MOORLINE_E_CLOSED, MOORLINE_E_INTERNAL, MOORLINE_E_IO, MOORLINE_E_PANIC,
    MOORLINE_E_READY_TIMEOUT, MOORLINE_E_TIMEOUT, Outcome,
};

pub(crate) use settings::{NodeSettings, address, ready_timeout, share_root};

/// How long opening sockets and folders may take.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long rooms and downloads of a node that has stopped may take to say their own last word.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(crate) struct Node {
    pub(crate) life: Life,
    inner: NodeHandle,
    /// Counts the changes of what peers offer.
    pub(crate) offers_changed: watch::Sender<u64>,
}

/// Starts a node and returns its handle.
pub(crate) fn start(client: &Arc<Client>, settings: NodeSettings) -> Outcome<u64> {
    let ready_timeout = settings.ready_timeout;
    let at_once = settings.ready;
    let (config, folder) = settings.into_config()?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    // On a thread of the runtime, since the caller's may belong to another one.
    let starting = async move { drop(sender.send(Peer::start(config).await)) };
    client.scope().spawn("node-start", starting).detach();
    let mut inner = match receiver.recv_timeout(START_DEADLINE) {
        Ok(started) => started.map_err(|error| not_started(&error))?,
        Err(RecvTimeoutError::Timeout) => {
            return Err(Failure::new(MOORLINE_E_TIMEOUT, format!("the node did not start within {START_DEADLINE:?}")));
        }
        Err(RecvTimeoutError::Disconnected) => {
            return Err(Failure::internal(
                "the task that starts the node ended early: it panicked, or the client is busy or ending",
            ));
        }
    };
    let events = inner.events();
    let make = |life| Arc::new(Node { life, inner, offers_changed: watch::Sender::new(0) });
    let node =
        client.admit(MOORLINE_KIND_NODE, make, |node: Arc<Node>| (Object::Node(node.clone()), Session::Node(node)))?;
    if at_once {
        node.life.ready.cancel();
    }
    let (owner, of) = (client.clone(), node.clone());
    let running = Running::new(client, Session::Node(node.clone()));
    let task = async move {
        let _running = running;
        let work = AssertUnwindSafe(pump(&owner, &of, events, ready_timeout)).catch_unwind().await;
        if let Err(panic) = work {
            let message = panic_text(panic);
            owner.contain(Part::Node(of.life.handle), "node-events", &message);
            of.inner.shutdown();
            of.end(&owner, MOORLINE_E_PANIC, &message);
        }
        of.inner.wait_stopped().await;
        // Cached hashes of a run that has no folder of its own.
        drop(folder);
    };
    client.scope().spawn("node", task).detach();
    Ok(node.life.handle)
}

impl Node {
    pub(crate) fn home(&self) -> Home {
        Home { node: self.life.handle, room: 0 }
    }

    /// The node, unless it has ended.
    pub(crate) fn running(&self) -> Outcome<&NodeHandle> {
        if self.life.is_ended() || self.life.stopping.is_cancelled() { Err(closed()) } else { Ok(&self.inner) }
    }

    pub(crate) fn stop(&self) {
        self.life.stopping.cancel();
        self.inner.shutdown();
    }

    pub(crate) fn end(&self, client: &Client, status: i32, why: &str) {
        let last = Happening::new(MOORLINE_EVENT_NODE_STOPPED, self.life.handle);
        let last = last.status(status).texts([why.to_owned()]);
        self.life.end(client, Some(Part::Node(self.life.handle)), "the node stopped", last);
    }
}

/// Tells the node's events until its last one.
async fn pump(client: &Arc<Client>, node: &Arc<Node>, mut events: NodeEvents, ready_timeout: Duration) {
    let mut expired = false;
    if let Held::Expired = node.life.hold(ready_timeout).await {
        expired = true;
        node.stop();
    }
    let started = Happening::new(MOORLINE_EVENT_NODE_STARTED, node.life.handle);
    let texts = [node.inner.peer_id().to_string(), node.inner.local_addr().to_string()];
    if !expired {
        drop(node.life.tell(client, Class::Must, started.texts(texts)));
    }
    let reason = loop {
        let event = tokio::select! {
            biased;
            () = node.life.poisoned() => panic!("made to panic by a test"),
            event = events.next() => event,
        };
        match event {
            Some(NodeEvent::Stopped { reason }) => break Some(reason),
            None => break None,
            Some(_) if expired => {}
            Some(event) => {
                if matches!(event, NodeEvent::OffersChanged) {
                    node.offers_changed.send_modify(|count| *count += 1);
                }
                if let Some((class, event)) = told::event(node.life.handle, event) {
                    drop(node.life.tell(client, class, event));
                }
            }
        }
    };
    last_words(client, node).await;
    if expired {
        let why = format!("nobody said within {ready_timeout:?} that it listens: call moorline_ready");
        node.end(client, MOORLINE_E_READY_TIMEOUT, &why);
    } else {
        let (status, why) = stop_status(reason.as_ref());
        node.end(client, status, &why);
    }
}

/// Rooms and downloads of the node end before it does.
async fn last_words(client: &Arc<Client>, node: &Node) {
    let part = Part::Node(node.life.handle);
    let others = || {
        let sessions = client.sessions_of(part).into_iter();
        sessions.filter(|session| session.life().handle != node.life.handle).collect::<Vec<_>>()
    };
    let all = async {
        let others = others();
        for session in &others {
            session.stop();
        }
        for session in others {
            session.life().finished.cancelled().await;
        }
    };
    if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
        for session in others() {
            session.end(client, MOORLINE_E_CLOSED, "the node stopped");
        }
    }
}

fn stop_status(reason: Option<&StopReason>) -> (i32, String) {
    match reason {
        Some(StopReason::Shutdown { stragglers }) if stragglers.is_empty() => {
            (crate::status::MOORLINE_OK, "stopped as asked".into())
        }
        Some(reason @ StopReason::Shutdown { .. }) => (MOORLINE_E_TIMEOUT, reason.to_string()),
        Some(reason) => (MOORLINE_E_INTERNAL, reason.to_string()),
        None => (MOORLINE_E_INTERNAL, "the node ended without a word".into()),
    }
}

fn not_started(error: &StartError) -> Failure {
    let status = match error {
        StartError::Bind(_) => MOORLINE_E_BIND,
        _ => MOORLINE_E_IO,
    };
    Failure::new(status, error.to_string())
}
