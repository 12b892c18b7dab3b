//! Peers that misbehave, in the test's own process.
//!
//! A [`Hostile`] peer stands between the program under test and an honest sharer: it passes everything on, so that it offers
//! the same items and plays the protocol to the letter, up to the one thing that it does wrong. That is the [`Lie`].

mod client;
mod foreigner;
mod forger;
mod lister;
mod occupier;
mod trickler;

pub use client::Client;
pub use foreigner::Foreigner;
pub use forger::Forger;
pub use occupier::Occupier;
pub use trickler::Trickler;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use moorline_proto::{ManifestHead, Request, Response};
use moorline_transport::{
    Connection, Endpoint, EndpointConfig, Exchange, Identity, OsEntropy, RequestError, Responder, Tuning,
};

use crate::sample;

/// What a hostile peer does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// One bit of every chunk reply is not what it should be.
    WrongBytes,
    /// Chunk requests are accepted and never answered.
    Silence,
    /// Chunk replies come, at one byte a minute.
    ByteAMinute,
    /// The reply to a chunk request is a frame of four gigabytes, or says so.
    HugeFrame,
    /// The reply to a chunk request is random bytes.
    Garbage,
    /// Chunk replies announce more bytes than were asked for.
    TooMuch,
    /// Chunk replies end in the middle.
    TooLittle,
    /// The manifest's totals are not those of its pages.
    WrongTotals,
    /// The manifest's pages are not those that its head names.
    WrongPages,
    /// Listings never end: page after page of large items that do not exist.
    EndlessListing,
}

/// A misbehaving peer. Gone when dropped.
#[derive(Debug)]
pub struct Hostile {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its peer id.
    pub peer: String,
    told: Arc<AtomicU64>,
    // Dropped last: it carries everything else.
    _runtime: tokio::runtime::Runtime,
}

impl Hostile {
    /// Starts a peer of this name that offers what the honest peer at `honest` offers.
    ///
    /// # Panics
    /// When it cannot reach the honest peer.
    #[must_use]
    pub fn start(name: &str, honest: SocketAddr, lie: Lie) -> Self {
        let runtime = runtime();
        let told = Arc::new(AtomicU64::new(0));
        let (addr, peer) = runtime.block_on(async {
            let (outward, upstream) = join("relay", honest, Tuning::default()).await;
            let mut config = EndpointConfig::new(Identity::generate(&OsEntropy));
            name.clone_into(&mut config.name);
            config.serves = true;
            // It looks like the honest peer from the first word on.
            if let Some(digest) = upstream.peer().digest {
                config.digest = Arc::new(move || digest);
            }
            let own = Endpoint::bind(config, SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback socket");
            let addr = own.local_addr();
            let peer = own.peer_id().to_string();
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                accept(own, upstream, lie, told).await;
                drop(outward);
            });
            (addr, peer)
        });
        Self { addr, peer, told, _runtime: runtime }
    }

    /// How often it has lied so far. A test in which this is 0 has shown nothing.
    #[must_use]
    pub fn lies(&self) -> u64 {
        self.told.load(Ordering::SeqCst)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime can be made")
}

async fn join(name: &str, addr: SocketAddr, tuning: Tuning) -> (Endpoint, Connection) {
    let mut config = EndpointConfig::new(Identity::generate(&OsEntropy));
    name.clone_into(&mut config.name);
    config.tuning = tuning;
    let endpoint = Endpoint::bind(config, SocketAddr::from(([127, 0, 0, 1], 0))).expect("a loopback socket");
    let connection = endpoint.connect(&[addr], None).await.expect("the honest peer is there");
    tokio::spawn(client::answer(connection.clone()));
    (endpoint, connection)
}

