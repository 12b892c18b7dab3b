use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_discovery::Discovery;
use moorline_proto::{Request, Response};
use moorline_transport::{CloseReason, Connection};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::info;

use crate::supervisor::{BoxError, Scope, Task};

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
    loop {
        tokio::select! {
            biased;
            () = scope.cancelled() => return Ok(()),
            _ = rounds.tick() => {}
        }
        let now = context.peers.connections();
        watched.retain(|link, _| now.iter().any(|(_, held, _)| held == link));
        for (peer, link, connection) in now {
            let state = watched.entry(link).or_default();
            if let Some(ping) = state.ping.take() {
                if !ping.is_finished() {
                    state.ping = Some(ping);
                    continue;
                }
                match ping.await {
                    Ok(Pinged::Answered) => state.missed = 0,
                    Ok(Pinged::NotAsked) => {}
                    // A worker that panicked has not seen an answer either.
                    Ok(Pinged::Silent) | Err(_) => state.missed += 1,
                }
            }
            if state.missed >= config.misses {
                info!(peer = %peer.short(), "the peer does not answer pings; closing");
                connection.close(&CloseReason::Unresponsive);
                for key in context.targets.keys_of(&peer) {
                    discovery.verify(&key);
                }
                watched.remove(&link);
                continue;
            }
            let (nonce, deadline) = (link.nonce(), config.deadline);
            state.ping = Some(scope.spawn("ping", async move { ping(&connection, nonce, deadline).await }));
        }
    }
}

#[derive(Default)]
struct Watched {
    ping: Option<Task<Pinged>>,
    missed: u32,
}

enum Pinged {
    Answered,
    Silent,
    /// All streams to the peer are in use: that says nothing about it. If it is dead, the idle time-out ends the connection.
    NotAsked,
}

async fn ping(connection: &Connection, nonce: u64, deadline: Duration) -> Pinged {
    let asked = timeout(deadline, connection.request(&Request::Ping { nonce })).await;
    let Ok(Ok(mut exchange)) = asked else { return Pinged::NotAsked };
    match timeout(deadline, exchange.response()).await {
        Ok(Ok(Response::Pong { nonce: answered, .. })) if answered == nonce => Pinged::Answered,
        _ => Pinged::Silent,
    }
}
