//! Scenarios from seeds: each a random handful of hosts, kinds of faults, and rates.
//!
//! A scenario with every kind of fault in it tests little, because each hides the others. So each seed leaves out about half of the
//! kinds, and how often one strikes and how long it lasts is drawn log-uniformly: from once to often, from a blink to many seconds.

mod dice;
mod faults;
mod people;

use std::collections::BTreeMap;

use crate::scenario::{DiscoveryFaults, HostSpec, REST_MS, SCENARIO_VERSION};
use crate::{Scenario, Seeds};

use dice::Dice;

/// From when everything is healed until everything has to be well. The longest chain: a silence is noticed after 12 s, a client tries
/// for 30 s, a session is kept for 10 s more, and a fetch goes on after that.
const HEALS_WITHIN_MS: u64 = 120_000;

/// Long enough to see whether nodes lose each other for nothing.
const LONG_REST_MS: u64 = 60_000;

/// The scenario of a seed.
#[must_use]
pub fn swarm(seed: u64) -> Scenario {
    let mut dice = Dice::new(Seeds::new(seed).derive(&["swarm"]));
    let hosts = people::hosts(&mut dice);
    let heal_at_ms = dice.log_uniform(3_000, 40_000);
    let only_rooms = hosts.iter().all(|host| !matches!(host, HostSpec::Node { .. }));
    let mut scenario = Scenario {
        version: SCENARIO_VERSION,
        name: format!("swarm-{seed}"),
        proves: String::new(),
        // TOML has no integers beyond this.
        seed: seed & (u64::MAX >> 1),
        // Most of what a simulation costs it costs by the step.
        tick_ms: if only_rooms { dice.pick(&[1, 2, 5, 10]) } else { dice.pick(&[1, 2, 5]) },
        latency_ms: dice.log_uniform(1, 40),
        heal_at_ms,
        duration_ms: heal_at_ms + HEALS_WITHIN_MS,
        rest_ms: REST_MS,
        revive: true,
        except: Vec::new(),
        yields: 0.0,
        discovery: DiscoveryFaults::default(),
        hosts,
        links: Vec::new(),
        workload: Vec::new(),
        plan: Vec::new(),
        expect: Vec::new(),
    };
    scenario.workload = people::workload(&mut dice, &scenario);
    faults::add(&mut dice, &mut scenario);
    if dice.chance(0.2) {
        scenario.yields = dice.log_uniform_f64(0.005, 0.3);
    }
    if !only_rooms && dice.chance(0.1) {
        scenario.rest_ms = LONG_REST_MS;
    }
    scenario
}

/// The hosts of each kind.
struct Names {
    nodes: Vec<String>,
    servers: Vec<String>,
    users: Vec<String>,
    /// The servers of each user and each node.
    homes: BTreeMap<String, Vec<String>>,
}

impl Names {
    fn of(scenario: &Scenario) -> Self {
        let mut names = Self { nodes: Vec::new(), servers: Vec::new(), users: Vec::new(), homes: BTreeMap::new() };
        for host in &scenario.hosts {
            let name = host.name().to_owned();
            match host {
                HostSpec::Node { rooms, .. } => {
                    let homes = rooms.iter().flat_map(|room| room.servers.iter().cloned()).collect();
                    names.homes.insert(name.clone(), homes);
                    names.nodes.push(name);
                }
                HostSpec::Server { .. } => names.servers.push(name),
                HostSpec::User { servers, .. } => {
                    names.homes.insert(name.clone(), servers.clone());
                    names.users.push(name);
                }
            }
        }
        names
    }

    /// Those who have something to say to each other.
    fn pairs(&self) -> Vec<(String, String)> {
        let nodes = self.nodes.iter().enumerate().flat_map(|(index, node)| {
            self.nodes.iter().skip(index + 1).map(move |other| (node.clone(), other.clone()))
        });
        let homes =
            self.homes.iter().flat_map(|(user, servers)| servers.iter().map(move |home| (user.clone(), home.clone())));
        nodes.chain(homes).collect()
    }

    /// Whether datagrams go between them.
    fn speak_quic(&self, a: &str, b: &str) -> bool {
        [a, b].iter().all(|name| self.nodes.iter().any(|node| node == name))
    }

    fn all(&self) -> Vec<String> {
        self.nodes.iter().chain(&self.servers).chain(&self.users).cloned().collect()
    }
}
