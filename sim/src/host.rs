//! What runs on the hosts of a simulation, and how it is told from outside what to do.

mod disk;
mod history;
mod inbox;
mod liar;
mod log;
mod node;
mod rooms;
mod server;
mod token;
mod user;
mod wall;

use std::sync::Arc;

pub use history::{Happened, History, Seen};
pub use log::Logged;
pub use node::{FetchState, NodeHost, NodeSpec};
pub use server::{ServerHost, ServerSpec};
pub use token::Tokens;
pub use user::{UserHost, UserSpec};

pub(crate) use node::run as run_node;
pub(crate) use server::run as run_server;
pub(crate) use user::run as run_user;
pub(crate) use wall::WallClock;

use crate::points::Points;
use crate::{Folder, Net, Seeds, TlsRandomness};

/// What every host is given. Outlives its crashes.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: Arc<str>,
    /// The name of the host in the network, which several may share.
    pub(crate) address: Arc<str>,
    pub(crate) net: Net,
    pub(crate) seeds: Seeds,
    pub(crate) folder: Folder,
    pub(crate) tls: Option<TlsRandomness>,
    pub(crate) history: History,
    /// Its own time of day.
    pub(crate) wall: WallClock,
    pub(crate) points: Points,
}

impl Place {
    /// The seed of a component in one life of the host.
    pub(crate) fn seed(&self, component: &str, life: u64) -> [u8; 32] {
        self.seeds.derive(&[&self.name, component, &life.to_string()])
    }

    /// Adds to the history.
    pub(crate) fn happened(&self, what: Happened) {
        self.history.add(&self.name, what);
    }

    /// Records what becomes of the host itself.
    pub(crate) fn say(&self, kind: &str, life: u64, what: &str) {
        self.net.trace().record(&self.name, kind, |fields| {
            fields.number("life", life).text("what", what);
        });
    }

    /// Records in which state the host is from now on, and on which connection, if it has them by number.
    pub(crate) fn state(&self, life: u64, state: &str, epoch: Option<u64>) {
        self.net.trace().record(&self.name, "state", |fields| {
            fields.number("life", life).text("state", state);
            if let Some(epoch) = epoch {
                fields.number("epoch", epoch);
            }
        });
    }

    /// Records an event of a component by its name and its debug text, without the place of the host's folder.
    pub(crate) fn record(&self, kind: &str, life: u64, event: &dyn std::fmt::Debug) {
        let detail = self.folder.without_place(&format!("{event:?}"));
        let name = detail.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        self.net.trace().record(&self.name, kind, |fields| {
            fields.text("event", name).number("life", life).text("detail", &detail);
        });
    }
}

/// A last look at a configuration before something is started from it, at each start.
pub(crate) type Configure<T> = Arc<dyn Fn(&mut T) + Send + Sync>;
