//! The yardstick: a WebSocket server as it is written in an afternoon. One task a connection, a bounded queue for each, and every
//! binary message goes to everybody else. Nothing is kept, nothing is acknowledged, nobody is counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// As the room server has it.
const READ_BUFFER: usize = 2 << 10;
/// So that a batch of small messages is one write, as it is with the room server.
const WRITE_BUFFER: usize = 16 << 10;
/// Messages that wait for one connection: as many as the room server keeps.
const QUEUE: usize = 1_024;
/// Taken from the queue at once.
const BATCH: usize = 64;

type Queues = Arc<Mutex<BTreeMap<u64, mpsc::Sender<Bytes>>>>;

/// The process: says where it listens and serves until its standard input ends.
pub(crate) fn serve() -> Result<()> {
    crate::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("ready {}", listener.local_addr()?);
        let queues = Queues::default();
        tokio::spawn(async move {
            for id in 0.. {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(connection(id, stream, Arc::clone(&queues)));
            }
        });
        crate::child::parent_is_gone().await;
        std::process::exit(0)
    })
}

async fn connection(id: u64, stream: TcpStream, queues: Queues) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER);
    // Boxed, as the room server does: what is needed for an instant is not kept.
    let mut socket = Box::pin(accept_async_with_config(stream, Some(config))).await.ok()?;
    let (queue, mut waiting) = mpsc::channel(QUEUE);
    lock(&queues).insert(id, queue);
    let mut batch = Vec::new();
    loop {
        let going_on = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    for (_, queue) in lock(&queues).iter().filter(|(other, _)| **other != id) {
                        // Whoever is that slow misses something.
                        let _ = queue.try_send(bytes.clone());
                    }
                    true
                }
                Some(Ok(Message::Ping(_))) => socket.flush().await.is_ok(),
                Some(Ok(_)) => true,
                _ => false,
            },
            _ = waiting.recv_many(&mut batch, BATCH) => {
                let mut fine = true;
                for bytes in batch.drain(..) {
                    fine = fine && socket.feed(Message::Binary(bytes)).await.is_ok();
                }
                fine && socket.flush().await.is_ok()
            }
        };
        if !going_on {
            lock(&queues).remove(&id);
            return None;
        }
    }
}

fn lock(queues: &Queues) -> std::sync::MutexGuard<'_, BTreeMap<u64, mpsc::Sender<Bytes>>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}
