//! Lets a closing connection say so even when its congestion window is full.
//!
//! quinn-proto up to 0.11.19 subjects the packet with CONNECTION_CLOSE to congestion control when other data is pending, and a closing
//! connection processes no acknowledgements any more: whoever closes in the middle of a transfer is never heard, and a goodbye looks like a
//! crash (quinn issue 2785; fixed upstream, not released yet). RFC 9002, section 7 exempts such packets. Here, a controller that wraps the
//! real one reports an unlimited window from the moment at which its connection is being closed; nothing but that last packet can use it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics};
use quinn_proto::RttEstimator;

/// A switch for all connections of an endpoint.
#[derive(Clone, Default)]
pub(crate) struct LastWords(Arc<AtomicBool>);

impl LastWords {
    /// Wraps what makes controllers.
    pub(super) fn around(
        &self,
        factory: Arc<dyn ControllerFactory + Send + Sync>,
    ) -> Arc<dyn ControllerFactory + Send + Sync> {
        Arc::new(Factory { factory, endpoint: self.clone() })
    }

    /// To be called before the endpoint is closed.
    pub(crate) fn allow_for_all(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// To be called before `connection` is closed.
    pub(super) fn allow(connection: &quinn::Connection) {
        // What we get is a copy, which shares its switch with the controller in use.
        if let Ok(exempting) = connection.congestion_state().into_any().downcast::<Exempting>() {
            exempting.connection.store(true, Ordering::Relaxed);
        }
    }
}

struct Factory {
    factory: Arc<dyn ControllerFactory + Send + Sync>,
    endpoint: LastWords,
}

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = self.factory.clone().build(now, current_mtu);
        Box::new(Exempting { inner, connection: Arc::default(), endpoint: self.endpoint.clone() })
    }
}

struct Exempting {
    inner: Box<dyn Controller>,
    connection: Arc<AtomicBool>,
    endpoint: LastWords,
}

impl Controller for Exempting {
    fn window(&self) -> u64 {
        match self.connection.load(Ordering::Relaxed) || self.endpoint.0.load(Ordering::Relaxed) {
            // Above 2^32, quinn does not pace either.
            true => u64::MAX,
            false => self.inner.window(),
        }
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            connection: self.connection.clone(),
            endpoint: self.endpoint.clone(),
        })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_packet_num_acked: Option<u64>) {
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }
}
