//! How many messages a second one publisher gets to a hundred others, beside the plain broadcast loop.
//!
//! The publisher sends in blocks and is a few blocks ahead of the slowest receiver, so that nothing is lost and no queue overflows
//! with either server. The server has a core, and all its clients have another.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use moorline_proto::wire::signal::{self as pb, client_frame};
use tokio::{io::AsyncWriteExt as _, net::tcp::OwnedWriteHalf, sync::Semaphore, task::JoinSet, time::timeout};

use crate::{
    child::{ServerProcess, UNLIMITED},
    figures::figure,
    raw::{self, BINARY, Raw, Reader},
};

const RECEIVERS: u64 = 100;
/// Messages that are sent in one go.
const BLOCK: u64 = 32;
/// Blocks that are on their way at most: 256 messages, as many as the room server allows.
const AHEAD: u64 = 8;
const MEASURED: Duration = Duration::from_millis(1_500);
const SIZES: [usize; 2] = [64, 1 << 10];
/// Deliveries after which a receiver acknowledges: at the latest, by the protocol.
const ACK_EVERY: u64 = 32;

pub(crate) fn measure(run: u64) -> Result<()> {
    for size in SIZES {
        let mut rates = [0.0; 2];
        // Whoever comes first in one run comes second in the next.
        for turn in [run % 2, (run + 1) % 2] {
            rates[turn as usize] = crate::runtime()?.block_on(rate(turn == 0, size))?;
        }
        let [ours, plain] = rates;
        figure(&format!("fan-out.{size}.moorline"), ours);
        figure(&format!("fan-out.{size}.plain"), plain);
        figure(&format!("fan-out.{size}.ratio"), ours / plain);
    }
    Ok(())
}

/// Messages published a second, each of which reaches everybody.
async fn rate(moorline: bool, size: usize) -> Result<f64> {
    let server = match moorline {
        true => ServerProcess::moorline(UNLIMITED, Duration::from_secs(5))?,
        false => ServerProcess::plain()?,
    };
    let progress = Arc::new(Progress::default());
    let mut receivers = JoinSet::new();
    for _ in 0..RECEIVERS {
        let receiver = Receiver::arrive(server.addr, moorline, size, Arc::clone(&progress)).await?;
        receivers.spawn(receiver.receive());
    }
    let mut publisher = Publisher::arrive(server.addr, moorline, size).await?;
    // Those who came first are still told of those who came last.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < MEASURED {
        let turn = timeout(Duration::from_secs(10), progress.permits.acquire()).await;
        turn.context("a receiver does not get what was sent")??.forget();
        publisher.send(BLOCK).await?;
        sent += BLOCK;
    }
    // All that was sent has arrived when all permits are back.
    let all = progress.permits.acquire_many(AHEAD as u32);
    drop(timeout(Duration::from_secs(10), all).await.context("a receiver did not get everything")??);
    let rate = sent as f64 / started.elapsed().as_secs_f64();
    ensure!(receivers.len() == RECEIVERS as usize, "a receiver was lost");
    Ok(rate)
}

/// How far all receivers are.
struct Progress {
    /// Receivers that have each of the last blocks.
    have: [AtomicU64; AHEAD as usize],
    permits: Semaphore,
}

impl Default for Progress {
    fn default() -> Self {
        Self { have: Default::default(), permits: Semaphore::new(AHEAD as usize) }
    }
}

impl Progress {
    /// A receiver has all of a block.
    fn has(&self, block: u64) {
        let have = &self.have[(block % AHEAD) as usize];
        if have.fetch_add(1, Ordering::Relaxed) + 1 == RECEIVERS {
            have.store(0, Ordering::Relaxed);
            self.permits.add_permits(1);
        }
    }
}

struct Receiver {
    reader: Reader,
    writer: OwnedWriteHalf,
    /// Whether deliveries are acknowledged.
    acknowledges: bool,
    size: usize,
    progress: Arc<Progress>,
}

impl Receiver {
    async fn arrive(addr: SocketAddr, moorline: bool, size: usize, progress: Arc<Progress>) -> Result<Self> {
        let (reader, writer) = connect(addr, moorline).await?;
        Ok(Self { reader, writer, acknowledges: moorline, size, progress })
    }

    async fn receive(mut self) -> Result<()> {
        let (mut received, mut blocks, mut acknowledged) = (0, 0, 0);
        let mut out = Vec::new();
        while self.reader.fill().await? {
            let (count, seen) = self.reader.count(self.size);
            received += count;
            while blocks < received / BLOCK {
                self.progress.has(blocks);
                blocks += 1;
            }
            if let Some(seen) = seen
                && self.acknowledges
                && seen >= acknowledged + ACK_EVERY
            {
                acknowledged = seen;
                out.clear();
                raw::put_body(&mut out, 0, seen, client_frame::Body::AckOnly(pb::AckOnly {}));
                self.writer.write_all(&out).await?;
            }
        }
        Ok(())
    }
}

struct Publisher {
    writer: OwnedWriteHalf,
    moorline: bool,
    payload: Vec<u8>,
    seq: u64,
    out: Vec<u8>,
}

impl Publisher {
    async fn arrive(addr: SocketAddr, moorline: bool, size: usize) -> Result<Self> {
        let (mut reader, writer) = connect(addr, moorline).await?;
        // Acknowledgements come in, and are of no interest. Ends with the connection.
        drop(tokio::spawn(async move {
            while reader.fill().await.unwrap_or(false) {
                reader.count(0);
            }
        }));
        Ok(Self { writer, moorline, payload: vec![0x5a; size], seq: 0, out: Vec::new() })
    }

    async fn send(&mut self, count: u64) -> Result<()> {
        self.out.clear();
        for _ in 0..count {
            self.seq += 1;
            if !self.moorline {
                raw::put(&mut self.out, BINARY, &self.payload);
                continue;
            }
            let publish = pb::Publish {
                dedupe_id: self.seq,
                class: pb::SendClass::Reliable.into(),
                payload: self.payload.clone().into(),
                ..pb::Publish::default()
            };
            raw::put_body(&mut self.out, self.seq, 0, client_frame::Body::Publish(publish));
        }
        Ok(self.writer.write_all(&self.out).await?)
    }
}

async fn connect(addr: SocketAddr, moorline: bool) -> Result<(Reader, OwnedWriteHalf)> {
    const AT_ONCE: usize = 32 << 10;
    if !moorline {
        return raw::open(addr, AT_ONCE).await;
    }
    let Raw { reader, writer, .. } = Raw::join_reading(addr, "the room", AT_ONCE).await?;
    Ok((reader, writer))
}
