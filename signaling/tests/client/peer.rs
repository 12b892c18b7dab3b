//! A server whose every word the test chooses.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use moorline_proto::wire::signal as pb;
use moorline_signaling::client::{BoxFuture, Connector, Stream};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

pub(crate) use pb::client_frame::Body as FromClient;
pub(crate) use pb::server_frame::Body as FromServer;

/// No wait of a test is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what has to happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("this was to happen soon")
}

/// A listener on loopback.
pub(crate) struct Peer {
    listener: TcpListener,
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().unwrap())
    }

    /// Keeps the port for as long as the socket lives, and refuses whoever comes.
    pub(crate) fn stop_listening(self) -> TcpSocket {
        let addr = self.listener.local_addr().unwrap();
        drop(self);
        let held = TcpSocket::new_v4().unwrap();
        // Connections that were accepted there may linger.
        held.set_reuseaddr(true).unwrap();
        held.bind(addr).unwrap();
        held
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(crate) async fn accept(&self) -> Conn<TcpStream> {
        Conn::over(self.accept_tcp().await).await
    }

    /// Accepts, and lets the client into the room.
    pub(crate) async fn admit(&self, terms: &Terms) -> (Conn<TcpStream>, pb::Hello) {
        let mut conn = self.accept().await;
        let hello = conn.admit(terms).await;
        (conn, hello)
    }

    /// Lets everybody in and serves them, until the set is dropped.
    pub(crate) fn serve(self, terms: Terms) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = self.listener.accept().await {
                let terms = terms.clone();
                served.spawn(async move {
                    let mut conn = Conn::over(stream).await;
                    conn.admit(&terms).await;
                    conn.serve().await;
                });
            }
        });
        tasks
    }
}

/// What the server promises.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) spread_ms: u32,
    pub(crate) heartbeat_interval_ms: u32,
    pub(crate) heartbeat_timeout_ms: u32,
    pub(crate) max_inflight: u32,
}

impl Terms {
    /// Silence is a loss after a moment of real time.
    pub(crate) fn impatient() -> Self {
        Self { heartbeat_interval_ms: 100, heartbeat_timeout_ms: 400, ..Self::default() }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self { spread_ms: 5, heartbeat_interval_ms: 5_000, heartbeat_timeout_ms: 12_000, max_inflight: 256 }
    }
}

const SESSION: [u8; 16] = [5; 16];
const LOG: [u8; 16] = [7; 16];

/// The client on the other side of a WebSocket.
pub(crate) struct Conn<S> {
    socket: WebSocketStream<S>,
    /// Deliveries so far.
    seq: u64,
    /// The highest of the client's reliable frames.
    seen: u64,
}

impl<S: Stream> Conn<S> {
    pub(crate) async fn over(stream: S) -> Self {
        Self { socket: soon(accept_async(stream)).await.unwrap(), seq: 0, seen: 0 }
    }

    /// The next frame; `None` once the client is gone.
    pub(crate) async fn recv(&mut self) -> Option<pb::ClientFrame> {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = pb::ClientFrame::decode(bytes).unwrap();
                    self.seen = self.seen.max(frame.seq);
                    return Some(frame);
                }
                Some(Ok(Message::Close(_) | Message::Text(_))) => {}
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Whatever the client sends next, pings and acknowledgements aside.
    pub(crate) async fn recv_body(&mut self) -> FromClient {
        loop {
            match self.recv().await.expect("the client is gone").body {
                Some(FromClient::Ping(_) | FromClient::AckOnly(_)) => {}
                Some(body) => return body,
                None => panic!("a frame without a body"),
            }
        }
    }

