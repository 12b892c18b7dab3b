use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use moorline_runtime::node::{CommandError, NodeEvent};
use moorline_runtime::transfer::{DownloadError, DownloadEvent, DropReason};
use moorline_signaling::machine::Event;
use moorline_signaling::{CloseReason, LossCause};

use super::{Checker, Docket};
use crate::Interference;
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// A token may be on its way for so long, and its end is cut to whole seconds.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// What a panic does to the download that it happens in is done at once.
const FAILS_WITHIN: Duration = Duration::from_secs(1);

/// `no-defect` and `liars-only`: nothing in a scenario makes code panic, except where that was planted, locks it out, or lies to it, but
/// for disks that do. So where it says so of anybody else, it is wrong, or the code is.
#[derive(Default)]
pub(super) struct Defects {
    /// What planted panics say.
    planted: BTreeSet<String>,
    /// Planted panics by host: each can be the end of one download.
    excuses: BTreeMap<Arc<str>, Vec<Duration>>,
    /// When a host last heard late of what happened; the end of time for one that still does.
    deaf: BTreeMap<Arc<str>, Duration>,
}

impl Checker for Defects {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        if let Happened::Interfered { what: Interference::Panic { message }, .. } = &seen.what {
            self.planted.insert(message.clone());
            self.excuses.entry(seen.host.clone()).or_default().push(seen.at);
        }
        if let Happened::Deaf(deaf) = &seen.what {
            self.deaf.insert(seen.host.clone(), if *deaf { Duration::MAX } else { seen.at });
        }
        let is_defect = match &seen.what {
            Happened::Node(event) => match event {
                NodeEvent::TaskPanicked { message, .. } => !self.planted.contains(message),
                NodeEvent::RuntimeFailed(failure) => !self.is_planted(&failure.error.to_string()),
                NodeEvent::PeerRefused { .. } => true,
                NodeEvent::Download { event: DownloadEvent::Failed(error), .. } => match error {
                    DownloadError::NoSpace { .. } => !world.were_full.contains(&*seen.host),
                    DownloadError::Internal(_) => !self.excuse(seen),
                    _ => true,
                },
                NodeEvent::Download {
                    event: DownloadEvent::SourceDropped { label, reason: DropReason::BadContent(_), .. },
                    ..
                } => {
                    if !world.scenario.host(label).is_some_and(HostSpec::lies) {
                        docket.accuse("liars-only", seen.at, &seen.host, format!("{label} was honest: {event:?}"));
                    }
                    false
                }
                _ => false,
            },
            Happened::Room(Event::Closed { reason }) => match reason {
                CloseReason::AuthRejected(_) => !may_be_rejected(world, &seen.host),
                CloseReason::Internal(why) => !self.is_planted(why),
                CloseReason::UserClosed => !world.is_dismissed(&seen.host),
                CloseReason::ProtocolError(_) | CloseReason::Unrecoverable { .. } => true,
                _ => false,
            },
            Happened::Room(Event::ConnectionLost { cause: LossCause::Protocol(_), .. }) => true,
            Happened::FetchRefused { why, .. } => !matches!(why, CommandError::Stopping),
            _ => false,
        };
        if is_defect {
            docket.accuse("no-defect", seen.at, &seen.host, format!("{:?}", seen.what));
        }
    }
}

impl Defects {
    fn is_planted(&self, text: &str) -> bool {
        self.planted.iter().any(|message| text.ends_with(&**message))
    }

    /// Whether a panic was planted that has not been an excuse yet.
    fn excuse(&mut self, seen: &Seen) -> bool {
        let deaf = self.deaf.get(&seen.host).copied().unwrap_or_default();
        let Some(excuses) = self.excuses.get_mut(&seen.host) else { return false };
        let fresh = excuses.iter().position(|at| seen.at <= (*at).max(deaf).saturating_add(FAILS_WITHIN));
        fresh.map(|index| excuses.remove(index)).is_some()
    }
}

/// Whether a user may be left without a token that a server takes: there is only one, or a server's clock is so far ahead that a fresh
/// one has run out. Servers give no leeway.
fn may_be_rejected(world: &World<'_>, host: &str) -> bool {
    let Some(HostSpec::User { servers, token_ttl_ms: Some(ttl_ms), renews, .. }) = world.scenario.host(host) else {
        return false;
    };
    let ttl = Duration::from_millis(*ttl_ms);
    !renews || servers.iter().any(|server| world.most_ahead(server) + ON_THE_WAY >= ttl)
}
