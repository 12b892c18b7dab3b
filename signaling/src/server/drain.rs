use std::time::Duration;

use crate::wire::pb;

/// How a node empties itself.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Over how long the clients leave. Not less than they need to be let in elsewhere, at this node's own rate, and not more than the
    /// deadline: where that is too short for all of them, the node that they go to asks some to come a little later.
    pub spread: Duration,
    /// After which those that are still there are put out.
    pub deadline: Duration,
    /// Where they are to go, if that is known.
    pub target: Option<String>,
    /// For people.
    pub reason: String,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            spread: Duration::ZERO,
            deadline: Duration::from_secs(30),
            target: None,
            reason: "the node is drained".into(),
        }
    }
}

impl Drain {
    pub(crate) fn to_wire(&self) -> pb::GoAway {
        let millis = |duration: Duration| duration.as_millis().try_into().unwrap_or(u32::MAX);
        pb::GoAway {
            reason: self.reason.clone(),
            deadline_ms: millis(self.deadline),
            spread_ms: millis(self.spread),
            target_node: self.target.clone().unwrap_or_default(),
        }
    }
}
