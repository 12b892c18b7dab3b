//! From Hello to Welcome.

pub(super) mod auth;
mod check;

use std::sync::Arc;

use bytes::Bytes;
use moorline_sim_point::sim_point;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::Held;
use super::end::End;
use super::socket::{Incoming, Socket};
use crate::server::core::Core;
use crate::server::metrics::HelloOutcome;
use crate::server::store::{Admission, Join, JoinError, Resume, ResumeError, Store};
use crate::server::{Outbox, close_code, frames};
use crate::wire::{self, PROTO_VERSION, pb};
use crate::{Grants, LineageId, LogId, SessionId};

use auth::Auth;

/// What the rest of the connection starts from.
pub(super) struct Session {
    pub(super) room: String,
    /// Who the client has proved to be.
    pub(super) subject: String,
    pub(super) grants: Grants,
    /// When the token expires, and when the client is to be told.
    pub(super) token: Option<TokenTimes>,
    /// Everything of the client up to here was applied or rejected, as the Welcome says.
    pub(super) client_seq_seen: u64,
}

/// The life of a token on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenTimes {
    pub(super) warn_at: Instant,
    pub(super) expires_at: Instant,
}

/// Waits for Hello and answers it; once more if it was for a session that cannot be resumed. Success means that the session is in
/// `held`, and that Welcome and everything up to ReplayEnd are in the socket's output.
pub(super) async fn enter<IO, S>(
    core: &Arc<Core>,
    store: &Arc<S>,
    socket: &mut Socket<IO>,
    held: &mut Option<Held<S::Seat>>,
) -> Result<Session, End>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Store,
{
    let frame = hello_frame(core, socket).await?;
    let answered = match answer(core, store, socket, held, frame, true).await {
        Err(Refusal::NotResumed(reason)) => {
            debug!(?reason, "a session cannot be resumed");
            core.metrics.hello(HelloOutcome::ResumeRejected);
            reject(core, socket, reason).await?;
            let frame = hello_frame(core, socket).await?;
            // It has arrived already. After a restart everybody says Hello twice: one arrival each, or half of them would be asked to
            // come later.
            answer(core, store, socket, held, frame, false).await
        }
        answered => answered,
    };
    match answered {
        Ok((session, outcome)) => {
            core.metrics.hello(outcome);
            Ok(session)
        }
        Err(refusal) => {
            let end = match refusal {
                Refusal::End(end) => end,
                Refusal::NotResumed(_) => End::out_of_step("a session that cannot be resumed is asked for again"),
            };
            warn!(?end, "a Hello is refused");
            core.metrics.hello(HelloOutcome::Refused);
            Err(end)
        }
    }
}

/// Why a Hello is not answered with Welcome.
enum Refusal {
    /// There is no other answer on this connection.
    End(End),
    /// The session cannot be resumed: another one may be asked for.
    NotResumed(pb::RejectReason),
}

impl From<End> for Refusal {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// Tells the client that it has to ask for a new session.
async fn reject<IO: AsyncRead + AsyncWrite + Unpin>(
    core: &Core,
    socket: &mut Socket<IO>,
    reason: pb::RejectReason,
) -> Result<(), End> {
    core.metrics.resume_reject(reason);
    let reject = pb::ResumeReject { reason: reason.into(), hint_plan: pb::Plan::Rejoin.into() };
    frames::put_body(&mut socket.out, 0, pb::server_frame::Body::ResumeReject(reject));
    core.metrics.frames_out.add(1);
    core.metrics.bytes_out.add(socket.out.len() as u64);
    match timeout(core.config.write_timeout, socket.flush()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Lost(error.to_string())),
        Err(_) => Err(End::Lost("the socket takes nothing".into())),
    }
}

async fn hello_frame<IO: AsyncRead + AsyncWrite + Unpin>(core: &Core, socket: &mut Socket<IO>) -> Result<Bytes, End> {
    let next = async {
        loop {
            match socket.next().await {
                Incoming::Frame(bytes) => return Ok(bytes),
                Incoming::Control => {}
                Incoming::Lost(why) => return Err(End::Lost(why)),
                Incoming::Broken(why) => return Err(End::protocol(why)),
            }
        }
    };
    timeout(core.config.handshake_timeout, next).await.unwrap_or_else(|_| {
        let (code, action) = (pb::FaultCode::TimedOutWaiting, pb::FaultAction::Retry);
        Err(End::fault(code, action, close_code::TIMED_OUT, "no Hello in time"))
    })
}

