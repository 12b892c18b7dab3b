use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use moorline_proto::CHUNK_SIZE;

/// Read buffers of one chunk each, which come back when the last handle to what was read in them is gone. They are filled with
/// zeros once, when they are made; so reading into one is the only time that a chunk's bytes are written.
pub(super) struct BufferPool {
    idle: Mutex<Vec<Vec<u8>>>,
    keep: usize,
}

impl BufferPool {
    /// Keeps at most `keep` idle buffers.
    pub(super) fn new(keep: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(Vec::new()), keep })
    }

    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { data: idle.unwrap_or_else(|| vec![0; CHUNK_SIZE as usize]), filled: 0, pool: Arc::clone(self) }
    }

    #[cfg(test)]
    fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A buffer on loan.
pub(super) struct Buffer {
    data: Vec<u8>,
    filled: usize,
    pool: Arc<BufferPool>,
}

impl Buffer {
    /// The next `length` bytes to fill; `None` if they do not fit.
    pub(super) fn next(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.filled;
        let end = start.checked_add(length).filter(|end| *end <= self.data.len())?;
        self.filled = end;
        self.data.get_mut(start..end)
    }

    /// What was filled.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.pool.keep {
            idle.push(std::mem::take(&mut self.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_with_the_last_of_its_bytes_and_no_more_than_allowed_are_kept() {
        let pool = BufferPool::new(1);
        let mut buffer = pool.take();
        buffer.next(3).unwrap().copy_from_slice(b"abc");
        buffer.next(2).unwrap().copy_from_slice(b"de");
        let address = buffer.data.as_ptr();
        let bytes = buffer.freeze();
        let part = bytes.slice(1..4);
        drop(bytes);
        assert_eq!((&part[..], pool.idle()), (&b"bcd"[..], 0));
        drop(part);
        assert_eq!(pool.idle(), 1);

        let (again, other) = (pool.take(), pool.take());
        assert_eq!(again.data.as_ptr(), address);
        drop(again);
        drop(other);
        assert_eq!(pool.idle(), 1);
    }

    #[test]
    fn more_than_a_chunk_does_not_fit() {
        let mut buffer = BufferPool::new(0).take();
        assert!(buffer.next(CHUNK_SIZE as usize).is_some());
        assert!(buffer.next(1).is_none());
        assert!(buffer.next(0).is_some());
    }
}
