//! A cluster of model servers: pure, in one place, with a ledger of all that was applied and published.
//!
//! It keeps to the protocol. What a network or a crash may do to its words is the business of the [world](crate::world).

mod attach;
mod frames;
mod ledger;
mod session;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_signaling::{Epoch, SendId};

pub(crate) use ledger::{Applied, Ledger};
use session::{Lineage, Session};

use crate::wire::{self, Down, News, Up, pb};

/// What a server wants done.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "they live for a moment")]
pub(crate) enum Emit {
    /// Send this over a connection.
    Frame(Epoch, pb::ServerFrame),
    /// Close a connection with this code.
    Close(Epoch, u16),
}

/// How a node answers a hello.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Greeting {
    /// As it should.
    Proper,
    /// Not at all.
    Silent,
    /// By closing with this code.
    Close(u16),
    /// With a fault: code, action, wait and spread in milliseconds.
    Fault(pb::FaultCode, pb::FaultAction, u32, u32),
    /// A resumption with a rejection; everything else as it should.
    Reject(pb::RejectReason),
    /// With something that is no frame.
    Garbage,
    /// With another frame before Welcome.
    Early,
    /// With Welcome only: what was missed never ends.
    NoReplayEnd,
}

/// What a node does after it has rejected a resumption.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Afterwards {
    /// It waits for the second hello, and greets it as any other.
    Wait,
    /// It closes with this code, and waits for nothing.
    Close(u16),
    /// It says nothing any more.
    Silent,
    /// It answers the second hello with a fault: code, action, wait and spread in milliseconds.
    Fault(pb::FaultCode, pb::FaultAction, u32, u32),
    /// It rejects the second hello too, which asked for nothing of the kind.
    Again,
}

/// What survives a restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keep {
    /// Everything.
    All,
    /// Lineages and what they announced, but no session and no log.
    Lineages,
    /// Nothing.
    Nothing,
}

/// One server process.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) greeting: Greeting,
    pub(crate) afterwards: Afterwards,
    /// Whether it takes connections at all.
    pub(crate) up: bool,
    /// Whether it answers hellos with NODE_DRAINING.
    pub(crate) draining: bool,
}

/// What a server says in Welcome of times and bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) heartbeat_interval: Duration,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) spread: Duration,
    pub(crate) window: Duration,
    pub(crate) migrate: Duration,
    pub(crate) replay_capacity: usize,
    pub(crate) max_inflight: u32,
    pub(crate) token_ttl: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_timeout: Duration::from_secs(12),
            spread: Duration::from_millis(20),
            window: Duration::from_secs(10),
            migrate: Duration::from_secs(7),
            replay_capacity: 64,
            max_inflight: 32,
            token_ttl: Duration::ZERO,
        }
    }
}

/// A connection as a server sees it.
#[derive(Debug)]
struct Socket {
    node: usize,
    heard: Instant,
    /// The session that it speaks for; `None` before Hello.
    session: Option<[u8; 16]>,
    /// Why the session that it asked for cannot be resumed, once that was said.
    rejected: Option<pb::RejectReason>,
    fence: u64,
}

/// All servers, and what they share.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) terms: Terms,
    /// Whether nodes know each other's lineages.
    pub(crate) shared: bool,
    /// Whether a lineage is forgotten together with its session, when nobody came back in time.
    pub(crate) forgetful: bool,
    /// Tokens that are good; empty: all are.
    pub(crate) good_tokens: Vec<String>,
    /// Whether the next reliable frames are applied, but not acknowledged.
    pub(crate) mute_acks: bool,
    /// How many of the next reliable frames are refused.
    pub(crate) refuse: u32,
    pub(crate) ledger: Ledger,
    lineages: BTreeMap<(usize, Bytes), Lineage>,
    sessions: BTreeMap<[u8; 16], Session>,
    sockets: BTreeMap<Epoch, Socket>,
    minted: u64,
    news: u64,
}

