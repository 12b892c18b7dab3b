//! Frames of the client, from what the machine holds.

use std::time::Instant;

use bytes::Bytes;

use crate::wire::{self, PROTO_VERSION, limits, pb};
use crate::{LineageId, Strategy};

use super::outbox::{Body, Entry};
use super::session::Session;
use super::way::{Aim, Way};
use super::{CallRefusal, ClientInfo, Config, SelfUpdate};

pub(super) use pb::client_frame::Body as ClientBody;

pub(super) fn frame(seq: u64, ack: u64, body: ClientBody) -> Bytes {
    wire::encode(&pb::ClientFrame { seq, ack, body: Some(body) })
}

/// What is known when a connection opens.
pub(super) struct Greeting<'a> {
    pub(super) config: &'a Config,
    pub(super) info: &'a ClientInfo,
    pub(super) token: &'a str,
    pub(super) lineage: LineageId,
    pub(super) session: Option<&'a Session>,
    pub(super) first_unacked: u64,
    pub(super) announced: Vec<pb::StateEntry>,
}

impl Greeting<'_> {
    pub(super) fn hello(&self, way: &Way, now: Instant) -> pb::Hello {
        let session = self.session.filter(|_| way.aim != Aim::FirstJoin);
        let id = session.map(|session| Bytes::copy_from_slice(session.id.as_bytes())).unwrap_or_default();
        let recovery = session.map(|session| {
            let fast = way.strategy == Strategy::Fast;
            let last_seen =
                pb::StreamPos { log_id: Bytes::copy_from_slice(session.pos.log_id.as_bytes()), seq: session.pos.seq };
            let plan = match (way.aim, way.strategy) {
                (Aim::Migration, _) => pb::Plan::Migrate,
                (_, Strategy::Fast) => pb::Plan::Fast,
                _ => pb::Plan::Rejoin,
            };
            let downtime = now.saturating_duration_since(session.last_inbound);
            pb::RecoveryInfo {
                plan: plan.into(),
                attempt: way.attempt,
                cause: cut(&way.causes.join("; "), limits::MAX_TEXT),
                previous_session_id: id.clone(),
                from_node: session.node.clone(),
                excluded_nodes: way.exclude.clone(),
                resume_token: if fast { session.resume_token.0.clone() } else { Bytes::new() },
                last_seen: fast.then_some(last_seen),
                first_unacked: self.first_unacked,
                downtime_ms: downtime.as_millis().try_into().unwrap_or(u64::MAX),
            }
        });
        pb::Hello {
            proto_versions: vec![PROTO_VERSION],
            auth_token: self.token.to_owned(),
            lineage_id: Bytes::copy_from_slice(self.lineage.as_bytes()),
            session_id: id,
            room: self.config.room.clone(),
            client_info: Some(pb::ClientInfo {
                name: self.info.name.clone(),
                identity: self.info.identity.clone(),
                agent: self.info.agent.clone(),
                metadata: self.info.metadata.clone(),
                attributes: self.info.attributes.clone(),
            }),
            caps: Vec::new(),
            recovery,
            digest: Some(pb::StateDigest { announced: self.announced.clone() }),
        }
    }
}

/// A reliable entry, as it is at `now`.
pub(super) fn body(entry: &Entry, now: Instant) -> ClientBody {
    match &entry.body {
        Body::Publish { id, message } => publish(id.0, pb::SendClass::Reliable, message.clone()),
        Body::Value { key, rev, payload } => {
            ClientBody::StateUpdate(pb::StateUpdate { key: key.clone(), rev: *rev, payload: payload.clone() })
        }
        Body::Update(SelfUpdate { name, metadata, attributes }) => {
            ClientBody::ParticipantUpdate(pb::ParticipantUpdate {
                name: name.clone(),
                metadata: metadata.clone(),
                attributes: attributes.clone(),
            })
        }
        Body::Call { id, to, method, payload, deadline } => {
            let left = deadline.saturating_duration_since(now);
            ClientBody::Call(pb::Call {
                call_id: id.0,
                to: to.0,
                method: method.clone(),
                payload: payload.clone(),
                timeout_ms: left.as_millis().try_into().unwrap_or(u32::MAX),
            })
        }
        Body::Reply { call, to, result } => {
            let (status, payload) = match result {
                Ok(payload) => (pb::CallStatus::CallOk, payload.clone()),
                Err(CallRefusal::Failed(message)) => {
                    (pb::CallStatus::CallFailed, cut(message, limits::MAX_PAYLOAD).into())
                }
                Err(CallRefusal::NoSuchMethod) => (pb::CallStatus::CallNoSuchMethod, Bytes::new()),
                Err(CallRefusal::Busy) => (pb::CallStatus::CallBusy, Bytes::new()),
            };
            ClientBody::Reply(pb::Reply { call_id: call.0, to: to.0, status: status.into(), payload })
        }
    }
}

pub(super) fn publish(id: u64, class: pb::SendClass, message: super::Outgoing) -> ClientBody {
    ClientBody::Publish(pb::Publish {
        dedupe_id: id,
        class: class.into(),
        payload: message.payload,
        topic: message.topic,
        to: message.to.into_iter().map(|to| to.0).collect(),
    })
}

/// The beginning of a text: at most `max` bytes, whole characters.
pub(super) fn cut(text: &str, max: usize) -> String {
    text[..text.floor_char_boundary(max)].to_owned()
}
