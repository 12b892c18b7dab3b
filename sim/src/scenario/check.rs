//! Whether a scenario makes sense: names that exist, chances that are chances, times in their order.

use std::collections::BTreeSet;

use super::{Expect, Fault, HostSpec, ItemSpec, SCENARIO_VERSION, Scenario, ScenarioError, Work};
use crate::{LinkFaults, MAX_TLS_HOSTS, invariant, known_points};

/// Bytes of all items together: they stand in memory, and on a disk for each host.
const MAX_BYTES: u64 = 1 << 30;

/// Messages of one entry; each is an entry of the agenda.
const MAX_COUNT: u64 = 100_000;
/// Bytes of a message: what a server takes is less.
const MAX_MESSAGE: usize = 1 << 20;
/// Below it there is no QUIC: a datagram with its headers is larger.
const MIN_MTU: u16 = 1228;

/// A task that always lets others go first never gets anywhere.
const MAX_YIELDS: f64 = 0.9;

type Checked = Result<(), ScenarioError>;

pub(super) fn check(scenario: &Scenario) -> Checked {
    general(scenario)?;
    hosts(scenario)?;
    for (index, link) in scenario.links.iter().enumerate() {
        let at = |message: String| ScenarioError::at("[[links]]", index, message);
        known(scenario, &link.from).and_then(|()| known(scenario, &link.to)).map_err(at)?;
        two(&link.from, &link.to).map_err(at)?;
        faults(&link.faults).map_err(at)?;
    }
    for (index, timed) in scenario.workload.iter().enumerate() {
        let at = |message: String| ScenarioError::at("[[workload]]", index, message);
        work(scenario, &timed.what).map_err(at)?;
        if timed.at_ms > scenario.heal_at_ms {
            return Err(at(format!("at_ms is after heal_at_ms = {}; choose an earlier time", scenario.heal_at_ms)));
        }
    }
    for (index, timed) in scenario.plan.iter().enumerate() {
        let at = |message: String| ScenarioError::at("[[plan]]", index, message);
        fault(scenario, &timed.what).map_err(at)?;
        if timed.at_ms >= scenario.heal_at_ms {
            return Err(at(format!(
                "at_ms is not before heal_at_ms = {}; choose an earlier time",
                scenario.heal_at_ms
            )));
        }
    }
    for (index, expect) in scenario.expect.iter().enumerate() {
        if let Expect::Fetched { host, item } = expect {
            let known = node(scenario, host).and_then(|()| shared(scenario, item));
            known.map_err(|message| ScenarioError::at("[[expect]]", index, message))?;
        }
    }
    Ok(())
}

fn general(scenario: &Scenario) -> Checked {
    let wrong = |message: String| Err(ScenarioError::general(message));
    if scenario.version != SCENARIO_VERSION {
        return wrong(format!(
            "version is {}, and this program reads version {SCENARIO_VERSION}; use the program that wrote the file",
            scenario.version
        ));
    }
    if i64::try_from(scenario.seed).is_err() {
        return wrong("seed is 2^63 or more, which TOML does not hold; choose a smaller one".into());
    }
    if scenario.tick_ms == 0 || scenario.latency_ms == 0 {
        return wrong("tick_ms and latency_ms are at least 1; make them 1".into());
    }
    if scenario.duration_ms <= scenario.heal_at_ms {
        return wrong(
            "duration_ms has to be later than heal_at_ms, or nothing has time to become well; raise it".into(),
        );
    }
    if let Some(unknown) = scenario.except.iter().find(|name| !invariant::names().any(|known| known == **name)) {
        let known: Vec<_> = invariant::names().collect();
        return wrong(format!("except: there is no invariant {unknown}; choose from {}", known.join(", ")));
    }
    if !(0.0..=MAX_YIELDS).contains(&scenario.yields) {
        return wrong(format!("yields = {} is not from 0 to {MAX_YIELDS}; choose another", scenario.yields));
    }
    for (name, chance) in scenario.discovery.chances() {
        is_chance(name, chance).map_err(|message| ScenarioError::at("[discovery]", 0, message))?;
    }
    Ok(())
}