impl Cluster {
    /// Nodes named `a`, `b` and so on, all healthy.
    pub(crate) fn new(nodes: usize) -> Self {
        let node = |i: usize| Node {
            name: char::from(b'a' + u8::try_from(i).unwrap_or(25)).to_string(),
            greeting: Greeting::Proper,
            afterwards: Afterwards::Wait,
            up: true,
            draining: false,
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            terms: Terms::default(),
            shared: true,
            forgetful: false,
            good_tokens: Vec::new(),
            mute_acks: false,
            refuse: 0,
            ledger: Ledger::default(),
            lineages: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sockets: BTreeMap::new(),
            minted: 0,
            news: 0,
        }
    }

    /// The node behind a URL.
    pub(crate) fn node_at(&self, url: &str) -> Option<usize> {
        self.nodes.iter().position(|node| url == format!("ws://{}", node.name))
    }

    /// A connection came in.
    pub(crate) fn accept(&mut self, now: Instant, epoch: Epoch, node: usize) {
        self.sockets.insert(epoch, Socket { node, heard: now, session: None, rejected: None, fence: 0 });
    }

    /// A connection is gone, as far as the server can see.
    pub(crate) fn lost(&mut self, now: Instant, epoch: Epoch) {
        let Some(socket) = self.sockets.remove(&epoch) else { return };
        let Some(session) = socket.session.and_then(|id| self.sessions.get_mut(&id)) else { return };
        if session.attached == Some(epoch) {
            session.attached = None;
            session.lost_at = Some(now);
        }
    }

