use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Runs;

/// A host, or a crowd of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HostSpec {
    /// Runs a node.
    Node {
        /// Unique.
        name: String,
        /// What it shares from the start on. A node that shares nothing only fetches.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        share: Vec<ItemSpec>,
        /// Events that it may fall behind; `None`: the node's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_queue: Option<usize>,
        /// Nodes whose addresses its user has given it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        knows: Vec<String>,
        /// Rooms in which it meets other nodes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rooms: Vec<RoomSpec>,
        /// Whether discovery works there: if not, it finds nobody, and nobody finds it that way.
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        finds: bool,
        /// Whether its disk changes what it shares as soon as that is listed: same names, lengths and times, other bytes.
        #[serde(default, skip_serializing_if = "is_false")]
        lies: bool,
        /// How many milliseconds its clock is ahead of the right time, from the start on; less than 0: behind.
        #[serde(default, skip_serializing_if = "is_zero")]
        clock_skew_ms: i64,
    },
    /// Runs a room server.
    Server {
        /// Unique.
        name: String,
        /// How long it keeps the session of a client that it lost; `None`: the server's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume_window_ms: Option<u64>,
        /// Clients that it lets in a second; `None`: the server's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accept_rate: Option<u32>,
        /// Messages that it keeps for a client; `None`: the server's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay_capacity: Option<usize>,
        /// Whether it lets in only who shows a token.
        #[serde(default, skip_serializing_if = "is_false")]
        tokens: bool,
        /// How many milliseconds its clock is ahead of the right time, from the start on; less than 0: behind.
        #[serde(default, skip_serializing_if = "is_zero")]
        clock_skew_ms: i64,
    },
    /// Has a user who is in a room.
    User {
        /// Unique. With a `crowd`, its members are called `name-1`, `name-2` and so on.
        name: String,
        /// The servers of the room, the first choice first.
        servers: Vec<String>,
        /// The room.
        room: String,
        /// So many of them, all on one host: what turmoil takes for a step grows with the square of the hosts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crowd: Option<u32>,
        /// Whether it is the same person again after a crash: its name is its identity.
        #[serde(default, skip_serializing_if = "is_false")]
        steady: bool,
        /// How long it tries to get back; `None`: the client's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_ms: Option<u64>,
        /// Events that may wait for the user; `None`: the client's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_queue: Option<usize>,
        /// Shows tokens, each of which is good for so long by the right time; `None`: it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_ttl_ms: Option<u64>,
        /// Whether it can get another one.
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        renews: bool,
        /// How many milliseconds its clock is ahead of the right time, from the start on; less than 0: behind.
        #[serde(default, skip_serializing_if = "is_zero")]
        clock_skew_ms: i64,
    },
}

/// A room that a node is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSpec {
    /// Its servers, the first choice first.
    pub servers: Vec<String>,
    /// Its name.
    pub room: String,
}

/// Something to share. Its bytes come from its name and those of its files, so that two who share the same share the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemSpec {
    /// The name of the folder.
    pub name: String,
    /// Its files, with their lengths in bytes.
    pub files: BTreeMap<String, u64>,
}

impl HostSpec {
    /// Its name; that of a crowd, without number.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Node { name, .. } | Self::Server { name, .. } | Self::User { name, .. } => name,
        }
    }

    /// Whether it is the host of this name, or the crowd that has it.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        match self {
            Self::User { name: own, crowd: Some(crowd), .. } => {
                let number = name.strip_prefix(&**own).and_then(|rest| rest.strip_prefix('-'));
                let number =
                    number.filter(|number| !number.starts_with(['0', '+'])).and_then(|number| number.parse().ok());
                number.is_some_and(|number: u32| number <= *crowd)
            }
            _ => self.name() == name,
        }
    }

    /// The names of the hosts that it stands for.
    pub fn members(&self) -> impl Iterator<Item = String> + use<'_> {
        let crowd = match self {
            Self::User { crowd, .. } => *crowd,
            _ => None,
        };
        let alone = crowd.is_none().then(|| self.name().to_owned());
        let many = (1..=crowd.unwrap_or(0)).map(move |number| format!("{}-{number}", self.name()));
        alone.into_iter().chain(many)
    }

    /// How many milliseconds its clock is ahead.
    #[must_use]
    pub fn clock_skew_ms(&self) -> i64 {
        match self {
            Self::Node { clock_skew_ms, .. }
            | Self::Server { clock_skew_ms, .. }
            | Self::User { clock_skew_ms, .. } => *clock_skew_ms,
        }
    }

    /// Whether it serves other bytes than it lists.
    #[must_use]
    pub fn lies(&self) -> bool {
        matches!(self, Self::Node { lies: true, .. })
    }

    /// The servers of the room of this name, if it is in it.
    #[must_use]
    pub fn servers_of(&self, room: &str) -> Option<&[String]> {
        match self {
            Self::User { servers, room: own, .. } => (own == room).then_some(servers.as_slice()),
            Self::Node { rooms, .. } => rooms.iter().find(|own| own.room == room).map(|own| own.servers.as_slice()),
            Self::Server { .. } => None,
        }
    }

    /// Which code it runs.
    #[must_use]
    pub fn runs(&self) -> Runs {
        match self {
            Self::Node { .. } => Runs::Node,
            Self::Server { .. } => Runs::Server,
            Self::User { .. } => Runs::User,
        }
    }

    /// What it shares from the start on.
    #[must_use]
    pub fn items(&self) -> &[ItemSpec] {
        match self {
            Self::Node { share, .. } => share,
            _ => &[],
        }
    }
}

impl ItemSpec {
    /// The bytes of a file.
    #[must_use]
    pub fn content(&self, file: &str, len: u64) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new_derive_key("moorline sim v1: content of a shared file");
        hasher.update(self.name.as_bytes()).update(&[0]).update(file.as_bytes());
        let mut out = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        hasher.finalize_xof().fill(&mut out);
        out
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().sum()
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}
