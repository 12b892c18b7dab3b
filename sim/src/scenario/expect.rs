use serde::{Deserialize, Serialize};

/// What has to be the case in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expect {
    /// A node has an item whole and in its place.
    Fetched {
        /// The node.
        host: String,
        /// Its name.
        item: String,
    },
    /// Something was counted so often. See [`Report::counters`](crate::Report::counters) for what is counted.
    Counted {
        /// What.
        what: String,
        /// At least so often.
        #[serde(default)]
        at_least: u64,
        /// At most so often.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
}
