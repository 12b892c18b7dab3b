use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::reset::reset_on_drop;

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

    /// Sees to it that the client hears at once of the end of a connection, which is dropped next. Called where the client was silent
    /// for the heartbeat timeout: the way to it may be open all the same, but what is written waits behind what was never acknowledged,
    /// a FIN included. A connection that ends in any other way is closed politely, without this.
    ///
    /// A [`TcpStream`] is made to end with a reset, and nothing is done to a stream of another kind: it is just dropped. A TLS acceptor
    /// hands the stream below on to `TcpListener::reset`.
    fn reset(stream: &Self::Stream) {
        reset_on_drop(stream);
    }
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
