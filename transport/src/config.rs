//! Everything that an endpoint is made from. Nothing in this crate is reached for globally.

mod limits;
mod tuning;

use std::fmt;
use std::sync::Arc;

use moorline_proto::{LibraryDigest, VERSIONS, VersionRange};
use rustls::crypto::CryptoProvider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

use crate::{Access, Entropy, Identity, OsEntropy};

pub use limits::Limits;
pub use tuning::{Congestion, Tuning};

/// What an [`Endpoint`](crate::Endpoint) is, whom it lets in, and what it may use.
///
/// [`EndpointConfig::new`] sets everything but the identity to what a program on a real network wants.
#[derive(Clone)]
pub struct EndpointConfig {
    /// Who this peer is.
    pub identity: Identity,
    /// What people call this peer. Told to admitted peers only. Cut to 255 bytes; default: the first characters of the peer id.
    pub name: String,
    /// Which program this is, for logs of the other side: `name/version`. Told to admitted peers only. Cut to 128 bytes.
    pub agent: String,
    /// Whether this peer shares something, or wants to be listed at all. Told to admitted peers only.
    pub serves: bool,
    /// Optional abilities of this program beyond the protocol version. Told to whoever completes the TLS handshake.
    pub capabilities: Vec<String>,
    /// Who may connect. Default: everyone.
    pub access: Access,
    /// Protocol versions that this peer speaks. Default: [`VERSIONS`].
    pub versions: VersionRange,
    /// Bounds on what peers can make us hold and wait for.
    pub limits: Limits,
    /// How the bytes move.
    pub tuning: Tuning,
    /// Where random bytes come from. Default: [`OsEntropy`].
    pub entropy: Arc<dyn Entropy>,
    /// The wall clock for TLS and for address validation tokens. Timers follow tokio's clock, which can be paused.
    pub time: Arc<dyn TimeProvider>,
    /// The cryptography of TLS, and its randomness. Default: [`default_provider`](crate::default_provider).
    pub provider: Arc<CryptoProvider>,
    /// Asked for each admitted peer: what our library looks like at this moment. Must not block. Default: an empty library.
    pub digest: Arc<dyn Fn() -> LibraryDigest + Send + Sync>,
}

impl EndpointConfig {
    /// The default configuration of a peer with this identity.
    pub fn new(identity: Identity) -> Self {
        Self {
            name: identity.peer_id().short(),
            identity,
            agent: concat!("moorline/", env!("CARGO_PKG_VERSION")).to_owned(),
            serves: false,
            capabilities: Vec::new(),
            access: Access::default(),
            versions: VERSIONS,
            limits: Limits::default(),
            tuning: Tuning::default(),
            entropy: Arc::new(OsEntropy),
            time: Arc::new(DefaultTimeProvider),
            provider: Arc::new(crate::default_provider()),
            digest: Arc::new(LibraryDigest::default),
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.versions.is_valid() {
            return Err(format!("versions {} hold no version", self.versions));
        }
        self.limits.check()?;
        self.tuning.check()
    }
}

impl fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("identity", &self.identity)
            .field("name", &self.name)
            .field("agent", &self.agent)
            .field("serves", &self.serves)
            .field("access", &self.access)
            .field("versions", &self.versions)
            .field("limits", &self.limits)
            .field("tuning", &self.tuning)
            .finish_non_exhaustive()
    }
}