fn hosts(scenario: &Scenario) -> Checked {
    let mut names = BTreeSet::new();
    for (index, host) in scenario.hosts.iter().enumerate() {
        let at = |message: String| ScenarioError::at("[[hosts]]", index, message);
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !plain(host.name()) {
            return Err(at(format!("the name {:?} is not made of a to z, 0 to 9 and -; choose another", host.name())));
        }
        for member in host.members() {
            if !names.insert(member.clone()) {
                return Err(at(format!("there is a host {member} already; choose another name")));
            }
        }
        match host {
            HostSpec::User { servers: names, token_ttl_ms, .. } => {
                servers(scenario, names, token_ttl_ms.is_some()).map_err(at)?;
            }
            HostSpec::Node { name, knows, rooms, .. } => {
                acquaintances(scenario, name, knows).map_err(at)?;
                rooms.iter().try_for_each(|room| servers(scenario, &room.servers, false)).map_err(at)?;
            }
            HostSpec::Server { .. } => {}
        }
        host.items().iter().try_for_each(item).map_err(at)?;
    }
    if names.is_empty() {
        return Err(ScenarioError::general("there are no hosts; add a [[hosts]]"));
    }
    let nodes = scenario.hosts.iter().filter(|host| matches!(host, HostSpec::Node { .. })).count();
    if nodes > MAX_TLS_HOSTS {
        return Err(ScenarioError::general(format!("{nodes} nodes are more than {MAX_TLS_HOSTS}; remove some")));
    }
    let bytes: u64 = scenario.hosts.iter().flat_map(HostSpec::items).map(ItemSpec::bytes).fold(0, u64::saturating_add);
    if bytes > MAX_BYTES {
        return Err(ScenarioError::general(format!("{bytes} bytes are shared, more than {MAX_BYTES}; share less")));
    }
    Ok(())
}

/// The servers of a room, for somebody who shows tokens or does not.
fn servers(scenario: &Scenario, names: &[String], shows_tokens: bool) -> Result<(), String> {
    if names.is_empty() {
        return Err("servers is empty; name at least one".into());
    }
    names.iter().try_for_each(|name| match scenario.host(name) {
        Some(HostSpec::Server { tokens: true, .. }) if !shows_tokens => {
            Err(format!("{name} asks for tokens, and there are none; give a user a token_ttl_ms"))
        }
        Some(HostSpec::Server { .. }) => Ok(()),
        _ => Err(format!("there is no server {name}; add a host of kind \"server\"")),
    })
}

fn acquaintances(scenario: &Scenario, own: &str, knows: &[String]) -> Result<(), String> {
    knows.iter().try_for_each(|other| match other == own {
        true => Err(format!("{own} knows itself; name another node")),
        false => node(scenario, other),
    })
}

fn item(item: &ItemSpec) -> Result<(), String> {
    let safe = |path: &str| !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !safe(&item.name) || item.name.contains('/') {
        return Err(format!("{:?} cannot name an item; choose a plain file name", item.name));
    }
    if item.bytes() == 0 {
        return Err(format!("{:?} has no bytes, and all such items are one; give it some", item.name));
    }
    match item.files.keys().find(|path| !safe(path)) {
        Some(path) => Err(format!("{path:?} cannot name a file; write a relative path without . and ..")),
        None => Ok(()),
    }
}

fn work(scenario: &Scenario, work: &Work) -> Result<(), String> {
    match work {
        Work::Share { host, item: what } => {
            node(scenario, host)?;
            item(what)?;
            match scenario.host(host) {
                Some(HostSpec::Node { share, .. }) if share.is_empty() => {
                    Err(format!("{host} has no library; let it share something from the start on"))
                }
                _ => Ok(()),
            }
        }
        Work::Fetch { host, item } => node(scenario, host).and_then(|()| shared(scenario, item)),
        Work::Send { host, count, bytes, .. } => match (count, bytes) {
            (0, _) => Err("count is 0; leave the entry out".into()),
            (1..=MAX_COUNT, 0..=MAX_MESSAGE) => user(scenario, host),
            _ => Err(format!("count is at most {MAX_COUNT}, and bytes at most {MAX_MESSAGE}; send less")),
        },
        Work::Call { host, to, .. } => user(scenario, host).and_then(|()| user(scenario, to)),
        Work::Close { host } => user(scenario, host),
        Work::Stop { host } => match scenario.host(host) {
            Some(HostSpec::Node { .. } | HostSpec::Server { .. }) => Ok(()),
            _ => Err(format!("there is no node or server {host}; a user leaves with close")),
        },
    }
}

