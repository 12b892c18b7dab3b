//! One item under way: what its transfer says, told to the user; and when to give it up.

use std::path::Path;
use std::time::Instant;

use moorline_runtime::node::{DownloadHandle, DownloadRequest};
use moorline_runtime::proto::PeerId;
use moorline_runtime::transfer::{DownloadEvent, DownloadStats, DropReason, Progress};

use super::alone::{Loss, Watch};
use super::find::Found;
use super::here::Here;
use super::names::Names;
use super::{GetArgs, report};
use crate::exit::{Code, Failure, Result};
use crate::json::Event;
use crate::output::{Output, Style};
use crate::progress::{Row, Status};
use crate::session::Session;
use crate::verbs::list::peer_refs;
use crate::{text, units};

#[derive(Debug)]
pub(super) enum State {
    Running,
    Done,
    Cancelled,
    Failed(Failure),
}

/// One item under way.
pub(super) struct Download {
    found: Found,
    pub(super) item: String,
    pub(super) name: String,
    pub(super) handle: DownloadHandle,
    row: Option<Row>,
    watch: Watch,
    /// Peers that were sources at some time, at most [`MAX_SOURCES`].
    sources: Vec<PeerId>,
    pub(super) state: State,
}

/// Sources kept in mind, to tell a peer that went away from one that changed its mind.
const MAX_SOURCES: usize = 256;

impl Download {
    pub(super) async fn start(
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

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// When to give up if nobody comes.
    pub(super) fn deadline(&self, here: &Here) -> Option<Instant> {
        if self.is_running() { self.watch.deadline(self.still_here(here)) } else { None }
    }

    fn still_here(&self, here: &Here) -> bool {
        here.without(&self.found.offer.summary.id, &self.sources)
    }

    pub(super) fn give_up_if_due(&mut self, output: &Output, here: &Here, now: Instant) {
        if self.deadline(here).is_some_and(|deadline| deadline <= now) {
            self.handle.cancel();
            self.end_alone(output, self.still_here(here));
        }
    }

    /// Takes every event that is there, without waiting for more.
    pub(super) async fn drain(&mut self, output: &Output) {
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
        let told = format!("{}: {}", text::name(label), text::reason(&why));
        self.watch.lost(loss, told);
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

    fn tell_finished(&self, output: &Output, path: &Path, stats: &DownloadStats) {
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
