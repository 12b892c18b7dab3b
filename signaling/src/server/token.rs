//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256 (`HS256`, RFC 7518, section 3.2).
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use moorline_signaling::server::token::{AccessToken, Secret, TokenError};
//!
//! let secret = Secret::new(b"sixteen bytes or more")?;
//! let token = AccessToken::new("ann", "lobby", UNIX_EPOCH + Duration::from_secs(1_000)).sign(&secret);
//! let read = AccessToken::verify(&token, &secret, UNIX_EPOCH)?;
//! assert_eq!((read.identity.as_str(), read.room.as_str()), ("ann", "lobby"));
//! # Ok::<(), TokenError>(())
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::Grants;
use crate::wire::limits;

/// The shortest secret: a shorter one can be guessed.
pub const MIN_SECRET: usize = 16;

/// What tokens are signed with.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
}

impl Secret {
    /// # Errors
    /// [`TokenError::ShortSecret`] below [`MIN_SECRET`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() < MIN_SECRET {
            return Err(TokenError::ShortSecret { len: bytes.len() });
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes) })
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a token, or a secret, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It was good until a while ago. A fresh one will do.
    #[error("the token has expired")]
    Expired,
    /// It is not a token of this server. With the reason, for logs.
    #[error("the token is not accepted: {0}")]
    Rejected(String),
    /// A secret that can be guessed.
    #[error("the secret has {len} bytes, and needs at least {MIN_SECRET}")]
    ShortSecret {
        /// How many it has.
        len: usize,
    },
}

/// Who may join which room, until when, and to do what.
///
/// The name, the metadata and the attributes are how the participant begins. With the grant `update_self`, which tokens have unless they
/// say otherwise, the client may change them later: attributes that others are to rely on (a role, a rank) belong into a token without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Who. Unique in the room. The claim `sub`.
    pub identity: String,
    /// The room. The claim `room`.
    pub room: String,
    /// For people; empty: the client may say. The claim `name`.
    pub name: String,
    /// Free text; empty: the client may say, if the grants have `update_self`. The claim `metadata`.
    pub metadata: String,
    /// They replace all that the client says; empty: the client may say, if the grants have `update_self`. The claim `attributes`.
    pub attributes: BTreeMap<String, String>,
    /// What it allows. The claim `grants`; what that does not name is allowed.
    pub grants: Grants,
    /// From then on it is worth nothing. Whole seconds. The claim `exp`.
    pub expires: SystemTime,
}

impl AccessToken {
    /// A token that allows everything that participants do.
    pub fn new(identity: impl Into<String>, room: impl Into<String>, expires: SystemTime) -> Self {
        Self {
            identity: identity.into(),
            room: room.into(),
            name: String::new(),
            metadata: String::new(),
            attributes: BTreeMap::new(),
            grants: Grants { publish: true, call: true, update_self: true },
            expires,
        }
    }

    /// Writes it down and signs it. A time before 1970 counts as 1970.
    #[must_use]
    pub fn sign(&self, secret: &Secret) -> String {
        let claims = Claims {
            sub: self.identity.clone(),
            room: self.room.clone(),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            attributes: self.attributes.clone(),
            grants: GrantClaims {
                publish: self.grants.publish,
                call: self.grants.call,
                update_self: self.grants.update_self,
            },
            exp: self.expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as f64,
            nbf: None,
        };
        let claims = serde_json::to_vec(&claims).expect("claims are strings, flags and finite numbers");
        let signed = format!("{}.{}", BASE64.encode(br#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
        let mac = hmac::sign(&secret.key, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(mac))
    }

    /// Reads a token and checks it against the secret and the time of day, without any leeway.
    ///
    /// # Errors
    /// [`TokenError::Expired`] if it was good once, [`TokenError::Rejected`] if it is not good.
    pub fn verify(token: &str, secret: &Secret, now: SystemTime) -> Result<Self, TokenError> {
        if token.len() > limits::MAX_TOKEN {
            return Err(rejected("it is too long"));
        }
        let claims: Claims = serde_json::from_slice(&payload(token, secret)?)
            .map_err(|error| rejected(format!("its claims are not readable: {error}")))?;
        claims.check(now)
    }
}

/// The payload of a token that is signed with the secret.
fn payload(token: &str, secret: &Secret) -> Result<Vec<u8>, TokenError> {
    let (signed, mac) = token.rsplit_once('.').ok_or_else(|| rejected("it has not three parts"))?;
    let (header, payload) = signed.split_once('.').ok_or_else(|| rejected("it has not three parts"))?;
    if payload.contains('.') {
        return Err(rejected("it has not three parts"));
    }
    let decode = |part: &str| BASE64.decode(part).map_err(|_| rejected("it is not base64url without padding"));
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| rejected("its header is not readable"))?;
    // By name, and before the signature: an algorithm that the token chooses is the classic way in.
    if header.alg != "HS256" {
        let alg: String = header.alg.chars().take(16).collect();
        return Err(rejected(format!("its algorithm is {alg:?}, not HS256")));
    }
    if header.crit.is_some() {
        return Err(rejected("it demands extensions"));
    }
    hmac::verify(&secret.key, signed.as_bytes(), &decode(mac)?).map_err(|_| rejected("its signature is wrong"))?;
    decode(payload)
}

fn rejected(reason: impl Into<String>) -> TokenError {
    TokenError::Rejected(reason.into())
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims as they are written. Others are ignored.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    room: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    metadata: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    grants: GrantClaims,
    exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct GrantClaims {
    publish: bool,
    call: bool,
    update_self: bool,
}

impl Default for GrantClaims {
    fn default() -> Self {
        Self { publish: true, call: true, update_self: true }
    }
}

impl Claims {
    fn check(self, now: SystemTime) -> Result<AccessToken, TokenError> {
        let expires = time_of(self.exp)?;
        if let Some(not_before) = self.nbf
            && now < time_of(not_before)?
        {
            return Err(rejected("it is not good yet"));
        }
        if now >= expires {
            return Err(TokenError::Expired);
        }
        let texts = [&self.sub, &self.room, &self.name];
        let attributes: usize = self.attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        if self.sub.is_empty() || self.room.is_empty() {
            return Err(rejected("it names no identity, or no room"));
        }
        if texts.iter().any(|text| text.len() > limits::MAX_TEXT)
            || self.metadata.len() > limits::MAX_METADATA
            || attributes > limits::MAX_ATTRIBUTES
        {
            return Err(rejected("its claims are too long"));
        }
        let GrantClaims { publish, call, update_self } = self.grants;
        Ok(AccessToken {
            identity: self.sub,
            room: self.room,
            name: self.name,
            metadata: self.metadata,
            attributes: self.attributes,
            grants: Grants { publish, call, update_self },
            expires,
        })
    }
}

/// A `NumericDate`: seconds since 1970, possibly with a fraction.
fn time_of(seconds: f64) -> Result<SystemTime, TokenError> {
    /// The year 9999. Any later time is a mistake, and might be more than the clock can express.
    const LATEST: f64 = 253_402_300_799.0;
    if !(0.0..=LATEST).contains(&seconds) {
        return Err(rejected("it holds a time that makes no sense"));
    }
    Ok(UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests;
