use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use moorline_proto::ItemId;
use moorline_sim_point::sim_point;
use moorline_transport::{CloseReason, Connection, ConnectionEnd};
use tokio::sync::Semaphore;
use tracing::{debug, info};

use crate::supervisor::{Backoff, Scope};

use super::context::Context;
use super::event::NodeEvent;
use super::mirror;
use super::peers::LinkId;
use super::serve;

/// Starts the life of an admitted connection: its peer is listed, its requests are served, its library is followed.
pub(super) fn start(context: &Arc<Context>, connection: Connection) {
    let scope = context.sessions.child("session");
    let guard = Session::attach(context, connection);
    let task_scope = scope.clone();
    drop(scope.spawn("session", async move { run(guard, task_scope).await }));
}

/// One connection in the list of peers. Dropping it, also by a panic or a cancelled task, takes it off the list and says so, once.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) connection: Connection,
    pub(super) link: LinkId,
    /// One permit a chunk request of this peer that is being served, over all its connections.
    pub(super) uploads: Arc<Semaphore>,
    /// Items of which the peer fetched something, so that it is said once each.
    fetched: Mutex<BTreeSet<ItemId>>,
}

impl Session {
    fn attach(context: &Arc<Context>, connection: Connection) -> Self {
        let _order = context.peers.in_order();
        let attached = context.peers.attach(&connection);
        if let Some(evicted) = attached.evicted {
            evicted.close(&CloseReason::Duplicate);
        }
        let session = Self {
            context: context.clone(),
            connection,
            link: attached.link,
            uploads: attached.uploads,
            fetched: Mutex::new(BTreeSet::new()),
        };
        if attached.first
            && let Some(view) = context.peers.view(&session.connection.peer().id)
        {
            info!(peer = %view.id.short(), name = view.name, addr = %view.addr, "peer connected");
            context.bus.emit(NodeEvent::PeerUp(view));
        }
        session
    }

    /// Says that the peer began to fetch `item`, the first time only.
    pub(super) fn note_upload(&self, item: ItemId) {
        let bound = self.context.limits.items_per_peer;
        let fresh = {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            fetched.len() < bound && fetched.insert(item)
        };
        if fresh {
            let peer = self.connection.peer();
            self.context.bus.emit(NodeEvent::UploadStarted { id: peer.id, name: peer.name.clone(), item });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let peer = self.connection.peer();
        let _order = self.context.peers.in_order();
        if !self.context.peers.detach(&peer.id, self.link) {
            return;
        }
        let end = self.connection.end().unwrap_or(ConnectionEnd::Local);
        let goodbye = matches!(end, ConnectionEnd::Goodbye(_));
        info!(peer = %peer.id.short(), name = peer.name, %end, goodbye, "peer gone");
        self.context.bus.emit(NodeEvent::PeerDown {
            id: peer.id,
            name: peer.name.clone(),
            reason: end.to_string(),
            goodbye,
        });
        self.context.bus.emit(NodeEvent::OffersChanged);
    }
}

/// Serves until the connection ends or the node stops. Cancelling leaves the connection open, so that the goodbye is what closes it.
async fn run(session: Session, scope: Scope) {
    let _whole = Whole { connection: session.connection.clone(), scope: scope.clone() };
    sim_point!(await "session.attached");
    let session = Arc::new(session);
    if session.connection.peer().serves {
        let (followed, of) = (session.clone(), scope.clone());
        drop(scope.spawn_anew("mirror", Backoff::default(), move || mirror::follow(followed.clone(), of.clone())));
    }
    loop {
        let incoming = tokio::select! {
            biased;
            () = scope.cancelled() => break,
            incoming = session.connection.accept() => incoming,
        };
        match incoming {
            Ok(request) => {
                drop(scope.spawn("request", serve::serve(session.clone(), request, scope.clone())));
            }
            Err(end) => {
                debug!(peer = %session.connection.peer().id.short(), %end, "connection ended");
                break;
            }
        }
    }
    // The last handle of a connection closes it without a reason when it is dropped: stay until the goodbye has closed it. Requests
    // and the mirror hold the session as well; it leaves the list when the last of them has let go.
    sim_point!(await "session.ending");
    session.connection.closed().await;
    scope.cancel();
}

/// Without the task that accepts its requests, a session is of no use to the peer: a panic ends all of it, and the peer hears of that.
struct Whole {
    connection: Connection,
    scope: Scope,
}

impl Drop for Whole {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.connection.close(&CloseReason::Internal);
            self.scope.cancel();
        }
    }
}
