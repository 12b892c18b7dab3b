//! TLS 1.3 with raw public keys (RFC 7250) on both sides: no certificates, no authorities, no names.

mod spki;
mod verify;

use std::sync::{Arc, OnceLock};

use moorline_proto::PeerId;
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use thiserror::Error;

use crate::Identity;

pub(crate) use spki::peer_id_of;
use verify::{ClientVerifier, ServerVerifier};

/// The application protocol that both ends name (RFC 7301). Versions are negotiated later, in the hello exchange, so that
/// a mismatch can be explained.
pub(crate) const ALPN: &[u8] = b"moorline";

/// rustls demands a server name; it is neither sent nor checked.
pub(crate) const SERVER_NAME: &str = "moorline";

/// The cryptography that endpoints use by default: *ring*, TLS 1.3 only, AES-128 first.
///
/// AES-128-GCM takes less of the processor than AES-256 and is what QUIC needs for its first packets anyway.
pub fn default_provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
            ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
            ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..ring::default_provider()
    }
}

/// The handed-in [`CryptoProvider`] cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// It lacks something that TLS 1.3 with Ed25519 keys needs.
    #[error("the cryptography provider cannot do TLS 1.3 with Ed25519 keys: {0}")]
    Rustls(#[from] rustls::Error),
    /// QUIC encrypts its first packets with AES-128-GCM (RFC 9001, section 5.2).
    #[error("the cryptography provider lacks TLS13_AES_128_GCM_SHA256, which QUIC needs")]
    NoInitialCipherSuite,
}

impl From<NoInitialCipherSuite> for TlsError {
    fn from(_: NoInitialCipherSuite) -> Self {
        Self::NoInitialCipherSuite
    }
}

/// What one endpoint's TLS configurations are made from.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    time: Arc<dyn TimeProvider>,
    key: Arc<CertifiedKey>,
}

impl Tls {
    pub(crate) fn new(
        identity: &Identity,
        provider: Arc<CryptoProvider>,
        time: Arc<dyn TimeProvider>,
    ) -> Result<Self, TlsError> {
        let signer = provider.key_provider.load_private_key(identity.private_key())?;
        let public = CertificateDer::from(spki::encode(&identity.peer_id()).to_vec());
        Ok(Self { provider, time, key: Arc::new(CertifiedKey::new(vec![public], signer)) })
    }

    pub(crate) fn server(&self) -> Result<QuicServerConfig, TlsError> {
        let verifier = Arc::new(ClientVerifier::new(self.provider.signature_verification_algorithms));
        let mut config = rustls::ServerConfig::builder_with_details(self.provider.clone(), self.time.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Every connection proves both identities anew; there is nothing to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config.try_into()?)
    }

    /// A configuration to dial with. The handshake fails before we show our own identity if the peer is not `expect`;
    /// `found` then holds who answered.
    pub(crate) fn client(
        &self,
        expect: Option<PeerId>,
        found: Arc<OnceLock<PeerId>>,
    ) -> Result<QuicClientConfig, TlsError> {
        let verifier = ServerVerifier::new(self.provider.signature_verification_algorithms, expect, found);
        let mut config = rustls::ClientConfig::builder_with_details(self.provider.clone(), self.time.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.key.clone())));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        Ok(config.try_into()?)
    }
}
