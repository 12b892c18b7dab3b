//! quinn's configurations, made from ours: every key and every random byte is handed in.

mod cids;
mod last_words;
mod link;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn::congestion::{BbrConfig, ControllerFactory, CubicConfig, NewRenoConfig};
use quinn::{AckFrequencyConfig, ConnectionId, IdleTimeout, MtuDiscoveryConfig, TimeSource, TransportConfig, VarInt};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use ring::{hkdf, hmac};
use rustls::time_provider::TimeProvider;

use crate::entropy::draw;
use crate::{Congestion, EndpointConfig, Tuning};
use cids::Cids;

pub(crate) use last_words::LastWords;
pub(crate) use link::Link;

/// What a peer may have under way to us before it is admitted, in bytes: a hello fits, a flood does not.
const UNPROVEN_WINDOW: u32 = 64 * 1024;

/// What peers that knock may make us buffer before we look at them, in bytes: for each, and for all.
const INCOMING_BUFFER: u64 = 16 * 1024;

/// Longest connection id that QUIC has (RFC 9000, section 17.2), in bytes.
const LONGEST_CID: usize = 20;

/// The settings that all connections of an endpoint share.
pub(crate) fn endpoint_config(config: &EndpointConfig) -> Result<quinn::EndpointConfig, String> {
    // From the identity, so that a peer that was restarted can tell its old connections at once that they are gone.
    let reset_key = config.identity.derive("moorline transport v1: QUIC stateless reset key");
    let mut quinn = quinn::EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &reset_key)));
    let cid_key = config.identity.derive("moorline transport v1: QUIC connection id key");
    let cid_seed = draw(&*config.entropy);
    quinn.cid_generator(move || Box::new(Cids::new(cid_key, cid_seed)));
    quinn.rng_seed(Some(draw(&*config.entropy)));
    quinn.max_udp_payload_size(config.tuning.mtu_upper_bound).map_err(|error| error.to_string())?;
    Ok(quinn)
}

/// The settings for connections that are made to us.
pub(crate) fn server_config(
    config: &EndpointConfig,
    crypto: Arc<dyn quinn::crypto::ServerConfig>,
    last_words: &LastWords,
) -> Result<quinn::ServerConfig, String> {
    let token_key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&draw::<64>(&*config.entropy));
    let mut quinn = quinn::ServerConfig::new(crypto, Arc::new(token_key));
    // One stream, the hello exchange; the rest is opened on admission.
    quinn.transport_config(Arc::new(transport_config(config, 1, last_words)?));
    // Above this, quinn ignores newcomers without a word. We are to refuse them before, so that they know that we are busy.
    quinn.max_incoming(config.limits.max_handshakes.saturating_mul(2));
    quinn.incoming_buffer_size(INCOMING_BUFFER);
    quinn.incoming_buffer_size_total(INCOMING_BUFFER * 2 * config.limits.max_handshakes as u64);
    quinn.time_source(Arc::new(WallClock(config.time.clone())));
    Ok(quinn)
}

/// The settings for connections that we make.
pub(crate) struct Dialer {
    transport: Arc<TransportConfig>,
    first_cids: Arc<dyn Fn() -> ConnectionId + Send + Sync>,
}

impl Dialer {
    pub(crate) fn new(config: &EndpointConfig, last_words: &LastWords) -> Result<Self, String> {
        let rng = Mutex::new(ChaCha20Rng::from_seed(draw(&*config.entropy)));
        let first_cids = move || {
            let mut id = [0; LONGEST_CID];
            rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut id);
            ConnectionId::new(&id)
        };
        let transport = Arc::new(transport_config(config, 0, last_words)?);
        Ok(Self { transport, first_cids: Arc::new(first_cids) })
    }

    pub(crate) fn client_config(&self, crypto: Arc<dyn quinn::crypto::ClientConfig>) -> quinn::ClientConfig {
        let mut quinn = quinn::ClientConfig::new(crypto);
        quinn.transport_config(self.transport.clone());
        quinn.initial_dst_cid_provider(self.first_cids.clone());
        quinn.token_store(Arc::new(quinn::NoneTokenStore));
        quinn
    }
}

/// Opens what [`transport_config`] keeps shut until the peer is admitted.
pub(crate) fn open_up(connection: &quinn::Connection, config: &EndpointConfig) {
    connection.set_receive_window(config.tuning.connection_window.into());
    connection.set_max_concurrent_bi_streams(config.limits.max_streams_per_connection.into());
}

fn transport_config(config: &EndpointConfig, streams: u32, last_words: &LastWords) -> Result<TransportConfig, String> {
    let (limits, tuning) = (&config.limits, &config.tuning);
    let idle =
        IdleTimeout::try_from(limits.idle_timeout).map_err(|_| "idle_timeout is too long for QUIC".to_owned())?;
    let mut mtu_discovery = MtuDiscoveryConfig::default();
    mtu_discovery.upper_bound(tuning.mtu_upper_bound);
    let acks = tuning.ack_threshold.map(|threshold| {
        let mut acks = AckFrequencyConfig::default();
        acks.ack_eliciting_threshold(threshold.into());
        acks
    });
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(limits.keep_alive))
        .receive_window(UNPROVEN_WINDOW.min(tuning.connection_window).into())
        .stream_receive_window(tuning.stream_window.into())
        .send_window(tuning.send_window)
        .initial_rtt(tuning.initial_rtt)
        .mtu_discovery_config(Some(mtu_discovery))
        .ack_frequency_config(acks)
        .enable_segmentation_offload(tuning.segmentation_offload)
        .congestion_controller_factory(last_words.around(congestion(tuning)));
    Ok(transport)
}

fn congestion(tuning: &Tuning) -> Arc<dyn ControllerFactory + Send + Sync> {
    macro_rules! starting_with_the_initial_window {
        ($algorithm:ident) => {{
            let mut config = $algorithm::default();
            config.initial_window(tuning.initial_window);
            Arc::new(config)
        }};
    }
    match tuning.congestion {
        Congestion::Cubic => starting_with_the_initial_window!(CubicConfig),
        Congestion::NewReno => starting_with_the_initial_window!(NewRenoConfig),
        Congestion::Bbr => starting_with_the_initial_window!(BbrConfig),
    }
}

/// Lends the TLS clock to quinn, which dates address validation tokens with it.
struct WallClock(Arc<dyn TimeProvider>);

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        let since_epoch = self.0.current_time().map_or(Duration::ZERO, |now| Duration::from_secs(now.as_secs()));
        UNIX_EPOCH + since_epoch
    }
}
