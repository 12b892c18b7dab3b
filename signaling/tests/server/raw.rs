//! A client that sends and receives single frames, and a network without sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
pub use moorline_proto::wire::signal as pb;
use moorline_signaling::server::Listener;
use moorline_signaling::server::store::Store;
pub use moorline_signaling::server::{Drain, Limits, Server, ServerConfig, ServerHandle};
pub use pb::client_frame::Body as To;
pub use pb::deliver::Event;
pub use pb::server_frame::Body as From;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// No step of a test takes longer.
const STEP: Duration = Duration::from_secs(30);
/// What a pipe of the network holds.
pub const PIPE: usize = 64 << 10;

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

/// A server, and a way to it.
pub struct World {
    pub server: ServerHandle,
    pub dial: mpsc::UnboundedSender<DuplexStream>,
}

impl World {
    pub fn new(config: ServerConfig) -> Self {
        let (dial, pipes) = mpsc::unbounded_channel();
        Self { server: Server::start(config, Pipes(pipes)).unwrap(), dial }
    }

    /// A server with another store.
    pub fn over(config: ServerConfig, store: impl Store) -> Self {
        let (dial, pipes) = mpsc::unbounded_channel();
        Self { server: Server::start_with(config, Pipes(pipes), store).unwrap(), dial }
    }

    /// A server that is not in the way.
    pub fn open() -> Self {
        Self::new(config())
    }

    /// A connection on which nothing was said yet.
    pub fn pipe(&self) -> DuplexStream {
        self.pipe_of(PIPE)
    }

    pub fn pipe_of(&self, size: usize) -> DuplexStream {
        let (near, far) = tokio::io::duplex(size);
        self.dial.send(far).unwrap();
        near
    }

    /// A WebSocket on which nothing was said yet.
    pub async fn socket(&self) -> Raw {
        Raw::over(self.pipe()).await
    }

    /// A participant of the room, and its Welcome.
    pub async fn join(&self, who: &Who) -> (Raw, pb::Welcome) {
        let mut raw = self.socket().await;
        let welcome = raw.enter(who.hello()).await;
        (raw, welcome)
    }

    /// Resumes with what this Welcome said.
    pub async fn resume(&self, who: &Who, welcome: &pb::Welcome, last_seen: u64) -> (Raw, From) {
        let mut raw = self.socket().await;
        raw.send(0, 0, To::Hello(who.resume(welcome, last_seen))).await;
        let answer = raw.body().await;
        (raw, answer)
    }

    /// A connection on which a session was asked for that nobody has.
    pub async fn rejected(&self, who: &Who) -> Raw {
        let (raw, answer) = self.resume(who, &forgotten(), 0).await;
        assert!(matches!(answer, From::ResumeReject(_)), "{answer:?}");
        raw
    }
}

/// A Welcome of a process that is gone.
pub fn forgotten() -> pb::Welcome {
    let head = pb::StreamPos { log_id: vec![9; 16].into(), seq: 0 };
    pb::Welcome { session_id: vec![9; 16].into(), head: Some(head), ..Default::default() }
}

/// A configuration whose ids are the same in each run.
pub fn config() -> ServerConfig {
    ServerConfig { seed: [7; 32], node_id: "here".into(), ..ServerConfig::default() }
}

/// Somebody who may want to be in a room.
#[derive(Clone)]
pub struct Who {
    pub identity: String,
    pub lineage: [u8; 16],
    pub room: String,
    pub token: String,
}

pub fn who(identity: &str) -> Who {
    let mut lineage = [0; 16];
    lineage[..identity.len().min(16)].copy_from_slice(&identity.as_bytes()[..identity.len().min(16)]);
    Who { identity: identity.into(), lineage, room: "lobby".into(), token: String::new() }
}

impl Who {
    pub fn hello(&self) -> pb::Hello {
        pb::Hello {
            proto_versions: vec![1],
            lineage_id: self.lineage.to_vec().into(),
            room: self.room.clone(),
            auth_token: self.token.clone(),
            client_info: Some(pb::ClientInfo { identity: self.identity.clone(), ..Default::default() }),
            ..Default::default()
        }
    }

    /// A Hello that recovers from the session of this Welcome.
    pub fn recover(&self, plan: pb::Plan, welcome: &pb::Welcome) -> pb::Hello {
        let recovery = pb::RecoveryInfo {
            plan: plan.into(),
            attempt: 1,
            previous_session_id: welcome.session_id.clone(),
            from_node: welcome.node_id.clone(),
            resume_token: welcome.resume_token.clone(),
            last_seen: welcome.head.clone(),
            first_unacked: welcome.client_seq_seen + 1,
            ..Default::default()
        };
        pb::Hello { session_id: welcome.session_id.clone(), recovery: Some(recovery), ..self.hello() }
    }

    pub fn resume(&self, welcome: &pb::Welcome, last_seen: u64) -> pb::Hello {
        let mut hello = self.recover(pb::Plan::Fast, welcome);
        hello.recovery.as_mut().unwrap().last_seen.as_mut().unwrap().seq = last_seen;
        hello
    }
}

/// A WebSocket to the server.
pub struct Raw<IO = DuplexStream> {
    pub ws: WebSocketStream<IO>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Raw<IO> {
    pub async fn over(pipe: IO) -> Self {
        let (ws, _) = timeout(STEP, tokio_tungstenite::client_async("ws://here/room", pipe)).await.unwrap().unwrap();
        Self { ws }
    }

    /// Says Hello, and reads up to ReplayEnd of a join to which nothing was to be replayed.
    pub async fn enter(&mut self, hello: pb::Hello) -> pb::Welcome {
        self.send(0, 0, To::Hello(hello)).await;
        let From::Welcome(welcome) = self.body().await else { panic!("not a Welcome") };
        let From::ReplayEnd(end) = self.body().await else { panic!("not the end of the replay") };
        assert_eq!(end.upto, welcome.head.as_ref().unwrap().seq);
        welcome
    }

    pub async fn send(&mut self, seq: u64, ack: u64, body: To) {
        let frame = pb::ClientFrame { seq, ack, body: Some(body) };
        self.send_bytes(frame.encode_to_vec()).await;
    }

    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        timeout(STEP, self.ws.send(Message::Binary(bytes.into()))).await.unwrap().unwrap();
    }

