use super::{Dice, Names};
use crate::scenario::{DiscoveryFaults, Fault, HostSpec, LinkSpec, Timed};
use crate::{BurstLoss, LinkFaults, Runs, Scenario, known_points};

/// What can go wrong in the course of a scenario.
const KINDS: [&str; 16] = [
    "partition",
    "oneway",
    "hold",
    "crash",
    "power_loss",
    "latency",
    "link",
    "cancel",
    "slow_consumer",
    "disk_full",
    "go_away",
    "slept",
    "clock_step",
    "panic_at",
    "crash_at",
    "stop_at",
];

pub(super) fn add(dice: &mut Dice, scenario: &mut Scenario) {
    let names = Names::of(scenario);
    let pairs = names.pairs();
    if dice.chance(0.3) && !names.nodes.is_empty() {
        scenario.discovery = discovery(dice);
    }
    for (a, b) in pairs.iter().filter(|(a, b)| names.speak_quic(a, b)) {
        for (from, to) in [(a, b), (b, a)] {
            if dice.chance(0.7) {
                let faults = link(dice);
                scenario.links.push(LinkSpec { from: from.clone(), to: to.clone(), both: false, faults });
            }
        }
    }
    for kind in KINDS {
        if dice.chance(0.5) {
            continue;
        }
        for _ in 0..dice.log_uniform(1, 6) {
            // Early as often as late: fetches begin at the start, and most are over soon.
            let at_ms = dice.log_uniform(100, scenario.heal_at_ms.saturating_sub(1));
            if let Some(fault) = fault(dice, kind, &names, &pairs, scenario) {
                // What waits for its point waits best from the start.
                let at_ms = if fault.point().is_some() && dice.chance(0.6) { 0 } else { at_ms };
                scenario.plan.push(Timed::at(at_ms, fault));
            }
        }
    }
    scenario.plan.sort_by_key(|timed| timed.at_ms);
}

/// `None` if there is nobody to strike.
fn fault(dice: &mut Dice, kind: &str, names: &Names, pairs: &[(String, String)], scenario: &Scenario) -> Option<Fault> {
    let for_ms = Some(dice.log_uniform(50, 20_000));
    let (a, b) = dice.pick(pairs);
    let (a, b) = if dice.chance(0.5) { (a, b) } else { (b, a) };
    let one_of = |dice: &mut Dice, hosts: &[String]| (!hosts.is_empty()).then(|| dice.pick(hosts));
    Some(match kind {
        "partition" => Fault::Partition { a, b, for_ms },
        "oneway" => Fault::Oneway { from: a, to: b, for_ms },
        "hold" => Fault::Hold { a, b, for_ms },
        "crash" => Fault::Crash { host: dice.pick(&names.all()), for_ms },
        "power_loss" => Fault::PowerLoss { host: one_of(dice, &names.nodes)?, for_ms },
        "latency" => Fault::Latency { a, b, ms: dice.log_uniform(1, 2_000), for_ms },
        "link" if names.speak_quic(&a, &b) => Fault::Link { from: a, to: b, faults: link(dice), for_ms },
        "cancel" => {
            let host = one_of(dice, &names.nodes)?;
            let items: Vec<String> =
                scenario.hosts.iter().flat_map(HostSpec::items).map(|item| item.name.clone()).collect();
            Fault::Cancel { host, item: dice.pick(&items) }
        }
        "slow_consumer" => {
            let readers: Vec<String> = names.nodes.iter().chain(&names.users).cloned().collect();
            Fault::SlowConsumer { host: one_of(dice, &readers)?, for_ms }
        }
        "disk_full" => Fault::DiskFull { host: one_of(dice, &names.nodes)?, for_ms },
        "go_away" => {
            let host = one_of(dice, &names.servers)?;
            let restart_ms = Some(dice.log_uniform(50, 5_000));
            let (spread_ms, deadline_ms) = (dice.log_uniform(1, 3_000), dice.log_uniform(100, 10_000));
            Fault::GoAway { host, spread_ms, deadline_ms, restart_ms }
        }
        "clock_step" => Fault::ClockStep { host: dice.pick(&names.all()), ms: super::people::signed(dice, 4_000_000) },
        "slept" => Fault::Slept { host: one_of(dice, &names.users)?, ms: dice.log_uniform(100, 100_000) },
        "panic_at" => {
            let (host, point, nth) = place(dice, names);
            Fault::PanicAt { host, point, nth }
        }
        "crash_at" => {
            let (host, point, nth) = place(dice, names);
            Fault::CrashAt { host, point, nth, for_ms }
        }
        "stop_at" => {
            let (host, point, nth) = place(dice, names);
            // Without a server nobody gets anywhere.
            let returns = names.servers.contains(&host) || dice.chance(0.7);
            Fault::StopAt { host, point, nth, for_ms: for_ms.filter(|_| returns) }
        }
        _ => return None,
    })
}

/// A host, one of its points, and which time it is reached: mostly one of the first.
fn place(dice: &mut Dice, names: &Names) -> (String, String, u64) {
    let host = dice.pick(&names.all());
    let runs = match &host {
        node if names.nodes.contains(node) => Runs::Node,
        server if names.servers.contains(server) => Runs::Server,
        _ => Runs::User,
    };
    let points: Vec<String> = known_points(runs).into_iter().collect();
    (host, dice.pick(&points), dice.log_uniform(1, 20))
}

fn link(dice: &mut Dice) -> LinkFaults {
    let mut faults = LinkFaults::default();
    if dice.chance(0.5) {
        faults.loss = dice.log_uniform_f64(0.001, 0.2);
    }
    if dice.chance(0.2) {
        let (enter, leave) = (dice.log_uniform_f64(0.001, 0.05), dice.log_uniform_f64(0.02, 0.5));
        faults.burst = Some(BurstLoss { enter, leave, loss: 0.9 });
    }
    if dice.chance(0.3) {
        faults.duplicate = dice.log_uniform_f64(0.001, 0.3);
    }
    if dice.chance(0.3) {
        faults.corrupt = dice.log_uniform_f64(0.0005, 0.05);
    }
    if dice.chance(0.4) {
        faults.jitter_ms = dice.log_uniform_f64(1.0, 100.0).round();
    }
    if dice.chance(0.3) {
        faults.latency_ms = dice.log_uniform_f64(1.0, 200.0).round();
    }
    if dice.chance(0.7) {
        // Slow ones mostly: what is over in a blink cannot be disturbed.
        faults.rate_kbit = Some(dice.log_uniform(500, 50_000));
    }
    if dice.chance(0.2) {
        faults.mtu = dice.pick(&[1280, 1300, 1400, 1492]);
    }
    faults
}

fn discovery(dice: &mut Dice) -> DiscoveryFaults {
    DiscoveryFaults {
        loss: if dice.chance(0.5) { dice.log_uniform_f64(0.01, 0.4) } else { 0.0 },
        duplicate: if dice.chance(0.5) { dice.log_uniform_f64(0.01, 0.5) } else { 0.0 },
        goodbye_loss: if dice.chance(0.3) { 1.0 } else { 0.0 },
        flap: if dice.chance(0.5) { dice.log_uniform_f64(0.01, 0.4) } else { 0.0 },
        delay_ms: dice.log_uniform(1, 500),
    }
}
