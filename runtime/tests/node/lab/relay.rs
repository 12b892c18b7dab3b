//! A peer that is not quite what it should be.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use moorline_proto::{LibraryDigest, PeerId, Request, Response};
use moorline_transport::{Connection, Endpoint, EndpointConfig, Identity, IncomingRequest, RequestError};
use tokio::sync::watch;

/// What a [`Relay`] does wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// No chunk is what it should be.
    WrongBytes,
    /// Of each connection, only the first request for chunks is answered before this is `true`.
    Silence(watch::Receiver<bool>),
}

/// Offers what an honest peer offers and passes everything on, but for its fault.
#[derive(Clone)]
pub(crate) struct Relay {
    endpoint: Endpoint,
    upstream: Connection,
    fault: Fault,
    links: watch::Sender<Vec<Link>>,
}

/// A connection between a relay and a node.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Relay {
    /// Listens on a port of its own, under the identity that `name` stands for.
    pub(crate) async fn start(name: &str, honest: SocketAddr, fault: Fault) -> Self {
        let mut config = EndpointConfig::new(Identity::from_seed(*blake3::hash(name.as_bytes()).as_bytes()));
        name.clone_into(&mut config.name);
        config.serves = true;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = Endpoint::bind(config, loopback).expect("a loopback socket");
        let upstream = endpoint.connect(&[honest], None).await.expect("the honest peer lets it in");
        let relay = Self { endpoint, upstream, fault, links: watch::Sender::new(Vec::new()) };
        // The honest peer wants its pings answered.
        relay.attend(Link { connection: relay.upstream.clone(), asked: Arc::default() });
        let accepting = relay.clone();
        drop(tokio::spawn(async move {
            while let Some(incoming) = accepting.endpoint.accept().await {
                if let Ok(connection) = incoming.admit().await {
                    accepting.serve(connection);
                }
            }
        }));
        relay
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.endpoint.peer_id()
    }

    /// Joins a node by itself.
    pub(crate) async fn dial(&self, addr: SocketAddr) -> Link {
        let connection = self.endpoint.connect(&[addr], None).await.expect("the node lets it in");
        self.serve(connection)
    }

    /// All connections that there ever were to nodes under test, once there are `count`.
    pub(crate) async fn links(&self, count: usize) -> Vec<Link> {
        let mut links = self.links.subscribe();
        let found = links.wait_for(|links| links.len() >= count);
        let found = tokio::time::timeout(super::PATIENCE, found).await.expect("connections in time");
        found.expect("the relay is there").clone()
    }

    fn serve(&self, connection: Connection) -> Link {
        let link = Link { connection, asked: Arc::default() };
        self.links.send_modify(|links| links.push(link.clone()));
        self.attend(link.clone());
        link
    }

    fn attend(&self, link: Link) {
        let relay = self.clone();
        drop(tokio::spawn(async move {
            while let Ok(incoming) = link.connection.accept().await {
                let (relay, link) = (relay.clone(), link.clone());
                // The node may end the exchange at any point.
                drop(tokio::spawn(async move { relay.answer(&link, incoming).await }));
            }
        }));
    }

    async fn answer(&self, link: &Link, incoming: IncomingRequest) -> Result<(), RequestError> {
        let (request, mut responder) = incoming.read().await?;
        if let Request::Ping { nonce } = request {
            responder.respond(&Response::Pong { nonce, digest: LibraryDigest::default() }).await?;
            responder.finish();
            return Ok(());
        }
        let is_chunks = |request: &Request| matches!(request, Request::Chunks { .. });
        let first = !link.asked().iter().any(is_chunks);
        link.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if let Fault::Silence(over) = &self.fault
            && is_chunks(&request)
            && !first
        {
            over.clone().wait_for(|over| *over).await.expect("the test holds the other end");
        }
        let frames = if let Request::ManifestPages { count, .. } = &request { *count } else { 1 };
        let mut exchange = self.upstream.request(&request).await?;
        for _ in 0..frames {
            let response = match exchange.response().await {
                Err(RequestError::Finished) => break,
                Err(RequestError::Refused(error)) => Response::Error(error),
                other => other?,
            };
            let mut left = if let Response::Chunks { bytes } = &response { *bytes } else { 0 };
            responder.respond(&response).await?;
            while left > 0 {
                let mut block = vec![0; usize::try_from(left.min(1 << 16)).expect("64 KiB")];
                exchange.read_bulk(&mut block).await?;
                left -= block.len() as u64;
                block[0] ^= u8::from(matches!(self.fault, Fault::WrongBytes));
                responder.write_bulk(Bytes::from(block)).await?;
            }
        }
        responder.finish();
        Ok(())
    }
}

impl Link {
    /// All requests of the node so far, but for pings.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those among them with which it fetches an item.
    pub(crate) fn fetched(&self) -> Vec<Request> {
        let is_fetch = |request: &Request| {
            matches!(request, Request::Manifest { .. } | Request::ManifestPages { .. } | Request::Chunks { .. })
        };
        self.asked().into_iter().filter(is_fetch).collect()
    }
}
