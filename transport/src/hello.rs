//! The hello exchange: four frames on the first stream of a connection, after which both sides are admitted, or one knows why not.
//!
//! ```text
//! initiator                          responder
//! Hello { versions, pake }     →
//!                              ←     HelloReply { version, pake, confirm }     or Refused
//! Introduce { confirm, name }  →
//!                              ←     Welcome { name, digest }                  or Refused
//! ```
//!
//! TLS has proved both keys before the first frame. The responder confirms the passphrase first, so the initiator tells its name only
//! to a peer that has proved it; the responder tells its own only after the initiator's proof. What an impostor learns from a
//! run is whether one guess was right, and the guesses are counted ([`attempts`](crate::attempts)).

mod initiate;
mod respond;

use moorline_proto::limits::{MAX_CAPABILITIES, MAX_CAPABILITY};
use moorline_proto::{ErrorCode, HelloReply, VersionRange};
use quinn::{ConnectionError, TransportErrorCode};

use crate::pake::Exporter;
use crate::shared::Shared;
use crate::text::clean;
use crate::{AdmitError, ConnectionEnd, DialError, RequestError};

pub(crate) use initiate::introduce;
pub(crate) use respond::admit;

fn exporter(connection: &quinn::Connection) -> Result<Exporter, String> {
    let mut out = [0; 32];
    connection
        .export_keying_material(&mut out, b"EXPORTER-moorline-hello", b"")
        .map_err(|_| "TLS yields no keying material".to_owned())?;
    Ok(out)
}

/// What the responder's proof covers of its reply: all of it but the proof. Written out field by field, so that fields of later
/// versions do not break it.
fn reply_without_proof(reply: &HelloReply) -> Vec<u8> {
    let VersionRange { min, max } = reply.versions;
    let mut out = Vec::new();
    for number in [reply.version, min, max] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for text in &reply.capabilities {
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(reply.pake.as_deref().unwrap_or_default());
    out
}

fn own_capabilities(shared: &Shared) -> Vec<String> {
    clean_capabilities(&shared.config.capabilities)
}

fn clean_capabilities(given: &[String]) -> Vec<String> {
    given.iter().take(MAX_CAPABILITIES).map(|text| clean(text, MAX_CAPABILITY)).collect()
}

/// Why a connection that we made, or wanted to make, ended before admission.
pub(crate) fn lost_dial(error: &ConnectionError) -> DialError {
    match error {
        ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
            DialError::Refused { code: ErrorCode::Busy, words: String::new() }
        }
        error => DialError::Lost(ConnectionEnd::from_quinn(error)),
    }
}

impl From<RequestError> for DialError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::ConnectionLost(end) => Self::Lost(end),
            RequestError::Protocol(problem) => Self::Protocol(problem),
            other => Self::Protocol(other.to_string()),
        }
    }
}

impl From<RequestError> for AdmitError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::ConnectionLost(end) => Self::Lost(end),
            RequestError::TimedOut(_) => Self::TimedOut,
            RequestError::Protocol(problem) => Self::Protocol(problem),
            other => Self::Protocol(other.to_string()),
        }
    }
}
