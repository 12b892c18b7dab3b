//! How TCP connections end.

use std::any::Any;

use tokio::net::TcpStream;

#[cfg(feature = "client")]
pub(crate) use shut::ShutStream;

/// Makes a TCP stream end with a reset when it is dropped: that overtakes what waits for an acknowledgement, as a FIN does not. Nothing
/// is done to a stream of another kind.
pub(crate) fn reset_on_drop(stream: &dyn Any) {
    #[cfg(feature = "client")]
    if let Some(stream) = stream.downcast_ref::<ShutStream>() {
        return stream.reset_on_drop();
    }
    if let Some(tcp) = stream.downcast_ref::<TcpStream>() {
        // Who cannot be told finds out by itself.
        let _ = tcp.set_zero_linger();
    }
}

#[cfg(feature = "client")]
mod shut {
    use std::io;
    use std::net::Shutdown;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll};

    use socket2::SockRef;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::TcpStream;

    /// A TCP stream whose connection ends when it is dropped. Closing alone closes one descriptor: a child that was forked holds another
    /// one, and the connection would stay open for as long as the child lives.
    pub(crate) struct ShutStream {
        tcp: TcpStream,
        reset: AtomicBool,
    }

    impl ShutStream {
        pub(crate) fn new(tcp: TcpStream) -> Self {
            Self { tcp, reset: AtomicBool::new(false) }
        }

        pub(super) fn reset_on_drop(&self) {
            // Who cannot be told finds out by itself.
            let _ = self.tcp.set_zero_linger();
            self.reset.store(true, Ordering::Relaxed);
        }
    }

    impl Drop for ShutStream {
        fn drop(&mut self) {
            if !self.reset.load(Ordering::Relaxed) {
                // Fails where the other side was faster.
                let _ = SockRef::from(&self.tcp).shutdown(Shutdown::Both);
                return;
            }
            // With a child's descriptor open, closing would not send the reset; dissolving the connection does. Elsewhere it is closing.
            #[cfg(target_os = "linux")]
            let _ = rustix::net::connect_unspec(&self.tcp);
        }
    }

    impl AsyncRead for ShutStream {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.tcp).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for ShutStream {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.tcp).poll_write(cx, data)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.tcp).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.tcp).poll_shutdown(cx)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            data: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.tcp).poll_write_vectored(cx, data)
        }

        fn is_write_vectored(&self) -> bool {
            self.tcp.is_write_vectored()
        }
    }
}
