use std::io::ErrorKind;
use std::sync::Arc;

use moorline_signaling::{Client, ClientConfig, CloseReason, ConnectError};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::peer::{Conn, Peer, Terms, end_of, soon};

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("tls/cert.pem")).unwrap()
}

fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    Arc::new(config).into()
}

/// A client of the peer that trusts nobody but these.
fn config(peer: &Peer, trusted: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = ClientConfig::new(peer.url().replace("ws://", "wss://"), "room");
    config.tls = Some(Arc::new(tls));
    config.machine.max_attempts = Some(1);
    config
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_joined() {
    let peer = Peer::bind().await;
    let server = async {
        let stream = acceptor().accept(peer.accept_tcp().await).await.unwrap();
        let mut conn = Conn::over(stream).await;
        conn.admit(&Terms::default()).await;
        conn
    };
    let (client, mut conn) =
        soon(async { tokio::join!(Client::connect(config(&peer, &[certificate()])), server) }).await;
    let (client, _events) = client.unwrap();
    client.close();
    conn.serve().await;
    assert_eq!(soon(client.stopped()).await, CloseReason::UserClosed);
}

#[tokio::test]
async fn a_silent_server_gets_a_reset_below_tls() {
    let peer = Peer::bind().await;
    let server = async {
        let stream = acceptor().accept(peer.accept_tcp().await).await.unwrap();
        let mut conn = Conn::over(stream).await;
        conn.admit(&Terms::impatient()).await;
        conn
    };
    let (client, mut conn) =
        soon(async { tokio::join!(Client::connect(config(&peer, &[certificate()])), server) }).await;
    let (_client, _events) = client.unwrap();
    assert_eq!(end_of(conn.stream().get_mut().0).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not() {
    let peer = Peer::bind().await;
    let server = async { acceptor().accept(peer.accept_tcp().await).await.is_err() };
    let (client, refused) = soon(async { tokio::join!(Client::connect(config(&peer, &[])), server) }).await;
    assert!(refused);
    let Err(ConnectError::Closed(CloseReason::AttemptsExhausted { last, .. })) = client else { panic!("{client:?}") };
    assert!(last.starts_with("TLS: "), "{last}");
}
