//! Who a client is, and what it may do.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::TokenTimes;
use super::check::Hello;
use crate::Grants;
use crate::server::close_code;
use crate::server::connection::end::End;
use crate::server::core::Core;
use crate::server::token::{AccessToken, TokenError};
use crate::wire::pb;

/// The parts of a token's life after which its holder is told to get another, in hundredths.
const WARN_AFTER: u32 = 80;

/// A client that may come in.
pub(in crate::server::connection) struct Auth {
    pub(super) room: String,
    /// The token's identity or, without tokens, the one that the client claims; empty: none.
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) metadata: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) grants: Grants,
    expires: Option<SystemTime>,
}

impl Auth {
    pub(super) fn of(core: &Core, hello: &Hello) -> Result<Self, End> {
        let info = &hello.info;
        let mut auth = Self {
            room: hello.room.clone(),
            subject: info.identity.clone(),
            name: info.name.clone(),
            metadata: info.metadata.clone(),
            attributes: info.attributes.clone(),
            grants: Grants { publish: true, call: true, update_self: true },
            expires: None,
        };
        if let Some(token) = verify(core, &hello.auth_token)? {
            if !hello.room.is_empty() && hello.room != token.room {
                return Err(forbidden("the token is for another room"));
            }
            auth.room = token.room;
            auth.subject = token.identity;
            auth.grants = token.grants;
            auth.expires = Some(token.expires);
            if !token.name.is_empty() {
                auth.name = token.name;
            }
            // Each as a whole: what a token says of its holder would be worth little if the holder could add to it.
            if !token.metadata.is_empty() || !token.grants.update_self {
                auth.metadata = token.metadata;
            }
            if !token.attributes.is_empty() || !token.grants.update_self {
                auth.attributes = token.attributes;
            }
        }
        if auth.room.is_empty() {
            return Err(End::protocol("Hello names no room"));
        }
        Ok(auth)
    }

    /// How much longer the token is good for.
    pub(super) fn ttl(&self, core: &Core) -> Option<Duration> {
        let now = (core.config.wall_clock)();
        self.expires.map(|expires| expires.duration_since(now).unwrap_or_default())
    }

    pub(super) fn token_times(&self, core: &Core) -> Option<TokenTimes> {
        self.ttl(core).map(TokenTimes::of)
    }
}

impl TokenTimes {
    fn of(ttl: Duration) -> Self {
        let now = Instant::now();
        Self { warn_at: now + ttl * WARN_AFTER / 100, expires_at: now + ttl }
    }
}

/// A fresh token for a session that goes on: what it allows, and until when. `None` if this server asks for none.
pub(in crate::server::connection) fn renew(
    core: &Core,
    token: &str,
    room: &str,
    subject: &str,
) -> Result<Option<(Grants, TokenTimes)>, End> {
    let Some(token) = verify(core, token)? else { return Ok(None) };
    if token.room != room || token.identity != subject {
        return Err(forbidden("the token is for another room or identity"));
    }
    let ttl = token.expires.duration_since((core.config.wall_clock)()).unwrap_or_default();
    Ok(Some((token.grants, TokenTimes::of(ttl))))
}

/// The token, if this server asks for one.
fn verify(core: &Core, token: &str) -> Result<Option<AccessToken>, End> {
    let Some(secret) = &core.config.secret else { return Ok(None) };
    AccessToken::verify(token, secret, (core.config.wall_clock)()).map(Some).map_err(|error| {
        let code = match error {
            TokenError::Expired => pb::FaultCode::TokenExpired,
            _ => pb::FaultCode::TokenRejected,
        };
        End::fault(code, pb::FaultAction::Retry, close_code::TOKEN, error.to_string())
    })
}

fn forbidden(message: &str) -> End {
    End::fault(pb::FaultCode::Forbidden, pb::FaultAction::End, close_code::FORBIDDEN, message)
}
