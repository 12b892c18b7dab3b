use std::sync::Arc;

use moorline_runtime::node::NodeConfig;

use crate::host::Configure;

/// What a node host is like.
#[derive(Clone, Default)]
pub struct NodeSpec {
    pub(super) shares: bool,
    pub(super) knows: Vec<String>,
    /// Names, each with the addresses of its servers.
    pub(super) rooms: Vec<(String, Vec<String>)>,
    pub(super) is_alone: bool,
    pub(super) lies: bool,
    pub(super) configure: Option<Configure<NodeConfig>>,
}

impl NodeSpec {
    /// A node that shares every file and folder in `share` of its host's folder.
    #[must_use]
    pub fn sharing() -> Self {
        Self { shares: true, ..Self::default() }
    }

    /// It was told the address of the node on that host, as a user would: it dials without being asked by discovery.
    #[must_use]
    pub fn knowing(mut self, other: &str) -> Self {
        self.knows.push(other.to_owned());
        self
    }

    /// It joins a room on these servers as soon as it has started, meets the nodes that are in it, and stays.
    #[must_use]
    pub fn in_room<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>, room: impl Into<String>) -> Self {
        self.rooms.push((room.into(), urls.into_iter().map(Into::into).collect()));
        self
    }

    /// Discovery does not work there: it finds nobody, and nobody finds it that way.
    #[must_use]
    pub fn without_discovery(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Its disk goes bad once what it shares is listed: every byte is another one then, and nothing else tells. It is good again
    /// whenever the node starts, until it has listed.
    #[must_use]
    pub fn lying(self) -> Self {
        Self { lies: true, ..self }
    }

    /// Has a last look at the configuration, each time that the node starts.
    #[must_use]
    pub fn configure(self, with: impl Fn(&mut NodeConfig) + Send + Sync + 'static) -> Self {
        Self { configure: Some(Arc::new(with)), ..self }
    }
}
