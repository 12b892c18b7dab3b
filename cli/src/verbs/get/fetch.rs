//! Fetching what was found: every item at once, each with its bar, until each has ended.

use std::time::{Duration, Instant};

use moorline_runtime::node::{DownloadHandle, DownloadRequest};
use moorline_runtime::proto::PeerId;
use moorline_runtime::transfer::{DownloadEvent, DownloadStats, DropReason, Progress};

use super::alone::{Loss, Watch};
use super::find::{self, Found};
use super::names::Names;
use super::{GetArgs, report};
use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::{Output, Style};
use crate::progress::{Row, Status};
use crate::session::Session;
use crate::signals::Stop;
use crate::verbs::list::peer_refs;
use crate::{text, units};

/// How long the transfers may take to come to rest after Ctrl-C.
const STOP_DEADLINE: Duration = Duration::from_millis(1500);

/// Fetches everything. The code of the first item that failed counts.
pub(super) async fn fetch(
    args: &GetArgs,
    output: &Output,
    stop: &Stop,
    session: &mut Session,
    found: Vec<Found>,
) -> Result<Code> {
    let mut names = Names::default();
    let mut downloads = Vec::with_capacity(found.len());
    for one in found {
        downloads.push(Download::start(args, output, session, one, &mut names).await?);
    }
    let mut stop_by: Option<tokio::time::Instant> = None;
    while downloads.iter().any(Download::is_running) {
        let here = Here::look(session);
        let deadline = downloads.iter().filter_map(|download| download.deadline(&here)).min();
        let wake = stop_by.or(deadline.map(Into::into));
        tokio::select! {
            biased;
            () = stop.requested(), if stop_by.is_none() => {
                stop_by = Some(tokio::time::Instant::now() + STOP_DEADLINE);
                downloads.iter().filter(|download| download.is_running()).for_each(|download| download.handle.cancel());
            }
            event = session.next() => {
                find::note(output, &event?);
                // The node's events say that something happened; each download's own never lose its last one.
                for download in &mut downloads {
                    download.drain(output).await;
                }
            }
            () = sleep_until(wake) => {
                if stop_by.is_some() {
                    break;
                }
                let now = Instant::now();
                downloads.iter_mut().for_each(|download| download.give_up_if_due(output, &here, now));
            }
        }
    }
    conclude(output, stop, downloads)
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn conclude(output: &Output, stop: &Stop, downloads: Vec<Download>) -> Result<Code> {
    let all = downloads.len();
    if stop.is_requested() && downloads.iter().any(|download| !matches!(download.state, State::Done)) {
        for download in downloads.iter().filter(|download| download.is_running()) {
            output.event(&Event::Cancelled { item: &download.item, name: &download.name });
        }
        output.note("stopped; what was fetched is kept: give the same command again to go on");
        return Ok(Code::Interrupted);
    }
    let mut failures: Vec<Failure> = downloads
        .into_iter()
        .filter_map(|download| match download.state {
            State::Failed(failure) => Some(failure),
            State::Cancelled => {
                Some(Failure::new(Code::Interrupted, format!("{} was cancelled", text::name(&download.name))))
            }
            State::Running | State::Done => None,
        })
        .collect();
    match failures.len() {
        0 => Ok(Code::Success),
        1 => Err(failures.remove(0)),
        failed => {
            // Each was told when it happened; the last line sums up.
            let code = failures[0].code;
            Err(Failure::new(
                code,
                format!("{failed} of {all} items were not fetched; the first: {}", failures[0].message),
            ))
        }
    }
}

/// Who is connected and does not offer an item: read once a round, because it takes a lock.
struct Here {
    peers: Vec<(PeerId, bool)>,
    offered: Vec<(moorline_runtime::proto::ItemId, Vec<PeerId>)>,
}

impl Here {
    fn look(session: &Session) -> Self {
        let node = session.node();
        let offered = |offer: &moorline_runtime::node::Offer| {
            (offer.summary.id, offer.providers.iter().map(|provider| provider.id).collect())
        };
        Self {
            peers: node.peers().iter().map(|peer| (peer.id, peer.listed)).collect(),
            offered: node.offers().iter().map(offered).collect(),
        }
    }

    /// Whether one of `sources` is connected, has listed what it has, and does not offer the item.
    fn without(&self, item: &moorline_runtime::proto::ItemId, sources: &[PeerId]) -> bool {
        let offers = |peer: &PeerId| self.offered.iter().any(|(id, peers)| id == item && peers.contains(peer));
        self.peers.iter().any(|(peer, listed)| *listed && sources.contains(peer) && !offers(peer))
    }
}

#[derive(Debug)]
enum State {
    Running,
    Done,
    Cancelled,
    Failed(Failure),
}

/// One item under way.
struct Download {
    found: Found,
    item: String,
    name: String,
    handle: DownloadHandle,
    row: Option<Row>,
    watch: Watch,
    /// Peers that were sources at some time, at most [`MAX_SOURCES`].
    sources: Vec<PeerId>,
    state: State,
}

/// Sources kept in mind, to tell a peer that went away from one that changed its mind.
const MAX_SOURCES: usize = 256;

impl Download {
    async fn start(
        args: &GetArgs,
        output: &Output,
        session: &Session,
        found: Found,
        names: &mut Names,
    ) -> Result<Self> {
        let summary = &found.offer.summary;
        let item = summary.id.to_string();
        output.event(&Event::Found {
            query: &found.query,
            item: &item,
            name: &summary.name,
            bytes: summary.bytes,
            peers: peer_refs(&found.offer),
        });
        let mut request = DownloadRequest::new(summary.id, &args.into);
        request.name = names.choose(&summary.name, &summary.id);
        request.from = found.from;
        request.when_alone = args.when_alone();
        if let Some(name) = &request.name {
            output.note(format_args!("{} is stored as {name}", text::name(&summary.name)));
        }
        let handle = session.node().download(request).await.map_err(|error| {
            Failure::new(
                Code::Failure,
                format!("cannot fetch {}: {}", text::name(&summary.name), text::reason(&error.to_string())),
            )
        })?;
        let row = Some(Row::new(output, &summary.name, summary.bytes));
        let sources = found.offer.providers.iter().take(MAX_SOURCES).map(|provider| provider.id).collect();
        let name = summary.name.clone();
        Ok(Self { found, item, name, handle, row, watch: Watch::new(args.timeout), sources, state: State::Running })
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// When to give up if nobody comes.
    fn deadline(&self, here: &Here) -> Option<Instant> {
        if self.is_running() { self.watch.deadline(self.still_here(here)) } else { None }
    }

    fn still_here(&self, here: &Here) -> bool {
        here.without(&self.found.offer.summary.id, &self.sources)
    }

    fn give_up_if_due(&mut self, output: &Output, here: &Here, now: Instant) {
        if self.deadline(here).is_some_and(|deadline| deadline <= now) {
            self.handle.cancel();
            self.end_alone(output, self.still_here(here));
        }
    }

    /// Takes every event that is there, without waiting for more.
    async fn drain(&mut self, output: &Output) {
        while self.is_running() {
            let event = tokio::select! {
                biased;
                event = self.handle.next() => event,
                () = std::future::ready(()) => return,
            };
            match event {
                Some(event) => self.on_event(output, event),
                None => {
                    // Its last event never gets lost, so this is a defect; it must not hang.
                    let failure = Failure::new(
                        Code::Failure,
                        format!("the transfer of {} ended without a result", text::name(&self.name)),
                    );
                    self.fail(output, failure);
                }
            }
        }
    }

    fn on_event(&mut self, output: &Output, event: DownloadEvent) {
        let (item, name) = (self.item.as_str(), self.name.as_str());
        match event {
            DownloadEvent::Checking { bytes_done, bytes_total } => {
                output.event(&Event::Checking { item, name, bytes: bytes_done, total: bytes_total });
                if let Some(row) = &mut self.row {
                    row.pause(&format!(
                        "checking what is here: {} of {}",
                        units::bytes(bytes_done),
                        units::bytes(bytes_total)
                    ));
                }
            }
            DownloadEvent::Planned { bytes, files, resumed_bytes, .. } => {
                output.event(&Event::Planned { item, name, bytes, files, resumed_bytes });
                if resumed_bytes > 0 {
                    output.note(format_args!(
                        "{}: {} of {} are here from an earlier run",
                        text::name(name),
                        units::bytes(resumed_bytes),
                        units::bytes(bytes),
                    ));
                }
            }
            DownloadEvent::Progress(progress) => self.on_progress(output, &progress),
            DownloadEvent::SourceDropped { peer, label, reason } => self.on_dropped(output, peer, &label, &reason),
            DownloadEvent::AllPeersGone { waiting: true } => {
                output.event(&Event::AllPeersGone { item, name, waiting: true });
                output.note(format_args!(
                    "{}: all peers that have it are gone; what is here is kept, waiting for somebody to come back",
                    text::name(name),
                ));
                if let Some(row) = &mut self.row {
                    row.pause("waiting for somebody who has it");
                }
                self.watch.alone(Instant::now());
            }
            DownloadEvent::AllPeersGone { waiting: false } => {
                output.event(&Event::AllPeersGone { item, name, waiting: false });
                self.end_alone(output, false);
            }
            DownloadEvent::GaveUp { .. } => self.end_alone(output, false),
            DownloadEvent::Finished { path, stats } => {
                self.row = None;
                self.state = State::Done;
                self.tell_finished(output, &path, &stats);
            }
            DownloadEvent::Failed(error) => {
                let message = format!("cannot fetch {}: {}", text::name(name), text::reason(&error.to_string()));
                self.fail(output, Failure::new(report::code_of(&error), message));
            }
            DownloadEvent::Cancelled => {
                output.event(&Event::Cancelled { item, name });
                self.row = None;
                self.state = State::Cancelled;
            }
            _ => {}
        }
    }

    fn on_progress(&mut self, output: &Output, progress: &Progress) {
        let working =
            progress.sources.iter().filter(|source| !self.sources.contains(&source.peer)).map(|source| source.peer);
        let fresh: Vec<PeerId> = working.take(MAX_SOURCES.saturating_sub(self.sources.len())).collect();
        self.sources.extend(fresh);
        if !progress.sources.is_empty() && self.watch.at_work() {
            output.note(format_args!("{}: somebody who has it is back, going on", text::name(&self.name)));
        }
        let status = Status {
            done: progress.bytes_done,
            total: progress.bytes_total,
            rate: progress.rate,
            sources: progress.sources.len(),
        };
        output.event(&Event::Progress {
            item: &self.item,
            name: &self.name,
            bytes: status.done,
            total: status.total,
            rate: if status.rate.is_finite() { status.rate } else { 0.0 },
            seconds_left: status.left().map(|left| left.as_secs_f64()),
            sources: status.sources,
        });
        if let Some(row) = &mut self.row {
            row.update(output, &status, Instant::now());
        }
    }

    fn on_dropped(&mut self, output: &Output, peer: PeerId, label: &str, reason: &DropReason) {
        let why = reason.to_string();
        let id = peer.to_string();
        let loss = match reason {
            DropReason::BadContent(_) => Loss::BadContent,
            DropReason::Stale(_) => Loss::Changed,
            DropReason::Refused(_) => Loss::Refused,
            // More than it may use at once: not a loss.
            DropReason::TooMany { .. } => return,
            _ => Loss::Away,
        };
        self.watch.lost(loss);
        output.event(&Event::SourceDropped {
            item: &self.item,
            name: &self.name,
            peer: &id,
            peer_name: label,
            reason: &why,
            bad_content: loss == Loss::BadContent,
        });
        let line =
            format!("{}: not from {} any more: {}", text::name(&self.name), text::name(label), text::reason(&why));
        if loss == Loss::BadContent {
            output.event(&Event::PeerLiar { peer: &id, name: label, item: &self.item, reason: &why });
            output.warn(line);
        } else {
            output.note(line);
        }
    }

    fn tell_finished(&self, output: &Output, path: &std::path::Path, stats: &DownloadStats) {
        let seconds = stats.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { stats.fetched_bytes as f64 / seconds } else { 0.0 };
        let sources = stats.sources.iter().filter(|source| source.bytes > 0).count();
        output.event(&Event::Finished {
            item: &self.item,
            name: &self.name,
            path: &path.to_string_lossy(),
            bytes: stats.bytes,
            seconds,
            rate,
            sources,
            resumed_bytes: stats.resumed_bytes,
            already_there: stats.already_there,
        });
        let name = output.styled(Style::Good, &text::name(&self.name));
        if stats.already_there {
            output.line(format_args!(
                "{name}: {} are here already, verified: {}",
                units::bytes(stats.bytes),
                text::path(path)
            ));
            return;
        }
        let resumed = match stats.resumed_bytes {
            0 => String::new(),
            bytes => format!(", {} of it from an earlier run", units::bytes(bytes)),
        };
        output.line(format_args!(
            "{name}: {} in {} ({}) from {}{resumed}, verified: {}",
            units::bytes(stats.bytes),
            units::duration(stats.elapsed),
            units::rate(rate),
            units::count(sources as u64, "source"),
            text::path(path),
        ));
    }

    fn end_alone(&mut self, output: &Output, still_here: bool) {
        let (code, message, hint) = self.watch.verdict(still_here);
        self.fail(output, Failure::new(code, format!("cannot fetch {}: {message}", text::name(&self.name))).hint(hint));
    }

    /// Programs hear of every failed item; people hear the only one as the program's error, and of several each in its turn.
    fn fail(&mut self, output: &Output, failure: Failure) {
        output.event(&Event::Failed {
            item: &self.item,
            name: &self.name,
            code: failure.code.number(),
            reason: &failure.message,
        });
        self.row = None;
        self.state = State::Failed(failure);
    }
}
