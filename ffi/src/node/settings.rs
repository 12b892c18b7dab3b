//! What a node is made of, from what a caller asks for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use moorline_runtime::discovery::{Discovery, Mdns, MdnsConfig, StaticPeers};
use moorline_runtime::library::{LibraryConfig, ShareRoot};
use moorline_runtime::node::{NodeConfig, SocketSource};
use moorline_runtime::proto::PeerId;
use moorline_runtime::transport::{Access, EndpointConfig, Entropy, Identity, OsEntropy, Passphrase};
use tempfile::TempDir;

use crate::args::{given, only_flags, texts};
use crate::kinds::{MOORLINE_FLAG_CHILDREN, MOORLINE_FLAG_LIBRARY, MOORLINE_FLAG_NO_MULTICAST, MOORLINE_FLAG_READY};
use crate::status::{Failure, MOORLINE_E_INVALID_ARGUMENT, MOORLINE_E_IO, Outcome};
use crate::types::NodeOptions;

const DEFAULT_READY_MS: u32 = 15_000;
const DEFAULT_SHUTDOWN_MS: u32 = 2_000;
/// Goodbyes that take longer help nobody.
const MAX_SHUTDOWN_MS: u32 = 60_000;

/// The options, checked and owned.
pub(crate) struct NodeSettings {
    pub(crate) ready: bool,
    pub(crate) ready_timeout: Duration,
    multicast: bool,
    library: bool,
    listen: Option<SocketAddr>,
    name: Option<String>,
    identity: Option<String>,
    cache: Option<String>,
    passphrase: Option<Passphrase>,
    share: Vec<ShareRoot>,
    allow: Vec<PeerId>,
    peers: Vec<SocketAddr>,
    shutdown_deadline: Duration,
}

impl NodeSettings {
    pub(crate) fn from_options(options: &NodeOptions) -> Outcome<Self> {
        let known = MOORLINE_FLAG_READY | MOORLINE_FLAG_CHILDREN | MOORLINE_FLAG_NO_MULTICAST | MOORLINE_FLAG_LIBRARY;
        only_flags(options.flags, known)?;
        let share = texts(options.share, options.share_count, "share")?;
        let allow = texts(options.allow, options.allow_count, "allow")?;
        let peers = texts(options.peers, options.peer_count, "peers")?;
        let passphrase = given(&options.passphrase, "passphrase")?;
        let passphrase =
            passphrase.map(|text| text.parse().map_err(|error| wrong("passphrase", &error))).transpose()?;
        Ok(Self {
            ready: options.flags & MOORLINE_FLAG_READY != 0,
            ready_timeout: ready_timeout(options.ready_timeout_ms),
            multicast: options.flags & MOORLINE_FLAG_NO_MULTICAST == 0,
            library: options.flags & MOORLINE_FLAG_LIBRARY != 0 || !share.is_empty(),
            listen: given(&options.listen, "listen")?.map(|text| address(text, "listen")).transpose()?,
            name: given(&options.name, "name")?.map(str::to_owned),
            identity: given(&options.identity, "identity")?.map(str::to_owned),
            cache: given(&options.cache, "cache")?.map(str::to_owned),
            passphrase,
            share: share
                .into_iter()
                .map(|path| share_root(path, options.flags & MOORLINE_FLAG_CHILDREN))
                .collect::<Outcome<_>>()?,
            allow: allow
                .into_iter()
                .map(|id| id.parse().map_err(|error| wrong("allow", &error)))
                .collect::<Outcome<_>>()?,
            peers: peers.into_iter().map(|text| address(text, "peers")).collect::<Outcome<_>>()?,
            shutdown_deadline: Duration::from_millis(
                defaulted(options.shutdown_deadline_ms, DEFAULT_SHUTDOWN_MS).min(MAX_SHUTDOWN_MS).into(),
            ),
        })
    }

    /// The configuration, and the folder that exists for this run alone, to be dropped after it.
    pub(crate) fn into_config(self) -> Outcome<(NodeConfig, Option<TempDir>)> {
        let identity = match &self.identity {
            Some(path) => Identity::load_or_create(Path::new(path), &OsEntropy)
                .map_err(|error| Failure::new(MOORLINE_E_IO, error.to_string()))?,
            None => Identity::generate(&OsEntropy),
        };
        let mut endpoint = EndpointConfig::new(identity);
        if let Some(name) = self.name {
            endpoint.name = name;
        }
        let allow = (!self.allow.is_empty()).then(|| self.allow.iter().copied().collect());
        endpoint.access = Access { passphrase: self.passphrase, allow };
        let discovery: Arc<dyn Discovery> =
            if self.multicast { Arc::new(Mdns::new(MdnsConfig::default())) } else { Arc::new(StaticPeers::new([])) };
        let mut config = NodeConfig::new(endpoint, discovery);
        if let Some(listen) = self.listen {
            config.socket = SocketSource::Bind(listen);
        }
        config.peers = self.peers;
        config.shutdown_deadline = self.shutdown_deadline;
        let mut folder = None;
        if self.library {
            let cache = match &self.cache {
                Some(cache) => Path::new(cache).to_owned(),
                None => {
                    let made = tempfile::Builder::new().prefix("moorline-").tempdir().map_err(|error| {
                        let message = format!("no folder for hashes can be made: {error}; name one as cache");
                        Failure::new(MOORLINE_E_IO, message)
                    })?;
                    folder.insert(made).path().to_owned()
                }
            };
            let mut random = [0; 8];
            OsEntropy.fill(&mut random);
            config.library = Some(LibraryConfig { roots: self.share, ..LibraryConfig::new(cache, random) });
        }
        Ok((config, folder))
    }
}

/// A file or folder to share.
pub(crate) fn share_root(path: &str, flags: u32) -> Outcome<ShareRoot> {
    only_flags(flags, MOORLINE_FLAG_CHILDREN)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Failure::new(MOORLINE_E_INVALID_ARGUMENT, "path is empty or has a zero byte in it"));
    }
    // The working directory of a host may change at any time.
    let path = std::path::absolute(path).map_err(|error| wrong("path", &error))?;
    Ok(if flags == 0 { ShareRoot::Item(path) } else { ShareRoot::Children(path) })
}

/// An address of the form `ip:port`.
pub(crate) fn address(text: &str, what: &str) -> Outcome<SocketAddr> {
    text.parse().map_err(|_| {
        let message = format!("{what}: {text:?} is not an address of the form 192.168.1.20:16667 or [::1]:16667");
        Failure::new(MOORLINE_E_INVALID_ARGUMENT, message)
    })
}

pub(crate) fn ready_timeout(ms: u32) -> Duration {
    Duration::from_millis(defaulted(ms, DEFAULT_READY_MS).into())
}

fn defaulted(ms: u32, default: u32) -> u32 {
    if ms == 0 { default } else { ms }
}

fn wrong(what: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::new(MOORLINE_E_INVALID_ARGUMENT, format!("{what}: {error}"))
}
