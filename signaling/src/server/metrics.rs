//! Counters, and the text that Prometheus reads (text format 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::store::StoreStats;
use crate::wire::pb;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a Hello was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HelloOutcome {
    Joined,
    Rejoined,
    Resumed,
    ResumeRejected,
    Refused,
}

const OUTCOMES: [&str; 5] = ["joined", "rejoined", "resumed", "resume_rejected", "refused"];
const FAULT_CODES: usize = 13;
const REJECT_REASONS: usize = 6;

/// Everything that is counted outside of the store.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    pub(crate) turned_away: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) http_errors: Counter,
    pub(crate) frames_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) heartbeats_missed: Counter,
    pub(crate) panics: Counter,
    hellos: [Counter; OUTCOMES.len()],
    faults: [Counter; FAULT_CODES],
    resume_rejects: [Counter; REJECT_REASONS],
}

impl Metrics {
    pub(crate) fn hello(&self, outcome: HelloOutcome) {
        self.hellos[outcome as usize].add(1);
    }

    pub(crate) fn fault(&self, code: pb::FaultCode) {
        self.faults[code as usize % FAULT_CODES].add(1);
    }

    pub(crate) fn resume_reject(&self, reason: pb::RejectReason) {
        self.resume_rejects[reason as usize % REJECT_REASONS].add(1);
    }

    /// All of it as text.
    pub(crate) fn render(
        &self,
        store: StoreStats,
        connections: usize,
        pending: usize,
        attached: usize,
        draining: bool,
    ) -> String {
        let mut text = String::with_capacity(4 << 10);
        let gauges = [
            ("sessions", "Sessions, those that wait for their client included.", store.sessions),
            ("attached_sessions", "Sessions with a connection.", attached),
            ("rooms", "Rooms with somebody in them.", store.rooms),
            ("held_bytes", "Bytes of rooms' state and of logs, which have a common bound.", store.bytes),
            ("connections", "Open connections.", connections),
            ("pending_connections", "Open connections that are not in a room yet.", pending),
            ("draining", "Whether the node sends its clients away.", usize::from(draining)),
        ];
        for (name, help, value) in gauges {
            family(&mut text, name, "gauge", help);
            let _ = writeln!(text, "moorline_signal_{name} {value}");
        }
        let counters = [
            ("connections_total", "Connections accepted.", self.accepted.value()),
            ("connections_refused_total", "Connections beyond a bound.", self.turned_away.value()),
            ("accept_errors_total", "Failures to accept a connection.", self.accept_errors.value()),
            ("http_errors_total", "HTTP requests answered with an error.", self.http_errors.value()),
            ("frames_in_total", "Frames read.", self.frames_in.value()),
            ("frames_out_total", "Frames written.", self.frames_out.value()),
            ("bytes_out_total", "Bytes written, WebSocket framing included.", self.bytes_out.value()),
            ("deliveries_total", "Deliveries put into logs.", store.deliveries),
            ("slow_consumers_total", "Sessions whose client did not read.", store.slow_consumers),
            ("ephemeral_dropped_total", "Ephemeral messages that one receiver did not get.", store.ephemeral_dropped),
            ("heartbeats_missed_total", "Connections dropped for their silence.", self.heartbeats_missed.value()),
            ("panics_total", "Tasks that panicked.", self.panics.value()),
        ];
        for (name, help, value) in counters {
            family(&mut text, name, "counter", help);
            let _ = writeln!(text, "moorline_signal_{name} {value}");
        }
        family(&mut text, "hellos_total", "counter", "Hellos, by how they were answered.");
        for (label, counter) in OUTCOMES.iter().zip(&self.hellos) {
            let _ = writeln!(text, "moorline_signal_hellos_total{{outcome=\"{label}\"}} {}", counter.value());
        }
        family(&mut text, "faults_total", "counter", "Faults sent, by code.");
        for (code, counter) in (1..).zip(&self.faults[1..]) {
            let label = pb::FaultCode::try_from(code).map_or("", |code| code.as_str_name()).to_ascii_lowercase();
            let _ = writeln!(text, "moorline_signal_faults_total{{code=\"{label}\"}} {}", counter.value());
        }
        family(&mut text, "resume_rejects_total", "counter", "Sessions that could not be resumed, by reason.");
        for (reason, counter) in (1..).zip(&self.resume_rejects[1..]) {
            let label = pb::RejectReason::try_from(reason).map_or("", |r| r.as_str_name()).to_ascii_lowercase();
            let _ = writeln!(text, "moorline_signal_resume_rejects_total{{reason=\"{label}\"}} {}", counter.value());
        }
        text
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP moorline_signal_{name} {help}\n# TYPE moorline_signal_{name} {kind}");
}
