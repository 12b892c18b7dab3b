use super::{Dice, Names};
use crate::Scenario;
use crate::scenario::{Class, HostSpec, ItemSpec, RoomSpec, Timed, Work};

const NODES: [&str; 4] = ["ann", "bob", "cem", "dan"];
const USERS: [&str; 4] = ["uma", "vic", "wes", "xia"];
const SERVERS: [&str; 2] = ["hub", "den"];
const ITEMS: [&str; 2] = ["song", "game"];

/// Two to five hosts: nodes, rooms, or both.
pub(super) fn hosts(dice: &mut Dice) -> Vec<HostSpec> {
    let kind = dice.pick(&["nodes", "nodes", "rooms", "rooms", "both", "met"]);
    let mut hosts = Vec::new();
    if kind != "rooms" {
        let count = match kind {
            "both" => 2,
            "met" => dice.between(2, 3),
            _ => dice.between(2, 4),
        };
        nodes(dice, usize::try_from(count).unwrap_or(2), &mut hosts);
    }
    let users = match kind {
        "nodes" => None,
        "met" => Some(0),
        "both" => Some(2),
        _ => Some(dice.between(2, 4)),
    };
    if let Some(users) = users {
        // Nodes have no tokens.
        let tokens = kind == "rooms" && dice.chance(0.4);
        rooms(dice, usize::try_from(users).unwrap_or(2), tokens, &mut hosts);
    }
    if kind == "met" || (kind == "both" && dice.chance(0.3)) {
        meet(dice, &mut hosts);
    }
    if dice.chance(0.4) {
        acquaint(dice, &mut hosts);
    }
    hosts
}

/// Nodes come into the room; some of them find each other nowhere else.
fn meet(dice: &mut Dice, hosts: &mut [HostSpec]) {
    let is_server = |host: &&HostSpec| matches!(host, HostSpec::Server { .. });
    let servers: Vec<String> = hosts.iter().filter(is_server).map(|host| host.name().to_owned()).collect();
    for host in hosts {
        if let HostSpec::Node { rooms, finds, .. } = host {
            rooms.push(RoomSpec { servers: servers.clone(), room: "room".into() });
            *finds = dice.chance(0.3);
        }
    }
}

/// Users give their nodes the addresses of others: one of two, the other one, or both.
fn acquaint(dice: &mut Dice, hosts: &mut [HostSpec]) {
    let is_node = |host: &&HostSpec| matches!(host, HostSpec::Node { .. });
    let names: Vec<String> = hosts.iter().filter(is_node).map(|host| host.name().to_owned()).collect();
    for host in hosts {
        if let HostSpec::Node { name, knows, finds, .. } = host {
            *knows = names.iter().filter(|other| *other != name && dice.chance(0.6)).cloned().collect();
            *finds &= dice.chance(0.7);
        }
    }
}

fn nodes(dice: &mut Dice, count: usize, hosts: &mut Vec<HostSpec>) {
    let items: Vec<ItemSpec> =
        ITEMS.iter().take(if dice.chance(0.3) { 2 } else { 1 }).map(|name| item(dice, name)).collect();
    let event_queue = dice.chance(0.2).then(|| usize::try_from(dice.log_uniform(2, 64)).unwrap_or(2));
    for (index, name) in NODES.iter().take(count).enumerate() {
        // The first shares all; further ones may have it as well, and the last one has nothing.
        let shares = |dice: &mut Dice| index == 0 || (index + 1 < count && dice.chance(0.6));
        let share: Vec<ItemSpec> = items.iter().filter(|_| shares(dice)).cloned().collect();
        let event_queue = event_queue.filter(|_| index > 0);
        let lies = index > 0 && !share.is_empty() && dice.chance(0.2);
        let name = (*name).to_owned();
        hosts.push(HostSpec::Node {
            name,
            share,
            event_queue,
            knows: Vec::new(),
            rooms: Vec::new(),
            finds: true,
            lies,
            clock_skew_ms: skew(dice),
        });
    }
}

/// Small ones take one chunk, large ones many; what is too large only takes time.
fn item(dice: &mut Dice, name: &str) -> ItemSpec {
    let files = dice.between(1, 3);
    let files = (0..files).map(|number| {
        // Some take long enough for something to happen meanwhile.
        let least = if dice.chance(0.3) { 1 << 20 } else { 1 };
        let len = if dice.chance(0.1) { 0 } else { dice.log_uniform(least, 3 << 20) };
        let place = if dice.chance(0.3) { "deep/" } else { "" };
        (format!("{place}{number}.bin"), len)
    });
    let mut item = ItemSpec { name: name.to_owned(), files: files.collect() };
    if item.bytes() == 0
        && let Some(len) = item.files.values_mut().next()
    {
        *len = 1;
    }
    item
}

