//! The memory for chunks on their way from the network to the disk: a fixed number of buffers, used again and again.

use std::sync::{Arc, Mutex, PoisonError};

use moorline_proto::CHUNK_SIZE;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hands out at most as many buffers as it was made for. Who waits is served in turn.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    /// The one used last comes first: it is still in the processor's cache. Made when first needed.
    free: Mutex<Vec<Box<[u8]>>>,
}

/// Room for one chunk. Goes back to its pool when dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(buffers: usize) -> Self {
        let permits = Arc::new(Semaphore::new(buffers.min(Semaphore::MAX_PERMITS)));
        Self { inner: Arc::new(Inner { permits, free: Mutex::default() }) }
    }

    /// Waits for a buffer. Cancel-safe.
    pub(super) async fn acquire(&self, len: usize) -> Buffer {
        let permit = Arc::clone(&self.inner.permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed: nobody calls close");
        let free = self.inner.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = free.unwrap_or_else(|| vec![0; CHUNK_SIZE as usize].into_boxed_slice());
        let len = len.min(bytes.len());
        Buffer { bytes, len, inner: Arc::clone(&self.inner), _permit: permit }
    }
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.inner.free.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        // The permit is a field, hence given back after this: who gets it finds the buffer.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_buffers_exist_than_allowed_and_they_are_reused() {
        let pool = Pool::new(2);
        let mut first = pool.acquire(3).await;
        let second = pool.acquire(usize::MAX).await;
        assert_eq!(second.bytes().len(), CHUNK_SIZE as usize);
        first.bytes_mut().copy_from_slice(b"abc");
        let address = first.bytes().as_ptr();
        let pending = pool.clone();
        let waiting = tokio::spawn(async move { pending.acquire(1).await.bytes().as_ptr() as usize });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a third buffer must wait");
        drop(first);
        assert_eq!(waiting.await.expect("the task ends"), address as usize);
        drop(second);
    }
}
