use std::sync::Arc;

use moorline_proto::PeerId;

use crate::attempts::Attempts;
use crate::quic::{Dialer, LastWords};
use crate::tls::Tls;
use crate::{BindError, EndpointConfig, Limits};

/// What an endpoint, its dials, its knocking peers and its connections have in common. Never changes.
pub(crate) struct Shared {
    pub(crate) config: EndpointConfig,
    pub(crate) limits: Arc<Limits>,
    pub(crate) peer_id: PeerId,
    pub(crate) tls: Tls,
    pub(crate) dialer: Dialer,
    pub(crate) last_words: LastWords,
    /// Failed proofs of those that dial us.
    pub(crate) knocks: Arc<Attempts>,
    /// Failed proofs of those that we dial.
    pub(crate) calls: Arc<Attempts>,
}

impl Shared {
    pub(crate) fn new(config: EndpointConfig) -> Result<Self, BindError> {
        config.check().map_err(BindError::Config)?;
        let last_words = LastWords::default();
        Ok(Self {
            limits: Arc::new(config.limits.clone()),
            peer_id: config.identity.peer_id(),
            tls: Tls::new(&config.identity, config.provider.clone(), config.time.clone())?,
            dialer: Dialer::new(&config, &last_words).map_err(BindError::Config)?,
            last_words,
            knocks: Attempts::new(&config.limits),
            calls: Attempts::new(&config.limits),
            config,
        })
    }
}
