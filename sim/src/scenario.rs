//! Scenarios: who is there, what they do, what goes wrong and when. A TOML file, or the value that it stands for.
//!
//! ```
//! let scenario = moorline_sim::Scenario::parse(
//!     r#"
//!     version = 1
//!     name = "one lends, one borrows"
//!     seed = 7
//!     heal_at_ms = 5000
//!     duration_ms = 60000
//!
//!     [[hosts]]
//!     kind = "node"
//!     name = "ann"
//!     share = [{ name = "song", files = { "a.ogg" = 100000 } }]
//!
//!     [[hosts]]
//!     kind = "node"
//!     name = "bob"
//!
//!     [[workload]]
//!     at_ms = 0
//!     work = "fetch"
//!     host = "bob"
//!     item = "song"
//!
//!     [[plan]]
//!     at_ms = 500
//!     fault = "crash"
//!     host = "ann"
//!     for_ms = 2000
//!     "#,
//! )?;
//! assert_eq!(scenario.plan.len(), 1);
//! # Ok::<(), moorline_sim::ScenarioError>(())
//! ```

mod check;
mod error;
mod expect;
mod fault;
mod hosts;
mod locate;
mod named;
mod timed;
mod work;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::ScenarioError;
pub use expect::Expect;
pub use fault::{DiscoveryFaults, Fault, LinkSpec};
pub use hosts::{HostSpec, ItemSpec, RoomSpec};
pub use named::{all as named_scenarios, by_name as named_scenario};
pub use timed::Timed;
pub use work::{Class, Work};

/// The version of the format that this crate reads and writes.
pub const SCENARIO_VERSION: u32 = 1;

/// A simulation as it is written down. The same scenario gives the same trace.
///
/// It has two parts. Until `heal_at_ms` the plan goes wrong as it says. Then everything that is wrong ends, and until `duration_ms` at
/// the latest everything has to become well. A field that this version does not know is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// [`SCENARIO_VERSION`].
    pub version: u32,
    /// For people, and for folders.
    pub name: String,
    /// One line: what a run that passes shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub proves: String,
    /// Everything random comes from it. Below 2^63, which is where the integers of TOML end.
    pub seed: u64,
    /// How far one step goes.
    #[serde(default = "one")]
    pub tick_ms: u64,
    /// Latency of every link, at least 1.
    #[serde(default = "one")]
    pub latency_ms: u64,
    /// When faults end.
    pub heal_at_ms: u64,
    /// When everything has to be well.
    pub duration_ms: u64,
    /// How long all has to be well before that is believed, at the end.
    #[serde(default = "rest", skip_serializing_if = "is_rest")]
    pub rest_ms: u64,
    /// Whether hosts that are down come back when faults end.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub revive: bool,
    /// Invariants that are not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// That a task which could go on lets all others go first, at each of its polls and points: from 0 to 0.9. Ends with the faults.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yields: f64,
    /// What is wrong with discovery. It does not heal: records that come and go are no fault that ends.
    #[serde(default, skip_serializing_if = "DiscoveryFaults::is_none")]
    pub discovery: DiscoveryFaults,
    /// Who is there.
    pub hosts: Vec<HostSpec>,
    /// What is wrong with ways from the start on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkSpec>,
    /// What users do.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub workload: Vec<Timed<Work>>,
    /// What goes wrong.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<Timed<Fault>>,
    /// What has to be the case in the end, beside the invariants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expect>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// Tells the line, and what to do about it.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError::syntax(text, &error))?;
        match scenario.check() {
            Ok(()) => Ok(scenario),
            Err(error) => Err(error.locate(text)),
        }
    }

    /// Writes a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("tables with text keys, and integers that `check` has bounded")
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// Tells what does not, and what to do about it.
    pub fn check(&self) -> Result<(), ScenarioError> {
        check::check(self)
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// When faults end.
    #[must_use]
    pub fn heal_at(&self) -> Duration {
        Duration::from_millis(self.heal_at_ms)
    }

    /// The host of this name; also one of a crowd.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostSpec> {
        self.hosts.iter().find(|host| host.is(name))
    }

    /// The names of all hosts, in their order, with all members of crowds.
    pub fn host_names(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().flat_map(HostSpec::members)
    }
}

fn one() -> u64 {
    1
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Longer than it takes to tell of what has just happened.
pub(crate) const REST_MS: u64 = 2_000;

fn rest() -> u64 {
    REST_MS
}

fn is_rest(value: &u64) -> bool {
    *value == REST_MS
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}
