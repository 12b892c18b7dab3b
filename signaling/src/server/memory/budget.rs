//! What all rooms of a store may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Counts the bytes that are held.
pub(super) struct Budget {
    used: AtomicUsize,
    max: usize,
}

/// Bytes that count for as long as this lives.
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether nothing is left. Deliveries may have taken more than there was.
    pub(super) fn is_spent(&self) -> bool {
        self.used() >= self.max
    }

    /// The same bytes, which count until the last of those who share them has let go.
    pub(super) fn hold(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let mut held = Held::nothing(self);
        held.set(bytes.len());
        Bytes::from_owner(Shared { bytes, _held: held })
    }
}

struct Shared {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    pub(super) fn nothing(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Holds so many bytes from now on, be they there or not.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// The same, unless it is more than before and more than is left. Whether it is so now.
    pub(super) fn try_set(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.set(bytes);
            return true;
        }
        let (more, max) = (bytes - self.bytes, self.budget.max);
        let fits = |used: usize| used.checked_add(more).filter(|used| *used <= max);
        let taken = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if taken {
            self.bytes = bytes;
        }
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (Held::nothing(&budget), Held::nothing(&budget));
        assert!(one.try_set(60) && !other.try_set(41) && other.try_set(40) && budget.is_spent());
        assert!(one.try_set(10) && !budget.is_spent());
        drop(other);
        assert_eq!(budget.used(), 10);
        let body = budget.hold(Bytes::from_static(b"12345"));
        let shared = body.clone();
        drop(body);
        assert_eq!((budget.used(), &shared[..]), (15, &b"12345"[..]));
        drop((shared, one));
        assert_eq!(budget.used(), 0);
    }
}
