use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Where connections come from: a TCP socket, a TLS acceptor in front of one, or a simulated network.
pub trait Listener: Send + 'static {
    /// A connection, in order and without loss until it ends.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection. Cancel-safe: a connection that has come is not lost when the future is dropped.
    ///
    /// Nothing may be waited for here that the other side is to do: one connection is accepted at a time, and a client that is slow
    /// with its TLS handshake would keep all others out. The handshake belongs into the stream, at its first read or write, where the
    /// server's deadlines hold.
    ///
    /// # Errors
    /// Whatever stands in the way for now. The server waits a little and asks again.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Where it listens.
    ///
    /// # Errors
    /// If the operating system does not say.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = Self::accept(self).await?;
        // Small frames must not wait for the acknowledgement of the one before. A socket that died meanwhile is found dead later.
        let _ = stream.set_nodelay(true);
        Ok((stream, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}
