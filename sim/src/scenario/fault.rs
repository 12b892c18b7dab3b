use std::time::Duration;

use moorline_discovery::memory::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::LinkFaults;

/// Something that goes wrong. With `for_ms` it ends by itself; without, it lasts until it is undone or until everything heals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Two hosts are cut off from each other. What was held back between them is let go of before.
    Partition {
        /// One.
        a: String,
        /// The other.
        b: String,
        /// How long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// One direction is cut.
    Oneway {
        /// Who is not heard.
        from: String,
        /// By whom.
        to: String,
        /// How long; then both directions are open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Undoes both.
    Heal {
        /// One.
        a: String,
        /// The other.
        b: String,
    },
    /// Everything between two hosts stalls, and nothing is lost. Nothing happens if they are cut off from each other.
    Hold {
        /// One.
        a: String,
        /// The other.
        b: String,
        /// How long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Undoes that.
    Release {
        /// One.
        a: String,
        /// The other.
        b: String,
    },
    /// A process is killed.
    Crash {
        /// Its host.
        host: String,
        /// How long until it is started again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// The power of a node's computer goes: its process is killed, and of what it fetched and did not flush to the disk, any part may be
    /// lost.
    PowerLoss {
        /// A node.
        host: String,
        /// How long until it is started again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A task panics where it reaches a point of the code.
    PanicAt {
        /// Its host.
        host: String,
        /// The point; see [`known_points`](crate::known_points).
        point: String,
        /// Which time that it is reached from now on, counted from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        nth: u64,
    },
    /// A process is killed where it reaches a point of the code.
    CrashAt {
        /// Its host.
        host: String,
        /// The point.
        point: String,
        /// Which time that it is reached from now on, counted from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        nth: u64,
        /// How long until it is started again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A user asks for the end, in good order, at the moment at which a point of the code is reached.
    StopAt {
        /// The host.
        host: String,
        /// The point.
        point: String,
        /// Which time that it is reached from now on, counted from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        nth: u64,
        /// How long until the user starts it again; without, it stays ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A process is started again; killed before that if it runs.
    Bounce {
        /// Its host.
        host: String,
    },
    /// Everything between two hosts takes so long.
    Latency {
        /// One.
        a: String,
        /// The other.
        b: String,
        /// Whole milliseconds, at least 1.
        ms: u64,
        /// How long that lasts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Datagrams from one host to another fare badly, in place of how they fared before.
    Link {
        /// The sender.
        from: String,
        /// The receiver.
        to: String,
        /// How.
        faults: LinkFaults,
        /// How long; then the link is clean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A user calls a fetch off.
    Cancel {
        /// A node.
        host: String,
        /// What it fetches.
        item: String,
    },
    /// A user does not read events.
    SlowConsumer {
        /// A node or a user.
        host: String,
        /// How long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A disk takes nothing more.
    DiskFull {
        /// A node.
        host: String,
        /// How long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A server sends its clients elsewhere.
    GoAway {
        /// The server.
        host: String,
        /// Over how long they are to leave.
        #[serde(default)]
        spread_ms: u64,
        /// When those that are left are put out.
        deadline_ms: u64,
        /// How long after that its operator starts it anew; without, it lets nobody in for the rest of the scenario.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restart_ms: Option<u64>,
    },
    /// The clock of a host is set: its time of day, not its timers. It stays so.
    ClockStep {
        /// The host.
        host: String,
        /// How many milliseconds forward; less than 0: back.
        ms: i64,
    },
    /// A client's clocks say that its computer has slept. Nothing else of a suspension is simulated: its timers and its network went on.
    Slept {
        /// A user.
        host: String,
        /// How long.
        ms: u64,
    },
}

/// What is wrong with one way from the start on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// Whether the same is wrong with the way back.
    #[serde(default)]
    pub both: bool,
    /// What.
    pub faults: LinkFaults,
}

/// What is wrong with discovery. Probabilities are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryFaults {
    /// That an announcement is lost.
    pub loss: f64,
    /// That it arrives twice.
    pub duplicate: f64,
    /// That a goodbye is lost, on top of that.
    pub goodbye_loss: f64,
    /// That a record is forgotten, for each record and round of two seconds.
    pub flap: f64,
    /// How long an announcement takes at most.
    pub delay_ms: u64,
}

impl DiscoveryFaults {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn config(&self) -> NetworkConfig {
        let fastest = NetworkConfig::default().delay_min;
        NetworkConfig {
            loss: self.loss,
            duplicate: self.duplicate,
            goodbye_loss: self.goodbye_loss,
            flap: self.flap,
            delay_max: fastest.max(Duration::from_millis(self.delay_ms)),
            ..NetworkConfig::default()
        }
    }

    pub(super) fn chances(&self) -> [(&'static str, f64); 4] {
        let Self { loss, duplicate, goodbye_loss, flap, .. } = *self;
        [("loss", loss), ("duplicate", duplicate), ("goodbye_loss", goodbye_loss), ("flap", flap)]
    }
}

impl Fault {
    /// One word, as in the file.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Partition { .. } => "partition",
            Self::Oneway { .. } => "oneway",
            Self::Heal { .. } => "heal",
            Self::Hold { .. } => "hold",
            Self::Release { .. } => "release",
            Self::Crash { .. } => "crash",
            Self::PowerLoss { .. } => "power_loss",
            Self::PanicAt { .. } => "panic_at",
            Self::CrashAt { .. } => "crash_at",
            Self::StopAt { .. } => "stop_at",
            Self::Bounce { .. } => "bounce",
            Self::Latency { .. } => "latency",
            Self::Link { .. } => "link",
            Self::Cancel { .. } => "cancel",
            Self::SlowConsumer { .. } => "slow_consumer",
            Self::DiskFull { .. } => "disk_full",
            Self::GoAway { .. } => "go_away",
            Self::ClockStep { .. } => "clock_step",
            Self::Slept { .. } => "slept",
        }
    }

    /// Whom it strikes: one host, or two.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Partition { a, b, .. }
            | Self::Heal { a, b }
            | Self::Hold { a, b, .. }
            | Self::Release { a, b }
            | Self::Latency { a, b, .. } => vec![a.as_str(), b.as_str()],
            Self::Oneway { from, to, .. } | Self::Link { from, to, .. } => vec![from.as_str(), to.as_str()],
            Self::Crash { host, .. }
            | Self::PowerLoss { host, .. }
            | Self::PanicAt { host, .. }
            | Self::CrashAt { host, .. }
            | Self::StopAt { host, .. }
            | Self::Bounce { host }
            | Self::Cancel { host, .. }
            | Self::SlowConsumer { host, .. }
            | Self::DiskFull { host, .. }
            | Self::GoAway { host, .. }
            | Self::ClockStep { host, .. }
            | Self::Slept { host, .. } => vec![host.as_str()],
        }
    }

    /// How long it lasts, if it ends by itself.
    pub fn lasts_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Partition { for_ms, .. }
            | Self::Oneway { for_ms, .. }
            | Self::Hold { for_ms, .. }
            | Self::Crash { for_ms, .. }
            | Self::PowerLoss { for_ms, .. }
            | Self::CrashAt { for_ms, .. }
            | Self::StopAt { for_ms, .. }
            | Self::Latency { for_ms, .. }
            | Self::Link { for_ms, .. }
            | Self::SlowConsumer { for_ms, .. }
            | Self::DiskFull { for_ms, .. } => for_ms.as_mut(),
            _ => None,
        }
    }

    /// The point of the code at which it strikes, with which time that is reached; `None` if it strikes at once.
    #[must_use]
    pub fn point(&self) -> Option<(&str, u64)> {
        match self {
            Self::PanicAt { point, nth, .. } | Self::CrashAt { point, nth, .. } | Self::StopAt { point, nth, .. } => {
                Some((point, *nth))
            }
            _ => None,
        }
    }

    /// Which time that a point is reached it strikes, if it strikes at a point.
    pub fn nth_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::PanicAt { nth, .. } | Self::CrashAt { nth, .. } | Self::StopAt { nth, .. } => Some(nth),
            _ => None,
        }
    }
}

fn first() -> u64 {
    1
}

fn is_first(nth: &u64) -> bool {
    *nth == 1
}
