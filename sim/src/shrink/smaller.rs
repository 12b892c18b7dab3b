//! Scenarios that are a step smaller. Each list ends: no step can be taken for ever.

use crate::scenario::{DiscoveryFaults, Expect, Fault, HostSpec, Work};
use crate::{LinkFaults, Scenario};

/// What users do is not moved closer to the start than this: they have to come in first.
const EARLIEST_MS: u64 = 100;

/// Each link with one fault less, and discovery without any.
pub(super) fn links(scenario: &Scenario) -> Vec<Scenario> {
    let clean = LinkFaults::default();
    let zeros: [fn(&mut LinkFaults, &LinkFaults); 8] = [
        |faults, clean| faults.loss = clean.loss,
        |faults, _| faults.burst = None,
        |faults, clean| faults.duplicate = clean.duplicate,
        |faults, clean| faults.corrupt = clean.corrupt,
        |faults, clean| faults.jitter_ms = clean.jitter_ms,
        |faults, clean| faults.latency_ms = clean.latency_ms,
        |faults, clean| (faults.rate_kbit, faults.queue_kib) = (clean.rate_kbit, clean.queue_kib),
        |faults, clean| faults.mtu = clean.mtu,
    ];
    let mut out = Vec::new();
    let count = scenario.clone().all_link_faults().len();
    for index in 0..count {
        for zero in zeros {
            let mut candidate = scenario.clone();
            if let Some(faults) = candidate.all_link_faults().into_iter().nth(index) {
                zero(faults, &clean);
            }
            out.push(candidate);
        }
    }
    out.push(Scenario { yields: 0.0, ..scenario.clone() });
    out.push(Scenario { discovery: DiscoveryFaults::default(), ..scenario.clone() });
    out.retain(|candidate| candidate != scenario);
    out
}

/// One host less each, with everything that names it.
pub(super) fn hosts(scenario: &Scenario) -> Vec<Scenario> {
    let mut out: Vec<Scenario> = scenario.hosts.iter().map(|host| without(scenario, host)).collect();
    for (index, host) in scenario.hosts.iter().enumerate() {
        if let HostSpec::User { crowd: Some(crowd @ 2..), .. } = host {
            let mut candidate = scenario.clone();
            if let HostSpec::User { crowd: fewer, .. } = &mut candidate.hosts[index] {
                *fewer = Some(crowd / 2);
            }
            out.push(candidate);
        }
        for plainer in plainer(host) {
            let mut candidate = scenario.clone();
            candidate.hosts[index] = plainer;
            out.push(candidate);
        }
    }
    out
}

/// The same host with one peculiarity less each.
fn plainer(host: &HostSpec) -> Vec<HostSpec> {
    let plain: [fn(&mut HostSpec); 6] = [
        |host| match host {
            HostSpec::Node { clock_skew_ms, .. }
            | HostSpec::Server { clock_skew_ms, .. }
            | HostSpec::User { clock_skew_ms, .. } => *clock_skew_ms = 0,
        },
        |host| match host {
            HostSpec::Node { event_queue, .. } | HostSpec::User { event_queue, .. } => *event_queue = None,
            HostSpec::Server { replay_capacity, .. } => *replay_capacity = None,
        },
        |host| match host {
            HostSpec::Node { knows, .. } => knows.clear(),
            HostSpec::Server { resume_window_ms, .. } => *resume_window_ms = None,
            HostSpec::User { deadline_ms, .. } => *deadline_ms = None,
        },
        |host| match host {
            HostSpec::Node { rooms, .. } => rooms.clear(),
            HostSpec::Server { tokens, .. } => *tokens = false,
            HostSpec::User { steady, .. } => *steady = false,
        },
        |host| match host {
            HostSpec::Node { lies, .. } => *lies = false,
            HostSpec::Server { accept_rate, .. } => *accept_rate = None,
            HostSpec::User { renews, .. } => *renews = true,
        },
        |host| match host {
            HostSpec::Node { share, .. } => share.clear(),
            HostSpec::User { token_ttl_ms, .. } => *token_ttl_ms = None,
            HostSpec::Server { .. } => {}
        },
    ];
    let mut out = Vec::new();
    for make in plain {
        let mut candidate = host.clone();
        make(&mut candidate);
        out.push(candidate);
    }
    out.retain(|candidate| candidate != host);
    out
}

