//! Everything that the page draws, as it is written into it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bursts::{Burst, collapse};
use super::faults::{Fault, Faults};
use super::lanes::{Mark, Stay, Story};
use super::names::{Lanes, Names};
use super::pairing::{Arrow, Fate, Kind, Pairing};
use super::record::Record;
use crate::Violation;

/// More dots than this help nobody; the page says how many are missing.
const MAX_MARKS: usize = 8_000;

/// Hosts are lanes here, counted from the left.
#[derive(Serialize)]
pub(super) struct Picture {
    hosts: Vec<String>,
    end_us: u64,
    arrows: Vec<OneArrow>,
    stays: Vec<OneStay>,
    marks: Vec<OneMark>,
    faults: Vec<OneFault>,
    violations: Vec<OneViolation>,
    figures: Figures,
}

#[derive(Serialize)]
struct OneArrow {
    kind: Kind,
    fate: Fate,
    from: usize,
    /// `None`: there is no such host.
    to: Option<usize>,
    /// First and last.
    sent: (u64, u64),
    ended: Option<(u64, u64)>,
    count: u64,
    bytes: u64,
    id: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    cause: &'static str,
}

#[derive(Serialize)]
struct OneStay {
    host: usize,
    from: u64,
    to: Option<u64>,
    state: String,
    epoch: Option<u64>,
    life: Option<u64>,
}

#[derive(Serialize)]
struct OneMark {
    host: usize,
    at: u64,
    last: u64,
    count: u64,
    kind: String,
    event: String,
    detail: String,
}

#[derive(Serialize)]
struct OneFault {
    what: String,
    host: usize,
    to: Option<usize>,
    one_way: bool,
    from: u64,
    until: Option<u64>,
    detail: String,
}

#[derive(Serialize)]
struct OneViolation {
    invariant: String,
    at: u64,
    host: Option<usize>,
    text: String,
}

/// Of all that was sent, whether or not it is drawn by itself.
#[derive(Serialize)]
struct Figures {
    records: u64,
    /// Of those, how many the trace counted and did not keep, or that were no records.
    missing: u64,
    sent: usize,
    lost: usize,
    twice: usize,
    damaged: usize,
    /// The longest pause inside of a burst; 0 if there are none.
    pause_us: u64,
    marks_left_out: usize,
    /// Of the lines that were read.
    fingerprint: String,
}

impl Picture {
    /// Reads a trace that counted `records` records.
    pub(super) fn of(lines: &str, records: u64, violations: &[Violation], max_arrows: usize) -> Self {
        let (mut names, mut pairing) = (Names::default(), Pairing::default());
        let (mut faults, mut story) = (Faults::default(), Story::default());
        let (mut read, mut end_us) = (0, 0);
        for record in lines.lines().filter_map(Record::read) {
            read += 1;
            end_us = end_us.max(record.t_us);
            let host = names.host(&record.host);
            if pairing.take(&record, &mut names) {
                continue;
            }
            story.state(&record, host);
            if !faults.take(&record, host, &mut names) && record.kind != "state" {
                story.mark(&record, host);
            }
        }
        end_us = violations.iter().map(micros).fold(end_us, u64::max);

        let arrows = pairing.finish(end_us);
        let mut traffic = BTreeMap::new();
        for arrow in &arrows {
            *traffic.entry((arrow.from, arrow.to)).or_default() += 1;
        }
        let lanes = names.lanes(&traffic);
        let at: Vec<u64> = violations.iter().map(micros).collect();
        let (bursts, pause_us) = collapse(&arrows, &at, max_arrows);
        let count = |fate: Fate| arrows.iter().filter(|arrow| arrow.fate == fate).count();
        let figures = Figures {
            records,
            missing: records.saturating_sub(read),
            sent: arrows.len(),
            lost: count(Fate::Lost),
            twice: count(Fate::Twice),
            damaged: count(Fate::Damaged),
            pause_us,
            marks_left_out: story.marks.len().saturating_sub(MAX_MARKS),
            fingerprint: blake3::hash(lines.as_bytes()).to_string(),
        };
        let mut violations: Vec<OneViolation> = violations.iter().map(|one| OneViolation::of(one, &lanes)).collect();
        violations.sort_by_key(|violation| violation.at);
        Self {
            end_us,
            arrows: bursts.iter().filter_map(|burst| OneArrow::of(burst, &lanes)).collect(),
            stays: story.stays.into_iter().filter_map(|stay| OneStay::of(stay, &lanes)).collect(),
            marks: story.marks.into_iter().take(MAX_MARKS).filter_map(|mark| OneMark::of(mark, &lanes)).collect(),
            faults: faults.finish().into_iter().filter_map(|fault| OneFault::of(fault, &lanes)).collect(),
            violations,
            figures,
            hosts: lanes.names,
        }
    }
}

impl OneArrow {
    fn of(burst: &Burst, lanes: &Lanes) -> Option<Self> {
        let Arrow { kind, fate, from, to, sent_us, cause, id, .. } = burst.first;
        Some(Self {
            kind,
            fate,
            from: lanes.of(from)?,
            to: lanes.of(to),
            sent: (sent_us, burst.last_sent_us),
            ended: burst.ended_us,
            count: burst.count,
            bytes: burst.bytes,
            id,
            cause,
        })
    }
}

impl OneStay {
    fn of(stay: Stay, lanes: &Lanes) -> Option<Self> {
        let Stay { host, from_us, to_us, state, epoch, life } = stay;
        Some(Self { host: lanes.of(host)?, from: from_us, to: to_us, state, epoch, life })
    }
}

impl OneMark {
    fn of(mark: Mark, lanes: &Lanes) -> Option<Self> {
        let Mark { host, at_us, last_us, count, kind, event, detail } = mark;
        Some(Self { host: lanes.of(host)?, at: at_us, last: last_us, count, kind, event, detail })
    }
}

impl OneFault {
    fn of(fault: Fault, lanes: &Lanes) -> Option<Self> {
        let Fault { what, host, to, is_one_way, from_us, to_us, detail } = fault;
        let to = to.and_then(|to| lanes.of(to));
        Some(Self { what, host: lanes.of(host)?, to, one_way: is_one_way, from: from_us, until: to_us, detail })
    }
}

impl OneViolation {
    fn of(violation: &Violation, lanes: &Lanes) -> Self {
        Self {
            invariant: violation.invariant.to_owned(),
            at: micros(violation),
            host: lanes.named(&violation.host),
            text: violation.text.clone(),
        }
    }
}

fn micros(violation: &Violation) -> u64 {
    u64::try_from(violation.at.as_micros()).unwrap_or(u64::MAX)
}
