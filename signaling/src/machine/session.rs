//! What a Welcome says: the facts of a session.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::wire::{limits, pb};
use crate::{Grants, LogId, NodeName, ParticipantId, SessionId, StreamPos};

use super::frames::cut;
use super::{Config, roster::Roster};

/// A server, as the application names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) node: NodeName,
    pub(super) url: String,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// Where it is.
    pub(super) endpoint: Endpoint,
    /// The server's own name.
    pub(super) node: NodeName,
    pub(super) participant: ParticipantId,
    pub(super) grants: Grants,
    /// To resume with, if the server gave any.
    pub(super) resume_token: ResumeToken,
    /// The last delivery that was processed.
    pub(super) pos: StreamPos,
    pub(super) rules: Rules,
    /// When anything came in last.
    pub(super) last_inbound: Instant,
}

/// Opens a session to whoever has it.
#[derive(Clone, Default)]
pub(super) struct ResumeToken(pub(super) Bytes);

impl std::fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

/// What the server asks of its clients.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) heartbeat_interval: Duration,
    pub(super) heartbeat_timeout: Duration,
    pub(super) resume_window: Duration,
    pub(super) migrate: Duration,
    pub(super) max_inflight: usize,
    /// The last advice on how to spread the first retry, if there was any.
    pub(super) reconnect_spread: Option<Duration>,
    pub(super) token_ttl: Option<Duration>,
}

/// A Welcome that makes sense.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) session: Session,
    pub(super) resumed: bool,
    pub(super) lineage_known: bool,
    pub(super) client_seq_seen: u64,
    pub(super) rejections: Vec<pb::Rejected>,
    /// Absent when resumed.
    pub(super) roster: Option<Roster>,
}

impl Entrance {
    pub(super) fn read(
        welcome: pb::Welcome,
        endpoint: &Endpoint,
        config: &Config,
        now: Instant,
    ) -> Result<Self, &'static str> {
        let timers = &config.timers;
        let id = id_bytes(&welcome.session_id).ok_or("a session id that is not 16 bytes")?;
        let head = welcome.head.ok_or("no head")?;
        let log_id = LogId::from_bytes(id_bytes(&head.log_id).ok_or("a log id that is not 16 bytes")?);
        if head.seq > u64::MAX / 2 {
            return Err("a log that is at its end");
        }
        if welcome.participant_id == 0 {
            return Err("participant 0");
        }
        if welcome.resume_token.len() > limits::MAX_RESUME_TOKEN {
            return Err("a resume token over the limit");
        }
        let roster = match (welcome.resumed, welcome.snapshot) {
            (true, _) => None,
            (false, Some(snapshot)) => Some(Roster::from_snapshot(snapshot, config.bounds.participants)?),
            (false, None) => return Err("no snapshot"),
        };
        let grants = welcome.grants.unwrap_or_default();
        let session = Session {
            id: SessionId::from_bytes(id),
            endpoint: endpoint.clone(),
            node: cut(&welcome.node_id, limits::MAX_TEXT),
            participant: ParticipantId(welcome.participant_id),
            grants: Grants { publish: grants.publish, call: grants.call, update_self: grants.update_self },
            resume_token: ResumeToken(welcome.resume_token),
            pos: StreamPos { log_id, seq: head.seq },
            rules: Rules {
                heartbeat_interval: told(welcome.heartbeat_interval_ms, timers.heartbeat_interval, 100, 60_000),
                heartbeat_timeout: told(welcome.heartbeat_timeout_ms, timers.heartbeat_timeout, 200, 180_000),
                resume_window: told(welcome.resume_window_ms, timers.fast_window, 0, 3_600_000),
                migrate: told(welcome.migrate_timeout_ms, timers.migrate, 100, 60_000),
                max_inflight: (welcome.max_inflight as usize).clamp(1, 1024),
                reconnect_spread: advice(welcome.reconnect_spread_ms),
                token_ttl: (welcome.token_ttl_ms > 0)
                    .then(|| Duration::from_millis(welcome.token_ttl_ms).min(Duration::from_secs(30 * 24 * 3600))),
            },
            last_inbound: now,
        };
        Ok(Self {
            session,
            resumed: welcome.resumed,
            lineage_known: welcome.lineage_known,
            client_seq_seen: welcome.client_seq_seen,
            rejections: welcome.rejections,
            roster,
        })
    }
}

/// No advice makes a client wait longer.
pub(super) const MAX_SPREAD: Duration = Duration::from_secs(300);

/// How to spread the first retry. A server that does not say has no other number to send.
pub(super) fn advice(spread_ms: u32) -> Option<Duration> {
    (spread_ms > 0).then(|| Duration::from_millis(u64::from(spread_ms)).min(MAX_SPREAD))
}

/// What the server says, within reason; where it says nothing, what is configured.
fn told(ms: u32, default: Duration, min: u64, max: u64) -> Duration {
    if ms == 0 { default } else { Duration::from_millis(u64::from(ms).clamp(min, max)) }
}

fn id_bytes(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}