fn rooms(dice: &mut Dice, count: usize, tokens: bool, hosts: &mut Vec<HostSpec>) {
    let servers = if dice.chance(0.3) { 2 } else { 1 };
    let servers: Vec<String> = SERVERS.iter().take(servers).map(|name| (*name).to_owned()).collect();
    let resume_window_ms = dice.chance(0.3).then(|| dice.log_uniform(500, 20_000));
    let replay_capacity = dice.chance(0.2).then(|| usize::try_from(dice.log_uniform(4, 256)).unwrap_or(4));
    for name in &servers {
        let (name, clock_skew_ms) = (name.clone(), skew(dice));
        hosts.push(HostSpec::Server {
            name,
            resume_window_ms,
            accept_rate: None,
            replay_capacity,
            tokens,
            clock_skew_ms,
        });
    }
    let steady = dice.chance(0.5);
    let event_queue = dice.chance(0.2).then(|| usize::try_from(dice.log_uniform(2, 64)).unwrap_or(2));
    for name in USERS.iter().take(count) {
        hosts.push(HostSpec::User {
            name: (*name).to_owned(),
            servers: servers.clone(),
            room: "room".into(),
            crowd: None,
            steady,
            deadline_ms: dice.chance(0.2).then(|| dice.log_uniform(1_000, 30_000)),
            event_queue,
            token_ttl_ms: tokens.then(|| dice.log_uniform(20_000, 120_000)),
            renews: !tokens || dice.chance(0.8),
            clock_skew_ms: skew(dice),
        });
    }
}

/// Most clocks are right; those that are not are by anything from a tick to days.
fn skew(dice: &mut Dice) -> i64 {
    if dice.chance(0.3) { signed(dice, 200_000_000) } else { 0 }
}

/// Milliseconds, forward or back.
pub(super) fn signed(dice: &mut Dice, most: u64) -> i64 {
    let ms = i64::try_from(dice.log_uniform(10, most)).unwrap_or(i64::MAX);
    if dice.chance(0.5) { ms } else { -ms }
}

pub(super) fn workload(dice: &mut Dice, scenario: &Scenario) -> Vec<Timed<Work>> {
    let names = Names::of(scenario);
    let mut workload = Vec::new();
    let latest = scenario.heal_at_ms;
    for host in &scenario.hosts {
        match host {
            HostSpec::Node { name, share, .. } => {
                let shared = scenario.hosts.iter().flat_map(HostSpec::items).map(|item| &item.name);
                let mut lacking: Vec<&String> =
                    shared.filter(|item| share.iter().all(|own| own.name != **item)).collect();
                lacking.sort_unstable();
                lacking.dedup();
                for item in lacking {
                    let work = Work::Fetch { host: name.clone(), item: item.clone() };
                    workload.push(Timed::at(early(dice, latest), work));
                }
                if dice.chance(0.03) {
                    workload.push(Timed::at(dice.between(1, latest), Work::Stop { host: name.clone() }));
                }
            }
            HostSpec::User { name, .. } => {
                for _ in 0..dice.between(1, 3) {
                    let work = talk(dice, name);
                    workload.push(Timed::at(dice.between(500, latest), work));
                }
                let others: Vec<String> = names.users.iter().filter(|other| *other != name).cloned().collect();
                for _ in 0..dice.between(0, 3) {
                    let (to, timeout_ms) = (dice.pick(&others), dice.log_uniform(200, 20_000));
                    let call = Work::Call { host: name.clone(), to, timeout_ms };
                    workload.push(Timed::at(dice.between(500, latest), call));
                }
                if dice.chance(0.2) {
                    workload.push(Timed::at(dice.between(500, latest), Work::Close { host: name.clone() }));
                }
            }
            HostSpec::Server { .. } => {}
        }
    }
    workload.sort_by_key(|timed| timed.at_ms);
    workload
}

fn talk(dice: &mut Dice, name: &str) -> Work {
    Work::Send {
        host: name.to_owned(),
        class: dice.pick(&[Class::Reliable, Class::Reliable, Class::Reliable, Class::Latest, Class::Ephemeral]),
        count: dice.log_uniform(1, 60),
        every_ms: dice.log_uniform(1, 500),
        bytes: usize::try_from(dice.log_uniform(1, 4_000)).unwrap_or(1),
    }
}

/// Mostly at the start, so that the faults find something to strike.
fn early(dice: &mut Dice, latest: u64) -> u64 {
    if dice.chance(0.7) { 0 } else { dice.between(0, latest / 2) }
}
