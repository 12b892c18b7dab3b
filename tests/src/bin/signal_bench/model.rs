//! A server in fake time, as far as a herd meets it: how many it lets in a second, and that it remembers nobody.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use moorline_proto::wire::signal::{self as pb, client_frame, server_frame};
use moorline_signaling::Epoch;
use prost::Message as _;

/// One life of a server process. A restart makes another.
pub(crate) struct ModelServer {
    rate: u32,
    /// Whether it can be overrun at all.
    limited: bool,
    permits: f64,
    filled_at: Instant,
    /// Until when the permits to come are promised to those who were asked to come later.
    promised_until: Instant,
    sessions: u32,
    /// When somebody came. Who was rejected and says Hello again is there already.
    pub(crate) arrivals: Vec<Instant>,
    pub(crate) hellos: usize,
    rejected: HashSet<Connection>,
}

/// A client, and which of its connections.
pub(crate) type Connection = (usize, Epoch);

/// What a client hears.
pub(crate) enum Answer {
    Frame(Bytes),
    Closed(u16),
}

impl ModelServer {
    pub(crate) fn new(rate: u32, limited: bool, now: Instant) -> Self {
        let permits = f64::from(burst(rate));
        Self {
            rate,
            limited,
            permits,
            filled_at: now,
            promised_until: now,
            sessions: 0,
            arrivals: Vec::new(),
            hellos: 0,
            rejected: HashSet::new(),
        }
    }

    /// Answers a frame.
    pub(crate) fn handle(&mut self, now: Instant, from: Connection, frame: Bytes) -> Vec<Answer> {
        use server_frame::Body;
        let Ok(frame) = pb::ClientFrame::decode(frame) else { return vec![Answer::Closed(4000)] };
        match frame.body {
            Some(client_frame::Body::Hello(hello)) => self.hello(now, from, &hello),
            Some(client_frame::Body::Ping(ping)) => {
                vec![said(Body::Pong(pb::Pong { nonce: ping.nonce, reconnect_spread_ms: self.spread_ms() }))]
            }
            _ => Vec::new(),
        }
    }

    fn hello(&mut self, now: Instant, from: Connection, hello: &pb::Hello) -> Vec<Answer> {
        use server_frame::Body;
        self.hellos += 1;
        let arrives = !self.rejected.remove(&from);
        if arrives {
            self.arrivals.push(now);
        }
        if let Some((retry_after_ms, spread_ms)) = arrives.then(|| self.come_later(now)).flatten() {
            let fault = pb::Fault {
                code: pb::FaultCode::RateLimited.into(),
                action: pb::FaultAction::Retry.into(),
                retry_after_ms,
                spread_ms,
                message: "too many arrivals".into(),
            };
            return vec![said(Body::Fault(fault)), Answer::Closed(4100)];
        }
        if hello.recovery.as_ref().is_some_and(|recovery| recovery.plan() == pb::Plan::Fast) {
            self.rejected.insert(from);
            let reject =
                pb::ResumeReject { reason: pb::RejectReason::NodeChanged.into(), hint_plan: pb::Plan::Rejoin.into() };
            return vec![said(Body::ResumeReject(reject))];
        }
        self.sessions += 1;
        let id = Bytes::copy_from_slice(&u128::from(self.sessions).to_be_bytes());
        let participant = pb::Participant { id: 1, ..pb::Participant::default() };
        let welcome = pb::Welcome {
            session_id: id.clone(),
            node_id: "node".into(),
            resume_token: Bytes::from_static(b"token"),
            head: Some(pb::StreamPos { log_id: id, seq: 0 }),
            client_seq_seen: hello.recovery.as_ref().map_or(0, |recovery| recovery.first_unacked.saturating_sub(1)),
            heartbeat_interval_ms: 5_000,
            heartbeat_timeout_ms: 12_000,
            reconnect_spread_ms: self.spread_ms(),
            resume_window_ms: 10_000,
            max_inflight: 256,
            snapshot: Some(pb::Snapshot { participants: vec![participant] }),
            proto_version: 1,
            participant_id: 1,
            ..pb::Welcome::default()
        };
        vec![said(Body::Welcome(welcome)), said(Body::ReplayEnd(pb::ReplayEnd { upto: 0 }))]
    }

    /// What the room server advises: its sessions, less half of what it lets in at once, divided by what it lets in.
    fn spread_ms(&self) -> u32 {
        let late = self.sessions.saturating_sub(burst(self.rate) / 2);
        (u64::from(late) * 1_000 / u64::from(self.rate)).max(u64::from(self.sessions > 0)) as u32
    }

    /// Takes a permit; without one, when to come again, and how exactly. As the room server does.
    fn come_later(&mut self, now: Instant) -> Option<(u32, u32)> {
        const SPREAD_MS: u32 = 50;
        if !self.limited {
            return None;
        }
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.permits = (self.permits + passed * f64::from(self.rate)).min(f64::from(burst(self.rate)));
        if self.permits >= 1.0 {
            self.permits -= 1.0;
            return None;
        }
        let next = now + Duration::from_secs_f64((1.0 - self.permits) / f64::from(self.rate));
        let promised = self.promised_until.max(next);
        self.promised_until = promised + Duration::from_secs(1) / self.rate;
        Some(((promised - now).as_millis() as u32, SPREAD_MS))
    }
}

fn burst(rate: u32) -> u32 {
    (rate / 4).max(100)
}

fn said(body: server_frame::Body) -> Answer {
    Answer::Frame(pb::ServerFrame { seq: 0, ack: 0, body: Some(body) }.encode_to_vec().into())
}
