//! A thousand sessions in one process, all dropped at once.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::{
    child::{DEFAULT_RATE, ServerProcess},
    figures::{figure, millis, quantiles},
    proxy::Proxy,
    raw::Raw,
    session::{Sessions, What},
    stall::StallWatch,
};

const SESSIONS: usize = 1_000;
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After which all know the advice that goes with the number of all.
const SETTLED: Duration = Duration::from_millis(1_500);

pub(crate) fn measure() -> Result<()> {
    let server = ServerProcess::moorline(DEFAULT_RATE, HEARTBEAT)?;
    let proxy = Proxy::start(server.addr)?;
    crate::runtime()?.block_on(async {
        let mut clients = Sessions::join(SESSIONS, |_| proxy.url()).await?;
        sleep(SETTLED).await;
        let advised = Raw::join(server.addr, "another room").await?.welcome.reconnect_spread_ms;
        clients.forget();
        let watch = StallWatch::start();
        let reset = proxy.reset_all();
        let recovered =
            clients.heard(SESSIONS, Duration::from_secs(30), |what| matches!(what, What::Recovered)).await?;
        let (stall, noise) = watch.finish().await;
        let times: Vec<Duration> = recovered.iter().map(|mark| mark.at - reset).collect();
        let mut sorted = times.clone();
        sorted.sort_unstable();
        figure("crowd.advised", f64::from(advised));
        figure("crowd.p99-ratio", millis(sorted[SESSIONS * 99 / 100 - 1]) / f64::from(advised));
        quantiles("crowd", times);
        figure("crowd.stall", millis(stall));
        figure("crowd.noise", millis(noise));
        clients.close().await;
        Ok(())
    })
}
