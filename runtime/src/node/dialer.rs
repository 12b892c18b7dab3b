use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_proto::{ErrorCode, PeerId};
use moorline_sim_point::sim_point;
use moorline_transport::{CloseReason, ConnectError, Connection, DialError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::supervisor::{Backoff, Scope};

use super::context::Context;
use super::event::NodeEvent;
use super::session;

/// Who should be connected: one dial loop a target, for as long as the target is known.
pub(super) struct Targets {
    known: Mutex<BTreeMap<String, Target>>,
    parent: Scope,
    bound: usize,
}

struct Target {
    addrs: watch::Sender<Vec<SocketAddr>>,
    scope: Scope,
    origin: Origin,
    /// Who was found there.
    peer: Option<PeerId>,
}

/// Who said that there is somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The user: stays until the node stops.
    User,
    /// Discovery: forgotten when it starts anew.
    Discovery,
    /// A participant of a room.
    Room,
}

impl Targets {
    pub(super) fn new(parent: Scope, bound: usize) -> Self {
        Self { known: Mutex::new(BTreeMap::new()), parent, bound }
    }

    /// Adds an address given by the user. `false` when there are too many targets already.
    pub(super) fn pin(&self, context: &Arc<Context>, addr: SocketAddr) -> bool {
        self.upsert(context, format!("static:{addr}"), None, vec![addr], Origin::User)
    }

    /// Adds or updates what discovery found.
    pub(super) fn found(&self, context: &Arc<Context>, key: String, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
        if !self.upsert(context, key, peer, addrs, Origin::Discovery) {
            debug!(bound = self.bound, "too many peers on this network; one more is ignored");
        }
    }

    /// Adds or updates what a participant of a room says of itself.
    /// `false` when there are too many.
    pub(super) fn met(&self, context: &Arc<Context>, key: String, peer: PeerId, addrs: Vec<SocketAddr>) -> bool {
        let met = self.upsert(context, key, Some(peer), addrs, Origin::Room);
        if !met {
            debug!(bound = self.bound, "too many peers are known; one more in a room has to wait");
        }
        met
    }

    /// Stops dialling what discovery or a room lost. A connection that stands is not touched: liveness judges it.
    pub(super) fn lost(&self, key: &str) {
        let mut known = self.lock();
        if known.get(key).is_some_and(|target| target.origin != Origin::User)
            && let Some(target) = known.remove(key)
        {
            target.scope.cancel();
        }
    }

    /// Forgets everything that discovery ever found.
    pub(super) fn forget_found(&self) {
        self.lock().retain(|_, target| {
            let found = target.origin == Origin::Discovery;
            if found {
                target.scope.cancel();
            }
            !found
        });
    }

    /// The keys under which a peer was found: its id, or the tag of a closed group.
    pub(super) fn keys_of(&self, peer: &PeerId) -> Vec<String> {
        let known = self.lock();
        known.iter().filter(|(_, target)| target.peer.as_ref() == Some(peer)).map(|(key, _)| key.clone()).collect()
    }

    fn learn(&self, key: &str, peer: PeerId) {
        if let Some(target) = self.lock().get_mut(key) {
            target.peer = Some(peer);
        }
    }

