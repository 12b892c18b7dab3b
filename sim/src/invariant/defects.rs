use std::time::Duration;

use moorline_runtime::node::{CommandError, NodeEvent};
use moorline_runtime::transfer::{DownloadError, DownloadEvent, DropReason};
use moorline_signaling::machine::Event;
use moorline_signaling::{CloseReason, LossCause};

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::HostSpec;

/// A token may be on its way for so long, and its end is cut to whole seconds.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// `no-defect` and `liars-only`: nothing in a scenario makes code panic, locks it out, or lies to it, but for disks that do. So where it
/// says so of anybody else, it is wrong, or the code is.
pub(super) struct Defects;

impl Checker for Defects {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let is_defect = match &seen.what {
            Happened::Node(event) => match event {
                NodeEvent::TaskPanicked { .. } | NodeEvent::RuntimeFailed(_) | NodeEvent::PeerRefused { .. } => true,
                NodeEvent::Download { event: DownloadEvent::Failed(error), .. } => match error {
                    DownloadError::NoSpace { .. } => !world.were_full.contains(&*seen.host),
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
                CloseReason::Internal(_) | CloseReason::ProtocolError(_) | CloseReason::Unrecoverable { .. } => true,
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

/// Whether a user may be left without a token that a server takes: there is only one, or a server's clock is so far ahead that a fresh
/// one has run out. Servers give no leeway.
fn may_be_rejected(world: &World<'_>, host: &str) -> bool {
    let Some(HostSpec::User { servers, token_ttl_ms: Some(ttl_ms), renews, .. }) = world.scenario.host(host) else {
        return false;
    };
    let ttl = Duration::from_millis(*ttl_ms);
    !renews || servers.iter().any(|server| world.most_ahead(server) + ON_THE_WAY >= ttl)
}
