use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_discovery::Discovery;
use moorline_proto::{Request, Response};
use moorline_transport::{CloseReason, Connection};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::info;

use crate::supervisor::{BoxError, Scope};

use super::context::Context;
use super::peers::LinkId;

/// The service `liveness`: one ping worker a connection and round, so that a peer that is slow to answer holds up nobody.
///
/// mDNS does not notice a crash for an hour, and an idle QUIC connection not before its idle time-out; this does, and then has
/// discovery check whether the peer is still announced.
pub(super) async fn run(context: Arc<Context>, discovery: Arc<dyn Discovery>, scope: Scope) -> Result<(), BoxError> {
    let config = context.liveness.clone();
    let mut rounds = interval(config.interval);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watched: BTreeMap<LinkId, Watched> = BTreeMap::new();
    let (sender, mut answers) = mpsc::channel::<(LinkId, bool)>(context.limits.events);
    loop {
        tokio::select! {
            biased;
            () = scope.cancelled() => return Ok(()),
            Some((link, alive)) = answers.recv() => {
                let Some(state) = watched.get_mut(&link) else { continue };
                state.asked = false;
                state.missed = if alive { 0 } else { state.missed + 1 };
                if state.missed >= config.misses {
                    info!(peer = %state.connection.peer().id.short(), "the peer does not answer pings; closing");
                    state.connection.close(&CloseReason::Unresponsive);
                    discovery.verify(&state.connection.peer().id.to_string());
                    watched.remove(&link);
                }
            }
            _ = rounds.tick() => {
                let now = context.peers.connections();
                watched.retain(|link, _| now.iter().any(|(_, held, _)| held == link));
                for (_, link, connection) in now {
                    let state = watched.entry(link).or_insert_with(|| Watched { connection, missed: 0, asked: false });
                    if std::mem::replace(&mut state.asked, true) {
                        continue;
                    }
                    let (connection, sender, deadline) = (state.connection.clone(), sender.clone(), config.deadline);
                    let nonce = link.nonce();
                    drop(scope.spawn("ping", async move {
                        let alive = matches!(timeout(deadline, ping(&connection, nonce)).await, Ok(true));
                        // The queue is as long as there can be answers: at most one a connection.
                        let _ = sender.try_send((link, alive));
                    }));
                }
            }
        }
    }
}

struct Watched {
    connection: Connection,
    missed: u32,
    /// A ping is under way.
    asked: bool,
}

async fn ping(connection: &Connection, nonce: u64) -> bool {
    let Ok(mut exchange) = connection.request(&Request::Ping { nonce }).await else { return false };
    matches!(exchange.response().await, Ok(Response::Pong { nonce: answered, .. }) if answered == nonce)
}
