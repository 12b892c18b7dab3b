//! What a panic in each service means for the rest of the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moorline_discovery::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent};
use moorline_proto::LibraryDigest;
use moorline_runtime::library::ShareRoot;
use moorline_runtime::node::{CommandError, DownloadRequest, LivenessConfig, NodeEvent, StopReason};
use moorline_runtime::supervisor::{Backoff, Exit, ServiceError, ServiceState};
use moorline_runtime::transfer::DownloadOutcome;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::lab::{self, Lab, PATIENCE, Silent, event, failures, offer, peer_down, start, stop, to_the_end};
use crate::liveness::mute;

/// Finds nobody, and panics when it is asked for the first time whether a peer is still there.
#[derive(Default)]
struct Touchy {
    asked: AtomicUsize,
}

impl Discovery for Touchy {
    fn run<'a>(
        &'a self,
        own: Option<Announcement>,
        events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Silent.run(own, events, cancel)
    }

    fn verify(&self, _key: &str) {
        assert!(self.asked.fetch_add(1, Ordering::SeqCst) > 0, "do not ask me");
    }
}

#[tokio::test]
async fn liveness_that_panics_is_restarted_and_nothing_else_notices() {
    let lab = Lab::new();
    let discovery = Arc::new(Touchy::default());
    let friend = lab.start("friend", &[]).await;
    let mut config = lab.config("node", &[]);
    config.discovery = discovery.clone();
    config.restart = Backoff::fixed(Duration::from_millis(20));
    config.peers = vec![mute(), friend.local_addr()];
    config.liveness =
        LivenessConfig { interval: Duration::from_millis(250), deadline: Duration::from_secs(1), misses: 2 };
    let mut node = start(config).await;
    let mut events = node.events();

    let mut states = Vec::new();
    event(&mut events, "second end of the mute peer, and liveness restarted", |event| {
        match event {
            NodeEvent::Service(service) if service.name == "liveness" => states.push(service.state.clone()),
            NodeEvent::Service(service) => assert!(matches!(service.state, ServiceState::Running), "{service:?}"),
            NodeEvent::RuntimeFailed(failure) => panic!("{failure}"),
            _ => {}
        }
        (states.len() >= 3 && discovery.asked.load(Ordering::SeqCst) >= 2).then_some(())
    })
    .await;
    let [ServiceState::Running, ServiceState::Restarting { attempt: 1, exit, .. }, ServiceState::Running] = &states[..]
    else {
        panic!("{states:?}");
    };
    assert!(matches!(exit, Exit::Panicked { message, .. } if message == "do not ask me"), "{exit}");
    let tree = node.services();
    assert!(matches!(tree.service("liveness"), Some(ServiceState::Running)), "{tree}");
    // On a machine that stands still for a moment it may have been taken for mute as well; then it is dialled again.
    lab::until("the friend", || node.peers().into_iter().find(|peer| peer.name == "friend")).await;
    stop(&node).await;
    stop(&friend).await;
    assert!(failures(&to_the_end(events).await).is_empty());
}

#[tokio::test]
async fn a_library_monitor_that_panics_leaves_what_is_shared_on_offer() {
    let lab = Lab::new();
    // The monitor itself does little but wait. What it logs, it logs itself.
    let _log = lab::log::listen(|_, line| assert!(!line.contains("cannot be shared"), "the log is full"));
    let mut config = lab.config("sharer", &[lab.item("game", &[("a.txt", b"hello")])]);
    // Not more names in a folder than this: the next item cannot be shared.
    config.library.as_mut().expect("it shares").limits.names_per_directory = 1;
    let mut sharer = start(config).await;
    let mut events = sharer.events();
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let found = offer(&getter, "game").await;
    let crowd = lab.item("crowd", &[("a", b"a"), ("b", b"b")]);
    sharer.share(ShareRoot::Item(crowd)).await.expect("the command is carried out");
    let state = event(&mut events, "end of the monitor", |event| match event {
        NodeEvent::Service(service) if service.name == "library-monitor" => {
            (!matches!(service.state, ServiceState::Running)).then(|| service.state.clone())
        }
        _ => None,
    })
    .await;
    let ServiceState::Failed { exit: Exit::Panicked { message, .. }, .. } = &state else { panic!("{state}") };
    assert_eq!(message, "the log is full");
    assert!(matches!(sharer.services().service("library-monitor"), Some(ServiceState::Failed { .. })));

    let request = DownloadRequest::new(found.summary.id, lab.path("into"));
    let download = getter.download(request).await.expect("the download starts");
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    stop(&getter).await;
    stop(&sharer).await;
    assert!(failures(&to_the_end(events).await).is_empty());
}

#[tokio::test]
async fn a_server_that_panics_fails_the_node_once_and_its_peers_hear_a_goodbye() {
    let lab = Lab::new();
    // The one thing of the user's that the server itself runs is what takes its log.
    let _log = lab::log::listen(|_, line| assert!(!line.contains("too many connections"), "the log is full"));
    let mut config = lab.config("node", &[]);
    config.endpoint.limits.max_connections = 1;
    let mut node = start(config).await;
    let (events, commands, addr) = (node.events(), node.commands(), node.local_addr());
    let mut friend = lab.start_with_peers("friend", &[addr]).await;
    let mut heard = friend.events();
    event(&mut heard, "the node", |event| matches!(event, NodeEvent::PeerUp(_)).then_some(())).await;

    let stranger = lab.start_with_peers("stranger", &[addr]).await;
    let reason = timeout(PATIENCE, node.wait_stopped()).await.expect("the node stops");
    let StopReason::Failed { failure, stragglers } = &reason else { panic!("{reason}") };
    assert_eq!(failure.component, "quic-server");
    assert!(
        matches!(&failure.error, ServiceError::Panicked { message, .. } if message == "the log is full"),
        "{failure}"
    );
    assert!(stragglers.is_empty(), "{stragglers:?}");
    let answer = timeout(PATIENCE, commands.add_peer(addr)).await.expect("an answer, not silence");
    assert_eq!(answer, Err(CommandError::Stopping));
    assert_eq!(failures(&to_the_end(events).await), ["quic-server"]);
    assert_eq!(node.alive_tasks(), 0, "{}", node.services());
    let (goodbye, reason) = peer_down(&mut heard).await;
    assert!(goodbye, "{reason}");
    stop(&stranger).await;
    stop(&friend).await;
}

#[tokio::test]
async fn a_panic_while_a_peer_is_admitted_costs_that_attempt_alone() {
    let lab = Lab::new();
    let asked = AtomicUsize::new(0);
    let mut config = lab.config("node", &[]);
    config.endpoint.digest = Arc::new(move || {
        assert!(asked.fetch_add(1, Ordering::SeqCst) > 0, "not yet");
        LibraryDigest::default()
    });
    let mut node = start(config).await;
    let mut events = node.events();
    let peer = lab.start_with_peers("peer", &[node.local_addr()]).await;
    let task = event(&mut events, "the panic", |event| match event {
        NodeEvent::TaskPanicked { task, message } if message == "not yet" => Some(task.clone()),
        _ => None,
    })
    .await;
    assert!(task.contains("quic-server") && task.ends_with("handshake"), "{task}");
    event(&mut events, "the peer, which tries again", |event| matches!(event, NodeEvent::PeerUp(_)).then_some(()))
        .await;
    assert!(matches!(node.services().service("quic-server"), Some(ServiceState::Running)));
    stop(&peer).await;
    stop(&node).await;
    assert!(failures(&to_the_end(events).await).is_empty());
}
