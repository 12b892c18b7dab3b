//! A client that asks for as much as it may, again and again, and reads nothing of it.

use std::{net::SocketAddr, time::Duration};

use moorline_proto::{CHUNK_SIZE, ItemId, Request, Response};
use moorline_transport::{Exchange, RequestError};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::Client;

/// Requests that it has open at the same time: more than any peer is served of.
const REQUESTS: usize = 40;
/// Chunks a request: as many as a peer may ask for.
const CHUNKS: u32 = 64;
/// How long an answer may take to begin where there is a place for it.
const SOON: Duration = Duration::from_secs(20);
/// How long a request is waited for that must not get a place.
const SURPLUS: Duration = Duration::from_secs(2);
/// How long [`Occupier::moves_up`] waits: longer than a peer may take over a chunk, and shorter than what [`Client::run`] and the
/// transport give an answer.
const TURN: Duration = Duration::from_secs(25);

/// Holds places of a peer that serves. Gives them back when dropped.
#[derive(Debug)]
pub struct Occupier {
    /// Their answers have begun, and what follows is not read: it fills every window and buffer on the way.
    served: Vec<Exchange>,
    waiting: Vec<Exchange>,
    client: Client,
}

impl Occupier {
    /// Joins the peer at `addr`, asks for the first chunks of `item`, which must have at least 64, and waits until so many of the
    /// requests have got a place, and then whether more do.
    ///
    /// # Panics
    /// When it is not admitted, or anything is refused.
    #[must_use]
    pub fn start(addr: SocketAddr, item: ItemId, places: usize) -> Self {
        let client = Client::join(addr);
        let mut waiting = Vec::new();
        client.run(async {
            for _ in 0..REQUESTS {
                let ask = Request::Chunks { item, first: 0, count: CHUNKS };
                waiting.push(client.connection.request(&ask).await.expect("there is room for one more request"));
            }
        });
        let mut occupier = Self { served: Vec::new(), waiting, client };
        occupier.look(SOON, places);
        occupier.look(SURPLUS, REQUESTS);
        occupier
    }

    /// How many of its requests have got a place.
    #[must_use]
    pub fn places(&self) -> usize {
        self.served.len()
    }

    /// Looks for so long which of the waiting requests get a place, or until so many have one. Panics when one is answered by
    /// anything else than the beginning of all that was asked for.
    fn look(&mut self, time: Duration, enough: usize) {
        let mut asked = JoinSet::new();
        let waiting = std::mem::take(&mut self.waiting);
        let stop = CancellationToken::new();
        self.client.run(async {
            for mut exchange in waiting {
                let stop = stop.clone();
                asked.spawn(async move {
                    let answer = timeout(time, stop.run_until_cancelled(exchange.response())).await;
                    (answer.ok().flatten(), exchange)
                });
            }
            while let Some(ended) = asked.join_next().await {
                match ended.expect("no panic") {
                    (None, exchange) => self.waiting.push(exchange),
                    (Some(answer), exchange) => {
                        assert_begins(&answer);
                        self.served.push(exchange);
                    }
                }
                if self.served.len() >= enough {
                    stop.cancel();
                }
            }
        });
    }

    /// Waits until one more request gets a place, and says whether one did before the first ones must have lost theirs.
    ///
    /// # Panics
    /// When it is answered by anything else than the beginning of all that was asked for.
    #[must_use]
    pub fn moves_up(mut self) -> bool {
        let mut asked = JoinSet::new();
        let waiting = std::mem::take(&mut self.waiting);
        self.client.run(async {
            for mut exchange in waiting {
                asked.spawn(async move { (exchange.response().await, exchange) });
            }
            match timeout(TURN, asked.join_next()).await {
                Ok(Some(Ok((answer, _exchange)))) => {
                    assert_begins(&answer);
                    true
                }
                _ => false,
            }
        })
    }
}

#[track_caller]
fn assert_begins(answer: &Result<Response, RequestError>) {
    let all = u64::from(CHUNKS) * CHUNK_SIZE;
    assert!(matches!(answer, Ok(Response::Chunks { bytes }) if *bytes == all), "not served: {answer:?}");
}
