//! What is still owed to others when a required service dies.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use moorline_runtime::node::{CommandError, NodeEvent};
use tokio::time::timeout;

use crate::lab::{self, Lab, PATIENCE, event, failures, peer_down, start, stop, to_the_end};

#[tokio::test]
async fn a_node_that_nobody_can_command_any_more_still_says_goodbye() {
    let lab = Lab::new();
    let mut node = lab.start("node", &[]).await;
    let events = node.events();
    let mut friend = lab.start_with_peers("friend", &[node.local_addr()]).await;
    let mut heard = friend.events();
    event(&mut heard, "the node", |event| matches!(event, NodeEvent::PeerUp(_)).then_some(())).await;
    drop(node);
    assert_eq!(failures(&to_the_end(events).await), ["commands"]);
    let (goodbye, reason) = peer_down(&mut heard).await;
    assert!(goodbye, "{reason}");
    stop(&friend).await;
}

type Answer = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send>>;

#[tokio::test]
async fn a_command_that_waits_when_a_required_service_dies_is_answered() {
    let lab = Lab::new();
    let mut config = lab.config("node", &[]);
    config.endpoint.limits.max_connections = 1;
    let mut node = start(config).await;
    let (events, commands, addr) = (node.events(), node.commands(), node.local_addr());
    let friend = lab.start_with_peers("friend", &[addr]).await;
    lab::until("the friend", || node.peers().pop()).await;

    // The server logs that it turns a second peer away. There is one thread, so what is asked for in that moment is still in
    // the queue when the server dies of it.
    let waiting: Arc<Mutex<Option<Answer>>> = Arc::default();
    let queue = waiting.clone();
    let _log = lab::log::listen(move |_, line| {
        if line.contains("too many connections") {
            let commands = commands.clone();
            let mut answer: Answer = Box::pin(async move { commands.add_peer(addr).await });
            assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            queue.lock().unwrap_or_else(PoisonError::into_inner).replace(answer);
            panic!("the log is full");
        }
    });
    let stranger = lab.start_with_peers("stranger", &[addr]).await;
    assert_eq!(failures(&to_the_end(events).await), ["quic-server"]);
    let answer = waiting.lock().unwrap_or_else(PoisonError::into_inner).take().expect("a command was queued");
    let answer = timeout(PATIENCE, answer).await.expect("an answer, not silence");
    assert_eq!(answer, Err(CommandError::Stopping));
    stop(&stranger).await;
    stop(&friend).await;
}
