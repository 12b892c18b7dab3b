//! Endpoints on loopback with short deadlines, and what most tests do with them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use moorline_proto::{ItemId, Request, Response};
use moorline_transport::{
    AdmitError, Connection, Endpoint, EndpointConfig, Exchange, Identity, IncomingRequest, Limits, RequestError,
    Responder,
};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Fails the test, instead of hanging, if `future` takes long.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    within(Duration::from_secs(20), future).await
}

pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> F::Output {
    tokio::time::timeout(limit, future).await.expect("the deadline of the test has passed")
}

/// Short deadlines, so that tests of deadlines are short.
pub(crate) fn limits() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(1500),
        request_timeout: Duration::from_millis(400),
        response_timeout: Duration::from_millis(400),
        stall_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(1500),
        keep_alive: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// A peer that is known by `seed`. Deadlines are those of a real program.
pub(crate) fn config(seed: u8) -> EndpointConfig {
    let mut config = EndpointConfig::new(Identity::from_seed([seed; 32]));
    config.name = format!("peer {seed}");
    config
}

pub(crate) fn hasty(seed: u8) -> EndpointConfig {
    EndpointConfig { limits: limits(), ..config(seed) }
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn bind(config: EndpointConfig) -> Endpoint {
    Endpoint::bind(config, loopback()).unwrap()
}

/// An endpoint that admits whoever knocks.
pub(crate) struct Host {
    pub(crate) endpoint: Endpoint,
    pub(crate) admitted: mpsc::Receiver<Result<Connection, AdmitError>>,
    task: AbortHandle,
}

impl Host {
    pub(crate) fn new(config: EndpointConfig) -> Self {
        Self::on(bind(config))
    }

    pub(crate) fn on(endpoint: Endpoint) -> Self {
        let (results, admitted) = mpsc::channel(64);
        let accepting = endpoint.clone();
        let task = tokio::spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                let results = results.clone();
                tokio::spawn(async move { results.send(incoming.admit().await).await });
            }
        });
        Self { endpoint, admitted, task: task.abort_handle() }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    /// What became of the next peer that knocked.
    pub(crate) async fn next(&mut self) -> Result<Connection, AdmitError> {
        soon(self.admitted.recv()).await.expect("the endpoint is open")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Two peers, connected.
pub(crate) struct Pair {
    pub(crate) dialler: Connection,
    pub(crate) dialled: Connection,
    pub(crate) caller: Endpoint,
    pub(crate) host: Host,
}

pub(crate) async fn pair(caller: EndpointConfig, host: EndpointConfig) -> Pair {
    let (caller, mut host) = (bind(caller), Host::new(host));
    let dialler = soon(caller.connect(&[host.addr()], None)).await.unwrap();
    let dialled = host.next().await.unwrap();
    Pair { dialler, dialled, caller, host }
}

/// Answers every request of the peer: pings, and `Chunks` with `count` bytes of [`pattern`].
pub(crate) fn serve(connection: &Connection) {
    let connection = connection.clone();
    tokio::spawn(async move {
        while let Ok(incoming) = connection.accept().await {
            tokio::spawn(async move {
                let (request, responder) = incoming.read().await?;
                answer(&request, responder).await
            });
        }
    });
}

async fn answer(request: &Request, mut responder: Responder) -> Result<(), RequestError> {
    match request {
        Request::Ping { nonce } => {
            responder.respond(&Response::Pong { nonce: *nonce, digest: Default::default() }).await?;
        }
        Request::Chunks { first, count, .. } => {
            let bytes = pattern(*first, *count as usize);
            responder.respond(&Response::Chunks { bytes: bytes.len() as u64 }).await?;
            responder.write_bulk(bytes).await?;
        }
        other => panic!("no test asks for {other:?}"),
    }
    responder.finish();
    Ok(())
}

/// A request of one peer, as it reaches the other.
pub(crate) async fn asked(from: &Connection, to: &Connection, request: &Request) -> (Exchange, IncomingRequest) {
    let (exchange, incoming) = soon(async { tokio::join!(from.request(request), to.accept()) }).await;
    (exchange.unwrap(), incoming.unwrap())
}

pub(crate) fn chunks(first: u64, count: u32) -> Request {
    Request::Chunks { item: ItemId::from_bytes([0; 32]), first, count }
}

/// Bytes that differ everywhere.
pub(crate) fn pattern(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out.into()
}

/// Whether requests go through.
pub(crate) async fn ping(connection: &Connection) -> Result<(), RequestError> {
    let mut exchange = connection.request(&Request::Ping { nonce: 7 }).await?;
    match exchange.response().await? {
        Response::Pong { nonce: 7, .. } => Ok(()),
        other => panic!("not a pong: {other:?}"),
    }
}