    fn upsert(
        &self,
        context: &Arc<Context>,
        key: String,
        peer: Option<PeerId>,
        addrs: Vec<SocketAddr>,
        origin: Origin,
    ) -> bool {
        let mut known = self.lock();
        if let Some(target) = known.get(&key) {
            target.addrs.send_if_modified(|held| {
                let fresh = *held != addrs;
                *held = addrs;
                fresh
            });
            return true;
        }
        if known.len() >= self.bound {
            return false;
        }
        let scope = self.parent.child("target");
        let (sender, receiver) = watch::channel(addrs);
        let dial = Dial { context: context.clone(), key: key.clone(), peer, addrs: receiver, scope: scope.clone() };
        // Nobody else would dial it.
        let backoff = Backoff {
            initial: context.dial.retry_initial,
            ceiling: context.dial.retry_ceiling,
            factor: 2,
            reset_after: context.dial.steady,
        };
        drop(scope.spawn_anew("dial", backoff, move || dial.clone().run()));
        known.insert(key, Target { addrs: sender, scope, origin, peer });
        true
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Target>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps one target connected.
#[derive(Clone)]
struct Dial {
    context: Arc<Context>,
    key: String,
    /// Who answers there; learnt from the first connection when discovery did not say.
    peer: Option<PeerId>,
    addrs: watch::Receiver<Vec<SocketAddr>>,
    scope: Scope,
}

impl Dial {
    async fn run(mut self) {
        let cancelled = self.scope.clone();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            () = self.keep_connected() => {}
        }
    }

    async fn keep_connected(&mut self) {
        let config = self.context.dial.clone();
        let given = self.peer;
        if given.is_some_and(|peer| self.context.own_id > peer) && self.context.library.is_some() {
            tokio::time::sleep(config.head_start).await;
        }
        let mut pause = config.retry_initial;
        loop {
            self.until_disconnected().await;
            if let Some(wait) = self.peer.and_then(|peer| self.context.condemned.remaining(&peer)) {
                tokio::time::sleep(wait).await;
                continue;
            }
            let addrs = self.addrs.borrow_and_update().clone();
            let Some(endpoint) = self.context.endpoint() else { return };
            let began = Instant::now();
            let attempt = timeout(config.deadline, endpoint.connect(&addrs, given)).await;
            drop(endpoint);
            match attempt {
                Ok(Ok(connection)) => {
                    sim_point!(await "dial.connected");
                    let since = Instant::now();
                    self.adopt(connection, began);
                    self.until_disconnected().await;
                    if since.elapsed() >= config.steady {
                        pause = config.retry_initial;
                    }
                    self.wait(pause).await;
                    pause = (pause * 2).min(config.retry_ceiling);
                }
                // Nobody but this node will ever answer there.
                Ok(Err(error)) if matches!(error.cause(), Some(DialError::Ourselves)) => return,
                Ok(Err(error)) if is_final(&error) => {
                    let target = self.key.clone();
                    warn!(target, %error, "the peer refused this node");
                    let access = is_access(&error);
                    self.context.bus.emit(NodeEvent::PeerRefused { target, reason: error.to_string(), access });
                    let attempts = matches!(
                        error.cause(),
                        Some(
                            DialError::TooManyAttempts { .. }
                                | DialError::Refused { code: ErrorCode::TooManyAttempts, .. }
                        )
                    );
                    self.wait(if attempts { config.attempts_pause } else { config.refused_pause }).await;
                }
                failed => {
                    match failed {
                        Ok(Err(error)) => debug!(target = self.key, %error, ?addrs, "dialling failed"),
                        _ => debug!(target = self.key, ?addrs, "dialling took too long"),
                    }
                    self.wait(pause).await;
                    pause = (pause * 2).min(config.retry_ceiling);
                }
            }
        }
    }

    /// Takes the connection into use, unless there is one to the same peer already.
    ///
    /// Two that dial each other at the same moment would each close the connection that the other keeps, and do it again at every
    /// retry. So whoever has the smaller id gives way only to a connection that it dialled itself, or that it had before it began to dial.
    /// At worst two are kept.
    fn adopt(&mut self, connection: Connection, began: Instant) {
        let peer = connection.peer().id;
        self.peer = Some(peer);
        self.context.targets.learn(&self.key, peer);
        let gives_way = if self.context.own_id < peer {
            self.context.peers.has_link(&peer, |link| link.connection.initiated_by_us() || link.since < began)
        } else {
            self.context.peers.is_connected(&peer)
        };
        if gives_way {
            connection.close(&CloseReason::Duplicate);
        } else if self.context.condemned.remaining(&peer).is_none() {
            session::start(&self.context, connection);
        }
    }

    async fn until_disconnected(&self) {
        let Some(peer) = self.peer else { return };
        let mut changes = self.context.peers.changes();
        while self.context.peers.is_connected(&peer) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits for `pause`, or less when the peer's addresses change.
    async fn wait(&mut self, pause: Duration) {
        let _ = timeout(pause, self.addrs.changed()).await;
    }
}

/// Trying again will not help until somebody changes something.
fn is_final(error: &ConnectError) -> bool {
    is_access(error) || matches!(error.cause(), Some(DialError::VersionMismatch { .. }))
}

fn is_access(error: &ConnectError) -> bool {
    match error.cause() {
        Some(DialError::PassphraseWrong { .. } | DialError::NotAllowed { .. } | DialError::TooManyAttempts { .. }) => {
            true
        }
        Some(DialError::Refused { code, .. }) => matches!(
            code,
            ErrorCode::PassphraseRequired
                | ErrorCode::PassphraseWrong
                | ErrorCode::PassphraseUnexpected
                | ErrorCode::NotAllowed
                | ErrorCode::TooManyAttempts
        ),
        _ => false,
    }
}
