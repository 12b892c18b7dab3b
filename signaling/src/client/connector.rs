use std::any::Any;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::reset::{ShutStream, reset_on_drop};

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// A connection, below TLS and WebSocket. What it really is can be found out by way of [`Any`], as [`Connector::reset`] has to.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + Any {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + Any + ?Sized> Stream for T {}

/// Opens connections.
pub trait Connector: Send + Sync + 'static {
    /// Connects to a host, which is a name or an IP address without brackets. After `within` the attempt is given up and the future is
    /// dropped, which must close what is half open.
    ///
    /// # Errors
    /// As the way there has it.
    fn connect<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;

    /// Sees to it that the other side hears at once of the end of a stream, which is dropped next. Called for a stream of this connector
    /// whose other side has fallen silent: the way there may be open all the same, but what is written waits behind what was never
    /// acknowledged, a goodbye and a FIN included. A connection that ends in any other way is closed politely, without this.
    ///
    /// A [`TcpStream`], and one of [`TcpConnector`], is made to end with a reset, and nothing is done to a stream of another kind: it is
    /// just dropped. Who wraps a TCP stream, or has a network of another kind, may do the same for it here; it must not block.
    fn reset(&self, stream: &dyn Stream) {
        reset_on_drop(stream);
    }
}

/// Connects by TCP, without Nagle's delay.
///
/// The other side hears of the end of a stream also if a process that was forked from this one still holds its descriptor.
///
/// Of a name with several addresses each gets its share of the time, in the order of the resolver. A resolver that hangs keeps a thread
/// of tokio's blocking pool until it gives up: the operating system knows no way to call that off.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let give_up = Instant::now() + within;
            let addresses = resolve(host, port, within).await?;
            let stream = first_of(&addresses, give_up).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(ShutStream::new(stream)) as Box<dyn Stream>)
        })
    }
}

async fn resolve(host: &str, port: u16, within: Duration) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = timeout(within, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no address of {host} in time")))??;
    Ok(found.take(MAX_ADDRESSES).collect())
}

async fn first_of(addresses: &[SocketAddr], give_up: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (tried, address) in (0_u32..).zip(addresses) {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_sub(tried).max(1);
        let share = give_up.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer in time")),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_live_one() {
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let addresses = [dead, live.local_addr().unwrap()];
        let stream = first_of(&addresses, Instant::now() + Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
    }
}
