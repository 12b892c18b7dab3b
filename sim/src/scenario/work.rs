use moorline_signaling::SendClass;
use serde::{Deserialize, Serialize};

use super::ItemSpec;

/// What a user does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Shares one more item.
    Share {
        /// A node that shares something from the start on.
        host: String,
        /// What.
        item: ItemSpec,
    },
    /// Fetches an item as soon as somebody offers it.
    Fetch {
        /// A node.
        host: String,
        /// Its name.
        item: String,
    },
    /// Sends messages to everybody else in the room.
    Send {
        /// A user.
        host: String,
        /// How.
        #[serde(default)]
        class: Class,
        /// How many.
        #[serde(default = "one")]
        count: u64,
        /// The pause between two.
        #[serde(default)]
        every_ms: u64,
        /// How long each is at least.
        #[serde(default)]
        bytes: usize,
    },
    /// Calls somebody in the room.
    Call {
        /// A user.
        host: String,
        /// Another one.
        to: String,
        /// How long it waits for the answer.
        timeout_ms: u64,
    },
    /// Leaves the room.
    Close {
        /// A user.
        host: String,
    },
    /// Stops what the host runs, in good order.
    Stop {
        /// A node or a server.
        host: String,
    },
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// In order, and until it has arrived.
    #[default]
    Reliable,
    /// The newest value of a key.
    Latest,
    /// Now or never.
    Ephemeral,
}

impl Work {
    /// Who does it.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Share { host, .. }
            | Self::Fetch { host, .. }
            | Self::Send { host, .. }
            | Self::Call { host, .. }
            | Self::Close { host }
            | Self::Stop { host } => host,
        }
    }

    /// Everybody whom it names.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let other = match self {
            Self::Call { to, .. } => Some(&**to),
            _ => None,
        };
        std::iter::once(self.host()).chain(other)
    }
}

impl From<Class> for SendClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Reliable => Self::Reliable,
            Class::Latest => Self::Latest("key".into()),
            Class::Ephemeral => Self::Ephemeral,
        }
    }
}

fn one() -> u64 {
    1
}
