//! What a server does with the frames of a client that is in.

use std::time::Instant;

use moorline_signaling::Epoch;

use super::{Applied, Cluster, Emit};
use crate::wire::{self, Down, News, Up, pb};

impl Cluster {
    /// Applies a frame of the newest connection of a session.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        epoch: Epoch,
        id: [u8; 16],
        frame: &pb::ClientFrame,
        body: &Up,
    ) -> Vec<Emit> {
        if wire::is_reliable(body) {
            return self.apply_reliable(epoch, id, frame.seq, body);
        }
        match body {
            Up::Ping(ping) => {
                let spread = u32::try_from(self.terms.spread.as_millis()).unwrap_or(u32::MAX);
                let pong = Down::Pong(pb::Pong { nonce: ping.nonce, reconnect_spread_ms: spread });
                vec![Emit::Frame(epoch, wire::down(self.seen_by(id), pong))]
            }
            Up::Publish(_) => {
                if let Some(send) = wire::send_of(body) {
                    self.ledger.passed.push((send, epoch));
                }
                Vec::new()
            }
            Up::Leave(_) => {
                self.sessions.remove(&id);
                self.lost(now, epoch);
                let ended = pb::SessionEnded { reason: pb::EndReason::ClientLeft.into() };
                vec![Emit::Frame(epoch, wire::down(0, Down::SessionEnded(ended))), Emit::Close(epoch, 1000)]
            }
            _ => Vec::new(),
        }
    }

    fn apply_reliable(&mut self, epoch: Epoch, id: [u8; 16], seq: u64, body: &Up) -> Vec<Emit> {
        let Some(session) = self.sessions.get(&id) else { return Vec::new() };
        let key = (self.key(session.node), session.lineage.clone());
        let Some(lineage) = self.lineages.get_mut(&key) else { return Vec::new() };
        if seq > lineage.seen + 1 || seq == 0 {
            self.ledger.holes.push((epoch, seq));
            return self.fault(epoch, pb::FaultCode::Protocol, pb::FaultAction::JoinAnew, 0, 0);
        }
        if seq <= lineage.seen {
            return self.acknowledge(epoch, id);
        }
        let send = wire::send_of(body);
        if self.refuse > 0 {
            self.refuse -= 1;
            let code = pb::RejectCode::OverLimit.into();
            let rejected = pb::Rejected { client_seq: seq, code, message: "too much".to_owned() };
            lineage.refused.push((session.log_id, session.head() + 1, rejected.clone()));
            self.ledger.refused.extend(send);
            // The refusal is out before the acknowledgement that covers it.
            let mut out = self.deliver(id, News::Rejected(rejected));
            if let Some(lineage) = self.lineages.get_mut(&key) {
                lineage.seen = seq;
            }
            out.extend(self.acknowledge(epoch, id));
            return out;
        }
        lineage.seen = seq;
        if let Up::StateUpdate(update) = body {
            let newest = lineage.states.entry(update.key.clone()).or_default();
            if update.rev > newest.0 {
                *newest = (update.rev, update.payload.clone());
            }
        }
        if let Some(send) = send {
            let is_state = matches!(body, Up::StateUpdate(_));
            self.ledger.applied.push(Applied { id: send, seq, epoch, is_state });
        }
        let mut out = Vec::new();
        if let Up::Call(call) = body {
            // Participant 99 answers everything; nobody else is there.
            let status = if call.to == 99 { pb::CallStatus::CallOk } else { pb::CallStatus::CallNoSuchParticipant };
            let reply = pb::CallReply {
                call_id: call.call_id,
                from: call.to,
                status: status.into(),
                payload: call.payload.clone(),
            };
            out.extend(self.deliver(id, News::CallReply(reply)));
        }
        out.extend(self.acknowledge(epoch, id));
        out
    }

    /// How much of a session's client is applied or refused.
    pub(super) fn seen_by(&self, id: [u8; 16]) -> u64 {
        let Some(session) = self.sessions.get(&id) else { return 0 };
        if self.mute_acks {
            return 0;
        }
        self.lineages.get(&(self.key(session.node), session.lineage.clone())).map_or(0, |l| l.seen)
    }

    /// A fault, and the close that follows it.
    pub(crate) fn fault(
        &self,
        epoch: Epoch,
        code: pb::FaultCode,
        action: pb::FaultAction,
        retry_after_ms: u32,
        spread_ms: u32,
    ) -> Vec<Emit> {
        let message = format!("{code:?}");
        let fault = pb::Fault { code: code.into(), action: action.into(), retry_after_ms, spread_ms, message };
        let close = match action {
            pb::FaultAction::Retry => 4100,
            pb::FaultAction::Move => 4300,
            pb::FaultAction::End => 4000,
            pb::FaultAction::JoinAnew | pb::FaultAction::Unspecified => 4200,
        };
        vec![Emit::Frame(epoch, wire::down(0, Down::Fault(fault))), Emit::Close(epoch, close)]
    }

    fn acknowledge(&self, epoch: Epoch, id: [u8; 16]) -> Vec<Emit> {
        if self.mute_acks {
            return Vec::new();
        }
        vec![Emit::Frame(epoch, wire::down(self.seen_by(id), Down::AckOnly(pb::AckOnly {})))]
    }
}
