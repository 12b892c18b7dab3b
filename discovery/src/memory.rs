//! A network made of memory, for tests and simulation: no socket, no thread, no clock but tokio's, no randomness but the seed.
//!
//! Members announce themselves to each other as mDNS responders would, and everything that goes wrong there can go wrong here: letters are
//! late, lost, doubled or overtake each other; a member that is dropped leaves a ghost until its record expires; goodbyes are lost;
//! records flap; partitions part. What happens to a letter depends on the seed, the two hosts, and how many letters went between
//! them before: on nothing that another pair of hosts does.
//!
//! ```
//! use moorline_discovery::{Announcement, Discovery, memory::{Network, NetworkConfig}};
//! # use tokio::sync::mpsc; use tokio_util::sync::CancellationToken;
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let network = Network::new(NetworkConfig::default());
//! let a = network.join("a", vec!["10.0.0.1".parse().unwrap()]);
//! let b = network.join("b", vec!["10.0.0.2".parse().unwrap()]);
//! let own = Announcement { id: Some("ann".into()), tag: None, name: None, protocol: 1, port: 7400 };
//!
//! let stop = CancellationToken::new();
//! let (nothing, _unheard) = mpsc::channel(8);
//! let (events, mut found) = mpsc::channel(8);
//! let watch = async { let event = found.recv().await; stop.cancel(); event };
//! let (_, _, event) = tokio::join!(a.run(Some(own), nothing, stop.clone()), b.run(None, events, stop.clone()), watch);
//! assert_eq!(event.unwrap().key(), "ann");
//! # }
//! ```

mod config;
mod dice;
mod member;
mod post;

pub use config::NetworkConfig;
pub use member::Member;

use crate::Announcement;
use post::{Body, Post};
use std::{fmt, net::IpAddr, sync::Arc};

/// The network. Cheap to clone: clones are the same network. Members may live in different runtimes.
#[derive(Clone)]
pub struct Network {
    post: Arc<Post>,
}

impl Network {
    /// Without members, and without partitions.
    pub fn new(config: NetworkConfig) -> Network {
        Network { post: Arc::new(Post::new(config)) }
    }

    /// A member on `host`, reachable at `addrs`. It takes part only while it is run. Members on one host do not hear each other.
    pub fn join(&self, host: impl Into<String>, addrs: Vec<IpAddr>) -> Member {
        Member::new(Arc::clone(&self.post), host.into(), addrs)
    }

    /// The partition hook: `reach(from, to)` is asked for each letter when it is sent and when it arrives; `false` loses it.
    ///
    /// A simulator passes its own partition matrix. It is called from the tasks of the members, and must not block.
    pub fn set_reach(&self, reach: impl Fn(&str, &str) -> bool + Send + Sync + 'static) {
        self.post.set_reach(Arc::new(reach));
    }

    /// Announces a peer that nobody stands behind, to all that run now: a stale record. It goes when its time is over or someone verifies it.
    pub fn haunt(&self, announcement: &Announcement, addrs: &[IpAddr]) {
        self.post.broadcast("", &Body::Announce { announcement: announcement.public(), addrs: addrs.to_vec() });
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