async fn answer<IO, S>(
    core: &Arc<Core>,
    store: &Arc<S>,
    socket: &mut Socket<IO>,
    held: &mut Option<Held<S::Seat>>,
    frame: Bytes,
    arrives: bool,
) -> Result<(Session, HelloOutcome), Refusal>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Store,
{
    sim_point!(await "server.hello");
    // The cheap reasons to refuse come before anything that takes time.
    check::may_come_now(core, arrives)?;
    let frame = wire::decode_client_frame(frame).map_err(|error| End::protocol(error.to_string()))?;
    let Some(pb::client_frame::Body::Hello(hello)) = frame.body else {
        return Err(End::protocol("a frame before Hello").into());
    };
    let hello = check::Hello::of(hello)?;
    let auth = Auth::of(core, &hello)?;
    sim_point!(await "server.admit");
    let outbox = Outbox::new(core.config.limits.ephemeral_capacity);
    let admission = match hello.recovery.as_ref().filter(|recovery| recovery.plan() == pb::Plan::Fast) {
        Some(recovery) => resume(core, store, &hello, &auth, recovery, &outbox).await?,
        None => join(core, store, &hello, &auth, &outbox).await?,
    };
    // From here on the session is this connection's to give back: nothing may come between.
    *held = Some(Held { seat: admission.seat.clone(), outbox: outbox.clone(), registered: core.registry.add(&outbox) });
    if let Some(fenced) = &admission.fenced {
        sim_point!(await "server.fence");
        // The older socket is closed before the newer one is told that it is in. Its frames count for nothing either way.
        let _ = timeout(core.config.close_timeout, fenced.closed()).await;
    }
    debug!(session = %admission.session, participant = %admission.participant, resumed = admission.snapshot.is_none(),
        lineage_known = admission.lineage_known, agent = hello.info.agent, "a client is in");
    let outcome = match (&admission.snapshot, admission.lineage_known) {
        (None, _) => HelloOutcome::Resumed,
        (Some(_), true) => HelloOutcome::Rejoined,
        (Some(_), false) => HelloOutcome::Joined,
    };
    let session = Session {
        room: auth.room.clone(),
        subject: auth.subject.clone(),
        grants: auth.grants,
        token: auth.token_times(core),
        client_seq_seen: admission.client_seq_seen,
    };
    sim_point!(await "server.welcome");
    write_welcome(core, socket, &hello, &auth, &admission);
    Ok((session, outcome))
}

async fn resume<S: Store>(
    core: &Core,
    store: &Arc<S>,
    hello: &check::Hello,
    auth: &Auth,
    recovery: &pb::RecoveryInfo,
    outbox: &Outbox,
) -> Result<Admission<S::Seat>, Refusal> {
    let session = hello.session.ok_or_else(|| End::protocol("a resume without a session"))?;
    let last_seen = recovery.last_seen.as_ref().ok_or_else(|| End::protocol("a resume without a position"))?;
    let log = LogId::from_bytes(check::id(&last_seen.log_id, "log")?);
    let elsewhere = comes_from_elsewhere(core, recovery);
    let Some(generation) = core.resume_tokens.verify(&recovery.resume_token, session, &auth.subject) else {
        // Another process has another key: its tokens are not forged.
        let reason = if elsewhere { pb::RejectReason::NodeChanged } else { pb::RejectReason::Fenced };
        return Err(Refusal::NotResumed(reason));
    };
    let resume = Resume {
        room: auth.room.clone(),
        lineage: hello.lineage,
        subject: auth.subject.clone(),
        session,
        generation,
        log,
        last_seen: last_seen.seq,
        outbox: outbox.clone(),
    };
    store.resume(resume, Instant::now()).await.map_err(|error| {
        Refusal::NotResumed(match error {
            ResumeError::Expired => pb::RejectReason::Expired,
            ResumeError::UnknownSession if elsewhere => pb::RejectReason::NodeChanged,
            ResumeError::UnknownSession => pb::RejectReason::UnknownSession,
            ResumeError::Gap => pb::RejectReason::Gap,
            ResumeError::Fenced => pb::RejectReason::Fenced,
        })
    })
}

