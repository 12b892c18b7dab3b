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

/// What a panic does to the download that it happens in is done at once.
const FAILS_WITHIN: Duration = Duration::from_secs(1);

/// `no-defect`: nothing in a scenario makes code panic, except where that was planted, lies to it, or locks it out. So where it says so,
/// it is wrong, or the code is.
#[derive(Default)]
pub(super) struct Defects {
    /// What planted panics say.
    planted: BTreeSet<String>,
    /// Planted panics by host: each can be the end of one download.
    excuses: BTreeMap<Arc<str>, Vec<Duration>>,
    /// Hosts that hear of things later than they happen, or did.
    late: BTreeSet<Arc<str>>,
}

impl Checker for Defects {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        if let Happened::Interfered { what: Interference::Panic { message }, .. } = &seen.what {
            self.planted.insert(message.clone());
            self.excuses.entry(seen.host.clone()).or_default().push(seen.at);
        }
        if let Happened::Deaf(true) = &seen.what {
            self.late.insert(seen.host.clone());
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
                NodeEvent::Download { event: DownloadEvent::SourceDropped { reason, .. }, .. } => {
                    matches!(reason, DropReason::BadContent(_))
                }
                _ => false,
            },
            Happened::Room(Event::Closed { reason }) => match reason {
                CloseReason::Internal(why) => !self.is_planted(why),
                CloseReason::ProtocolError(_) | CloseReason::AuthRejected(_) | CloseReason::Unrecoverable { .. } => {
                    true
                }
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
        let is_late = self.late.contains(&seen.host);
        let Some(excuses) = self.excuses.get_mut(&seen.host) else { return false };
        let fresh = excuses.iter().position(|at| is_late || seen.at <= *at + FAILS_WITHIN);
        fresh.map(|index| excuses.remove(index)).is_some()
    }
}
