use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::scenario::{HostSpec, ItemSpec};
use crate::{Lab, LabConfig, NodeHost, NodeSpec, Scenario, ServerHost, ServerSpec, Tokens, UserHost, UserSpec};

/// How old what is shared from the start on is then: nothing that is hashed again because it is fresh.
const OLD: Duration = Duration::from_secs(3600);

/// Everybody who is there, by name.
pub(crate) struct Cast {
    pub(crate) nodes: BTreeMap<String, NodeHost>,
    pub(crate) servers: BTreeMap<String, ServerHost>,
    pub(crate) users: BTreeMap<String, UserHost>,
}

impl Cast {
    /// Sets up the hosts of a scenario, and what is wrong from the start on.
    pub(super) fn assemble(scenario: &Scenario, config: LabConfig) -> io::Result<(Lab, Self)> {
        let mut lab = Lab::new(LabConfig {
            tick: Duration::from_millis(scenario.tick_ms),
            latency: Duration::from_millis(scenario.latency_ms),
            discovery: scenario.discovery.config(),
            ..config
        });
        let mut cast = Self { nodes: BTreeMap::new(), servers: BTreeMap::new(), users: BTreeMap::new() };
        // Nodes first: only so many hosts can speak TLS, counted from the first.
        let is_node = |host: &&HostSpec| matches!(host, HostSpec::Node { .. });
        let (nodes, others): (Vec<_>, Vec<_>) = scenario.hosts.iter().partition(is_node);
        for host in nodes.into_iter().chain(others) {
            cast.add(&mut lab, host)?;
            if host.clock_skew_ms() != 0 {
                host.members().for_each(|name| lab.step_clock(&name, host.clock_skew_ms()));
            }
        }
        for link in &scenario.links {
            lab.set_way(&link.from, &link.to, link.faults.clone());
            if link.both {
                lab.set_way(&link.to, &link.from, link.faults.clone());
            }
        }
        Ok((lab, cast))
    }

    fn add(&mut self, lab: &mut Lab, host: &HostSpec) -> io::Result<()> {
        match host {
            HostSpec::Node { name, share, event_queue, knows, rooms, finds, lies, .. } => {
                let mut spec = if share.is_empty() { NodeSpec::default() } else { NodeSpec::sharing() };
                spec = knows.iter().fold(spec, |spec, other| spec.knowing(other));
                for room in rooms {
                    spec = spec.in_room(room.servers.iter().map(|server| ServerHost::url_of(server)), &room.room);
                }
                spec = if *finds { spec } else { spec.without_discovery() };
                spec = if *lies { spec.lying() } else { spec };
                if let Some(events) = *event_queue {
                    spec = spec.configure(move |config| config.limits.events = events);
                }
                let node = lab.node(name, spec);
                share.iter().try_for_each(|item| write_item(&node, "share", item, OLD))?;
                self.nodes.insert(name.clone(), node);
            }
            HostSpec::Server { name, resume_window_ms, accept_rate, replay_capacity, tokens, .. } => {
                let (window, rate, replay) = (*resume_window_ms, *accept_rate, *replay_capacity);
                let spec = ServerSpec::default().configure(move |config| {
                    if let Some(ms) = window {
                        config.resume_window = Duration::from_millis(ms);
                    }
                    config.accept_rate = rate.unwrap_or(config.accept_rate);
                    config.limits.replay_capacity = replay.unwrap_or(config.limits.replay_capacity);
                });
                let spec = if *tokens { spec.asking_for_tokens() } else { spec };
                self.servers.insert(name.clone(), lab.server(name, spec));
            }
            HostSpec::User { servers, room, crowd, .. } => {
                let members = host.members().map(|name| {
                    // Servers may come later in the file, and their addresses are made of their names.
                    let mut urls = servers.iter().map(|server| ServerHost::url_of(server));
                    let first = UserSpec::joining(urls.next().unwrap_or_default(), room);
                    let spec = configured(urls.fold(first, UserSpec::or), host, &name);
                    (name, spec)
                });
                let users = match crowd {
                    Some(_) => lab.crowd(host.name(), members),
                    None => members.map(|(name, spec)| lab.user(&name, spec)).collect(),
                };
                self.users.extend(users.into_iter().map(|user| (user.name().to_owned(), user)));
            }
        }
        Ok(())
    }
}

fn configured(spec: UserSpec, host: &HostSpec, name: &str) -> UserSpec {
    let HostSpec::User { steady, deadline_ms, event_queue, token_ttl_ms, renews, .. } = host else { return spec };
    let tokens = token_ttl_ms.map(|ms| Tokens { ttl: Duration::from_millis(ms), renews: *renews });
    let spec = tokens.map_or(spec.clone(), |tokens| spec.tokens(tokens));
    let (identity, deadline, events) = (steady.then(|| name.to_owned()), *deadline_ms, *event_queue);
    spec.configure(move |config| {
        if let Some(identity) = &identity {
            config.machine.info.identity.clone_from(identity);
        }
        if let Some(ms) = deadline {
            config.machine.timers.deadline = Some(Duration::from_millis(ms));
        }
        config.event_queue = events.unwrap_or(config.event_queue);
    })
}

/// Puts an item of this age below a folder of a host.
pub(super) fn write_item(node: &NodeHost, below: &str, item: &ItemSpec, age: Duration) -> io::Result<()> {
    let place = Path::new(below).join(&item.name);
    std::fs::create_dir_all(node.folder().path(&place))?;
    for (file, len) in &item.files {
        node.folder().write_aged(place.join(file), &item.content(file, *len), age)?;
    }
    Ok(())
}
