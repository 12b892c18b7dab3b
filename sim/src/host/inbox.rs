use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// Orders that wait for a host while it is busy.
const ORDERS: usize = 1024;

/// Hands orders to whatever life of a host is running. Orders to a host that is down are lost, like a click on a dead screen.
pub(crate) struct Inbox<T> {
    sender: Arc<Mutex<Option<mpsc::Sender<T>>>>,
}

impl<T> Inbox<T> {
    /// Begins a new life: orders go here from now on.
    pub(crate) fn open(&self) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::channel(ORDERS);
        *self.lock() = Some(sender);
        receiver
    }

    /// Whether somebody took it.
    pub(crate) fn order(&self, order: T) -> bool {
        self.lock().as_ref().is_some_and(|sender| sender.try_send(order).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::Sender<T>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { sender: Arc::default() }
    }
}
