use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use moorline_discovery::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent};
use moorline_proto::ItemId;
use moorline_runtime::node::{CommandError, DownloadRequest, NodeEvent, SocketSource, StopReason};
use moorline_runtime::supervisor::Backoff;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::lab::{Lab, PATIENCE, event, start, stop, to_the_end};

#[tokio::test]
async fn an_orderly_stop_is_quick_silent_and_complete() {
    let lab = Lab::new();
    let mut node = lab.start("node", &[lab.item("x", &[("y", b"z")])]).await;
    let events = node.events();
    let commands = node.commands();
    let began = Instant::now();
    node.shutdown();
    let reason = timeout(PATIENCE, node.wait_stopped()).await.expect("the node stops");
    assert!(matches!(&reason, StopReason::Shutdown { stragglers } if stragglers.is_empty()), "{reason}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let seen = to_the_end(events).await;
    assert!(!seen.iter().any(|event| matches!(event, NodeEvent::RuntimeFailed(_))), "{seen:?}");
    let late = commands.download(DownloadRequest::new(ItemId::from_bytes([1; 32]), lab.path("into"))).await;
    assert_eq!(late.err(), Some(CommandError::Stopping));
    assert_eq!(node.alive_tasks(), 0, "{}", node.services());
}

#[tokio::test]
async fn dropping_every_command_sender_fails_the_node() {
    let lab = Lab::new();
    let mut node = lab.start("node", &[]).await;
    let events = node.events();
    drop(node);
    let seen = to_the_end(events).await;
    let failed = seen.iter().find_map(|event| match event {
        NodeEvent::RuntimeFailed(failure) => Some(failure.clone()),
        _ => None,
    });
    let failure = failed.expect("RuntimeFailed");
    assert_eq!(failure.component, "commands");
    assert!(failure.error.to_string().contains("sender was dropped"), "{failure}");
}

#[tokio::test]
async fn dropping_command_senders_during_shutdown_is_silent() {
    let lab = Lab::new();
    let mut node = lab.start("node", &[]).await;
    let events = node.events();
    node.shutdown();
    drop(node);
    let seen = to_the_end(events).await;
    assert!(!seen.iter().any(|event| matches!(event, NodeEvent::RuntimeFailed(_))), "{seen:?}");
}

/// A socket that breaks when told to.
#[derive(Debug)]
struct Fragile {
    inner: Arc<dyn quinn::AsyncUdpSocket>,
    broken: Arc<std::sync::atomic::AtomicBool>,
}

impl quinn::AsyncUdpSocket for Fragile {
    fn create_io_poller(self: Arc<Self>) -> std::pin::Pin<Box<dyn quinn::UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &quinn::udp::Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut std::task::Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
        meta: &mut [quinn::udp::RecvMeta],
    ) -> std::task::Poll<io::Result<usize>> {
        let received = self.inner.poll_recv(cx, bufs, meta);
        if self.broken.load(Ordering::Relaxed) {
            return std::task::Poll::Ready(Err(io::Error::other("the cable caught fire")));
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

#[tokio::test]
async fn a_dead_socket_fails_the_runtime_and_commands_are_still_answered() {
    let lab = Lab::new();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let addr = socket.local_addr().expect("its address");
    let runtime: Arc<dyn quinn::Runtime> = Arc::new(quinn::TokioRuntime);
    let inner = runtime.wrap_udp_socket(socket).expect("a tokio socket");
    let mut config = lab.config("node", &[]);
    config.socket = SocketSource::Given { socket: Arc::new(Fragile { inner, broken: broken.clone() }), runtime };
    let mut node = start(config).await;
    let events = node.events();
    let commands = node.commands();

    broken.store(true, Ordering::Relaxed);
    let poke = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    poke.send_to(b"wake up", addr).expect("sent");
    let reason = timeout(PATIENCE, node.wait_stopped()).await.expect("the node stops");
    match &reason {
        StopReason::Failed { failure, stragglers } => {
            assert_eq!(failure.component, "quic-server");
            assert!(stragglers.is_empty(), "{stragglers:?}");
        }
        other => panic!("{other}"),
    }
    let answer = timeout(PATIENCE, commands.add_peer(addr)).await.expect("an answer, not silence");
    assert_eq!(answer, Err(CommandError::Stopping));
    let seen = to_the_end(events).await;
    let failures = seen.iter().filter(|event| matches!(event, NodeEvent::RuntimeFailed(_))).count();
    assert_eq!(failures, 1, "{seen:?}");
}

/// Panics the first time, fails the second, works from then on.
struct Moody {
    runs: AtomicUsize,
}

impl Discovery for Moody {
    fn run<'a>(
        &'a self,
        _own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            let _events = events;
            match self.runs.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("discovery tripped"),
                1 => Err(DiscoveryError::ConsumerGone),
                _ => {
                    cancel.cancelled().await;
                    Ok(())
                }
            }
        })
    }

    fn verify(&self, _key: &str) {}
}

#[tokio::test]
async fn discovery_that_panics_or_fails_is_restarted_and_nothing_else_notices() {
    let lab = Lab::new();
    let discovery = Arc::new(Moody { runs: AtomicUsize::new(0) });
    let mut config = lab.config("node", &[]);
    config.discovery = discovery.clone();
    config.restart = Backoff::fixed(Duration::from_millis(20));
    let mut node = start(config).await;
    let mut events = node.events();
    event(&mut events, "discovery's third run", |event| {
        assert!(!matches!(event, NodeEvent::RuntimeFailed(_)), "{event:?}");
        (discovery.runs.load(Ordering::SeqCst) >= 3).then_some(())
    })
    .await;
    stop(&node).await;
    assert_eq!(discovery.runs.load(Ordering::SeqCst), 3, "restarts end with the shutdown");
}

#[tokio::test]
async fn whoever_subscribes_after_the_end_still_hears_it() {
    let lab = Lab::new();
    let mut node = lab.start("node", &[]).await;
    drop(node.events());
    stop(&node).await;
    let seen = to_the_end(node.events()).await;
    assert_eq!(seen.len(), 1);
}