    pub(crate) async fn send(&mut self, body: FromServer) {
        let seq = if let FromServer::Deliver(_) = body {
            self.seq += 1;
            self.seq
        } else {
            0
        };
        let frame = pb::ServerFrame { seq, ack: self.seen, body: Some(body) };
        self.send_raw(Message::Binary(frame.encode_to_vec().into())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        soon(self.socket.send(message)).await.unwrap();
    }

    /// A message of participant 2.
    pub(crate) async fn deliver(&mut self, text: &str) {
        self.send(message(text)).await;
    }

    pub(crate) async fn hello(&mut self) -> pb::Hello {
        match self.recv_body().await {
            FromClient::Hello(hello) => hello,
            other => panic!("{other:?} before Hello"),
        }
    }

    /// Answers Hello as the client wishes: with the old session, or a new one.
    pub(crate) async fn admit(&mut self, terms: &Terms) -> pb::Hello {
        let hello = self.hello().await;
        self.welcome(terms, &hello).await;
        hello
    }

    pub(crate) async fn welcome(&mut self, terms: &Terms, hello: &pb::Hello) {
        let recovery = hello.recovery.clone().unwrap_or_default();
        let resumed = recovery.plan() == pb::Plan::Fast;
        let first_unacked = recovery.first_unacked.max(1);
        self.seq = if resumed { recovery.last_seen.map_or(0, |pos| pos.seq) } else { 0 };
        self.seen = first_unacked - 1;
        let me = pb::Participant { id: 1, identity: "me".into(), ..Default::default() };
        let other = pb::Participant { id: 2, identity: "other".into(), ..Default::default() };
        let welcome = pb::Welcome {
            session_id: SESSION.to_vec().into(),
            node_id: "peer".into(),
            resumed,
            resume_token: Bytes::from_static(b"once"),
            head: Some(pb::StreamPos { log_id: LOG.to_vec().into(), seq: self.seq }),
            client_seq_seen: self.seen,
            lineage_known: resumed,
            heartbeat_interval_ms: terms.heartbeat_interval_ms,
            heartbeat_timeout_ms: terms.heartbeat_timeout_ms,
            reconnect_spread_ms: terms.spread_ms,
            resume_window_ms: 10_000,
            replay_capacity: 1_000,
            max_inflight: terms.max_inflight,
            snapshot: (!resumed).then(|| pb::Snapshot { participants: vec![me, other] }),
            proto_version: 1,
            participant_id: 1,
            grants: Some(pb::Grants { publish: true, call: true, update_self: true }),
            ..Default::default()
        };
        self.send(FromServer::Welcome(welcome)).await;
        self.send(FromServer::ReplayEnd(pb::ReplayEnd { upto: self.seq })).await;
    }

    /// Answers what has to be answered, until the client is gone.
    pub(crate) async fn serve(&mut self) {
        // Its end may come while something is written to it.
        while let Some(Ok(message)) = self.socket.next().await {
            let Message::Binary(bytes) = message else { continue };
            let frame = pb::ClientFrame::decode(bytes).unwrap();
            self.seen = self.seen.max(frame.seq);
            let answer = match frame.body {
                Some(FromClient::Ping(ping)) => {
                    FromServer::Pong(pb::Pong { nonce: ping.nonce, reconnect_spread_ms: 5 })
                }
                Some(FromClient::Leave(_)) => FromServer::SessionEnded(pb::SessionEnded { reason: 1 }),
                _ if frame.seq > 0 => FromServer::AckOnly(pb::AckOnly {}),
                _ => continue,
            };
            let frame = pb::ServerFrame { seq: 0, ack: self.seen, body: Some(answer) };
            if self.socket.send(Message::Binary(frame.encode_to_vec().into())).await.is_err() {
                return;
            }
        }
    }

    /// Closes with a code, without ending the session.
    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        soon(self.socket.close(Some(frame))).await.unwrap();
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }
}

impl Conn<TcpStream> {
    /// Cuts the connection so that the client's next read or write fails.
    pub(crate) fn reset(self) {
        self.socket.get_ref().set_zero_linger().unwrap();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    /// What is below the WebSocket.
    pub(crate) fn stream(&mut self) -> &mut S {
        self.socket.get_mut()
    }
}

/// Reads, without a word, until the connection ends: by itself, or with an error.
pub(crate) async fn end_of(stream: &mut TcpStream) -> Result<(), io::ErrorKind> {
    let mut bytes = [0; 4096];
    loop {
        match soon(stream.read(&mut bytes)).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.kind()),
        }
    }
}

/// Waits for the other side to hang up, and discards what it says before.
pub(crate) async fn hangs_up(stream: &mut (impl Stream + ?Sized)) {
    let mut bytes = [0; 4096];
    while let Ok(1..) = soon(stream.read(&mut bytes)).await {}
    drop(stream.shutdown().await);
}

pub(crate) fn message(text: &str) -> FromServer {
    let message = pb::Message {
        from: 2,
        class: pb::SendClass::Reliable.into(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        ..Default::default()
    };
    FromServer::Deliver(pb::Deliver { event: Some(pb::deliver::Event::Message(message)) })
}

/// Connections in memory, which do not keep a stopped clock from jumping ahead.
pub(crate) struct Pipes {
    to_peer: mpsc::Sender<DuplexStream>,
}

impl Pipes {
    pub(crate) fn new() -> (Self, mpsc::Receiver<DuplexStream>) {
        let (to_peer, connections) = mpsc::channel(16);
        (Self { to_peer }, connections)
    }
}

impl Connector for Pipes {
    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            self.to_peer.send(theirs).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}
