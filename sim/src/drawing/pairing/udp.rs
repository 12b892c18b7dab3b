//! Datagrams have numbers.

use crate::LossCause;
use crate::drawing::names::Names;
use crate::drawing::record::Record;

use super::{Arrow, Fate, Kind, Pairing};

/// A datagram that was sent.
pub(super) struct Datagram {
    /// The arrow of the first copy; that of the second follows.
    first: usize,
    copies: usize,
    came: usize,
    hash: String,
}

impl Pairing {
    pub(super) fn udp(&mut self, record: &Record, host: usize, names: &mut Names) {
        let Some(id) = record.number("id") else { return };
        if record.kind == "udp.send" {
            let to = names.number(record.text("to"));
            self.datagram_sent(record, id, host, to);
            return;
        }
        let Some(datagram) = self.datagrams.get_mut(&id).filter(|datagram| datagram.came < datagram.copies) else {
            // It was sent before what was kept of the trace.
            return;
        };
        let index = datagram.first + datagram.came;
        let fate = if datagram.hash != record.text("hash") {
            Fate::Damaged
        } else if datagram.came > 0 {
            Fate::Twice
        } else {
            Fate::Arrived
        };
        datagram.came += 1;
        if record.kind == "udp.lost" {
            self.lose(index, Some(record.t_us), LossCause::Cut.word());
        } else {
            self.arrive(index, record.t_us, fate);
        }
    }

    fn datagram_sent(&mut self, record: &Record, id: u64, from: usize, to: usize) {
        let fate = record.text("fate");
        let copies = if fate == "twice" { 2 } else { 1 };
        let lost = LossCause::ALL.into_iter().map(LossCause::word).find(|word| *word == fate);
        let arrow = Arrow {
            kind: if record.text("packet").is_empty() { Kind::Datagram } else { Kind::Handshake },
            from,
            to,
            sent_us: record.t_us,
            ended_us: None,
            fate: if lost.is_some() { Fate::Lost } else { Fate::Open },
            cause: lost.unwrap_or_default(),
            bytes: record.number("len").unwrap_or_default(),
            id,
        };
        let first = self.push(arrow.clone());
        if copies == 2 {
            self.push(arrow);
        }
        if lost.is_none() {
            let hash = record.text("hash").to_owned();
            self.datagrams.insert(id, Datagram { first, copies, came: 0, hash });
        }
    }
}
