use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire::{limits, pb};
use crate::{Grants, ParticipantId, RejectCode};

/// What a client asks the room for. Within the limits of the protocol, and allowed by its grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A message to other participants.
    Publish {
        /// Names it within the lineage.
        dedupe_id: u64,
        /// The class, by its number on the wire.
        class: i32,
        /// The content.
        payload: Bytes,
        /// To sort by.
        topic: String,
        /// Nobody: everybody else.
        to: Vec<ParticipantId>,
    },
    /// The newest value of a key; empty: none any more.
    State {
        /// The key.
        key: String,
        /// Grows with each value of the key.
        rev: u64,
        /// The value.
        payload: Bytes,
    },
    /// What the participant says of itself.
    Update {
        /// `None`: as it is.
        name: Option<String>,
        /// `None`: as it is.
        metadata: Option<String>,
        /// To merge; an empty value removes its key.
        attributes: BTreeMap<String, String>,
    },
    /// A question to one participant.
    Call {
        /// Names it within the caller's lineage.
        call_id: u64,
        /// Who is to answer.
        to: ParticipantId,
        /// What for.
        method: String,
        /// The argument.
        payload: Bytes,
        /// How long the caller waits, in milliseconds.
        timeout_ms: u32,
    },
    /// The answer.
    Reply {
        /// As in the question.
        call_id: u64,
        /// Who asked.
        to: ParticipantId,
        /// How it ended, by its number on the wire.
        status: i32,
        /// The result.
        payload: Bytes,
    },
    /// Something that is not to be done. It has a place in the sequence all the same.
    Refused {
        /// Why.
        code: RejectCode,
        /// For people.
        message: &'static str,
    },
}

impl Request {
    /// Checks what came in. A body that asks the room for nothing has `None`.
    pub(crate) fn of(body: pb::client_frame::Body, grants: Grants) -> Option<Self> {
        use pb::client_frame::Body;
        Some(match body {
            Body::Publish(publish) => Self::publish(publish, grants),
            Body::StateUpdate(update) => Self::state(update, grants),
            Body::ParticipantUpdate(update) => Self::update(update, grants),
            Body::Call(call) => Self::call(call, grants),
            Body::Reply(reply) => Self::reply(reply),
            _ => return None,
        })
    }

    fn publish(publish: pb::Publish, grants: Grants) -> Self {
        if !grants.publish {
            return NOT_ALLOWED;
        }
        if publish.payload.len() > limits::MAX_PAYLOAD
            || publish.topic.len() > limits::MAX_TEXT
            || publish.to.len() > limits::MAX_RECIPIENTS
        {
            return OVER_LIMIT;
        }
        Self::Publish {
            dedupe_id: publish.dedupe_id,
            class: publish.class,
            payload: publish.payload,
            topic: publish.topic,
            to: publish.to.into_iter().map(ParticipantId).collect(),
        }
    }

    fn state(update: pb::StateUpdate, grants: Grants) -> Self {
        if !grants.publish {
            return NOT_ALLOWED;
        }
        if update.payload.len() > limits::MAX_PAYLOAD || update.key.len() > limits::MAX_TEXT {
            return OVER_LIMIT;
        }
        Self::State { key: update.key, rev: update.rev, payload: update.payload }
    }

    fn update(update: pb::ParticipantUpdate, grants: Grants) -> Self {
        if !grants.update_self {
            return NOT_ALLOWED;
        }
        if update.name.as_ref().is_some_and(|name| name.len() > limits::MAX_TEXT)
            || update.metadata.as_ref().is_some_and(|metadata| metadata.len() > limits::MAX_METADATA)
        {
            return OVER_LIMIT;
        }
        Self::Update { name: update.name, metadata: update.metadata, attributes: update.attributes }
    }

    fn call(call: pb::Call, grants: Grants) -> Self {
        if !grants.call {
            return NOT_ALLOWED;
        }
        if call.payload.len() > limits::MAX_PAYLOAD || call.method.len() > limits::MAX_TEXT {
            return OVER_LIMIT;
        }
        Self::Call {
            call_id: call.call_id,
            to: ParticipantId(call.to),
            method: call.method,
            payload: call.payload,
            timeout_ms: call.timeout_ms,
        }
    }

    /// Whoever may be called may answer: it needs no grant.
    fn reply(reply: pb::Reply) -> Self {
        if reply.payload.len() > limits::MAX_PAYLOAD {
            return OVER_LIMIT;
        }
        if !matches!(
            reply.status(),
            pb::CallStatus::CallOk
                | pb::CallStatus::CallFailed
                | pb::CallStatus::CallNoSuchMethod
                | pb::CallStatus::CallBusy
        ) {
            return Self::Refused { code: RejectCode::Invalid, message: "not a status that a participant gives" };
        }
        Self::Reply {
            call_id: reply.call_id,
            to: ParticipantId(reply.to),
            status: reply.status,
            payload: reply.payload,
        }
    }
}

const NOT_ALLOWED: Request = Request::Refused { code: RejectCode::NotAllowed, message: "the token does not allow it" };
const OVER_LIMIT: Request = Request::Refused { code: RejectCode::OverLimit, message: "longer or more than the limits" };