fn fault(scenario: &Scenario, fault: &Fault) -> Result<(), String> {
    let hosts = fault.hosts();
    hosts.iter().try_for_each(|host| known(scenario, host))?;
    if let [a, b] = hosts[..] {
        two(a, b)?;
    }
    let is_of_a_crowd = |host: &&&str| matches!(scenario.host(host), Some(HostSpec::User { crowd: Some(_), .. }));
    if let Some(host) = hosts.iter().find(is_of_a_crowd)
        && !matches!(fault, Fault::Slept { .. } | Fault::SlowConsumer { .. })
    {
        return Err(format!(
            "{host} is of a crowd, all of which is on one host; strike its server, or name a user alone"
        ));
    }
    match fault {
        Fault::PanicAt { host, point: name, nth }
        | Fault::CrashAt { host, point: name, nth, .. }
        | Fault::StopAt { host, point: name, nth, .. } => point(scenario, host, name, *nth),
        Fault::Link { faults: wrong, .. } => faults(wrong),
        Fault::Latency { ms: 0, .. } => Err("ms is at least 1; make it 1".into()),
        Fault::Cancel { host, item } => node(scenario, host).and_then(|()| shared(scenario, item)),
        Fault::DiskFull { host, .. } | Fault::PowerLoss { host, .. } => node(scenario, host),
        Fault::Slept { host, .. } => user(scenario, host),
        Fault::GoAway { host, .. } => match scenario.host(host) {
            Some(HostSpec::Server { .. }) => Ok(()),
            _ => Err(format!("there is no server {host}; name one")),
        },
        Fault::SlowConsumer { host, .. } => match scenario.host(host) {
            Some(HostSpec::Server { .. }) => {
                Err(format!("{host} is a server, and reads no events; name a node or a user"))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn point(scenario: &Scenario, host: &str, name: &str, nth: u64) -> Result<(), String> {
    let Some(runs) = scenario.host(host).map(HostSpec::runs) else { return Ok(()) };
    let known = known_points(runs);
    if !known.contains(name) {
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        return Err(format!("{host} has no point {name}; choose from {}", known.join(", ")));
    }
    match nth {
        0 => Err("nth counts from 1; make it 1".into()),
        _ => Ok(()),
    }
}

fn faults(faults: &LinkFaults) -> Result<(), String> {
    is_chance("loss", faults.loss)?;
    is_chance("duplicate", faults.duplicate)?;
    is_chance("corrupt", faults.corrupt)?;
    if let Some(burst) = &faults.burst {
        is_chance("burst.enter", burst.enter)?;
        is_chance("burst.leave", burst.leave)?;
        is_chance("burst.loss", burst.loss)?;
    }
    for (name, ms) in [("jitter_ms", faults.jitter_ms), ("latency_ms", faults.latency_ms)] {
        if !(ms.is_finite() && ms >= 0.0) {
            return Err(format!("{name} = {ms} is no length of time; make it 0 or more"));
        }
    }
    if faults.mtu < MIN_MTU {
        return Err(format!("mtu = {} lets no datagram of QUIC through; make it {MIN_MTU} or more", faults.mtu));
    }
    match faults.rate_kbit {
        Some(0) => Err("rate_kbit = 0 lets nothing through; use a partition for that".into()),
        _ => Ok(()),
    }
}

fn is_chance(name: &str, chance: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&chance) {
        Ok(())
    } else {
        Err(format!("{name} = {chance} is no probability; choose from 0 to 1"))
    }
}

fn two(a: &str, b: &str) -> Result<(), String> {
    if a == b { Err(format!("{a} is named twice; name two hosts")) } else { Ok(()) }
}

/// Whether somebody shares it at some time.
fn shared(scenario: &Scenario, item: &str) -> Result<(), String> {
    let begun = scenario.workload.iter().filter_map(|timed| match &timed.what {
        Work::Share { item, .. } => Some(item),
        _ => None,
    });
    let names: BTreeSet<&str> =
        scenario.hosts.iter().flat_map(HostSpec::items).chain(begun).map(|item| &*item.name).collect();
    if names.contains(item) {
        return Ok(());
    }
    let names: Vec<_> = names.into_iter().collect();
    Err(format!("nobody shares {item:?}; choose from {}", names.join(", ")))
}

fn known(scenario: &Scenario, host: &str) -> Result<(), String> {
    match scenario.host(host) {
        Some(_) => Ok(()),
        None => {
            let names: Vec<_> = scenario.hosts.iter().map(HostSpec::name).collect();
            Err(format!("there is no host {host}; choose from {}", names.join(", ")))
        }
    }
}

fn node(scenario: &Scenario, host: &str) -> Result<(), String> {
    match scenario.host(host) {
        Some(HostSpec::Node { .. }) => Ok(()),
        _ => Err(format!("there is no node {host}; name one")),
    }
}

fn user(scenario: &Scenario, host: &str) -> Result<(), String> {
    match scenario.host(host) {
        Some(HostSpec::User { .. }) => Ok(()),
        _ => Err(format!("there is no user {host}; name one")),
    }
}
