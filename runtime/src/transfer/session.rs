//! What all phases of a download need: its sources, its events, its cancellation, and the rule for being alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline_proto::{ErrorCode, PeerId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::config::{DownloadConfig, WhenAlone};
use super::error::DownloadError;
use super::event::DownloadEvent;
use super::outbox::Outbox;
use super::roster::{Dropped, Member, Roster};
use super::source::{BoxFuture, Source, SourceError};
use crate::supervisor::{Scope, TaskError};

/// Sources that one manifest request is put to at the same time.
const MAX_ASKED: usize = 3;

/// Why a download ends before it is finished.
#[derive(Debug)]
pub(super) enum Stop {
    Cancelled,
    /// Nobody is left, and the download is not to wait.
    Alone,
    /// Nobody came.
    GaveUp {
        waited: Duration,
    },
    Failed(DownloadError),
}

impl From<DownloadError> for Stop {
    fn from(error: DownloadError) -> Self {
        Self::Failed(error)
    }
}

impl From<TaskError> for Stop {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Cancelled => Self::Cancelled,
            other => Self::Failed(DownloadError::Internal(other.to_string())),
        }
    }
}

/// Since when there has been no source, and whether that was told.
#[derive(Debug, Clone, Copy)]
struct Absence {
    since: Instant,
    tell_at: Instant,
    told: bool,
}

pub(super) struct Session {
    pub(super) config: Arc<DownloadConfig>,
    pub(super) scope: Scope,
    pub(super) roster: Roster,
    pub(super) outbox: Outbox,
    pub(super) started: Instant,
    absence: Option<Absence>,
}

/// Who answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answerer {
    pub(super) peer: PeerId,
    pub(super) serial: u64,
}

impl Session {
    pub(super) fn new(config: Arc<DownloadConfig>, scope: Scope, roster: Roster, outbox: Outbox) -> Self {
        let started = Instant::now();
        let absence = Absence { since: started, tell_at: started + config.first_source_timeout, told: false };
        Self { config, scope, roster, outbox, started, absence: Some(absence) }
    }

    /// Lets the world in while something else is awaited: one change of the sources, or one event that found room.
    /// Cancel-safe.
    pub(super) async fn background(&mut self) {
        tokio::select! {
            biased;
            change = self.roster.changed() => if let Some(change) = change {
                let dropped = self.roster.apply(change);
                self.tell_dropped(dropped);
            },
            () = self.outbox.flush() => {}
        }
    }

    /// Applies the rule for being alone. Called while work remains that a source is needed for.
    pub(super) fn check_alone(&mut self, now: Instant) -> Result<(), Stop> {
        if !self.roster.is_empty() {
            self.absence = None;
            return Ok(());
        }
        let grace = self.config.alone_grace;
        let absence = self.absence.get_or_insert(Absence { since: now, tell_at: now + grace, told: false });
        if !absence.told {
            if now < absence.tell_at && !self.roster.is_closed() {
                return Ok(());
            }
            absence.told = true;
            if self.config.when_alone == WhenAlone::End {
                return Err(Stop::Alone);
            }
            self.outbox.tell(DownloadEvent::AllPeersGone { waiting: true });
        }
        let waited = now.saturating_duration_since(absence.since);
        let too_long = self.config.alone_deadline.is_some_and(|deadline| waited >= deadline);
        if too_long || self.roster.is_closed() { Err(Stop::GaveUp { waited }) } else { Ok(()) }
    }

