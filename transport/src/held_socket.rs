//! A socket that tells when it is let go and whether there is traffic on it, and one that has none.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::watch;

/// Passes everything on. quinn drops it at a moment of its own after the last handle of an endpoint.
pub(crate) struct HeldSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    held: watch::Sender<()>,
    traffic: Arc<AtomicU64>,
}

/// What is known of a [`HeldSocket`], without holding it.
pub(crate) struct SocketWatch {
    /// Closed when the socket is let go.
    released: watch::Receiver<()>,
    /// How often something came in or went out.
    traffic: Arc<AtomicU64>,
}

impl HeldSocket {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>) -> (Arc<Self>, SocketWatch) {
        let (held, released) = watch::channel(());
        let traffic = Arc::<AtomicU64>::default();
        (Arc::new(Self { inner, held, traffic: traffic.clone() }), SocketWatch { released, traffic })
    }
}

impl SocketWatch {
    /// Waits until quinn has let go of the socket.
    pub(crate) fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut released = self.released.clone();
        // Nothing is ever sent: the wait ends when the sender is dropped.
        async move { while released.changed().await.is_ok() {} }
    }

    /// Waits until nothing has come in or gone out for this long.
    pub(crate) async fn silence(&self, long: Duration) {
        let mut before = self.traffic.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(long).await;
            let now = self.traffic.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl AsyncUdpSocket for HeldSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        let inner = Arc::clone(&self.inner).create_io_poller();
        Box::pin(HeldPoller { inner, _socket: self })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.traffic.fetch_add(1, Ordering::Relaxed);
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.inner.poll_recv(cx, bufs, meta);
        if received.is_ready() {
            self.traffic.fetch_add(1, Ordering::Relaxed);
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl fmt::Debug for HeldSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldSocket").field("inner", &self.inner).field("watchers", &self.held.receiver_count()).finish()
    }
}

#[derive(Debug)]
struct HeldPoller {
    inner: Pin<Box<dyn UdpPoller>>,
    _socket: Arc<HeldSocket>,
}

impl UdpPoller for HeldPoller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_writable(cx)
    }
}

/// Takes the place of a socket that is let go: nothing comes in, and what is sent goes nowhere.
#[derive(Debug)]
pub(crate) struct NoSocket(pub(crate) SocketAddr);

impl AsyncUdpSocket for NoSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [IoSliceMut<'_>], _: &mut [RecvMeta]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
