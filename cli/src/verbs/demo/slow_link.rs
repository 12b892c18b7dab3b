//! A UDP socket that sends no faster than a given rate, so that a transfer over loopback can be watched.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::{Instant, Sleep};

/// How much may be sent in one go after a pause, as time at the full rate.
const BURST: Duration = Duration::from_millis(5);

/// Passes everything on to another socket, and lets sending wait for its turn.
#[derive(Debug)]
pub(super) struct SlowLink {
    inner: Arc<dyn AsyncUdpSocket>,
    turn: Arc<Turn>,
}

impl SlowLink {
    /// At most `rate` bytes a second leave the socket.
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, rate: u64) -> Self {
        Self { inner, turn: Arc::new(Turn { rate: rate.max(1), free_at: Mutex::new(Instant::now()) }) }
    }
}

/// When the link is free again. Locked for a moment only, by whoever sends.
#[derive(Debug)]
struct Turn {
    rate: u64,
    free_at: Mutex<Instant>,
}

impl Turn {
    /// Until when to wait before something may be sent; `None` when it may be sent now.
    fn wait(&self, now: Instant) -> Option<Instant> {
        let free_at = *self.lock();
        (free_at > now + BURST).then(|| free_at - BURST)
    }

    /// Notes that `bytes` were sent.
    fn took(&self, now: Instant, bytes: usize) {
        let time = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut free_at = self.lock();
        *free_at = (*free_at).max(now) + time;
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        // A time is whole at any moment, also after a panic elsewhere.
        self.free_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncUdpSocket for SlowLink {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        let inner = Arc::clone(&self.inner).create_io_poller();
        Box::pin(Poller {
            inner,
            turn: Arc::clone(&self.turn),
            sleep: Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO))),
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.turn.wait(Instant::now()).is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.inner.try_send(transmit)?;
        self.turn.took(Instant::now(), transmit.contents.len());
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
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

/// Waits for the turn first, then for the socket.
struct Poller {
    inner: Pin<Box<dyn UdpPoller>>,
    turn: Arc<Turn>,
    /// Behind a lock only because quinn wants pollers to be `Sync`; used through `&mut` alone.
    sleep: Mutex<Pin<Box<Sleep>>>,
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}

impl UdpPoller for Poller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(at) = self.turn.wait(Instant::now()) {
            let sleep = self.sleep.get_mut().unwrap_or_else(PoisonError::into_inner);
            if sleep.deadline() != at {
                sleep.as_mut().reset(at);
            }
            std::task::ready!(sleep.as_mut().poll(cx));
        }
        self.inner.as_mut().poll_writable(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_over_a_second_whatever_the_size_of_the_pieces() {
        for piece in [100, 1_500, 64_000] {
            let turn = Turn { rate: 1_000_000, free_at: Mutex::new(Instant::now()) };
            let start = Instant::now();
            let mut sent = 0;
            while start.elapsed() < Duration::from_secs(1) {
                match turn.wait(Instant::now()) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => {
                        turn.took(Instant::now(), piece);
                        sent += piece;
                    }
                }
            }
            assert!((900_000..=1_080_000).contains(&sent), "{sent} bytes in a second, {piece} at a time");
        }
    }
}
