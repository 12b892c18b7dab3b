//! The way into the room: one first join, one recovery, or one migration, with all that has been learnt on it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::{Epoch, NodeName, Strategy};

use super::session::Endpoint;
use super::{Phase, link::Link};

/// Failures of a session's resumption after which a new one is made.
pub(super) const FAST_FAILURES: u32 = 3;
/// Failures at one node after which another one is tried.
const NODE_FAILURES: u32 = 2;
/// Nodes to stay away from, as many as Hello can name.
const MAX_EXCLUDED: usize = 32;

#[derive(Debug)]
pub(super) struct Way {
    pub(super) aim: Aim,
    /// The loss, or `Connect`: the overall deadline counts from here.
    pub(super) since: Instant,
    pub(super) deadline: Option<Instant>,
    /// Where the lost session was.
    pub(super) from_node: Option<NodeName>,
    /// Since when nothing has come through.
    pub(super) down_since: Instant,
    /// Fast or Rejoin; a first join is a Rejoin.
    pub(super) strategy: Strategy,
    /// Of this strategy, from 1.
    pub(super) attempt: u32,
    pub(super) attempts: u32,
    failures: u32,
    node_failures: BTreeMap<NodeName, u32>,
    pub(super) exclude: Vec<NodeName>,
    pub(super) prefer: Option<NodeName>,
    /// What it began with, and what was added.
    pub(super) causes: Vec<String>,
    pub(super) last: String,
    pub(super) step: Step,
    /// The end of the attempt that is under way.
    pub(super) attempt_ends: Option<Instant>,
    /// Where the attempt leads.
    pub(super) endpoint: Option<Endpoint>,
    /// Since when the deadline stands still, the network being away.
    pub(super) paused_at: Option<Instant>,
    /// No attempt before this, by the server's word, even if a hint says so.
    pub(super) floor: Option<Instant>,
    /// Deliveries since Welcome.
    pub(super) replayed: u64,
    /// What the new node said while its replay went on.
    pub(super) go_away: Option<crate::wire::pb::GoAway>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    FirstJoin,
    Recovery,
    Migration,
}

#[derive(Debug)]
pub(super) enum Step {
    WaitNet {
        look: Instant,
    },
    Backoff {
        until: Instant,
    },
    Token {
        until: Instant,
    },
    Creds {
        until: Instant,
    },
    Dial {
        epoch: Epoch,
        until: Instant,
    },
    /// `anew`: with the second Hello of the connection, whose first one was for a session that cannot be resumed.
    Hello {
        link: Link,
        until: Instant,
        anew: bool,
    },
    Replay {
        link: Link,
        until: Instant,
    },
}

impl Step {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::WaitNet { .. } => Phase::WaitNet,
            Self::Backoff { .. } => Phase::Backoff,
            Self::Token { .. } => Phase::Token,
            Self::Creds { .. } => Phase::Creds,
            Self::Dial { .. } => Phase::Dial,
            Self::Hello { .. } => Phase::Hello,
            Self::Replay { .. } => Phase::Replay,
        }
    }

    /// The connection that is dialled or open.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Dial { epoch, .. } => Some(*epoch),
            Self::Hello { link, .. } | Self::Replay { link, .. } => Some(link.epoch),
            _ => None,
        }
    }

    pub(super) fn until(&self) -> Instant {
        match self {
            Self::WaitNet { look } => *look,
            Self::Backoff { until }
            | Self::Token { until }
            | Self::Creds { until }
            | Self::Dial { until, .. }
            | Self::Hello { until, .. }
            | Self::Replay { until, .. } => *until,
        }
    }

    /// Whether it waits for something to be read from a connection.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Hello { .. } | Self::Replay { .. })
    }
}

impl Way {
    pub(super) fn new(aim: Aim, strategy: Strategy, since: Instant, deadline: Option<Duration>, cause: &str) -> Self {
        Self {
            aim,
            since,
            deadline: deadline.map(|deadline| since + deadline),
            from_node: None,
            down_since: since,
            strategy,
            attempt: 1,
            attempts: 0,
            failures: 0,
            node_failures: BTreeMap::new(),
            exclude: Vec::new(),
            prefer: None,
            causes: vec![cause.to_owned()],
            last: cause.to_owned(),
            step: Step::Backoff { until: since },
            attempt_ends: None,
            endpoint: None,
            paused_at: None,
            floor: None,
            replayed: 0,
            go_away: None,
        }
    }

    /// A migration whose old connection is lost: it is the recovery now.
    pub(super) fn into_recovery(mut self, now: Instant, deadline: Option<Duration>, cause: &str) -> Self {
        self.aim = Aim::Recovery;
        // What a recovery stays away from it has to have learnt itself.
        self.exclude.clear();
        self.node_failures.clear();
        // Nor has it failed before.
        self.attempts = u32::from(self.is_under_way());
        self.paused_at = None;
        self.since = now;
        self.deadline = deadline.map(|deadline| now + deadline);
        self.causes.insert(0, cause.to_owned());
        self
    }

    /// Whether an attempt goes on.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.step, Step::WaitNet { .. } | Step::Backoff { .. })
    }

    /// One more reason to be on the way.
    pub(super) fn add_cause(&mut self, cause: &str) {
        const MAX_CAUSES: usize = 8;
        if self.causes.len() < MAX_CAUSES && !self.causes.iter().any(|known| known == cause) {
            self.causes.push(cause.to_owned());
        }
    }

    pub(super) fn exclude(&mut self, node: &str) {
        if self.exclude.len() < MAX_EXCLUDED && !self.exclude.iter().any(|known| known == node) {
            self.exclude.push(node.to_owned());
        }
    }

    /// One more attempt, which may take until `ends`.
    pub(super) fn count_attempt(&mut self, ends: Instant) {
        self.attempt_ends = Some(ends);
        self.attempts += 1;
        (self.replayed, self.go_away) = (0, None);
    }

    /// Up the ladder: a new session instead of the old one.
    pub(super) fn escalate(&mut self) {
        self.strategy = Strategy::Rejoin;
        (self.attempt, self.failures) = (1, 0);
        self.endpoint = None;
    }

    /// Counts a failure of the attempt that is under way; `false` when the session is no longer to be resumed.
    pub(super) fn failed(&mut self) -> bool {
        self.failures += 1;
        self.attempt += 1;
        if let (Strategy::Rejoin, Some(endpoint)) = (self.strategy, self.endpoint.take()) {
            if self.node_failures.len() > MAX_EXCLUDED {
                self.node_failures.clear();
            }
            let count = self.node_failures.entry(endpoint.node.clone()).or_default();
            *count += 1;
            if *count >= NODE_FAILURES {
                self.exclude(&endpoint.node);
            }
        }
        self.strategy != Strategy::Fast || self.failures < FAST_FAILURES
    }

    /// When it needs attention next.
    pub(super) fn wakes(&self) -> Instant {
        let deadline = self.deadline.filter(|_| self.paused_at.is_none());
        [deadline, self.attempt_ends].into_iter().flatten().fold(self.step.until(), Instant::min)
    }
}
