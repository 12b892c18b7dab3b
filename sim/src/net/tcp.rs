use std::fmt;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use moorline_signaling::client::{BoxFuture, Connector, Stream};
use moorline_signaling::server::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use super::Net;
use super::connections::End;

/// Opens connections of the signaling client, by the name of a host.
#[derive(Clone, Debug)]
pub struct SimConnector {
    net: Net,
    host: Arc<str>,
}

impl SimConnector {
    /// For the host of this name.
    #[must_use]
    pub fn new(net: &Net, host: &str) -> Self {
        Self { net: net.clone(), host: host.into() }
    }
}

impl Connector for SimConnector {
    fn connect<'a>(&'a self, to: &'a str, port: u16, _: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let record = |kind: &str| {
                self.net.trace().record(&self.host, kind, |fields| {
                    fields.text("to", to).number("port", port.into());
                });
            };
            record("tcp.connect");
            match TcpStream::connect((to, port)).await {
                Ok(stream) => {
                    let stream = SimTcpStream::new(&self.net, &self.host, to, stream)?;
                    stream.record("tcp.connected", None);
                    Ok(Box::new(stream) as Box<dyn Stream>)
                }
                // turmoil refuses at once what it cannot deliver. A real network says nothing, until the caller has enough.
                Err(_) if !self.net.is_open(&self.host, to) || !self.net.is_open(to, &self.host) => {
                    record("tcp.unanswered");
                    pending().await
                }
                Err(error) => {
                    record("tcp.refused");
                    Err(error)
                }
            }
        })
    }
}

/// Where a simulated room server listens.
pub struct SimListener {
    net: Net,
    host: Arc<str>,
    listener: TcpListener,
}

impl SimListener {
    /// Listens on a port of the host that this is called on.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn bind(net: &Net, host: &str, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        Ok(Self { net: net.clone(), host: host.into(), listener })
    }
}

impl Listener for SimListener {
    type Stream = SimTcpStream;

    async fn accept(&mut self) -> io::Result<(SimTcpStream, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        let name = self.net.name(from.ip()).unwrap_or_else(|| from.to_string().into());
        let stream = SimTcpStream::new(&self.net, &self.host, &name, stream)?;
        stream.record("tcp.accepted", None);
        Ok((stream, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimListener").field("host", &self.host).finish_non_exhaustive()
    }
}

/// One end of a TCP connection. Records every chunk of bytes, and how it ends.
pub struct SimTcpStream {
    net: Net,
    end: End,
    number: u64,
    /// The other end was heard to end; that is recorded once.
    ended: bool,
}

impl SimTcpStream {
    fn new(net: &Net, host: &str, peer: &str, stream: TcpStream) -> io::Result<Self> {
        // turmoil gives out ports for connections from above those that anybody listens on.
        let port = stream.local_addr()?.port().max(stream.peer_addr()?.port());
        let end = End::new(host, peer, port, stream);
        let number = net.connections.open(&end);
        Ok(Self { net: net.clone(), end, number, ended: false })
    }

    fn record(&self, kind: &str, bytes: Option<&[u8]>) {
        self.end.record(&self.net, kind, bytes);
    }

    fn ended(&mut self, kind: &str) {
        if !self.ended {
            self.ended = true;
            self.record(kind, None);
        }
    }

    /// Does something with the stream, which only a crash has closed before this is dropped.
    fn with<T>(&self, f: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.end.lock().as_mut() {
            Some(stream) => f(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for SimTcpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let room = buf.remaining();
        let read = ready!(self.with(|stream| stream.poll_read(cx, buf)));
        match &read {
            Ok(()) if buf.filled().len() > before => self.record("tcp.read", Some(&buf.filled()[before..])),
            Ok(()) if room > 0 => self.ended("tcp.end"),
            Ok(()) => {}
            Err(_) => self.ended("tcp.reset"),
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for SimTcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.with(|stream| stream.poll_write(cx, bytes)));
        match written {
            Ok(len) => self.record("tcp.write", Some(&bytes[..len])),
            Err(_) => self.ended("tcp.broken"),
        }
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = ready!(self.with(|stream| stream.poll_shutdown(cx)));
        self.record("tcp.shutdown", None);
        Poll::Ready(shut)
    }
}

impl Drop for SimTcpStream {
    fn drop(&mut self) {
        self.net.connections.close(&self.net, self.number);
    }
}

impl fmt::Debug for SimTcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTcpStream")
            .field("host", &self.end.host)
            .field("peer", &self.end.peer)
            .finish_non_exhaustive()
    }
}
