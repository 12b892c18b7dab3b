use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message as _;

use super::budget::Held;
use super::calls::OpenCalls;
use super::log::Log;
use super::room::Connection;
use crate::server::store::Rejection;
use crate::server::{Ended, Limits, Outbox};
use crate::wire::pb;
use crate::{LineageId, ParticipantId, SessionId};

/// Somebody in a room: the participant that others see, and its client's session.
pub(super) struct Member {
    pub(super) participant: pb::Participant,
    pub(super) lineage: LineageId,
    pub(super) subject: String,
    /// Everything of the lineage up to here was applied or rejected.
    pub(super) client_seq: u64,
    /// What the client has not acknowledged, by the place in the log; 0: an earlier log's.
    pub(super) rejections: VecDeque<(u64, Rejection)>,
    pub(super) session: SessionId,
    /// The session that the client showed when nothing could be said of what it had sent: a client that shows it once more has not
    /// heard that yet.
    pub(super) counted_anew_from: Option<SessionId>,
    pub(super) log: Log,
    /// What it asked others for.
    pub(super) calls: OpenCalls,
    /// The bytes of its state.
    pub(super) held: Held,
    /// Counts the connections of the session.
    pub(super) generation: u64,
    /// Resume tokens from this connection on are good: the client has been heard on it, so it has that token.
    pub(super) oldest_token: u64,
    /// Present while there is a connection.
    pub(super) outbox: Option<Outbox>,
}

/// What became of a delivery.
pub(super) enum Pushed {
    Kept,
    /// The log of a connected client overflowed: the connection is being ended.
    Slow,
    /// Nothing is kept for this one any more.
    Lost,
}

impl Member {
    pub(super) fn id(&self) -> ParticipantId {
        ParticipantId(self.participant.id)
    }

    /// The newest connection.
    pub(super) fn connection(&self) -> Connection {
        Connection { participant: self.id(), session: self.session, generation: self.generation }
    }

    /// The bytes that it takes in a snapshot, framing included.
    pub(super) fn state_bytes(&self) -> usize {
        self.participant.encoded_len() + 8
    }

    /// Puts a delivery into its log and, if it is connected, its outbox.
    pub(super) fn push(&mut self, body: Bytes, rejection: bool, limits: &Limits) -> Pushed {
        match self.log.push(body, rejection, limits) {
            Ok(delivery) => {
                if let Some(outbox) = &self.outbox {
                    outbox.push(delivery);
                }
                Pushed::Kept
            }
            Err(_) => match self.outbox.take() {
                Some(outbox) => {
                    outbox.end(Ended::SlowConsumer);
                    Pushed::Slow
                }
                None => Pushed::Lost,
            },
        }
    }

    /// Everything up to here is with the client.
    pub(super) fn acknowledge(&mut self, upto: u64) {
        self.log.acknowledge(upto);
        self.rejections.retain(|(seq, _)| *seq > upto);
    }

    /// The client has spoken on the newest connection, so it has that connection's Welcome: earlier tokens are spent.
    pub(super) fn heard(&mut self) {
        if self.oldest_token != self.generation {
            self.oldest_token = self.generation;
            self.rejections.retain(|(seq, _)| *seq != 0);
        }
    }

    /// Takes over with a new connection of the same session; the older one's outbox.
    pub(super) fn attach(&mut self, outbox: Outbox) -> Option<Outbox> {
        self.generation += 1;
        let older = self.outbox.replace(outbox);
        if let Some(older) = &older {
            older.end(Ended::Fenced);
        }
        older
    }
}
