//! The sources of one download: who is there, who may be asked, and who not again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Arc;

use moorline_proto::{ErrorCode, PeerId};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use super::config::DownloadConfig;
use super::error::DropReason;
use super::source::{Source, SourceChange, SourceError};

/// Liars that are remembered. Each of them had to deliver a chunk or a page to be found out.
const MAX_BANNED: usize = 4096;

/// One connection to one peer. Numbered in order of arrival, so that a replaced one is told from its successor.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) peer: PeerId,
    pub(super) label: String,
    pub(super) serial: u64,
    pub(super) source: Arc<dyn Source>,
    failures: u32,
    retry_at: Option<Instant>,
}

/// A source that is used no more, and why.
pub(super) struct Dropped {
    pub(super) peer: PeerId,
    pub(super) label: String,
    pub(super) reason: DropReason,
}

pub(super) struct Roster {
    changes: Receiver<SourceChange>,
    closed: bool,
    members: BTreeMap<PeerId, Member>,
    banned: BTreeSet<PeerId>,
    next_serial: u64,
    max_sources: usize,
}

impl Roster {
    pub(super) fn new(changes: Receiver<SourceChange>, config: &DownloadConfig) -> Self {
        Self {
            changes,
            closed: false,
            members: BTreeMap::new(),
            banned: BTreeSet::new(),
            next_serial: 0,
            max_sources: config.max_sources.max(1),
        }
    }

    /// Waits for the next change; never ends once no more can come. Cancel-safe.
    pub(super) async fn changed(&mut self) -> Option<SourceChange> {
        if self.closed {
            return pending().await;
        }
        let change = self.changes.recv().await;
        self.closed = change.is_none();
        change
    }

    /// Takes in a change; says whom that puts out.
    pub(super) fn apply(&mut self, change: SourceChange) -> Option<Dropped> {
        match change {
            SourceChange::Added(source) => self.add(source),
            SourceChange::Removed(peer) => {
                self.remove(peer, DropReason::Gone("it left, or shares the item no longer".into()))
            }
        }
    }

    /// Whether no source can come any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members that may be asked now, in order of arrival.
    pub(super) fn ready(&self, now: Instant) -> Vec<&Member> {
        let mut ready: Vec<&Member> =
            self.members.values().filter(|member| member.retry_at.is_none_or(|at| at <= now)).collect();
        ready.sort_unstable_by_key(|member| member.serial);
        ready
    }

    /// When the next of those that failed may be asked again.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        self.members.values().filter_map(|member| member.retry_at).filter(|at| *at > now).min()
    }

    /// Whether this very connection is still in use.
    pub(super) fn has(&self, peer: &PeerId, serial: u64) -> bool {
        self.members.get(peer).is_some_and(|member| member.serial == serial)
    }

    /// How to name a peer to a person, also when it left meanwhile.
    pub(super) fn label(&self, peer: &PeerId) -> String {
        self.members.get(peer).map_or_else(|| peer.short(), |member| member.label.clone())
    }

    /// It did what it was asked to.
    pub(super) fn succeeded(&mut self, peer: &PeerId, serial: u64) {
        if let Some(member) = self.members.get_mut(peer).filter(|member| member.serial == serial) {
            member.failures = 0;
            member.retry_at = None;
        }
    }

    /// It did not: it is left alone for a while, or for good. Errors of a replaced connection do not count.
    pub(super) fn failed(
        &mut self,
        peer: PeerId,
        serial: u64,
        error: SourceError,
        now: Instant,
        config: &DownloadConfig,
    ) -> Option<Dropped> {
        let member = self.members.get_mut(&peer).filter(|member| member.serial == serial)?;
        let reason = match error {
            SourceError::Gone(why) => DropReason::Gone(why),
            SourceError::Stalled(time) => DropReason::Stalled(time),
            SourceError::TimedOut(why) => DropReason::TimedOut(why),
            SourceError::Protocol(why) => return self.condemn(peer, serial, why),
            SourceError::Refused { code, message } => match code {
                ErrorCode::NotFound | ErrorCode::Changed => DropReason::Stale(message),
                ErrorCode::Busy
                | ErrorCode::Unavailable
                | ErrorCode::TooManyAttempts
                | ErrorCode::Internal
                | ErrorCode::Unknown(_) => {
                    member.failures += 1;
                    if member.failures < config.max_failures.max(1) {
                        let doublings = (member.failures - 1).min(16);
                        let delay = config.retry_delay.saturating_mul(1 << doublings).min(config.retry_ceiling);
                        member.retry_at = Some(now + delay);
                        return None;
                    }
                    DropReason::Failing { failures: member.failures, last: format!("{code:?}: {message}") }
                }
                _ => DropReason::Refused(format!("{code:?}: {message}")),
            },
        };
        self.remove(peer, reason)
    }

    /// It sent bad content: its connection is closed, and it is never asked again. `None` if that was said before.
    pub(super) fn condemn(&mut self, peer: PeerId, serial: u64, why: String) -> Option<Dropped> {
        let member = self.members.get(&peer).filter(|member| member.serial == serial)?;
        member.source.condemn(&why);
        if self.banned.len() >= MAX_BANNED {
            self.banned.pop_first();
        }
        self.banned.insert(peer);
        self.remove(peer, DropReason::BadContent(why))
    }

    fn add(&mut self, source: Arc<dyn Source>) -> Option<Dropped> {
        let (peer, label) = (source.peer(), source.label());
        if self.banned.contains(&peer) {
            return None;
        }
        if self.members.len() >= self.max_sources && !self.members.contains_key(&peer) {
            return Some(Dropped { peer, label, reason: DropReason::TooMany { limit: self.max_sources } });
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.members.insert(peer, Member { peer, label, serial, source, failures: 0, retry_at: None });
        None
    }

    fn remove(&mut self, peer: PeerId, reason: DropReason) -> Option<Dropped> {
        let member = self.members.remove(&peer)?;
        Some(Dropped { peer, label: member.label, reason })
    }
}
