use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moorline_runtime::node::{DownloadId, NodeEvent};
use moorline_runtime::transfer::{DownloadEvent, DropReason};
use moorline_signaling::machine::Event;
use moorline_signaling::{CloseReason, LeftReason, LossCause, SendOutcome, Strategy};

use crate::Interference;
use crate::host::{Happened, Seen};

/// How often something happened. A sweep that never counts something has never tried it.
#[derive(Default)]
pub(super) struct Counters {
    counts: BTreeMap<String, u64>,
    hosts: BTreeMap<Arc<str>, Doing>,
}

/// What a host is in the middle of.
#[derive(Default)]
struct Doing {
    fetching: BTreeSet<DownloadId>,
    recovering: bool,
    joined: bool,
}

impl Counters {
    pub(super) fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub(super) fn into_map(self) -> BTreeMap<String, u64> {
        self.counts
    }

    /// How often points were reached, which others count.
    pub(super) fn take_points(&mut self, counts: BTreeMap<String, u64>) {
        self.counts.extend(counts);
    }

    pub(super) fn hear(&mut self, seen: &Seen) {
        let Self { counts, hosts } = self;
        let doing = hosts.entry(seen.host.clone()).or_default();
        let mut count = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
        match &seen.what {
            Happened::Started => *doing = Doing::default(),
            Happened::Crashed => {
                count("crash");
                if !doing.fetching.is_empty() {
                    count("crash.fetching");
                }
                if doing.recovering {
                    count("crash.recovering");
                }
            }
            Happened::Interfered { what, .. } => interfered(doing, what, count),
            Happened::Stopped { .. } => count("stopped"),
            Happened::Deaf(true) => count("deaf"),
            Happened::FetchBegun { id, .. } => {
                doing.fetching.insert(*id);
                count("fetch.begun");
            }
            Happened::TokenGiven { number: 2.. } => count("token.renewed"),
            Happened::FetchRefused { .. } => count("fetch.refused"),
            Happened::SendEnded { outcome, .. } => count(sent(outcome)),
            Happened::CallEnded { result, .. } => count(if result.is_ok() { "call.answered" } else { "call.failed" }),
            Happened::Node(event) => node(doing, event, count),
            Happened::Room(event) => room(doing, event, count),
            Happened::NodeRoom { event: Event::Joined { .. }, .. } => count("node.in-a-room"),
            Happened::NodeRoom { event: Event::ConnectionLost { .. }, .. } => count("node.lost-a-room"),
            _ => {}
        }
    }
}

/// What was planted, and what the host was in the middle of.
fn interfered(doing: &Doing, what: &Interference, mut count: impl FnMut(&str)) {
    let word = match what {
        Interference::Panic { .. } => "panic",
        Interference::Crash => "crash_at",
        Interference::Stop => "stop",
    };
    count(&format!("{word}.planted"));
    if !doing.fetching.is_empty() {
        count(&format!("{word}.fetching"));
    }
    if doing.recovering {
        count(&format!("{word}.recovering"));
    }
}

fn node(doing: &mut Doing, event: &NodeEvent, mut count: impl FnMut(&str)) {
    match event {
        NodeEvent::PeerUp(_) => count("peer.up"),
        NodeEvent::PeerDown { goodbye: true, .. } => count("peer.goodbye"),
        NodeEvent::PeerDown { .. } => {
            count("peer.lost");
            if !doing.fetching.is_empty() {
                count("peer.lost.fetching");
            }
        }
        NodeEvent::PeerRefused { .. } => count("peer.refused"),
        NodeEvent::Lagged { .. } => count("lagged"),
        NodeEvent::TaskPanicked { .. } => count("panic"),
        NodeEvent::Download { id, event } => {
            match event {
                DownloadEvent::Planned { resumed_bytes: 1.., .. } => count("fetch.resumed"),
                DownloadEvent::AllPeersGone { .. } => count("fetch.alone"),
                DownloadEvent::SourceDropped { reason: DropReason::BadContent(_), .. } => count("fetch.liar-named"),
                DownloadEvent::SourceDropped { .. } => count("fetch.source-dropped"),
                DownloadEvent::Finished { stats, .. } => {
                    count("fetch.finished");
                    if stats.sources.iter().filter(|source| source.bytes > 0).count() > 1 {
                        count("fetch.many-sources");
                    }
                }
                DownloadEvent::Failed(_) => count("fetch.failed"),
                DownloadEvent::Cancelled => count("fetch.cancelled"),
                _ => {}
            }
            if event.is_terminal() {
                doing.fetching.remove(id);
            }
        }
        _ => {}
    }
}

fn room(doing: &mut Doing, event: &Event, mut count: impl FnMut(&str)) {
    match event {
        Event::Joined { .. } => {
            doing.joined = true;
            count("joined");
        }
        Event::ConnectionLost { cause, .. } => {
            doing.recovering = true;
            count("lost");
            if matches!(cause, LossCause::Silence(_)) {
                count("lost.silence");
            }
        }
        Event::Recovered { strategy, replayed, resent, .. } => {
            doing.recovering = false;
            count(match strategy {
                Strategy::Fast => "recovered.fast",
                Strategy::Rejoin => "recovered.rejoin",
                Strategy::Migrate => "recovered.migrate",
                Strategy::Disconnect => "recovered.other",
            });
            if *replayed > 0 {
                count("recovered.replayed");
            }
            if *resent > 0 {
                count("recovered.resent");
            }
        }
        Event::ResyncRequired { .. } => count("resync"),
        Event::Message(_) => count("message"),
        Event::ValueChanged { .. } => count("value"),
        Event::ParticipantLeft { reason: LeftReason::TimedOut, .. } => count("left.timed-out"),
        Event::ParticipantLeft { reason: LeftReason::Replaced, .. } => count("left.replaced"),
        Event::Closed { reason } => {
            doing.recovering = false;
            count(match reason {
                CloseReason::UserClosed => "closed.user",
                CloseReason::AuthRejected(_) => "closed.auth",
                CloseReason::Deadline { .. } if doing.joined => "closed.deadline",
                CloseReason::Deadline { .. } => "closed.never-joined",
                _ => "closed.other",
            });
        }
        _ => {}
    }
}

fn sent(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Acked => "sent.acked",
        SendOutcome::Written => "sent.written",
        SendOutcome::Dropped => "sent.dropped",
        SendOutcome::Superseded => "sent.superseded",
        SendOutcome::Expired => "sent.expired",
        SendOutcome::Overflow => "sent.overflow",
        SendOutcome::Rejected(..) => "sent.rejected",
        SendOutcome::Unknown => "sent.unknown",
        SendOutcome::Closed => "sent.closed",
    }
}
