//! What an idle session costs the server, beside what an idle WebSocket costs a plain accept loop.
//!
//! Memory of the process, that is: what the kernel keeps for a socket comes on top, for both.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use moorline_proto::wire::signal::{self as pb, client_frame};
use tokio::{
    io::AsyncWriteExt as _,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    child::{ServerProcess, UNLIMITED},
    figures::figure,
    raw::{self, PING, Raw, Reader},
};

const SESSIONS: usize = 10_000;
const IN_A_ROOM: usize = 10;
/// So many arrive at a time.
const AT_ONCE: usize = 100;
const HEARTBEAT: Duration = Duration::from_secs(4);
/// After which everybody has sent a heartbeat, and acknowledged that others came.
const SETTLED: Duration = Duration::from_millis(5_500);

pub(crate) fn measure() -> Result<()> {
    for (name, moorline) in [("memory", true), ("memory-plain", false)] {
        let heartbeat = Duration::from_secs(5);
        let server = if moorline { ServerProcess::moorline(UNLIMITED, heartbeat)? } else { ServerProcess::plain()? };
        let before = server.memory()?;
        let runtime = crate::runtime()?;
        let tasks = runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for first in (0..SESSIONS).step_by(AT_ONCE) {
                let mut arriving = JoinSet::new();
                for index in first..first + AT_ONCE {
                    let addr = server.addr;
                    arriving.spawn(async move {
                        if moorline { arrive(addr, index).await } else { arrive_plain(addr).await }
                    });
                }
                while let Some(arrived) = arriving.join_next().await {
                    tasks.spawn(arrived??.stay());
                }
            }
            tokio::time::sleep(SETTLED).await;
            anyhow::Ok(tasks)
        })?;
        let after = server.memory()?;
        anyhow::ensure!(tasks.len() == SESSIONS, "the server did not keep all sessions");
        let each = |after: f64, before: f64| (after - before) / SESSIONS as f64 / 1024.0;
        figure(&format!("{name}.rss"), each(after.resident, before.resident));
        figure(&format!("{name}.pss"), each(after.proportional, before.proportional));
        drop(tasks);
    }
    Ok(())
}

/// A client that does nothing but be there.
struct Idle {
    reader: Reader,
    writer: tokio::net::tcp::OwnedWriteHalf,
    /// `None`: not in a room.
    seen: Option<u64>,
}

async fn arrive(addr: SocketAddr, index: usize) -> Result<Idle> {
    let Raw { reader, writer, seen, .. } = Raw::join(addr, &format!("room-{}", index / IN_A_ROOM)).await?;
    Ok(Idle { reader, writer, seen: Some(seen) })
}

async fn arrive_plain(addr: SocketAddr) -> Result<Idle> {
    let (reader, writer) = raw::open(addr, 1 << 10).await?;
    Ok(Idle { reader, writer, seen: None })
}

impl Idle {
    /// Reads what comes, and gives a sign of life now and then, until the server hangs up or this is dropped.
    async fn stay(mut self) -> Result<()> {
        let mut out = Vec::new();
        let mut next = Instant::now() + HEARTBEAT;
        loop {
            match timeout_at(next, self.reader.fill()).await {
                Ok(read) => {
                    read?.then_some(()).context("the server hung up")?;
                    let (_, seen) = self.reader.count(0);
                    self.seen = self.seen.map(|old| seen.unwrap_or(old));
                    self.reader.shrink();
                    continue;
                }
                Err(_) => sleep_until(next).await,
            }
            next += HEARTBEAT;
            out.clear();
            match self.seen {
                Some(seen) => raw::put_body(&mut out, 0, seen, client_frame::Body::Ping(pb::Ping { nonce: 1 })),
                None => raw::put(&mut out, PING, b"1234"),
            }
            self.writer.write_all(&out).await?;
        }
    }
}
