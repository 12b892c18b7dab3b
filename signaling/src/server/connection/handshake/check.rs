//! Whether a Hello is one.

use tokio::time::Instant;

use super::{LineageId, SessionId, millis};
use crate::server::close_code;
use crate::server::connection::end::End;
use crate::server::core::Core;
use crate::wire::{PROTO_VERSION, limits, pb};

const MAX_VERSIONS: usize = 16;
const MAX_CAPS: usize = 32;
const MAX_CAP: usize = 64;
const MAX_EXCLUDED: usize = 32;
/// No client has sent so much: its numbers would come to their end.
const MAX_FIRST_UNACKED: u64 = 1 << 62;

/// A Hello within the limits.
pub(super) struct Hello {
    pub(super) lineage: LineageId,
    pub(super) session: Option<SessionId>,
    pub(super) room: String,
    pub(super) auth_token: String,
    pub(super) info: pb::ClientInfo,
    pub(super) recovery: Option<pb::RecoveryInfo>,
}

/// Refuses whoever comes during a drain or, if it `arrives`, faster than clients are let in.
pub(super) fn may_come_now(core: &Core, arrives: bool) -> Result<(), End> {
    if core.registry.draining().is_some() {
        let (code, action) = (pb::FaultCode::NodeDraining, pb::FaultAction::Move);
        return Err(End::fault(code, action, close_code::DRAINED, "the node takes no more clients"));
    }
    if !arrives {
        return Ok(());
    }
    core.admit(Instant::now()).map_err(|later| {
        let fault = pb::Fault {
            code: pb::FaultCode::RateLimited.into(),
            action: pb::FaultAction::Retry.into(),
            retry_after_ms: millis(later.retry_after),
            spread_ms: millis(later.spread),
            message: "too many arrivals".into(),
        };
        End::Fault(Box::new(fault), close_code::RATE_LIMITED)
    })
}

impl Hello {
    pub(super) fn of(hello: pb::Hello) -> Result<Self, End> {
        let info = hello.client_info.unwrap_or_default();
        let attributes: usize = info.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        let recovery = hello.recovery.as_ref();
        let within = hello.proto_versions.len() <= MAX_VERSIONS
            && hello.caps.len() <= MAX_CAPS
            && hello.caps.iter().all(|cap| cap.len() <= MAX_CAP)
            && hello.auth_token.len() <= limits::MAX_TOKEN
            && [&hello.room, &info.name, &info.identity, &info.agent].iter().all(|text| text.len() <= limits::MAX_TEXT)
            && info.metadata.len() <= limits::MAX_METADATA
            && attributes <= limits::MAX_ATTRIBUTES
            && recovery.is_none_or(|recovery| {
                recovery.excluded_nodes.len() <= MAX_EXCLUDED
                    && recovery.resume_token.len() <= limits::MAX_RESUME_TOKEN
                    && recovery.first_unacked <= MAX_FIRST_UNACKED
                    && matches!(recovery.previous_session_id.len(), 0 | 16)
            });
        if !within {
            return Err(End::protocol("Hello is over the limits"));
        }
        if !hello.proto_versions.contains(&PROTO_VERSION) {
            let message = format!("this server speaks version {PROTO_VERSION}, the client {:?}", hello.proto_versions);
            return Err(End::fault(pb::FaultCode::Version, pb::FaultAction::End, close_code::VERSION, message));
        }
        let session = match hello.session_id.is_empty() {
            true => None,
            false => Some(SessionId::from_bytes(id(&hello.session_id, "session")?)),
        };
        Ok(Self {
            lineage: LineageId::from_bytes(id(&hello.lineage_id, "lineage")?),
            session,
            room: hello.room,
            auth_token: hello.auth_token,
            info,
            recovery: hello.recovery,
        })
    }
}

/// The sixteen bytes of an id.
pub(super) fn id(bytes: &[u8], of: &str) -> Result<[u8; 16], End> {
    bytes.try_into().map_err(|_| End::protocol(format!("the id of the {of} has {} bytes, not 16", bytes.len())))
}
