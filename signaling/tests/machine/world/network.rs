//! Connections between the machine and the model servers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_signaling::Epoch;
use moorline_signaling::machine::{Input, Transport};

use super::{Happening, World};
use crate::model::Emit;
use crate::wire;

/// How dials go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum DialMode {
    /// They succeed after a round trip.
    Accept,
    /// They are refused.
    Refuse,
    /// They never end.
    Hang,
    /// They are answered with an HTTP status.
    Http(u16),
    /// They succeed, and the connection is reset at once.
    AcceptThenReset,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    node: usize,
    open: bool,
    /// Whether the machine has aborted it.
    aborted: bool,
    /// Whether its end was reported, or is about to be.
    ended: bool,
    /// Whether something was lost on the way: then nothing that comes later arrives either.
    dead_up: bool,
    dead_down: bool,
    /// When the last thing in flight arrives, each way: nothing overtakes.
    arrives_up: Instant,
    arrives_down: Instant,
}

impl World {
    pub(super) fn dial(&mut self, epoch: Epoch, url: &str) {
        let Some(node) = self.cluster.node_at(url) else {
            self.report(epoch, Transport::Error(format!("no such host: {url}")));
            return;
        };
        let link = Link {
            node,
            open: false,
            aborted: false,
            ended: false,
            dead_up: false,
            dead_down: false,
            arrives_up: self.now,
            arrives_down: self.now,
        };
        self.links.insert(epoch, link);
        let mode = if !self.up || !self.down { DialMode::Hang } else { self.dial };
        match mode {
            _ if !self.cluster.nodes[node].up => self.end(epoch, Transport::Error("connection refused".into())),
            DialMode::Accept | DialMode::AcceptThenReset => self.after(self.latency * 2, Happening::Open(epoch)),
            DialMode::Refuse => self.end(epoch, Transport::Error("connection refused".into())),
            DialMode::Http(code) => self.end(epoch, Transport::Closed { code, clean: false }),
            DialMode::Hang => {}
        }
    }

    pub(super) fn opened(&mut self, epoch: Epoch) {
        let Some(link) = self.links.get_mut(&epoch).filter(|link| !link.aborted && !link.ended) else { return };
        link.open = true;
        let node = link.node;
        self.cluster.accept(self.now, epoch, node);
        self.input(Input::Transport(epoch, Transport::Opened));
        if self.echo {
            self.input(Input::Transport(epoch, Transport::Opened));
        }
        if self.dial == DialMode::AcceptThenReset {
            self.reset(epoch);
        }
    }

    pub(super) fn write(&mut self, epoch: Epoch, frame: Bytes) {
        let (latency, now, up) = (self.latency, self.now, self.up);
        let Some(link) = self.links.get_mut(&epoch).filter(|link| link.open && !link.ended && !link.aborted) else {
            return;
        };
        link.dead_up |= !up;
        if !link.dead_up {
            link.arrives_up = link.arrives_up.max(now + latency);
            let at = link.arrives_up;
            self.at(at, Happening::ToServer(epoch, frame));
        }
    }

    pub(super) fn abort(&mut self, epoch: Epoch) {
        let (latency, now) = (self.latency, self.now);
        let Some(link) = self.links.get_mut(&epoch) else { return };
        link.aborted = true;
        link.arrives_up = link.arrives_up.max(now + latency);
        let at = link.arrives_up;
        if self.up {
            self.at(at, Happening::ServerLoses(epoch));
        }
        if !self.late {
            // A driver that cancels a connection forgets what it would have reported.
            self.queue.retain(|_, h| !matches!(h, Happening::Input(Input::Transport(e, _)) if *e == epoch));
        }
    }

    pub(super) fn arrived(&mut self, epoch: Epoch, frame: &Bytes) {
        let Some(frame) = wire::client(frame) else {
            self.fail("I11: the client wrote something that is no frame");
            return;
        };
        let emits = self.cluster.frame(self.now, epoch, &frame);
        self.emit(emits);
    }

    /// Sends what servers have to say on its way.
    pub(crate) fn emit(&mut self, emits: Vec<Emit>) {
        for emit in emits {
            match emit {
                Emit::Frame(epoch, frame) => self.report(epoch, Transport::Frame(wire::encode(&frame))),
                Emit::Close(epoch, code) => {
                    self.cluster.lost(self.now, epoch);
                    self.end(epoch, Transport::Closed { code, clean: true });
                }
            }
        }
    }

    /// Cuts a connection: the client hears of it at once, the server too if it can hear at all.
    pub(crate) fn reset(&mut self, epoch: Epoch) {
        if self.up {
            self.after(self.latency, Happening::ServerLoses(epoch));
        }
        let Some(link) = self.links.get_mut(&epoch).filter(|link| !link.ended) else { return };
        link.ended = true;
        // What was in flight is lost.
        self.queue.retain(|_, h| !matches!(h, Happening::Input(Input::Transport(e, _)) if *e == epoch));
        if self.down {
            self.ending(epoch, Duration::ZERO, Transport::Error("connection reset by peer".into()));
        }
    }

    /// Closes a connection from the server's side, after what it has said before.
    pub(crate) fn close_from_server(&mut self, epoch: Epoch, code: u16, clean: bool) {
        self.cluster.lost(self.now, epoch);
        self.end(epoch, Transport::Closed { code, clean });
    }

    fn end(&mut self, epoch: Epoch, report: Transport) {
        let Some(link) = self.links.get_mut(&epoch).filter(|link| !link.ended) else { return };
        link.ended = true;
        link.dead_down |= !self.down;
        let heard = !link.dead_down && (self.late || !link.aborted);
        let wait = link.arrives_down.saturating_duration_since(self.now).max(self.latency);
        if heard {
            self.ending(epoch, wait, report);
        }
    }

    fn ending(&mut self, epoch: Epoch, wait: Duration, report: Transport) {
        self.after(wait, Happening::Input(Input::Transport(epoch, report.clone())));
        if self.echo {
            // As WebSocket libraries do that report an error, then a close, for one end.
            self.after(wait, Happening::Input(Input::Transport(epoch, report)));
            let closed = Transport::Closed { code: 1006, clean: false };
            self.after(wait, Happening::Input(Input::Transport(epoch, closed)));
        }
    }

    fn report(&mut self, epoch: Epoch, report: Transport) {
        let (latency, now, late, down) = (self.latency, self.now, self.late, self.down);
        let Some(link) = self.links.get_mut(&epoch) else {
            self.after(latency, Happening::Input(Input::Transport(epoch, report)));
            return;
        };
        link.dead_down |= !down;
        if link.dead_down || (link.aborted && !late) || (link.ended && !late) {
            return;
        }
        link.arrives_down = link.arrives_down.max(now + latency);
        let at = link.arrives_down;
        self.at(at, Happening::Input(Input::Transport(epoch, report)));
    }

    /// The newest connection that is open as far as the network knows.
    pub(crate) fn newest_link(&self) -> Option<Epoch> {
        self.links.iter().rev().find(|(_, link)| !link.ended && !link.aborted).map(|(epoch, _)| *epoch)
    }
}
