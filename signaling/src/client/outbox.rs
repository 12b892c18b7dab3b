use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// From here on no more is taken from the application: what is queued delays heartbeats.
const CLOGGED_FRAMES: usize = 256;
const CLOGGED_BYTES: usize = 256 << 10;

/// Frames on their way from the machine to a connection. Bounded; what does not fit is refused, not waited for.
pub(super) struct Outbox {
    frames: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The other end, which belongs to the connection.
pub(super) struct OutboxReader {
    frames: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
    /// Told when there is room again.
    drained: Arc<Notify>,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    /// The connection has ended, and reports that itself.
    Gone,
}

/// An empty queue of so many frames and bytes.
pub(super) fn outbox(max_frames: usize, max_bytes: usize, drained: Arc<Notify>) -> (Outbox, OutboxReader) {
    let (sender, receiver) = mpsc::channel(max_frames.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
    let bytes = Arc::new(AtomicUsize::new(0));
    let reader = OutboxReader { frames: receiver, bytes: bytes.clone(), drained };
    (Outbox { frames: sender, bytes, max_bytes }, reader)
}

impl Outbox {
    pub(super) fn push(&self, frame: Bytes) -> Result<(), Refused> {
        let len = frame.len();
        // The reader only ever makes it less, so that the bound holds.
        if self.bytes.load(Ordering::Acquire).saturating_add(len) > self.max_bytes {
            return Err(Refused::Full);
        }
        self.bytes.fetch_add(len, Ordering::AcqRel);
        self.frames.try_send(frame).map_err(|error| {
            self.bytes.fetch_sub(len, Ordering::AcqRel);
            match error {
                mpsc::error::TrySendError::Full(_) => Refused::Full,
                mpsc::error::TrySendError::Closed(_) => Refused::Gone,
            }
        })
    }

    /// Whether the connection is so far behind that the application has to wait.
    pub(super) fn is_clogged(&self) -> bool {
        let frames = self.frames.max_capacity() - self.frames.capacity();
        !self.frames.is_closed() && is_clogged(frames, self.bytes.load(Ordering::Acquire))
    }
}

impl OutboxReader {
    /// The next frame; `None` once the other end is dropped and all are taken.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let was_clogged = is_clogged(self.frames.len(), self.bytes.load(Ordering::Acquire));
        let frame = std::task::ready!(self.frames.poll_recv(cx));
        if let Some(frame) = &frame {
            let left = self.bytes.fetch_sub(frame.len(), Ordering::AcqRel) - frame.len();
            if was_clogged && !is_clogged(self.frames.len(), left) {
                self.drained.notify_one();
            }
        }
        Poll::Ready(frame)
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        // Who waits for room has to look again: there will be none.
        self.frames.close();
        self.drained.notify_one();
    }
}

fn is_clogged(frames: usize, bytes: usize) -> bool {
    frames >= CLOGGED_FRAMES || bytes >= CLOGGED_BYTES
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_is_over_the_bounds_is_refused() {
        let (outbox, mut reader) = outbox(2, 100, Arc::default());
        assert_eq!(outbox.push(Bytes::from(vec![0; 60])), Ok(()));
        assert_eq!(outbox.push(Bytes::from(vec![0; 41])), Err(Refused::Full));
        assert_eq!(outbox.push(Bytes::from(vec![0; 40])), Ok(()));
        assert_eq!(outbox.push(Bytes::new()), Err(Refused::Full));
        assert_eq!(poll_fn(|cx| reader.poll_next(cx)).await.map(|frame| frame.len()), Some(60));
        assert_eq!(outbox.push(Bytes::from(vec![0; 60])), Ok(()));
        drop(reader);
        assert_eq!(outbox.push(Bytes::new()), Err(Refused::Gone));
    }

    #[tokio::test]
    async fn room_is_told_of_when_there_is_some_again() {
        let drained = Arc::new(Notify::new());
        let (outbox, mut reader) = outbox(1_000, 1 << 20, drained.clone());
        for _ in 0..CLOGGED_FRAMES {
            outbox.push(Bytes::from_static(b"x")).unwrap();
        }
        assert!(outbox.is_clogged());
        poll_fn(|cx| reader.poll_next(cx)).await;
        assert!(!outbox.is_clogged());
        drained.notified().await;
    }
}
