use std::any::Any;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connector::Stream;

/// TLS over the streams of a client.
#[derive(Clone)]
pub(super) struct Connector(TlsConnector);

impl Connector {
    pub(super) fn new(config: Arc<rustls::ClientConfig>) -> Self {
        Self(TlsConnector::from(config))
    }

    pub(super) async fn secure(&self, host: &str, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}

/// The stream that was secured; the same one if it was not.
pub(super) fn beneath(stream: &dyn Stream) -> &dyn Stream {
    let any: &dyn Any = stream;
    any.downcast_ref::<TlsStream<Box<dyn Stream>>>().map_or(stream, |secured| secured.get_ref().0.as_ref())
}

/// The configuration with the roots that this build brings. Reads files with `tls-native-roots`, once a process.
pub(super) fn default_config() -> Result<Arc<rustls::ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    CONFIG.get_or_init(new_config).clone()
}

fn new_config() -> Result<Arc<rustls::ClientConfig>, String> {
    let roots = roots()?;
    if roots.is_empty() {
        return Err("wss needs certificate roots: a feature that brings some, or a configuration".to_owned());
    }
    // Named here, since a program with two providers has no default.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[allow(unused_mut, clippy::unnecessary_wraps, reason = "depends on the features")]
fn roots() -> Result<rustls::RootCertStore, String> {
    let mut roots = rustls::RootCertStore::empty();
    #[cfg(feature = "tls-webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    #[cfg(feature = "tls-native-roots")]
    {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 && roots.is_empty() {
            let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(format!("no roots of the operating system: {why}"));
        }
    }
    Ok(roots)
}