    /// When [`check_alone`](Self::check_alone) or a source that is being left alone needs a look again.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let alone = self.absence.filter(|_| self.roster.is_empty()).and_then(|absence| {
            if absence.told {
                self.config.alone_deadline.map(|deadline| absence.since + deadline)
            } else {
                Some(absence.tell_at)
            }
        });
        [alone, self.roster.next_retry(now)].into_iter().flatten().min()
    }

    /// Takes note of what a source failed with.
    pub(super) fn failed(&mut self, who: Answerer, error: SourceError) {
        tracing::debug!(peer = %who.peer.short(), %error, "a source failed");
        let dropped = self.roster.failed(who.peer, who.serial, error, Instant::now(), &self.config);
        self.tell_dropped(dropped);
    }

    /// Puts a source out that sent bad content.
    pub(super) fn condemn(&mut self, who: Answerer, why: String) {
        let dropped = self.roster.condemn(who.peer, who.serial, why);
        self.tell_dropped(dropped);
    }

    /// Puts a question to one source after another until one answers: to a second one as well if the first takes its
    /// time. The answer is not verified; a source whose answer is bad is to be [condemned](Self::condemn). `deadline` is that
    /// of one source.
    pub(super) async fn ask<T, F>(
        &mut self,
        what: &'static str,
        deadline: Duration,
        question: F,
    ) -> Result<(Answerer, T), Stop>
    where
        T: Send + 'static,
        F: Fn(Arc<dyn Source>) -> BoxFuture<'static, Result<T, SourceError>>,
    {
        // Those that were replaced or removed meanwhile may answer as well.
        let (sender, mut answers) = mpsc::channel(4 * MAX_ASKED);
        // Cancelled on every way out, which ends the other requests.
        let asking = ScopeGuard(self.scope.child(what));
        let mut asked: BTreeSet<(PeerId, u64)> = BTreeSet::new();
        let mut hedge_at = Instant::now();
        loop {
            let now = Instant::now();
            asked.retain(|(peer, serial)| self.roster.has(peer, *serial));
            self.check_alone(now)?;
            let next = self.roster.ready(now).into_iter().find(|member| !asked.contains(&(member.peer, member.serial)));
            let mut wake = self.next_wake(now);
            if let Some(member) = next.filter(|_| asked.len() < MAX_ASKED) {
                if asked.is_empty() || hedge_at <= now {
                    asked.insert((member.peer, member.serial));
                    put(&asking.0, what, member, question(Arc::clone(&member.source)), deadline, sender.clone());
                    hedge_at = now + self.config.hedge_delay;
                }
                wake = Some(wake.map_or(hedge_at, |wake| wake.min(hedge_at)));
            }
            tokio::select! {
                biased;
                () = asking.0.cancelled() => return Err(Stop::Cancelled),
                Some((who, answer)) = answers.recv() => match answer {
                    Ok(answer) => {
                        self.roster.succeeded(&who.peer, who.serial);
                        return Ok((who, answer));
                    }
                    Err(error) => {
                        asked.remove(&(who.peer, who.serial));
                        self.failed(who, error);
                    }
                },
                () = self.background() => {}
                () = sleep_until(wake.unwrap_or(now)), if wake.is_some() => {}
            }
        }
    }

    /// Runs blocking work, and lets the world in meanwhile. Work that takes long has to look at the scope's token itself:
    /// it is waited for.
    pub(super) async fn blocking<T, F>(&mut self, what: &'static str, work: F) -> Result<T, Stop>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let mut task = self.scope.spawn_blocking(what, work);
        loop {
            tokio::select! {
                biased;
                result = &mut task => return Ok(result?),
                () = self.background() => {}
            }
        }
    }

    /// The same for work that reads `total` bytes and counts them, which is told as `Checking`.
    pub(super) async fn checking<T, F>(&mut self, what: &'static str, total: u64, work: F) -> Result<T, Stop>
    where
        T: Send + 'static,
        F: FnOnce(&AtomicU64) -> T + Send + 'static,
    {
        let done = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&done);
        let mut task = self.scope.spawn_blocking(what, move || work(&counter));
        let mut tick_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                result = &mut task => return Ok(result?),
                () = self.background() => {}
                () = sleep_until(tick_at) => {
                    let bytes_done = done.load(Ordering::Relaxed).min(total);
                    self.outbox.state(DownloadEvent::Checking { bytes_done, bytes_total: total });
                    tick_at += self.config.progress_interval.max(Duration::from_millis(1));
                }
            }
        }
    }

    fn tell_dropped(&mut self, dropped: Option<Dropped>) {
        if let Some(Dropped { peer, label, reason }) = dropped {
            tracing::info!(peer = %peer.short(), %label, %reason, "a source is used no more");
            self.outbox.tell(DownloadEvent::SourceDropped { peer, label, reason });
        }
    }
}

fn put<T: Send + 'static>(
    scope: &Scope,
    what: &'static str,
    member: &Member,
    answer: BoxFuture<'static, Result<T, SourceError>>,
    deadline: Duration,
    answers: mpsc::Sender<(Answerer, Result<T, SourceError>)>,
) {
    let reply = Reply { who: Answerer { peer: member.peer, serial: member.serial }, answers: Some(answers) };
    let cancelled = scope.token().clone();
    scope
        .spawn(what, async move {
            let mut reply = reply;
            tokio::select! {
                biased;
                () = cancelled.cancelled() => {}
                answer = timeout(deadline, answer) => reply.send(answer.unwrap_or(Err(SourceError::Stalled(deadline)))),
            }
        })
        .detach();
}

/// Brings one answer home, whatever happens to the task that waits for it.
struct Reply<T> {
    who: Answerer,
    answers: Option<mpsc::Sender<(Answerer, Result<T, SourceError>)>>,
}

impl<T> Reply<T> {
    fn send(&mut self, answer: Result<T, SourceError>) {
        if let Some(answers) = self.answers.take() {
            // There is room for each that is asked; if nobody listens, another was faster.
            drop(answers.try_send((self.who, answer)));
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.send(Err(SourceError::Refused {
            code: ErrorCode::Internal,
            message: "the task that asked it died".into(),
        }));
    }
}

/// Cancels a scope when dropped.
pub(super) struct ScopeGuard(pub(super) Scope);

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