    /// A reliable message to everybody.
    pub async fn publish(&mut self, seq: u64, payload: &str) {
        self.send(seq, 0, To::Publish(message(pb::SendClass::Reliable, payload))).await;
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn maybe_frame(&mut self) -> Result<pb::ServerFrame, Option<u16>> {
        loop {
            match timeout(STEP, self.ws.next()).await.expect("the server says something in time") {
                Some(Ok(Message::Binary(bytes))) => return Ok(pb::ServerFrame::decode(bytes).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub async fn frame(&mut self) -> pb::ServerFrame {
        self.maybe_frame().await.expect("the connection lives")
    }

    pub async fn body(&mut self) -> From {
        self.frame().await.body.unwrap()
    }

    /// The next delivery, with its number; acknowledgements and heartbeats are passed over.
    pub async fn delivery(&mut self) -> (u64, Event) {
        loop {
            let frame = self.frame().await;
            match frame.body.unwrap() {
                From::Deliver(deliver) => return (frame.seq, deliver.event.unwrap()),
                From::AckOnly(_) | From::Ping(_) => {}
                other => panic!("not a delivery: {other:?}"),
            }
        }
    }

    /// The payload of the next delivery, which is a message.
    pub async fn message(&mut self) -> (u64, String) {
        match self.delivery().await {
            (seq, Event::Message(message)) => (seq, String::from_utf8(message.payload.to_vec()).unwrap()),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Reads until a frame acknowledges this much.
    pub async fn acked(&mut self, seq: u64) {
        while self.frame().await.ack < seq {}
    }

    /// Reads the fault that ends the connection, and its close code.
    pub async fn fault(&mut self) -> (pb::Fault, u16) {
        let fault = loop {
            match self.body().await {
                From::Fault(fault) => break fault,
                From::Deliver(_) | From::AckOnly(_) | From::Ping(_) => {}
                other => panic!("not a fault: {other:?}"),
            }
        };
        (fault, self.closed().await)
    }

    /// The code of the close that comes next.
    pub async fn closed(&mut self) -> u16 {
        match self.maybe_frame().await {
            Err(Some(code)) => code,
            other => panic!("not a close: {other:?}"),
        }
    }

    /// Whether nothing comes within this time.
    pub async fn is_silent(&mut self, for_so_long: Duration) -> bool {
        timeout(for_so_long, self.ws.next()).await.is_err()
    }

    /// Answers pings for this time, in which the server has nothing to tell.
    pub async fn quiet(&mut self, for_so_long: Duration) {
        let until = tokio::time::Instant::now() + for_so_long;
        while let Ok(frame) = tokio::time::timeout_at(until, self.frame()).await {
            match frame.body.unwrap() {
                From::Ping(ping) => {
                    self.send(0, 0, To::Pong(pb::Pong { nonce: ping.nonce, ..Default::default() })).await;
                }
                From::AckOnly(_) => {}
                other => panic!("not a quiet time: {other:?}"),
            }
        }
    }

    /// Answers pings for this time. What else comes is lost.
    pub async fn idle(&mut self, for_so_long: Duration) {
        let until = tokio::time::Instant::now() + for_so_long;
        while let Ok(Some(Ok(message))) = tokio::time::timeout_at(until, self.ws.next()).await {
            if let Message::Binary(bytes) = message
                && let Some(From::Ping(ping)) = pb::ServerFrame::decode(bytes).unwrap().body
            {
                self.send(0, 0, To::Pong(pb::Pong { nonce: ping.nonce, ..Default::default() })).await;
            }
        }
    }
}

pub fn message(class: pb::SendClass, payload: &str) -> pb::Publish {
    pb::Publish { class: class.into(), payload: payload.as_bytes().to_vec().into(), ..Default::default() }
}

pub fn state(key: &str, rev: u64, payload: &[u8]) -> To {
    To::StateUpdate(pb::StateUpdate { key: key.into(), rev, payload: payload.to_vec().into() })
}

/// The identities in a snapshot.
pub fn identities(welcome: &pb::Welcome) -> Vec<String> {
    let participants = &welcome.snapshot.as_ref().expect("a snapshot").participants;
    let mut names: Vec<_> = participants.iter().map(|participant| participant.identity.clone()).collect();
    names.sort();
    names
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Raw<IO> {
    /// As `publish`, over a connection that may be closed.
    pub async fn send_if_open(&mut self, seq: u64, payload: &str) {
        let frame = pb::ClientFrame { seq, ack: 0, body: Some(To::Publish(message(pb::SendClass::Reliable, payload))) };
        let _ = timeout(STEP, self.ws.send(Message::Binary(frame.encode_to_vec().into()))).await;
    }

    /// As `delivery`, answering pings meanwhile.
    pub async fn delivery_while_alive(&mut self) -> (u64, Event) {
        loop {
            let frame = self.frame().await;
            match frame.body.unwrap() {
                From::Deliver(deliver) => return (frame.seq, deliver.event.unwrap()),
                From::Ping(ping) => {
                    self.send(0, 0, To::Pong(pb::Pong { nonce: ping.nonce, ..Default::default() })).await;
                }
                _ => {}
            }
        }
    }
}
