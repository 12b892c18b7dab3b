//! Remembered addresses as a discovery backend: reported at the start, withdrawn after a while.

use std::net::SocketAddr;
use std::time::Duration;

use moorline_runtime::discovery::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent, Found};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Reports addresses as found; with a patience, reports them lost after it, so that nobody dials dead addresses for days.
/// A connection that came about stays.
#[derive(Debug)]
pub(super) struct RememberedPeers {
    addresses: Vec<SocketAddr>,
    patience: Option<Duration>,
}

impl RememberedPeers {
    pub(super) fn new(addresses: Vec<SocketAddr>, patience: Option<Duration>) -> Self {
        Self { addresses, patience }
    }

    async fn report(&self, events: &mpsc::Sender<DiscoveryEvent>) -> Result<(), DiscoveryError> {
        for address in &self.addresses {
            let announcement = Announcement { id: None, tag: None, name: None, protocol: 0, port: address.port() };
            let found = Found { key: key(*address), announcement, addrs: vec![*address], interfaces: Vec::new() };
            events.send(DiscoveryEvent::Found(found)).await.map_err(|_| DiscoveryError::ConsumerGone)?;
        }
        let Some(patience) = self.patience else { return std::future::pending().await };
        tokio::time::sleep(patience).await;
        for address in &self.addresses {
            events.send(DiscoveryEvent::Lost { key: key(*address) }).await.map_err(|_| DiscoveryError::ConsumerGone)?;
        }
        std::future::pending().await
    }
}

impl Discovery for RememberedPeers {
    fn run<'a>(
        &'a self,
        _own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Ok(()),
                result = self.report(&events) => result,
            }
        })
    }

    fn verify(&self, _key: &str) {}
}

fn key(address: SocketAddr) -> String {
    format!("remembered:{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn addresses_are_found_at_once_and_lost_after_the_patience() {
        let address: SocketAddr = ([10, 0, 0, 1], 5).into();
        let peers = RememberedPeers::new(vec![address], Some(Duration::from_secs(60)));
        let (sender, mut events) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        let run = peers.run(None, sender, cancel.clone());
        let watch = async {
            let start = tokio::time::Instant::now();
            let Some(DiscoveryEvent::Found(found)) = events.recv().await else { panic!("nothing was found") };
            assert_eq!(found.addrs, [address]);
            assert_eq!(start.elapsed(), Duration::ZERO);
            assert_eq!(events.recv().await, Some(DiscoveryEvent::Lost { key: found.key }));
            assert_eq!(start.elapsed(), Duration::from_secs(60));
            cancel.cancel();
        };
        let (result, ()) = tokio::join!(run, watch);
        result.expect("a cancelled run is no error");
    }
}
