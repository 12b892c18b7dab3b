//! A TCP proxy that can be unkind: resets all connections, or swallows what goes through it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const BUFFER: usize = 4 << 10;

/// A proxy on a thread of its own. Dropping it ends the thread and closes all that goes through.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    /// Counts the resets.
    resets: watch::Sender<u64>,
    swallowed: Arc<Swallowed>,
}

/// What does not get through, as seen from the client.
#[derive(Debug, Default)]
struct Swallowed {
    up: AtomicBool,
    down: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(target: SocketAddr) -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (resets, told) = watch::channel(0);
        let swallowed = Arc::new(Swallowed::default());
        let runtime = crate::runtime()?;
        let state = Arc::clone(&swallowed);
        // Ends with the watch's sender.
        thread::Builder::new()
            .name("proxy".into())
            .spawn(move || runtime.block_on(accept(listener, target, told, state)))?;
        Ok(Self { addr, resets, swallowed })
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.addr)
    }

    /// Resets every connection, and tells when it began to.
    pub(crate) fn reset_all(&self) -> Instant {
        let now = Instant::now();
        self.resets.send_modify(|count| *count += 1);
        now
    }

    /// From now on, what clients send (`up`) and what they are sent (`down`) gets lost, FINs included.
    pub(crate) fn swallow(&self, up: bool, down: bool) {
        self.swallowed.up.store(up, Ordering::Relaxed);
        self.swallowed.down.store(down, Ordering::Relaxed);
    }
}

async fn accept(
    listener: std::net::TcpListener,
    target: SocketAddr,
    mut resets: watch::Receiver<u64>,
    swallowed: Arc<Swallowed>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = resets.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if let Ok((client, _)) = accepted {
            // Ends with either side, with a reset, and with the runtime, which ends with the proxy.
            drop(tokio::spawn(carry(client, target, resets.clone(), Arc::clone(&swallowed))));
        }
    }
}

async fn carry(
    mut client: TcpStream,
    target: SocketAddr,
    mut resets: watch::Receiver<u64>,
    swallowed: Arc<Swallowed>,
) -> Option<()> {
    let mut server = TcpStream::connect(target).await.ok()?;
    for socket in [&client, &server] {
        socket.set_nodelay(true).ok()?;
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let both = async {
        tokio::join!(
            pump(&mut from_client, &mut to_server, &swallowed.up),
            pump(&mut from_server, &mut to_client, &swallowed.down)
        )
    };
    let reset = tokio::select! {
        _ = both => false,
        changed = resets.changed() => changed.is_ok(),
    };
    if reset {
        for socket in [&client, &server] {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
    Some(())
}

async fn pump(
    from: &mut tokio::net::tcp::ReadHalf<'_>,
    to: &mut tokio::net::tcp::WriteHalf<'_>,
    swallowed: &AtomicBool,
) {
    let mut buffer = [0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if swallowed.load(Ordering::Relaxed) {
            match read {
                0 => return,
                _ => continue,
            }
        }
        if read == 0 {
            let _ = to.shutdown().await;
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