fn without(scenario: &Scenario, host: &HostSpec) -> Scenario {
    let gone: Vec<String> = host.members().collect();
    let is_gone = |name: &str| gone.iter().any(|gone| gone == name);
    let mut left = scenario.clone();
    left.hosts.retain(|other| other.name() != host.name());
    for other in &mut left.hosts {
        match other {
            HostSpec::User { servers, .. } => servers.retain(|server| !is_gone(server)),
            HostSpec::Node { knows, rooms, .. } => {
                knows.retain(|known| !is_gone(known));
                rooms.iter_mut().for_each(|room| room.servers.retain(|server| !is_gone(server)));
                rooms.retain(|room| !room.servers.is_empty());
            }
            HostSpec::Server { .. } => {}
        }
    }
    left.links.retain(|link| !is_gone(&link.from) && !is_gone(&link.to));
    left.workload.retain(|timed| !timed.what.hosts().any(is_gone));
    left.plan.retain(|timed| !timed.what.hosts().into_iter().any(is_gone));
    left.expect.retain(|expect| !matches!(expect, Expect::Fetched { host, .. } if is_gone(host)));
    left
}

/// Fewer and shorter messages, fewer and shorter files, shorter faults, points that are reached less often.
pub(super) fn amounts(scenario: &Scenario) -> Vec<Scenario> {
    let mut out = Vec::new();
    for index in 0..scenario.workload.len() {
        let mut fewer = scenario.clone();
        let mut shorter = scenario.clone();
        if let Work::Send { count, .. } = &mut fewer.workload[index].what {
            *count = (*count / 2).max(1);
        }
        if let Work::Send { bytes, .. } = &mut shorter.workload[index].what {
            *bytes /= 2;
        }
        out.extend([fewer, shorter]);
    }
    let items: Vec<String> = scenario.hosts.iter().flat_map(HostSpec::items).map(|item| item.name.clone()).collect();
    for name in items {
        let files = scenario.hosts.iter().flat_map(HostSpec::items).find(|item| item.name == name);
        for file in files.into_iter().flat_map(|item| item.files.keys()) {
            // Whoever shares it shares the same of it.
            for half in [false, true] {
                let mut candidate = scenario.clone();
                for item in candidate.all_items().into_iter().filter(|item| item.name == name) {
                    if half {
                        item.files.entry(file.clone()).and_modify(|len| *len /= 2);
                    } else {
                        item.files.remove(file);
                    }
                }
                out.push(candidate);
            }
        }
    }
    for index in 0..scenario.plan.len() {
        let mut candidate = scenario.clone();
        if let Some(for_ms) = candidate.plan[index].what.lasts_mut() {
            *for_ms = halfway(*for_ms, 50);
        }
        out.push(candidate);
        let mut candidate = scenario.clone();
        if let Some(nth) = candidate.plan[index].what.nth_mut() {
            *nth = halfway(*nth, 1);
        }
        out.push(candidate);
    }
    out.retain(|candidate| candidate != scenario);
    out
}

/// An earlier end of the faults, and earlier faults and work.
pub(super) fn times(scenario: &Scenario) -> Vec<Scenario> {
    let mut out = Vec::new();
    let busy =
        scenario.plan.iter().map(|timed| timed.at_ms + 1).chain(scenario.workload.iter().map(|timed| timed.at_ms));
    let earliest = busy.max().unwrap_or(0).max(EARLIEST_MS);
    for heal_at_ms in [earliest, halfway(scenario.heal_at_ms, earliest)] {
        let duration_ms = scenario.duration_ms - (scenario.heal_at_ms.saturating_sub(heal_at_ms));
        out.push(Scenario { heal_at_ms, duration_ms, ..scenario.clone() });
    }
    for index in 0..scenario.plan.len() {
        let mut candidate = scenario.clone();
        candidate.plan[index].at_ms = halfway(candidate.plan[index].at_ms, EARLIEST_MS);
        out.push(candidate);
    }
    for index in 0..scenario.workload.len() {
        let mut candidate = scenario.clone();
        candidate.workload[index].at_ms = halfway(candidate.workload[index].at_ms, EARLIEST_MS);
        out.push(candidate);
    }
    out.retain(|candidate| candidate != scenario);
    out
}

/// Never further away than before.
fn halfway(from: u64, to: u64) -> u64 {
    if from <= to { from } else { to + (from - to) / 2 }
}

impl Scenario {
    fn all_link_faults(&mut self) -> Vec<&mut LinkFaults> {
        let from_the_start = self.links.iter_mut().map(|link| &mut link.faults);
        let planned = self.plan.iter_mut().filter_map(|timed| match &mut timed.what {
            Fault::Link { faults, .. } => Some(faults),
            _ => None,
        });
        from_the_start.chain(planned).collect()
    }

    fn all_items(&mut self) -> Vec<&mut crate::scenario::ItemSpec> {
        let shared = self.hosts.iter_mut().filter_map(|host| match host {
            HostSpec::Node { share, .. } => Some(share.iter_mut()),
            _ => None,
        });
        let added = self.workload.iter_mut().filter_map(|timed| match &mut timed.what {
            Work::Share { item, .. } => Some(item),
            _ => None,
        });
        shared.flatten().chain(added).collect()
    }
}
