//! What goes wrong in a world, and what makes it whole again.

use moorline_signaling::CallId;

use super::{CredsMode, DialMode, TokenMode, World};
use crate::model::{Afterwards, Greeting, Keep};
use crate::wire::{Down, News, pb};

impl World {
    /// A server process stops without a word and starts again.
    pub(crate) fn restart(&mut self, node: usize, keep: Keep) {
        for epoch in self.cluster.restart(self.now, node, keep) {
            self.reset(epoch);
        }
    }

    /// All servers say this to all of their clients.
    pub(crate) fn say(&mut self, body: &Down) {
        let emits = self.cluster.say(None, body);
        self.emit(emits);
    }

    /// A node is about to stop: no new sessions, and everyone is to go.
    pub(crate) fn go_away(&mut self, node: usize, deadline_ms: u32, spread_ms: u32, target: Option<usize>) {
        self.cluster.nodes[node].draining = true;
        let target_node = target.map(|t| self.cluster.nodes[t].name.clone()).unwrap_or_default();
        let away = pb::GoAway { reason: "update".into(), deadline_ms, spread_ms, target_node };
        let emits = self.cluster.say(Some(node), &Down::GoAway(away));
        self.emit(emits);
    }

    /// Others in the room say this many things.
    pub(crate) fn publish(&mut self, count: u32) {
        let emits = self.cluster.publish(self.now, count);
        self.emit(emits);
    }

    /// Another participant calls this one.
    pub(crate) fn call_client(&mut self, call: CallId) {
        let sessions: Vec<[u8; 16]> = self.cluster.attached().map(|(id, _)| id).collect();
        for id in sessions {
            let request = pb::CallRequest {
                call_id: call.0,
                from: 99,
                method: "m".into(),
                payload: bytes::Bytes::from_static(b"ask"),
                timeout_ms: 5000,
            };
            let emits = self.cluster.deliver(id, News::CallRequest(request));
            self.emit(emits);
        }
    }

    /// A server reports a fault on the connection that it serves, and closes it.
    pub(crate) fn fault(&mut self, code: pb::FaultCode, action: pb::FaultAction, retry_after_ms: u32, spread_ms: u32) {
        if let Some((_, epoch)) = self.cluster.attached().last() {
            let emits = self.cluster.fault(epoch, code, action, retry_after_ms, spread_ms);
            self.emit(emits);
        }
    }

    /// Everything works again; what was done stays done.
    pub(crate) fn heal(&mut self) {
        self.dial = DialMode::Accept;
        self.up = true;
        self.down = true;
        self.late = false;
        self.echo = false;
        self.creds = CredsMode::Good;
        if self.tokens != TokenMode::None {
            self.tokens = TokenMode::Fresh;
        }
        self.cluster.mute_acks = false;
        self.cluster.refuse = 0;
        self.cluster.good_tokens.clear();
        for node in &mut self.cluster.nodes {
            node.greeting = Greeting::Proper;
            node.afterwards = Afterwards::Wait;
            node.up = true;
            node.draining = false;
        }
    }

    /// Nothing works any more, and nobody says so.
    pub(crate) fn silence(&mut self) {
        self.up = false;
        self.down = false;
        self.dial = DialMode::Hang;
    }
}
