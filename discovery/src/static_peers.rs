//! Peers given by address.

use crate::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent, Found};
use std::{collections::BTreeSet, net::SocketAddr};
use tokio::{select, sync::mpsc};
use tokio_util::sync::CancellationToken;

/// Addresses that somebody gave: each is `Found` at once, with the key `static:ADDR`, and never `Lost`.
///
/// Who listens there is not known before it is asked: the announcement has neither id nor tag, and protocol 0. Nothing is announced.
#[derive(Clone, Debug, Default)]
pub struct StaticPeers(BTreeSet<SocketAddr>);

impl StaticPeers {
    /// Addresses given twice count once.
    pub fn new(addrs: impl IntoIterator<Item = SocketAddr>) -> StaticPeers {
        StaticPeers(addrs.into_iter().collect())
    }
}

impl From<Vec<SocketAddr>> for StaticPeers {
    fn from(addrs: Vec<SocketAddr>) -> Self {
        StaticPeers::new(addrs)
    }
}

impl Discovery for StaticPeers {
    fn run<'a>(
        &'a self,
        _own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            for addr in &self.0 {
                select! {
                    biased;
                    () = cancel.cancelled() => return Ok(()),
                    sent = events.send(DiscoveryEvent::Found(found(*addr))) => sent.map_err(|_| DiscoveryError::ConsumerGone)?,
                }
            }
            select! {
                biased;
                () = cancel.cancelled() => Ok(()),
                () = events.closed() => Err(DiscoveryError::ConsumerGone),
            }
        })
    }

    /// An address that was given stays: whoever gave it wants it tried again.
    fn verify(&self, _key: &str) {}
}

fn found(addr: SocketAddr) -> Found {
    Found {
        key: format!("static:{addr}"),
        announcement: Announcement { id: None, tag: None, name: None, protocol: 0, port: addr.port() },
        addrs: vec![addr],
        interfaces: Vec::new(),
    }
}
