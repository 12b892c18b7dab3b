//! From a reset to being live again.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::{
    child::ServerProcess,
    figures::quantiles,
    proxy::Proxy,
    session::{Sessions, What},
};

/// Short, so that all clients soon know the advice that goes with the number of all.
const HEARTBEAT: Duration = Duration::from_millis(300);
/// After which they do, and earlier drops are forgotten.
const SETTLED: Duration = Duration::from_millis(700);
/// Between the drops of a single session, whose advice does not change.
const PAUSE: Duration = Duration::from_millis(20);

/// Drops the sessions so many times; the figures are called `name`.
pub(crate) fn measure(name: &str, sessions: usize, accept_rate: u32, drops: usize) -> Result<()> {
    let server = ServerProcess::moorline(accept_rate, HEARTBEAT)?;
    let proxy = Proxy::start(server.addr)?;
    crate::runtime()?.block_on(async {
        let mut clients = Sessions::join(sessions, |_| proxy.url()).await?;
        sleep(SETTLED).await;
        let mut times = Vec::new();
        for _ in 0..drops {
            clients.forget();
            let reset = proxy.reset_all();
            let recovered =
                clients.heard(sessions, Duration::from_secs(30), |what| matches!(what, What::Recovered)).await?;
            times.extend(recovered.iter().map(|mark| mark.at - reset));
            sleep(if sessions == 1 { PAUSE } else { SETTLED }).await;
        }
        clients.close().await;
        quantiles(name, times);
        Ok(())
    })
}
