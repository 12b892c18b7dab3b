use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use tokio::time::sleep_until;

/// What quinn runs on in a simulation: the tasks and the paused clock of the host's own tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimQuicRuntime;

impl Runtime for SimQuicRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(sleep_until(at.into()))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        // Joined by nobody, as in quinn's own runtime: these tasks end with their endpoint, and with the host.
        drop(tokio::spawn(moorline_sim_point::still(future)));
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a simulation has no sockets of the system"))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
