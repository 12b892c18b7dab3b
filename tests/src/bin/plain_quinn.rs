//! The yardstick of `cargo xtask bench transfer`: bytes over one plain QUIC stream, with Moorline's transport settings and
//! nothing of Moorline on top. What it costs is what encryption and packets cost; the rest is ours.
//!
//! `plain_quinn serve BYTES [FILE]` prints `ready ADDR` and sends to whoever connects, from memory or from a file;
//! `plain_quinn fetch ADDR BYTES [FILE]` receives, to nowhere or into a file, and ends.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use moorline_transport::{Limits, Tuning, default_provider};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::AlwaysResolvesServerRawPublicKeys,
    sign::CertifiedKey,
};

/// Bytes handed to the stream at once, as Moorline hands out chunks.
const BLOCK: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", bytes] => serve(bytes.parse()?, None).await,
        ["serve", bytes, file] => serve(bytes.parse()?, Some(file.into())).await,
        ["fetch", addr, bytes] => fetch(addr.parse()?, bytes.parse()?, None).await,
        ["fetch", addr, bytes, file] => fetch(addr.parse()?, bytes.parse()?, Some(file.as_ref())).await,
        _ => bail!("usage: plain_quinn serve BYTES [FILE] | plain_quinn fetch ADDR BYTES [FILE]"),
    }
}

async fn serve(bytes: u64, file: Option<PathBuf>) -> Result<()> {
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(server_crypto()?));
    config.transport_config(Arc::new(transport()?));
    let endpoint = endpoint(Some(config))?;
    println!("ready {}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        let mut stream = connection.accept_bi().await?.0;
        match &file {
            None => {
                let block = Bytes::from(vec![0x5a; BLOCK]);
                let mut left = bytes;
                while left > 0 {
                    let now = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
                    stream.write_chunk(block.slice(..now)).await?;
                    left -= now as u64;
                }
            }
            Some(path) => {
                let mut file = File::open(path).with_context(|| path.display().to_string())?;
                loop {
                    let mut block = BytesMut::zeroed(BLOCK);
                    let read = file.read(&mut block)?;
                    if read == 0 {
                        break;
                    }
                    block.truncate(read);
                    stream.write_chunk(block.freeze()).await?;
                }
            }
        }
        stream.finish()?;
        connection.closed().await;
    }
    Ok(())
}

async fn fetch(addr: SocketAddr, bytes: u64, file: Option<&Path>) -> Result<()> {
    let endpoint = endpoint(None)?;
    let mut config = quinn::ClientConfig::new(Arc::new(client_crypto()?));
    config.transport_config(Arc::new(transport()?));
    let connection = endpoint.connect_with(config, addr, "moorline")?.await?;
    let (mut send, mut stream) = connection.open_bi().await?;
    send.write_all(b"go").await?;
    // Packets are much smaller than what is good to write at once.
    let mut file = file.map(File::create).transpose()?.map(|file| BufWriter::with_capacity(BLOCK, file));
    let mut received = 0;
    while let Some(chunk) = stream.read_chunk(BLOCK, true).await? {
        received += chunk.bytes.len() as u64;
        if let Some(file) = &mut file {
            file.write_all(&chunk.bytes)?;
        }
    }
    if let Some(mut file) = file {
        file.flush()?;
    }
    ensure!(received == bytes, "{received} bytes came, {bytes} were expected");
    connection.close(0_u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

/// A socket with the buffers, and packets with the size, that Moorline asks for.
fn endpoint(server: Option<quinn::ServerConfig>) -> Result<quinn::Endpoint> {
    let tuning = Tuning::default();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    socket.set_recv_buffer_size(tuning.socket_buffer_bytes)?;
    socket.set_send_buffer_size(tuning.socket_buffer_bytes)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let mut config = quinn::EndpointConfig::default();
    config.max_udp_payload_size(tuning.mtu_upper_bound)?;
    Ok(quinn::Endpoint::new(config, server, socket.into(), Arc::new(quinn::TokioRuntime))?)
}

fn transport() -> Result<quinn::TransportConfig> {
    let (tuning, limits) = (Tuning::default(), Limits::default());
    let mut mtu = quinn::MtuDiscoveryConfig::default();
    mtu.upper_bound(tuning.mtu_upper_bound);
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_idle_timeout(Some(limits.idle_timeout.try_into()?))
        .keep_alive_interval(Some(limits.keep_alive))
        .receive_window(tuning.connection_window.into())
        .stream_receive_window(tuning.stream_window.into())
        .send_window(tuning.send_window)
        .initial_rtt(tuning.initial_rtt)
        .mtu_discovery_config(Some(mtu))
        .enable_segmentation_offload(tuning.segmentation_offload);
    Ok(transport)
}

fn server_crypto() -> Result<QuicServerConfig> {
    let provider = Arc::new(default_provider());
    let key = fresh_key()?;
    let signer = provider.key_provider.load_private_key(key)?;
    let public = signer.public_key().context("an Ed25519 key has a public part")?;
    let certified = CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], signer);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified))));
    config.alpn_protocols = vec![b"plain".to_vec()];
    Ok(config.try_into()?)
}

fn fresh_key() -> Result<PrivateKeyDer<'static>> {
    let random = ring::rand::SystemRandom::new();
    let key = ring::signature::Ed25519KeyPair::generate_pkcs8(&random).ok().context("no randomness")?;
    PrivateKeyDer::try_from(key.as_ref().to_vec()).map_err(|error| anyhow::anyhow!("{error}"))
}

fn client_crypto() -> Result<QuicClientConfig> {
    let provider = Arc::new(default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"plain".to_vec()];
    config.enable_sni = false;
    Ok(config.try_into()?)
}

/// Trusts whoever answers, as long as it holds the key that it shows. This is a yardstick, not a way to be safe.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC has no TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
