//! Panics on demand, for tests of what becomes of them. Only with the feature `test-hooks`.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// What a test wants of a client.
#[derive(Default)]
pub(crate) struct ClientHooks {
    callback_panics: AtomicBool,
}

impl ClientHooks {
    pub(crate) fn poison_callback(&self) {
        self.callback_panics.store(true, Ordering::SeqCst);
    }

    pub(crate) fn on_callback(&self) {
        assert!(!self.callback_panics.swap(false, Ordering::SeqCst), "made to panic by a test, in a callback");
    }
}

/// What a test wants of a session.
#[derive(Default)]
pub(crate) struct LifeHooks {
    pump: CancellationToken,
    drop_panics: AtomicBool,
}

impl LifeHooks {
    pub(crate) fn poison_pump(&self) {
        self.pump.cancel();
    }

    pub(crate) async fn pump_panics(&self) {
        self.pump.cancelled().await;
    }

    pub(crate) fn poison_drop(&self) {
        self.drop_panics.store(true, Ordering::SeqCst);
    }

    pub(crate) fn on_drop(&self) {
        assert!(!self.drop_panics.swap(false, Ordering::SeqCst), "made to panic by a test, while dropping");
    }
}
