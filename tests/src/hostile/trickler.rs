//! A client that asks for as much as it may and reads it so slowly that no pause is ever long enough to be called a stall.

use std::{net::SocketAddr, time::Duration};

use moorline_proto::{ItemId, Request, Response};
use moorline_transport::{Connection, RequestError, Tuning};
use tokio::sync::watch;

use super::Client;

/// Requests that it has open at the same time: more than any peer is served of.
const REQUESTS: usize = 40;
/// Chunks a request: as many as a peer may ask for.
const CHUNKS: u32 = 64;
/// What it reads at a time, and how often: half a kilobyte a second, half an hour for a chunk.
const SIP: usize = 1 << 10;
const PAUSE: Duration = Duration::from_secs(2);
/// So small that each sip opens them a little further, and the other side sees progress.
const WINDOW: u32 = 8 << 10;

/// Holds places of a peer that serves. Gives them back when dropped.
#[derive(Debug)]
pub struct Trickler {
    served: watch::Receiver<usize>,
    cut: watch::Receiver<usize>,
    client: Client,
}

impl Trickler {
    /// Joins the peer at `addr`, and asks for the first chunks of `item`, which must have at least 64, again and again.
    ///
    /// # Panics
    /// When it is not admitted.
    #[must_use]
    pub fn start(addr: SocketAddr, item: ItemId) -> Self {
        let tuning = Tuning { stream_window: WINDOW, connection_window: 64 * WINDOW, ..Tuning::default() };
        let client = Client::join_with(addr, tuning);
        let (served, has_served) = watch::channel(0);
        let (cut, has_cut) = watch::channel(0);
        for _ in 0..REQUESTS {
            client.leave(sip(client.connection.clone(), item, served.clone(), cut.clone()));
        }
        Self { served: has_served, cut: has_cut, client }
    }

    /// Waits until so many of its requests have been served at least in part.
    ///
    /// # Panics
    /// When they never are.
    pub fn is_served(&mut self, count: usize) {
        let served = self.served.wait_for(|served| *served >= count);
        self.client.run(async { served.await.map(drop) }).expect("it goes on asking");
    }

    /// Waits until so many of its answers were cut off.
    ///
    /// # Panics
    /// When they never are.
    pub fn is_cut(&mut self, count: usize) {
        let cut = self.cut.wait_for(|cut| *cut >= count);
        self.client.run(async { cut.await.map(drop) }).expect("it goes on asking");
    }
}

/// One of its requests, repeated until the connection ends.
async fn sip(connection: Connection, item: ItemId, served: watch::Sender<usize>, cut: watch::Sender<usize>) {
    let mut mouth = [0; SIP];
    loop {
        let asked = connection.request(&Request::Chunks { item, first: 0, count: CHUNKS }).await;
        let Ok(mut exchange) = asked else { return };
        match exchange.response().await {
            Ok(Response::Chunks { .. }) => served.send_modify(|served| *served += 1),
            Err(RequestError::TimedOut(_)) => continue,
            _ => return,
        }
        while exchange.read_bulk(&mut mouth).await.is_ok() {
            tokio::time::sleep(PAUSE).await;
        }
        cut.send_modify(|cut| *cut += 1);
    }
}
