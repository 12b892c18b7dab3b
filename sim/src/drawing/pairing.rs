//! Makes arrows of records: what was sent, with what became of it.

mod tcp;
mod udp;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::names::Names;
use super::record::Record;
use udp::Datagram;

/// What is never heard of again, and was sent so long before the end, is lost rather than under way.
const PATIENCE_US: u64 = 5_000_000;

/// What an arrow stands for. Decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A datagram with a long header: QUIC finds out whom it talks with.
    Handshake,
    /// Any other datagram.
    Datagram,
    /// A TCP connection is asked for.
    Connect,
    /// Bytes on a TCP connection.
    Stream,
    /// A TCP connection is ended.
    Close,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Arrived,
    /// As a second copy.
    Twice,
    /// It arrived, with other bytes than were sent.
    Damaged,
    Lost,
    /// The trace ends before anything is known.
    Open,
}

/// One thing that was sent. A datagram that the network doubled is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) kind: Kind,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sent_us: u64,
    /// When it arrived, or when it was seen to be lost.
    pub(super) ended_us: Option<u64>,
    pub(super) fate: Fate,
    /// Why it was lost.
    pub(super) cause: &'static str,
    pub(super) bytes: u64,
    /// The number of the datagram or of the connection.
    pub(super) id: u64,
}

/// Takes records in order, and has the arrows at the end.
#[derive(Default)]
pub(super) struct Pairing {
    arrows: Vec<Arrow>,
    /// Those of which nothing is known yet.
    pending: BTreeSet<usize>,
    datagrams: BTreeMap<u64, Datagram>,
    /// Bytes that were written and not read yet, by writer, reader and connection: arrow and length.
    flows: BTreeMap<(usize, usize, u64), VecDeque<(usize, u64)>>,
    /// Ends of connections that the other end has not heard of.
    ends: BTreeMap<(usize, usize, u64), usize>,
    /// The latest attempt to connect.
    connects: BTreeMap<(usize, usize), usize>,
    cuts: BTreeSet<(usize, usize)>,
    down: BTreeSet<usize>,
}

impl Pairing {
    /// Whether the record was one of those that arrows are made of.
    pub(super) fn take(&mut self, record: &Record, names: &mut Names) -> bool {
        let host = names.host(&record.host);
        if record.kind.starts_with("udp.") {
            self.udp(record, host, names);
            return true;
        }
        if record.kind.starts_with("tcp.") {
            self.tcp(record, host, names);
            return true;
        }
        match record.kind.as_str() {
            "partition" | "partition_oneway" | "heal" => {
                let other = names.number(record.text("to"));
                self.cut(record, host, other);
            }
            "crash" | "bounce" => self.goes_down(host, record.t_us),
            "host" if record.text("what") == "started" => {
                self.down.remove(&host);
            }
            "host" => self.goes_down(host, record.t_us),
            _ => {}
        }
        false
    }

    /// The arrows in the order in which they were sent. The trace ends at `end_us`.
    pub(super) fn finish(mut self, end_us: u64) -> Vec<Arrow> {
        for index in std::mem::take(&mut self.pending) {
            let arrow = &mut self.arrows[index];
            if arrow.kind == Kind::Connect || arrow.sent_us.saturating_add(PATIENCE_US) < end_us {
                (arrow.fate, arrow.cause) = (Fate::Lost, "never heard of again");
            }
        }
        // Both ends say that a connection ends, and mostly only one of them has to be told.
        self.arrows.retain(|arrow| arrow.kind != Kind::Close || arrow.fate == Fate::Arrived);
        self.arrows
    }

    fn cut(&mut self, record: &Record, a: usize, b: usize) {
        let ways = if record.kind == "partition_oneway" { vec![(a, b)] } else { vec![(a, b), (b, a)] };
        if record.kind == "heal" {
            self.cuts.retain(|way| !ways.contains(way));
            return;
        }
        self.lose_pending(record.t_us, "cut", |arrow| ways.contains(&(arrow.from, arrow.to)));
        self.cuts.extend(ways);
    }

    fn goes_down(&mut self, host: usize, at_us: u64) {
        self.down.insert(host);
        self.lose_pending(at_us, "host down", |arrow| arrow.to == host);
    }

    /// Adds an arrow of which nothing is known, or as much as where it goes to tells.
    fn push(&mut self, arrow: Arrow) -> usize {
        let index = self.arrows.len();
        let way = (arrow.from, arrow.to);
        let to = arrow.to;
        self.arrows.push(arrow);
        if self.arrows[index].fate == Fate::Open {
            self.pending.insert(index);
            if self.cuts.contains(&way) {
                self.lose(index, None, "cut");
            } else if self.down.contains(&to) {
                self.lose(index, None, "host down");
            }
        }
        index
    }

    /// It arrived after all, whatever was believed before.
    fn arrive(&mut self, index: usize, at_us: u64, fate: Fate) {
        self.pending.remove(&index);
        let arrow = &mut self.arrows[index];
        (arrow.fate, arrow.ended_us, arrow.cause) = (fate, Some(at_us), "");
    }

    fn lose(&mut self, index: usize, at_us: Option<u64>, cause: &'static str) {
        self.pending.remove(&index);
        let arrow = &mut self.arrows[index];
        (arrow.fate, arrow.ended_us, arrow.cause) = (Fate::Lost, at_us, cause);
    }

    fn lose_pending(&mut self, at_us: u64, cause: &'static str, which: impl Fn(&Arrow) -> bool) {
        let lost: Vec<usize> = self.pending.iter().copied().filter(|index| which(&self.arrows[*index])).collect();
        for index in lost {
            self.lose(index, Some(at_us), cause);
        }
    }
}

#[cfg(test)]
mod tests;