async fn accept(own: Endpoint, upstream: Connection, lie: Lie, told: Arc<AtomicU64>) {
    while let Some(incoming) = own.accept().await {
        let (upstream, told) = (upstream.clone(), Arc::clone(&told));
        tokio::spawn(async move {
            let Ok(connection) = incoming.admit().await else { return };
            while let Ok(incoming) = connection.accept().await {
                let (upstream, told) = (upstream.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    if let Ok((request, responder)) = incoming.read().await {
                        // The other side may end the exchange at any point; that is its right, and no failure here.
                        let _ = answer(&upstream, request, responder, lie, &told).await;
                    }
                });
            }
        });
    }
}

async fn answer(
    upstream: &Connection,
    request: Request,
    mut responder: Responder,
    lie: Lie,
    told: &AtomicU64,
) -> Result<(), RequestError> {
    let lied = || told.fetch_add(1, Ordering::SeqCst);
    match (lie, &request) {
        (Lie::Silence, Request::Chunks { .. }) => {
            lied();
            responder.stopped().await;
            return Ok(());
        }
        (Lie::HugeFrame, Request::Chunks { .. }) => {
            lied();
            responder.write_bulk(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff])).await?;
            let block = Bytes::from(vec![0; 1 << 16]);
            for _ in 0..1 << 16 {
                responder.write_bulk(block.clone()).await?;
            }
            return Ok(());
        }
        (Lie::Garbage, Request::Chunks { .. }) => {
            lied();
            responder.write_bulk(sample::random_bytes(300_000, 7).into()).await?;
            responder.finish();
            return Ok(());
        }
        (Lie::EndlessListing, Request::ListItems { .. }) => {
            lied();
            responder.respond(&Response::Items(lister::endless_page())).await?;
            responder.finish();
            return Ok(());
        }
        _ => {}
    }

    let frames = match &request {
        Request::ManifestPages { count, .. } => *count,
        _ => 1,
    };
    let mut exchange = upstream.request(&request).await?;
    for _ in 0..frames {
        let mut response = match exchange.response().await {
            Err(RequestError::Refused(error)) => Response::Error(error),
            other => other?,
        };
        let mut announced = 0;
        match (&mut response, lie) {
            (Response::Manifest(head), Lie::WrongTotals) => {
                lied();
                *head = ManifestHead { bytes: head.bytes + (1 << 40), files: head.files + 1_000_000, ..head.clone() };
            }
            (Response::ManifestPage(page), Lie::WrongPages) => {
                lied();
                let mut content = page.content.to_vec();
                content.reverse();
                page.content = content.into();
            }
            (Response::Chunks { bytes }, _) => {
                announced = *bytes;
                if lie == Lie::TooMuch {
                    lied();
                    *bytes += 1 << 40;
                }
            }
            _ => {}
        }
        responder.respond(&response).await?;
        relay_bulk(&mut exchange, &mut responder, announced, lie, told).await?;
    }
    responder.finish();
    Ok(())
}

async fn relay_bulk(
    exchange: &mut Exchange,
    responder: &mut Responder,
    bytes: u64,
    lie: Lie,
    told: &AtomicU64,
) -> Result<(), RequestError> {
    let mut left = bytes;
    let mut block = vec![0; 1 << 16];
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(block.len()).min(block.len());
        exchange.read_bulk(&mut block[..now]).await?;
        if left == bytes {
            match lie {
                Lie::WrongBytes => {
                    told.fetch_add(1, Ordering::SeqCst);
                    block[now / 2] ^= 1;
                }
                Lie::ByteAMinute => {
                    told.fetch_add(1, Ordering::SeqCst);
                    for byte in &block[..now] {
                        responder.write_bulk(Bytes::copy_from_slice(&[*byte])).await?;
                        tokio::time::sleep(Duration::from_secs(60)).await;
                    }
                }
                Lie::TooLittle => {
                    told.fetch_add(1, Ordering::SeqCst);
                    return Ok(());
                }
                _ => {}
            }
        }
        responder.write_bulk(Bytes::copy_from_slice(&block[..now])).await?;
        left -= now as u64;
    }
    Ok(())
}
