//! A server, and a network in memory that can be cut through as a whole. A stopped clock may jump ahead meanwhile.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use moorline_signaling::client::{BoxFuture, Connector, Stream};
use moorline_signaling::server::{Listener, Server, ServerConfig, ServerHandle};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What a pipe holds.
const PIPE: usize = 64 << 10;

/// Where everybody dials.
#[derive(Default)]
pub struct Network {
    /// The way to the server; without one, dials are refused.
    server: Mutex<Option<mpsc::UnboundedSender<DuplexStream>>>,
    wires: Mutex<Vec<Arc<Mutex<Wire>>>>,
    /// Who dialled, and when.
    dials: Mutex<Vec<(usize, Instant)>>,
}

impl Network {
    /// From now on this server answers.
    pub fn serve(&self, config: ServerConfig) -> ServerHandle {
        let (dial, pipes) = mpsc::unbounded_channel();
        *self.server.lock().unwrap() = Some(dial);
        Server::start(config, Pipes(pipes)).unwrap()
    }

    /// From now on nobody does.
    pub fn refuse(&self) {
        *self.server.lock().unwrap() = None;
    }

    /// Resets all connections at once. Answers how many there were.
    pub fn cut(&self) -> usize {
        let wires = std::mem::take(&mut *self.wires.lock().unwrap());
        wires.iter().filter(|wire| wire.lock().unwrap().cut()).count()
    }

    /// Who has dialled since this was asked last, and when.
    pub fn take_dials(&self) -> Vec<(usize, Instant)> {
        std::mem::take(&mut *self.dials.lock().unwrap())
    }
}

/// The way of one client into the network.
pub struct Way {
    pub network: Arc<Network>,
    pub client: usize,
}

impl Connector for Way {
    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            self.network.dials.lock().unwrap().push((self.client, Instant::now()));
            let (near, far) = tokio::io::duplex(PIPE);
            let server = self.network.server.lock().unwrap().clone();
            server.and_then(|server| server.send(far).ok()).ok_or(io::ErrorKind::ConnectionRefused)?;
            let wire = Arc::new(Mutex::new(Wire { pipe: Some(near), reader: None }));
            self.network.wires.lock().unwrap().push(Arc::clone(&wire));
            Ok(Box::new(End(wire)) as Box<dyn Stream>)
        })
    }
}

/// Accepts what the network connects.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(pipe) => Ok((pipe, self.local_addr()?)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }
}

/// A connection as the network has it.
struct Wire {
    /// `None` once it is cut.
    pipe: Option<DuplexStream>,
    reader: Option<Waker>,
}

impl Wire {
    fn cut(&mut self) -> bool {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        self.pipe.take().is_some()
    }
}

/// A connection as its client has it.
struct End(Arc<Mutex<Wire>>);

impl End {
    fn with<T>(&self, act: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.0.lock().unwrap().pipe {
            Some(pipe) => act(Pin::new(pipe)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

/// Nobody can cut what its client has given up.
impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().unwrap().pipe = None;
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().reader = Some(cx.waker().clone());
        self.with(|pipe| pipe.poll_read(cx, buf))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|pipe| pipe.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|pipe| pipe.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|pipe| pipe.poll_shutdown(cx))
    }
}