    /// Drops what is overdue: silent connections, and sessions that nobody came back for.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Emit> {
        let timeout = self.terms.heartbeat_timeout;
        let silent: Vec<Epoch> =
            self.sockets.iter().filter(|(_, s)| now.duration_since(s.heard) > timeout).map(|(e, _)| *e).collect();
        for &epoch in &silent {
            let heard = self.sockets.get(&epoch).map_or(now, |s| s.heard);
            self.lost(heard + timeout, epoch);
        }
        let window = self.terms.window;
        let overdue = |s: &Session| s.attached.is_none() && s.lost_at.is_some_and(|at| now.duration_since(at) > window);
        let over: Vec<[u8; 16]> = self.sessions.values().filter(|s| overdue(s)).map(|s| s.id).collect();
        for id in over {
            self.sessions.remove(&id);
            if self.forgetful {
                // Unless it has a newer one by now.
                self.lineages.retain(|_, lineage| lineage.session != Some(id));
            }
        }
        silent.into_iter().map(|epoch| Emit::Close(epoch, 4100)).collect()
    }

    /// A frame came in.
    pub(crate) fn frame(&mut self, now: Instant, epoch: Epoch, frame: &pb::ClientFrame) -> Vec<Emit> {
        let mut out = self.expire(now);
        let Some(socket) = self.sockets.get_mut(&epoch) else { return out };
        socket.heard = now;
        let Some(body) = &frame.body else {
            out.extend(self.fault(epoch, pb::FaultCode::Protocol, pb::FaultAction::End, 0, 0));
            return out;
        };
        if let Up::Hello(hello) = body {
            out.extend(self.hello(now, epoch, hello));
            return out;
        }
        let Some(session) = socket.session.and_then(|id| self.sessions.get(&id)) else { return out };
        // Fencing: only the newest connection of a session is heard.
        if session.attached != Some(epoch) || session.fence != socket.fence {
            self.ledger.fenced += 1;
            return out;
        }
        let id = session.id;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.acknowledged(frame.ack);
            session.previous_token = None;
            let (log_id, key) = (session.log_id, (session.node, session.lineage.clone()));
            let key = (if self.shared { 0 } else { key.0 }, key.1);
            if let Some(lineage) = self.lineages.get_mut(&key) {
                lineage.refused.retain(|(log, seq, _)| *log != log_id || *seq > frame.ack);
            }
        }
        out.extend(self.apply(now, epoch, id, frame, body));
        out
    }

    /// Everyone in the room hears of `count` new things. Returns what goes out at once.
    pub(crate) fn publish(&mut self, now: Instant, count: u32) -> Vec<Emit> {
        let mut out = self.expire(now);
        for _ in 0..count {
            self.news += 1;
            let message = pb::Message {
                from: 99,
                class: pb::SendClass::Reliable.into(),
                payload: wire::marked(SendId(self.news), 8),
                topic: String::new(),
                dedupe_id: self.news,
            };
            let ids: Vec<[u8; 16]> = self.sessions.values().filter(|s| !s.moved).map(|s| s.id).collect();
            for id in ids {
                out.extend(self.deliver(id, News::Message(message.clone())));
            }
        }
        out
    }

    /// One more delivery in the log of a session.
    pub(crate) fn deliver(&mut self, id: [u8; 16], event: News) -> Vec<Emit> {
        let capacity = self.terms.replay_capacity;
        let Some(session) = self.sessions.get_mut(&id) else { return Vec::new() };
        let deliver = pb::Deliver { event: Some(event) };
        let seq = session.append(deliver.clone(), capacity);
        self.ledger.published(session.log_id, seq, &deliver);
        let ack = self.seen_by(id);
        let Some(epoch) = self.sessions.get(&id).and_then(|s| s.attached) else { return Vec::new() };
        vec![Emit::Frame(epoch, pb::ServerFrame { seq, ack, body: Some(Down::Deliver(deliver)) })]
    }

    /// Says something to whoever is connected to a node.
    pub(crate) fn say(&self, node: Option<usize>, body: &Down) -> Vec<Emit> {
        let attached = self.sessions.values().filter(|s| !s.moved && node.is_none_or(|n| s.node == n));
        attached.filter_map(|s| Some(Emit::Frame(s.attached?, wire::down(self.seen_by(s.id), body.clone())))).collect()
    }

    /// Ends all sessions.
    pub(crate) fn end_sessions(&mut self, reason: pb::EndReason) -> Vec<Emit> {
        let mut out = self.say(None, &Down::SessionEnded(pb::SessionEnded { reason: reason.into() }));
        out.extend(self.sessions.values().filter_map(|s| Some(Emit::Close(s.attached?, 1000))));
        self.sessions.clear();
        out
    }

    /// A node stops and starts again. Its connections are gone without a word.
    pub(crate) fn restart(&mut self, now: Instant, node: usize, keep: Keep) -> Vec<Epoch> {
        let gone: Vec<Epoch> = self.sockets.iter().filter(|(_, s)| s.node == node).map(|(e, _)| *e).collect();
        for &epoch in &gone {
            self.lost(now, epoch);
        }
        if keep != Keep::All {
            self.sessions.retain(|_, s| s.node != node);
        }
        if keep == Keep::Nothing {
            let key = self.key(node);
            // Nodes that share their memory lose it only with the last one that serves the client.
            let elsewhere = |lineage: &Bytes| self.sessions.values().any(|s| s.lineage == *lineage);
            self.lineages.retain(|(n, lineage), _| *n != key || elsewhere(lineage));
        }
        gone
    }

    /// Sessions with a connection: id, connection.
    pub(crate) fn attached(&self) -> impl Iterator<Item = ([u8; 16], Epoch)> + '_ {
        self.sessions.values().filter(|s| !s.moved).filter_map(|s| Some((s.id, s.attached?)))
    }

    /// The newest delivery of a session's log.
    pub(crate) fn head(&self, session: &[u8]) -> Option<([u8; 16], u64)> {
        let session = self.sessions.get(session)?;
        Some((session.log_id, session.head()))
    }

    /// What a lineage announced, wherever it is known: key, newest payload.
    pub(crate) fn announced(&self, node: usize, lineage: &[u8]) -> Option<&BTreeMap<String, (u64, Bytes)>> {
        self.lineages.get(&(self.key(node), Bytes::copy_from_slice(lineage))).map(|l| &l.states)
    }

    fn key(&self, node: usize) -> usize {
        if self.shared { 0 } else { node }
    }

    fn mint(&mut self) -> [u8; 16] {
        self.minted += 1;
        let mut id = [0xee; 16];
        id[..8].copy_from_slice(&self.minted.to_be_bytes());
        id
    }
}
