//! Nodes over loopback, with nothing announced to the real network.

mod events;
pub(crate) mod log;
pub(crate) mod relay;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_discovery::{Announcement, BoxFuture, Discovery, DiscoveryError, DiscoveryEvent};
use moorline_runtime::library::{LibraryConfig, ShareRoot};
use moorline_runtime::node::{Node, NodeConfig, NodeHandle, Offer, SocketSource};
use moorline_transport::{EndpointConfig, Identity};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) use events::{begin, event, failures, peer_down, said, to_the_end};

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Finds nobody.
pub(crate) struct Silent;

impl Discovery for Silent {
    fn run<'a>(
        &'a self,
        _own: Option<Announcement>,
        _events: mpsc::Sender<DiscoveryEvent>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Result<(), DiscoveryError>> {
        Box::pin(async move {
            cancel.cancelled().await;
            Ok(())
        })
    }

    fn verify(&self, _key: &str) {}
}

/// A folder that is gone at the end of the test.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A folder `name` with files in it, to be shared.
    pub(crate) fn item(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let root = self.path(name);
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folder");
            fs::write(path, content).expect("file");
        }
        root
    }

    /// A folder `name` with one file of `mib` MiB, each chunk different, cheap to make.
    pub(crate) fn big_item(&self, name: &str, mib: u64) -> PathBuf {
        let root = self.path(name);
        fs::create_dir_all(&root).expect("folder");
        let path = root.join("big.bin");
        let file = fs::File::create(&path).expect("file");
        file.set_len(mib << 20).expect("length");
        for index in 0..mib {
            std::os::unix::fs::FileExt::write_all_at(&file, &index.to_le_bytes(), index << 20).expect("content");
        }
        root
    }

    pub(crate) fn config(&self, name: &str, shares: &[PathBuf]) -> NodeConfig {
        let seed = *blake3::hash(name.as_bytes()).as_bytes();
        let mut endpoint = EndpointConfig::new(Identity::from_seed(seed));
        endpoint.name = name.to_owned();
        let mut config = NodeConfig::new(endpoint, Arc::new(Silent));
        config.socket = SocketSource::Bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        if !shares.is_empty() {
            let mut library = LibraryConfig::new(self.path(&format!("{name}-cache")), rand_seed());
            library.roots = shares.iter().cloned().map(ShareRoot::Item).collect();
            library.settle = Duration::from_millis(200);
            config.library = Some(library);
        }
        config
    }

    pub(crate) async fn start(&self, name: &str, shares: &[PathBuf]) -> NodeHandle {
        start(self.config(name, shares)).await
    }

    /// A node that shares nothing and dials `peers`.
    pub(crate) async fn start_with_peers(&self, name: &str, peers: &[SocketAddr]) -> NodeHandle {
        let mut config = self.config(name, &[]);
        config.peers = peers.to_vec();
        start(config).await
    }
}

pub(crate) async fn start(config: NodeConfig) -> NodeHandle {
    Node::start(config).await.expect("the node starts")
}

fn rand_seed() -> [u8; 8] {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).expect("randomness");
    seed
}

/// Waits until `node` sees an offer of this name.
pub(crate) async fn offer(node: &NodeHandle, name: &str) -> Offer {
    until(&format!("offer of {name}"), || node.offers().into_iter().find(|offer| offer.summary.name == name)).await
}

/// Looks every 10 ms until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never saw: {what}"))
}

pub(crate) async fn stop(node: &NodeHandle) {
    node.shutdown();
    timeout(PATIENCE, node.wait_stopped()).await.expect("the node stops");
}

/// Paths below `root` with the content of each file; folders end with a slash.
pub(crate) fn tree(root: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    fn walk(root: &Path, dir: &Path, out: &mut Vec<(String, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(dir).expect("folder") {
            let path = entry.expect("entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            if path.is_dir() {
                out.push((name + "/", None));
                walk(root, &path, out);
            } else {
                out.push((name, Some(fs::read(&path).expect("file"))));
            }
        }
    }
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out.sort();
    out
}
