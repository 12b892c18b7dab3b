//! Hello: who may come in, and as what.

use std::time::Instant;

use bytes::Bytes;
use moorline_signaling::Epoch;

use super::{Afterwards, Cluster, Emit, Greeting, Lineage, Session};
use crate::wire::{self, Down, pb};

impl Cluster {
    pub(super) fn hello(&mut self, now: Instant, epoch: Epoch, hello: &pb::Hello) -> Vec<Emit> {
        use pb::{FaultAction as Action, FaultCode as Code};
        let Some((node, rejected)) = self.sockets.get(&epoch).map(|s| (s.node, s.rejected)) else { return Vec::new() };
        if let Some(reason) = rejected {
            match self.nodes[node].afterwards {
                Afterwards::Wait | Afterwards::Close(_) => {}
                Afterwards::Silent => return Vec::new(),
                Afterwards::Fault(code, action, wait, spread) => return self.fault(epoch, code, action, wait, spread),
                Afterwards::Again => return self.reject(node, epoch, reason),
            }
        }
        match self.nodes[node].greeting {
            Greeting::Silent => return Vec::new(),
            Greeting::Close(code) => return vec![Emit::Close(epoch, code)],
            Greeting::Fault(code, action, wait, spread) => return self.fault(epoch, code, action, wait, spread),
            Greeting::Garbage => {
                // A frame whose only body is one that no version knows.
                return vec![Emit::Frame(epoch, pb::ServerFrame { seq: 7, ack: 7, body: None })];
            }
            Greeting::Early => {
                let pong = Down::Pong(pb::Pong { nonce: 1, reconnect_spread_ms: 0 });
                return vec![Emit::Frame(epoch, wire::down(0, pong))];
            }
            Greeting::Proper | Greeting::Reject(_) | Greeting::NoReplayEnd => {}
        }
        if self.nodes[node].draining {
            return self.fault(epoch, Code::NodeDraining, Action::Move, 0, 0);
        }
        if !self.good_tokens.is_empty() && !self.good_tokens.contains(&hello.auth_token) {
            return self.fault(epoch, Code::TokenExpired, Action::Retry, 0, 0);
        }
        let plan = hello.recovery.as_ref().map_or(pb::Plan::Unspecified, pb::RecoveryInfo::plan);
        if plan == pb::Plan::Fast {
            return match self.resumable(node, hello) {
                Err(_) if rejected.is_some() => self.fault(epoch, Code::Protocol, Action::JoinAnew, 0, 0),
                Err(reason) => self.reject(node, epoch, reason),
                Ok(missed) => self.resume(epoch, hello, missed),
            };
        }
        self.join(now, epoch, node, hello, plan)
    }

    /// What a returning client missed, or why it cannot have it.
    fn resumable(&self, node: usize, hello: &pb::Hello) -> Result<Vec<(u64, pb::Deliver)>, pb::RejectReason> {
        use pb::RejectReason as Reason;
        if let Greeting::Reject(reason) = self.nodes[node].greeting {
            return Err(reason);
        }
        let recovery = hello.recovery.as_ref().ok_or(Reason::UnknownSession)?;
        let session = self.sessions.get(&hello.session_id[..]).ok_or(Reason::UnknownSession)?;
        if session.node != node {
            return Err(Reason::NodeChanged);
        }
        let token = &recovery.resume_token;
        if session.resume_token != *token && session.previous_token.as_ref() != Some(token) {
            return Err(Reason::Fenced);
        }
        let seen = recovery.last_seen.clone().unwrap_or_default();
        if seen.log_id[..] != session.log_id[..] {
            return Err(Reason::Gap);
        }
        session.after(seen.seq).ok_or(Reason::Gap)
    }

    fn reject(&mut self, node: usize, epoch: Epoch, reason: pb::RejectReason) -> Vec<Emit> {
        if let Some(socket) = self.sockets.get_mut(&epoch) {
            socket.rejected = Some(reason);
        }
        let reject = pb::ResumeReject { reason: reason.into(), hint_plan: pb::Plan::Rejoin.into() };
        let mut out = vec![Emit::Frame(epoch, wire::down(0, Down::ResumeReject(reject)))];
        if let Afterwards::Close(code) = self.nodes[node].afterwards {
            out.push(Emit::Close(epoch, code));
        }
        out
    }

    fn resume(&mut self, epoch: Epoch, hello: &pb::Hello, missed: Vec<(u64, pb::Deliver)>) -> Vec<Emit> {
        let mut out = Vec::new();
        let Ok(id) = <[u8; 16]>::try_from(&hello.session_id[..]) else { return out };
        let Some(session) = self.sessions.get_mut(&id) else { return out };
        // The token that was used stays good until the client shows that it has the new one.
        session.previous_token = hello.recovery.as_ref().map(|r| r.resume_token.clone());
        out.extend(self.attach(epoch, id));
        out.push(Emit::Frame(epoch, self.welcome(epoch, id, true, true, hello)));
        let ack = self.seen_by(id);
        for (seq, deliver) in missed {
            out.push(Emit::Frame(epoch, pb::ServerFrame { seq, ack, body: Some(Down::Deliver(deliver)) }));
        }
        out.extend(self.replay_end(epoch, id));
        out
    }

