use std::any::Any;

use tokio::net::TcpStream;

/// Makes a TCP stream end with a reset when it is dropped: that overtakes what waits for an acknowledgement, as a FIN does not. Nothing
/// is done to a stream of another kind.
pub(crate) fn reset_on_drop(stream: &dyn Any) {
    if let Some(tcp) = stream.downcast_ref::<TcpStream>() {
        // Who cannot be told finds out by itself.
        let _ = tcp.set_zero_linger();
    }
}
