//! From Welcome to the end.

mod clocks;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use moorline_sim_point::sim_point;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::end::End;
use super::handshake::{Session, auth, millis};
use super::socket::{Incoming, Socket};
use crate::LeftReason;
use crate::server::core::Core;
use crate::server::store::{Applied, Inbound, Request, Store};
use crate::server::{Ended, Outbox, close_code, frames};
use crate::wire::{self, pb};

use clocks::{Clocks, Due};

/// So many frames are read before what waits is written.
const READ_AT_ONCE: usize = 32;
/// So many bytes are put together before they are written. More would cost more than it saves: an output of some hundred KiB is mapped
/// and unmapped by the allocator for every batch.
const WRITE_AT_ONCE: usize = 32 << 10;

/// Serves a session over a socket until one of them ends.
pub(super) async fn run<IO, S>(
    core: &Arc<Core>,
    store: &Arc<S>,
    socket: &mut Socket<IO>,
    seat: &S::Seat,
    outbox: &Outbox,
    session: Session,
) -> End
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Store,
{
    let seen = session.client_seq_seen;
    let clocks = Clocks::new(&core.config, session.token, Instant::now());
    let mut live =
        Live { core, store, socket, seat, outbox, session, clocks, seen, told: seen, owed: 0, heard_ack: None };
    match live.serve().await {
        Err(end) => end,
        Ok(never) => match never {},
    }
}

enum Never {}

struct Live<'a, IO, S: Store> {
    core: &'a Core,
    store: &'a Arc<S>,
    socket: &'a mut Socket<IO>,
    seat: &'a S::Seat,
    outbox: &'a Outbox,
    session: Session,
    clocks: Clocks,
    /// Everything of the client up to here was applied or rejected.
    seen: u64,
    /// The same, as far as the client has been told.
    told: u64,
    /// Frames since then.
    owed: u32,
    /// The last acknowledgement that the store was told of; `None`: it has not heard of this connection.
    heard_ack: Option<u64>,
}

