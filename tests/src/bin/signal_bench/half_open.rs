//! How long a connection that is dead without a word is taken for alive.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use moorline_signaling::machine::NetHint;
use tokio::time::sleep;

use crate::{
    child::{DEFAULT_RATE, ServerProcess},
    figures::{figure, millis},
    proxy::Proxy,
    session::{Sessions, What},
};

/// As the server comes.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// So long after the join the silence begins: in the middle between two heartbeats.
const BEFORE: Duration = Duration::from_millis(2_500);

/// What is swallowed: what the client sends, what it is sent.
const DIRECTIONS: [(&str, bool, bool); 3] = [("up", true, false), ("down", false, true), ("both", true, true)];

pub(crate) fn measure() -> Result<()> {
    let server = ServerProcess::moorline(DEFAULT_RATE, HEARTBEAT)?;
    // A client each that is told nothing, and one that is told that the path changed.
    let proxies: Vec<Proxy> = (0..2 * DIRECTIONS.len()).map(|_| Proxy::start(server.addr)).collect::<Result<_>>()?;
    crate::runtime()?.block_on(async {
        let mut clients = Sessions::join(proxies.len(), |index| proxies[index].url()).await?;
        sleep(BEFORE).await;
        let silent = Instant::now();
        for (index, proxy) in proxies.iter().enumerate() {
            let (_, up, down) = DIRECTIONS[index / 2];
            proxy.swallow(up, down);
        }
        clients.clients.iter().skip(1).step_by(2).for_each(|client| client.hint(NetHint::PathChanged));
        let lost = clients.heard(proxies.len(), Duration::from_secs(20), |what| matches!(what, What::Lost)).await?;
        for (index, (direction, ..)) in DIRECTIONS.iter().enumerate() {
            for (client, how) in [(2 * index, "default"), (2 * index + 1, "hint")] {
                let mark = lost.iter().find(|mark| mark.client == client).context("all were heard")?;
                figure(&format!("half-open.{direction}.{how}"), millis(mark.at - silent) / 1e3);
            }
        }
        drop(proxies);
        Ok(())
    })
}