/// Whether the client's last session was on another node.
fn comes_from_elsewhere(core: &Core, recovery: &pb::RecoveryInfo) -> bool {
    !recovery.from_node.is_empty() && recovery.from_node != core.node_id
}

async fn join<S: Store>(
    core: &Core,
    store: &Arc<S>,
    hello: &check::Hello,
    auth: &Auth,
    outbox: &Outbox,
) -> Result<Admission<S::Seat>, End> {
    let join = Join {
        room: auth.room.clone(),
        lineage: hello.lineage,
        subject: auth.subject.clone(),
        identity: if auth.subject.is_empty() { core.guest() } else { auth.subject.clone() },
        name: auth.name.clone(),
        metadata: auth.metadata.clone(),
        attributes: auth.attributes.clone(),
        first_unacked: hello.recovery.as_ref().map_or(1, |recovery| recovery.first_unacked),
        previous: hello.session,
        was_elsewhere: hello.recovery.as_ref().is_some_and(|recovery| comes_from_elsewhere(core, recovery)),
        outbox: outbox.clone(),
    };
    store.join(join, Instant::now()).await.map_err(|error| {
        let (code, action, close) = match error {
            JoinError::RoomFull => (pb::FaultCode::RoomFull, pb::FaultAction::Retry, close_code::ROOM_FULL),
            JoinError::NodeFull => (pb::FaultCode::NodeFull, pb::FaultAction::Move, close_code::NODE_FULL),
            JoinError::Forbidden => (pb::FaultCode::Forbidden, pb::FaultAction::End, close_code::FORBIDDEN),
        };
        End::fault(code, action, close, error.to_string())
    })
}

fn write_welcome<IO, Seat>(
    core: &Core,
    socket: &mut Socket<IO>,
    hello: &check::Hello,
    auth: &Auth,
    admission: &Admission<Seat>,
) {
    use pb::server_frame::Body;
    let config = &core.config;
    let resumed = admission.snapshot.is_none();
    let head = pb::StreamPos { log_id: Bytes::copy_from_slice(admission.log.as_bytes()), seq: admission.head };
    let token = core.resume_tokens.issue(admission.session, admission.generation, &auth.subject);
    let welcome = pb::Welcome {
        session_id: Bytes::copy_from_slice(admission.session.as_bytes()),
        node_id: core.node_id.clone(),
        resumed,
        resume_token: token.into(),
        head: Some(head),
        client_seq_seen: admission.client_seq_seen,
        lineage_known: admission.lineage_known,
        rejections: admission.rejections.iter().map(|rejection| rejection.to_wire()).collect(),
        heartbeat_interval_ms: millis(config.heartbeat_interval),
        heartbeat_timeout_ms: millis(config.heartbeat_timeout),
        reconnect_spread_ms: millis(core.reconnect_spread()),
        resume_window_ms: millis(config.resume_window),
        replay_capacity: config.limits.replay_capacity.try_into().unwrap_or(u32::MAX),
        max_inflight: config.limits.max_inflight,
        token_ttl_ms: auth.ttl(core).map_or(0, |ttl| ttl.as_millis().try_into().unwrap_or(u64::MAX).max(1)),
        fence: admission.generation,
        snapshot: None,
        proto_version: PROTO_VERSION,
        participant_id: admission.participant.0,
        grants: Some(pb::Grants {
            publish: auth.grants.publish,
            call: auth.grants.call,
            update_self: auth.grants.update_self,
        }),
        migrate_timeout_ms: millis(config.migrate_timeout),
    };
    let seen = admission.client_seq_seen;
    let out = &mut socket.out;
    frames::put_frame(out, 0, seen, &frames::welcome(&welcome, admission.snapshot.as_ref()));
    for delivery in &admission.replay {
        frames::put_frame(out, delivery.seq, seen, &delivery.body);
    }
    frames::put_body(out, seen, Body::ReplayEnd(pb::ReplayEnd { upto: admission.head }));
    let mut written = 2 + admission.replay.len() as u64;
    if let Some(recovery) = hello.recovery.as_ref().filter(|recovery| recovery.plan() == pb::Plan::Migrate) {
        let from_session = recovery.previous_session_id.clone();
        frames::put_body(out, seen, Body::MigrateDone(pb::MigrateDone { from_session }));
        written += 1;
    }
    core.metrics.frames_out.add(written);
}

/// Milliseconds as the schema has them.
pub(super) fn millis(duration: std::time::Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}