    fn join(&mut self, now: Instant, epoch: Epoch, node: usize, hello: &pb::Hello, plan: pb::Plan) -> Vec<Emit> {
        let mut out = self.expire(now);
        let key = (self.key(node), hello.lineage_id.clone());
        // What a node remembers of a client that has been elsewhere since is not its newest state: it may as well know nothing.
        let from = hello.recovery.as_ref().map(|r| r.from_node.clone()).unwrap_or_default();
        if !self.shared && !from.is_empty() && from != self.nodes[node].name {
            self.lineages.remove(&key);
        }
        let shown = Some(hello.session_id.clone()).filter(|id| !id.is_empty());
        if shown.is_some() && self.lineages.get(&key).is_some_and(|lineage| lineage.born_of == shown) {
            self.lineages.remove(&key);
        }
        let known = self.lineages.contains_key(&key);
        if !known {
            let first = hello.recovery.as_ref().map_or(1, |r| r.first_unacked.max(1));
            self.lineages.insert(key.clone(), Lineage { seen: first - 1, born_of: shown, ..Lineage::default() });
        }
        let (id, log_id) = (self.mint(), self.mint());
        let old = self.lineages.get_mut(&key).and_then(|lineage| lineage.session.replace(id));
        self.sessions.insert(id, Session::new(id, log_id, node, hello.lineage_id.clone()));
        // A migration is make before break; in every other case the old session is over.
        if let Some(old) = old.filter(|_| plan != pb::Plan::Migrate)
            && let Some(session) = self.sessions.remove(&old)
            && let Some(stale) = session.attached
        {
            out.push(Emit::Close(stale, 4200));
        }
        out.extend(self.attach(epoch, id));
        out.push(Emit::Frame(epoch, self.welcome(epoch, id, false, known, hello)));
        out.extend(self.replay_end(epoch, id));
        if plan == pb::Plan::Migrate {
            let from_session = hello.recovery.as_ref().map(|r| r.previous_session_id.clone()).unwrap_or_default();
            // The old session hears nothing new; it ends by its Leave, or with its connection.
            if let Some(session) = old.and_then(|old| self.sessions.get_mut(&old)) {
                session.moved = true;
            }
            out.push(Emit::Frame(epoch, wire::down(0, Down::MigrateDone(pb::MigrateDone { from_session }))));
        }
        out
    }

    /// Puts a session on a connection and throws its older one out.
    fn attach(&mut self, epoch: Epoch, id: [u8; 16]) -> Vec<Emit> {
        let token = Bytes::copy_from_slice(&self.mint());
        let Some(session) = self.sessions.get_mut(&id) else { return Vec::new() };
        let stale = session.attached.replace(epoch);
        session.lost_at = None;
        session.fence += 1;
        session.resume_token = token;
        if let Some(socket) = self.sockets.get_mut(&epoch) {
            socket.session = Some(id);
            socket.fence = session.fence;
        }
        self.ledger.welcomed.push(epoch);
        stale.filter(|old| *old != epoch).map(|old| Emit::Close(old, 4200)).into_iter().collect()
    }

    fn replay_end(&self, epoch: Epoch, id: [u8; 16]) -> Option<Emit> {
        let session = self.sessions.get(&id)?;
        if self.nodes[session.node].greeting == Greeting::NoReplayEnd {
            return None;
        }
        let end = Down::ReplayEnd(pb::ReplayEnd { upto: session.head() });
        Some(Emit::Frame(epoch, wire::down(self.seen_by(id), end)))
    }

    fn welcome(&self, epoch: Epoch, id: [u8; 16], resumed: bool, known: bool, hello: &pb::Hello) -> pb::ServerFrame {
        let Some(session) = self.sessions.get(&id) else { return pb::ServerFrame::default() };
        let lineage = self.lineages.get(&(self.key(session.node), session.lineage.clone()));
        let seen = lineage.map_or(0, |l| l.seen);
        let millis = |duration: std::time::Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let welcome = pb::Welcome {
            session_id: Bytes::copy_from_slice(&id),
            node_id: self.nodes[session.node].name.clone(),
            resumed,
            resume_token: session.resume_token.clone(),
            head: Some(pb::StreamPos { log_id: Bytes::copy_from_slice(&session.log_id), seq: session.head() }),
            client_seq_seen: seen,
            lineage_known: known,
            rejections: lineage.into_iter().flat_map(|l| &l.refused).map(|(_, _, refused)| refused.clone()).collect(),
            heartbeat_interval_ms: millis(self.terms.heartbeat_interval),
            heartbeat_timeout_ms: millis(self.terms.heartbeat_timeout),
            reconnect_spread_ms: millis(self.terms.spread),
            resume_window_ms: millis(self.terms.window),
            replay_capacity: u32::try_from(self.terms.replay_capacity).unwrap_or(u32::MAX),
            max_inflight: self.terms.max_inflight,
            token_ttl_ms: self.terms.token_ttl.as_millis().try_into().unwrap_or(u64::MAX),
            fence: session.fence,
            snapshot: (!resumed).then(|| self.snapshot(session, hello)),
            proto_version: 1,
            participant_id: 1,
            grants: Some(pb::Grants { publish: true, call: true, update_self: true }),
            migrate_timeout_ms: millis(self.terms.migrate),
        };
        debug_assert!(self.sockets.contains_key(&epoch));
        wire::down(seen, Down::Welcome(welcome))
    }

    fn snapshot(&self, session: &Session, hello: &pb::Hello) -> pb::Snapshot {
        let lineage = self.lineages.get(&(self.key(session.node), session.lineage.clone()));
        let states = lineage.into_iter().flat_map(|l| &l.states);
        let info = hello.client_info.clone().unwrap_or_default();
        let me = pb::Participant {
            id: 1,
            identity: if info.identity.is_empty() { "guest".to_owned() } else { info.identity },
            name: info.name,
            metadata: info.metadata,
            attributes: info.attributes,
            states: states
                .map(|(key, (rev, payload))| pb::StateEntry { key: key.clone(), rev: *rev, payload: payload.clone() })
                .collect(),
        };
        let other = pb::Participant { id: 99, identity: "other".to_owned(), ..pb::Participant::default() };
        pb::Snapshot { participants: vec![me, other] }
    }
}
