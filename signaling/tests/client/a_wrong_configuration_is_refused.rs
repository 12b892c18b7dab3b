use std::sync::Arc;

use moorline_signaling::client::{BoxFuture, Server, Wanted};
use moorline_signaling::{
    Client, ClientConfig, CloseReason, ConfigError, ConnectError, CredentialsSource, SourceError,
};

use crate::peer::soon;
use crate::support::only_tasks_left;

#[tokio::test]
async fn a_server_has_to_be_named() {
    let mut config = ClientConfig::new("ws://127.0.0.1:1", "room");
    config.servers.clear();
    assert_eq!(Client::prepare(config).unwrap_err(), ConfigError::NoServer);
    for url in ["", "127.0.0.1:1", "http://127.0.0.1:1", "ws://user@127.0.0.1:1"] {
        let error = Client::prepare(ClientConfig::new(url, "room")).unwrap_err();
        assert!(matches!(error, ConfigError::BadUrl { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn events_need_a_place() {
    let mut config = ClientConfig::new("ws://127.0.0.1:1", "room");
    config.event_queue = 0;
    let error = soon(Client::connect(config)).await.unwrap_err();
    assert_eq!(error, ConnectError::Config(ConfigError::NoEventQueue));
}

#[tokio::test]
async fn what_no_server_would_take_is_not_tried() {
    let refused = |change: fn(&mut moorline_signaling::machine::Config)| {
        let mut config = ClientConfig::new("ws://127.0.0.1:1", "room");
        change(&mut config.machine);
        Client::prepare(config).unwrap_err()
    };
    for error in [
        refused(|config| config.room = "x".repeat(257)),
        refused(|config| config.info.name = "x".repeat(257)),
        refused(|config| config.info.identity = "x".repeat(257)),
        refused(|config| config.info.agent = "x".repeat(257)),
        refused(|config| config.info.metadata = "x".repeat(4097)),
        refused(|config| config.info.attributes = [("x".repeat(2048), "y".repeat(2049))].into()),
    ] {
        assert!(matches!(error, ConfigError::TooLong { len, max, .. } if len == max + 1), "{error}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn a_build_without_tls_refuses_wss() {
    let error = Client::prepare(ClientConfig::new("wss://127.0.0.1:1", "room")).unwrap_err();
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}

struct Elsewhere;

impl CredentialsSource for Elsewhere {
    fn server(&self, _: Wanted) -> BoxFuture<'_, Result<Server, SourceError>> {
        Box::pin(async { Ok(Server::at("gopher://127.0.0.1")) })
    }
}

#[tokio::test]
async fn a_source_that_leads_nowhere_ends_the_client() {
    let mut config = ClientConfig::new("ws://127.0.0.1:1", "room");
    config.credentials = Some(Arc::new(Elsewhere));
    let error = soon(Client::connect(config)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed(CloseReason::Unrecoverable { .. })), "{error}");
    only_tasks_left(0).await;
}