impl<IO, S> Live<'_, IO, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Store,
{
    async fn serve(&mut self) -> Result<Never, End> {
        let timer = sleep_until(self.clocks.next());
        tokio::pin!(timer);
        loop {
            self.write().await?;
            let next = self.clocks.next();
            // A timer that fires too early costs less than one that is set anew for every frame.
            if next < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                incoming = self.socket.next(), if self.clocks.may_read() => {
                    self.take(incoming).await?;
                    for _ in 1..READ_AT_ONCE {
                        if !self.clocks.may_read() {
                            break;
                        }
                        let Some(incoming) = self.socket.next().now_or_never() else { break };
                        self.take(incoming).await?;
                    }
                }
                () = self.outbox.ready() => {}
                () = &mut timer => self.on_time().await?,
            }
        }
    }

    /// Does what the clocks ask for.
    async fn on_time(&mut self) -> Result<(), End> {
        while let Some(due) = self.clocks.take_due(Instant::now()) {
            match due {
                Due::Ping => {
                    let nonce = self.core.nonce();
                    self.put(pb::server_frame::Body::Ping(pb::Ping { nonce }));
                }
                Due::Dead => {
                    self.core.metrics.heartbeats_missed.add(1);
                    return Err(End::Silent);
                }
                Due::Ack => self.owed = self.owed.max(self.core.config.ack_every),
                Due::TokenExpiring(left) => {
                    let in_ms = u64::from(millis(left));
                    self.put(pb::server_frame::Body::TokenExpiring(pb::TokenExpiring { in_ms }));
                }
                Due::TokenExpired => {
                    self.store.leave(self.seat, LeftReason::Removed, Instant::now()).await;
                    return Err(End::SessionEnded(pb::EndReason::TokenRanOut, close_code::SESSION_ENDED));
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), End> {
        match incoming {
            Incoming::Frame(bytes) => {
                self.clocks.heard(Instant::now(), bytes.len());
                self.core.metrics.frames_in.add(1);
                self.on_frame(bytes).await
            }
            Incoming::Control => {
                self.clocks.heard(Instant::now(), 0);
                Ok(())
            }
            Incoming::Lost(why) => Err(End::Lost(why)),
            Incoming::Broken(why) => Err(End::protocol(why)),
        }
    }

    async fn on_frame(&mut self, bytes: Bytes) -> Result<(), End> {
        use pb::client_frame::Body;
        let pb::ClientFrame { seq, ack, body } =
            wire::decode_client_frame(bytes).map_err(|error| End::protocol(error.to_string()))?;
        let sequenced = match &body {
            Some(Body::Publish(publish)) => publish.class() == pb::SendClass::Reliable,
            Some(Body::StateUpdate(_) | Body::ParticipantUpdate(_) | Body::Call(_) | Body::Reply(_)) => true,
            _ => false,
        };
        let publish = matches!(body, Some(Body::Publish(_)));
        if (sequenced && seq == 0) || (seq != 0 && !sequenced && !publish) {
            return Err(End::protocol("a sequence number that does not go with its body"));
        }
        let mut leaving = false;
        let request = match body {
            Some(Body::Hello(_)) => return Err(End::protocol("a second Hello")),
            Some(Body::Ping(ping)) => {
                let reconnect_spread_ms = millis(self.core.reconnect_spread());
                let pong = pb::Pong { nonce: ping.nonce, reconnect_spread_ms };
                self.put(pb::server_frame::Body::Pong(pong));
                None
            }
            Some(Body::TokenUpdate(update)) => {
                self.renew(&update.auth_token)?;
                None
            }
            Some(Body::Leave(leave)) => {
                tracing::debug!(reason = leave.reason.get(..64).unwrap_or(&leave.reason), "a client leaves");
                leaving = true;
                None
            }
            // A body that this version does not know says nothing that may not be ignored.
            Some(Body::Pong(_) | Body::AckOnly(_)) | None => None,
            Some(body) => Request::of(body, self.session.grants),
        };
        self.apply(Inbound { seq, ack, request }).await?;
        if leaving {
            // What became of its last frames, before the end is all that it hears. It is gone if it does not take that.
            if self.told < self.seen {
                self.owed = self.owed.max(self.core.config.ack_every);
            }
            let told = self.write().await;
            sim_point!(await "server.leave");
            // Whoever leaves a node that sends everybody away is going to another.
            let moving = self.core.registry.draining().is_some();
            let reason = if moving { LeftReason::Migrated } else { LeftReason::Left };
            self.store.leave(self.seat, reason, Instant::now()).await;
            told?;
            return Err(End::SessionEnded(pb::EndReason::ClientLeft, close_code::SESSION_ENDED));
        }
        Ok(())
    }

    async fn apply(&mut self, inbound: Inbound) -> Result<(), End> {
        let (seq, ack) = (inbound.seq, inbound.ack);
        if inbound.request.is_none() && self.heard_ack == Some(ack) {
            return Ok(());
        }
        sim_point!(await "server.apply");
        match self.store.apply(self.seat, inbound, Instant::now()).await {
            Applied::UpTo(seen) => self.seen = seen,
            Applied::OutOfStep(due) => {
                return Err(End::out_of_step(format!("frame {seq} came when {due} was due")));
            }
            Applied::Nonsense => return Err(End::out_of_step(format!("{ack} is acknowledged and was not sent"))),
            // Why is in the outbox, where the next write finds it. It is there already: fencing and ending are one step.
            Applied::Fenced => return Err(self.outbox.ended().unwrap_or(Ended::Fenced).into()),
        }
        self.heard_ack = Some(ack);
        if seq != 0 {
            self.owed += 1;
            self.clocks.owe_ack(Instant::now());
        }
        Ok(())
    }

    fn renew(&mut self, token: &str) -> Result<(), End> {
        if let Some((grants, times)) = auth::renew(self.core, token, &self.session.room, &self.session.subject)? {
            self.session.grants = grants;
            self.clocks.renew_token(times);
        }
        Ok(())
    }

    /// Puts a body into the output. It acknowledges no more than is known to be told already: a rejection may be waiting that has to
    /// come first.
    fn put(&mut self, body: pb::server_frame::Body) {
        self.core.metrics.frames_out.add(1);
        frames::put_body(&mut self.socket.out, self.told, body);
    }

    /// Puts a delivery into the output, after writing that if it would be too long.
    async fn put_delivery(&mut self, seq: u64, body: &[u8]) -> Result<(), End> {
        let out = &mut self.socket.out;
        if !out.is_empty() && out.len() + body.len() > WRITE_AT_ONCE {
            self.flush().await?;
        }
        frames::put_frame(&mut self.socket.out, seq, self.told, body);
        Ok(())
    }

    /// Writes everything that waits, and an acknowledgement if it is due.
    async fn write(&mut self) -> Result<(), End> {
        loop {
            let taken = self.outbox.take();
            if let Some(ended) = taken.ended {
                return Err(ended.into());
            }
            if taken.go_away
                && let Some(drain) = self.core.registry.draining()
            {
                sim_point!("server.go-away");
                self.put(pb::server_frame::Body::GoAway(drain.to_wire()));
            }
            let waiting = taken.deliveries.len() + taken.ephemeral.len();
            self.core.metrics.frames_out.add(waiting as u64);
            for body in &taken.ephemeral {
                self.put_delivery(0, body).await?;
            }
            let last = taken.deliveries.len();
            for (at, delivery) in (1..).zip(&taken.deliveries) {
                // All rejections of what was applied are in this batch, so its last frame may acknowledge, unless it is one.
                if at == last && !delivery.rejection {
                    self.told = self.seen;
                    self.owed = 0;
                    self.clocks.acked();
                }
                self.put_delivery(delivery.seq, &delivery.body).await?;
            }
            if self.owed >= self.core.config.ack_every {
                self.told = self.seen;
                self.owed = 0;
                self.clocks.acked();
                self.put(pb::server_frame::Body::AckOnly(pb::AckOnly {}));
            }
            if self.socket.out.is_empty() {
                return Ok(());
            }
            self.flush().await?;
        }
    }

    /// Writes the output, for as long as the connection is wanted and the socket takes it.
    async fn flush(&mut self) -> Result<(), End> {
        self.core.metrics.bytes_out.add(self.socket.out.len() as u64);
        let mut deadline = Instant::now() + self.core.config.write_timeout;
        let flush = self.socket.flush();
        tokio::pin!(flush);
        let mut finishing = false;
        loop {
            let outcome = tokio::select! {
                biased;
                outcome = timeout_at(deadline, &mut flush) => outcome,
                // What is pushed meanwhile is found by the next `take`.
                () = self.outbox.ready(), if !finishing => match self.outbox.ended() {
                    None => continue,
                    Some(Ended::Fenced) => return Err(End::Lost("fenced while writing".into())),
                    // There is something to say yet, but not in the middle of a frame.
                    Some(_) => {
                        finishing = true;
                        deadline = deadline.min(Instant::now() + self.core.config.close_timeout);
                        continue;
                    }
                },
            };
            return match outcome {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(End::Lost(error.to_string())),
                Err(_) => Err(End::Lost("the socket takes nothing".into())),
            };
        }
    }
}
