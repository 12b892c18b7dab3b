//! Connections are streams: what was written arrives when its last byte is read.

use crate::drawing::names::Names;
use crate::drawing::record::Record;

use super::{Arrow, Fate, Kind, Pairing};

impl Pairing {
    pub(super) fn tcp(&mut self, record: &Record, host: usize, names: &mut Names) {
        let at_us = record.t_us;
        if matches!(record.kind.as_str(), "tcp.connect" | "tcp.refused" | "tcp.unanswered") {
            let to = names.number(record.text("to"));
            self.connecting(record, host, to);
            return;
        }
        let peer = names.number(record.text("peer"));
        let (Some(conn), bytes) = (record.number("conn"), record.number("len").unwrap_or_default()) else { return };
        let (out, back) = ((host, peer, conn), (peer, host, conn));
        match record.kind.as_str() {
            "tcp.connected" | "tcp.accepted" => {
                // The number may have been that of an earlier connection.
                self.drop_unread(out, at_us, "closed");
                self.ends.remove(&out);
                if record.kind == "tcp.accepted"
                    && let Some(index) = self.connects.remove(&(peer, host))
                {
                    self.arrive(index, at_us, Fate::Arrived);
                }
            }
            "tcp.write" => {
                let index = self.push(arrow(Kind::Stream, host, peer, at_us, bytes, conn));
                self.flows.entry(out).or_default().push_back((index, bytes));
            }
            "tcp.read" => self.read(back, at_us, bytes),
            "tcp.end" | "tcp.reset" => {
                if let Some(index) = self.ends.remove(&back) {
                    self.arrive(index, at_us, Fate::Arrived);
                }
                self.drop_unread(back, at_us, "reset");
            }
            "tcp.shutdown" | "tcp.close" => {
                if !self.ends.contains_key(&out) {
                    let index = self.push(arrow(Kind::Close, host, peer, at_us, 0, conn));
                    self.ends.insert(out, index);
                }
                if record.kind == "tcp.close" {
                    self.drop_unread(back, at_us, "closed");
                }
            }
            _ => {}
        }
    }

    fn connecting(&mut self, record: &Record, from: usize, to: usize) {
        if record.kind == "tcp.connect" {
            let port = record.number("port").unwrap_or_default();
            let index = self.push(arrow(Kind::Connect, from, to, record.t_us, 0, port));
            self.connects.insert((from, to), index);
        } else if let Some(index) = self.connects.remove(&(from, to)) {
            let cause = if record.kind == "tcp.refused" { "refused" } else { "unanswered" };
            self.lose(index, None, cause);
        }
    }

    /// Hands over the oldest bytes. A read may take several writes, or a part of one.
    fn read(&mut self, way: (usize, usize, u64), at_us: u64, mut bytes: u64) {
        while bytes > 0 {
            let Some((index, left)) = self.flows.get_mut(&way).and_then(|flow| flow.front_mut()) else { return };
            let taken = bytes.min(*left);
            (*left, bytes) = (*left - taken, bytes - taken);
            if *left > 0 {
                return;
            }
            let index = *index;
            self.flows.entry(way).or_default().pop_front();
            self.arrive(index, at_us, Fate::Arrived);
        }
    }

    fn drop_unread(&mut self, way: (usize, usize, u64), at_us: u64, cause: &'static str) {
        for (index, _) in self.flows.remove(&way).unwrap_or_default() {
            // What is known to be lost stays lost for that reason.
            if self.pending.contains(&index) {
                self.lose(index, Some(at_us), cause);
            }
        }
    }
}

fn arrow(kind: Kind, from: usize, to: usize, sent_us: u64, bytes: u64, id: u64) -> Arrow {
    Arrow { kind, from, to, sent_us, ended_us: None, fate: Fate::Open, cause: "", bytes, id }
}
