//! Which interfaces are used, and why. No I/O.

use super::Interface;

/// How container, virtual-machine and system software names interfaces that lead to no other machine of this network.
///
/// A trailing `*` stands for anything. Case is ignored. Docker's own bridges, `br-` and twelve hexadecimal digits, are recognised beside these.
pub const VIRTUAL_NAMES: &[&str] = &[
    // Containers
    "docker*",
    "veth*", // and "vEthernet (WSL)" of Hyper-V
    "podman*",
    "cni*",
    "flannel*",
    "cali*",
    "cilium*",
    "lxc*",
    "lxdbr*",
    "incusbr*",
    "kube*",
    "weave*",
    // Virtual machines
    "virbr*",
    "vnet*",
    "vmnet*",
    "vmenet*",
    "vboxnet*",
    "bridge10*",
    // Parts of the system
    "ifb*",
    "dummy*",
    "awdl*",
    "llw*",
    "anpi*",
    "gif*",
    "stf*",
    "sit*",
    "teredo*",
    "isatap*",
];

/// What the user says about interfaces. Names may end in `*`, which stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfacePolicy {
    /// If not empty, these and no others are used, whatever their kind; and loopback does not stand in for them.
    pub include: Vec<String>,
    /// Never used.
    pub exclude: Vec<String>,
    /// Use loopback beside the others, not only when there are no others.
    pub loopback: bool,
}

/// An interface, whether it is used, and why: a phrase to be shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceChoice {
    /// The interface.
    pub interface: Interface,
    /// Whether discovery announces and listens on it.
    pub used: bool,
    /// The rule that decided, for example `point-to-point link (a VPN or tunnel): multicast does not cross it`.
    pub why: String,
}

/// Decides for each interface, in the order given, by the rules in the crate's documentation.
pub fn choose(interfaces: &[Interface], policy: &InterfacePolicy) -> Vec<InterfaceChoice> {
    let mut choices: Vec<InterfaceChoice> = interfaces
        .iter()
        .map(|interface| {
            let (used, why) = match judge(interface, policy) {
                Ok(why) => (true, why),
                Err(why) => (false, why),
            };
            InterfaceChoice { interface: interface.clone(), used, why }
        })
        .collect();
    if policy.include.is_empty() && !choices.iter().any(|choice| choice.used) {
        let excluded = |choice: &InterfaceChoice| matches_any(&choice.interface.name, &policy.exclude).is_some();
        for choice in choices.iter_mut().filter(|c| c.interface.loopback && works(&c.interface).is_ok() && !excluded(c))
        {
            choice.used = true;
            choice.why = "loopback: nothing else is usable, so only programs on this machine are found".into();
        }
    }
    choices
}

fn judge(interface: &Interface, policy: &InterfacePolicy) -> Result<String, String> {
    if let Some(pattern) = matches_any(&interface.name, &policy.exclude) {
        return Err(format!("excluded by name ({pattern})"));
    }
    if !policy.include.is_empty() {
        let pattern = matches_any(&interface.name, &policy.include).ok_or("not among the interfaces named")?;
        return works(interface)
            .map(|()| format!("named ({pattern})"))
            .map_err(|why| format!("named ({pattern}), but {why}"));
    }
    if interface.loopback && !policy.loopback {
        return Err("loopback: leads to this machine only".into());
    }
    works(interface)?;
    if interface.loopback {
        return Ok("loopback, asked for".into());
    }
    if let Some(pattern) = virtual_pattern(&interface.name) {
        return Err(format!("virtual by its name ({pattern}): leads to containers or virtual machines"));
    }
    if let Some(ports) = &interface.bridge_ports {
        if ports.is_empty() {
            return Err("a bridge without ports: leads nowhere".into());
        }
        if ports.iter().all(|port| leads_to_a_guest(port)) {
            return Err("a bridge whose ports lead to containers or virtual machines only".into());
        }
    }
    Ok("up, with an address".into())
}

/// Whether multicast discovery can work there at all.
fn works(interface: &Interface) -> Result<(), &'static str> {
    if !interface.up {
        return Err("down or without carrier");
    }
    if interface.point_to_point {
        return Err("point-to-point link (a VPN or tunnel): multicast does not cross it");
    }
    if interface.addrs.is_empty() {
        return Err(if interface.unusable.is_empty() {
            "without an address"
        } else {
            "its addresses are still being checked for duplicates"
        });
    }
    Ok(())
}

fn virtual_pattern(name: &str) -> Option<String> {
    let docker_bridge =
        name.strip_prefix("br-").is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    if docker_bridge { Some("br-…".to_owned()) } else { matches_any(name, VIRTUAL_NAMES) }
}

/// A `tap` interface of its own is often the LAN-like end of a VPN; as the port of a bridge it is a virtual machine.
fn leads_to_a_guest(port: &str) -> bool {
    virtual_pattern(port).is_some() || matches_any(port, &["tap*"]).is_some()
}

fn matches_any<S: AsRef<str>>(name: &str, patterns: &[S]) -> Option<String> {
    let found = patterns.iter().map(AsRef::as_ref).find(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => name.eq_ignore_ascii_case(pattern),
    });
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn up(name: &str) -> Interface {
        Interface {
            name: name.into(),
            index: Some(2),
            up: true,
            addrs: vec!["10.0.0.1".parse().unwrap()],
            ..Interface::default()
        }
    }

    fn lo() -> Interface {
        Interface { loopback: true, addrs: vec!["127.0.0.1".parse().unwrap()], ..up("lo") }
    }

    fn used(list: &[Interface], policy: &InterfacePolicy) -> Vec<String> {
        choose(list, policy).into_iter().filter(|c| c.used).map(|c| c.interface.name).collect()
    }

    fn why(interface: Interface) -> String {
        let choice = choose(&[lo(), up("eth9"), interface], &InterfacePolicy::default()).remove(2);
        assert!(!choice.used, "{choice:?}");
        choice.why
    }

    #[test]
    fn by_default_real_networks_are_used_and_nothing_else() {
        let down = Interface { up: false, ..up("eth1") };
        let vpn = Interface { point_to_point: true, ..up("wg0") };
        let list = [
            lo(),
            up("eth0"),
            down,
            up("docker0"),
            up("br-0123456789ab"),
            up("veth12"),
            vpn,
            up("wlan0"),
            up("Ethernet 2"),
        ];
        assert_eq!(used(&list, &InterfacePolicy::default()), ["eth0", "wlan0", "Ethernet 2"]);
    }

    #[test]
    fn every_refusal_says_why() {
        assert!(why(Interface { up: false, ..up("eth1") }).contains("down"));
        assert!(why(Interface { point_to_point: true, ..up("tun0") }).contains("point-to-point"));
        assert!(why(Interface { addrs: vec![], ..up("eth1") }).contains("without an address"));
        assert!(
            why(Interface { addrs: vec![], unusable: vec!["fe80::1".parse().unwrap()], ..up("eth1") })
                .contains("duplicates")
        );
        assert!(why(up("VEthernet (WSL)")).contains("veth*"));
        assert!(why(Interface { bridge_ports: Some(vec![]), ..up("br0") }).contains("leads nowhere"));
        assert!(
            why(Interface { bridge_ports: Some(vec!["vnet0".into(), "veth1".into(), "tap3".into()]), ..up("br0") })
                .contains("only")
        );
    }

    #[test]
    fn the_bridge_of_a_router_is_not_taken_for_one_of_docker() {
        let list = [lo(), up("br-lan"), up("br-0123456789ab"), up("tap0")];
        assert_eq!(used(&list, &InterfacePolicy::default()), ["br-lan", "tap0"]);
    }

    #[test]
    fn a_bridge_with_a_real_port_is_a_network() {
        let bridge = Interface { bridge_ports: Some(vec!["eth0".into(), "vnet0".into()]), ..up("br0") };
        assert_eq!(used(&[lo(), bridge], &InterfacePolicy::default()), ["br0"]);
    }

    #[test]
    fn without_a_network_loopback_stands_in() {
        let list = [lo(), Interface { up: false, ..up("eth0") }, up("docker0")];
        assert_eq!(used(&list, &InterfacePolicy::default()), ["lo"]);
        assert_eq!(used(&list, &InterfacePolicy { exclude: vec!["lo".into()], ..Default::default() }), [""; 0]);
        assert_eq!(
            used(&[lo(), up("eth0")], &InterfacePolicy { loopback: true, ..Default::default() }),
            ["lo", "eth0"]
        );
    }

    #[test]
    fn naming_interfaces_overrules_the_rules_but_not_the_facts() {
        let list = [lo(), up("eth0"), up("docker0"), Interface { up: false, ..up("eth1") }];
        let named = |names: &[&str]| InterfacePolicy {
            include: names.iter().map(|n| (*n).to_owned()).collect(),
            ..Default::default()
        };
        assert_eq!(used(&list, &named(&["docker0"])), ["docker0"]);
        assert_eq!(used(&list, &named(&["lo"])), ["lo"]);
        assert_eq!(used(&list, &named(&["eth*"])), ["eth0"]);
        assert_eq!(used(&list, &named(&["eth1"])), [""; 0], "loopback does not stand in for what was named");
        let both = InterfacePolicy { exclude: vec!["eth0".into()], ..named(&["eth0"]) };
        assert_eq!(used(&list, &both), [""; 0], "exclude wins");
    }

    proptest! {
        #[test]
        fn loopback_is_used_exactly_when_nothing_else_is(flags in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..6)) {
            let mut list = vec![lo()];
            list.extend(flags.iter().enumerate().map(|(i, (is_up, ptp, addr))| Interface {
                up: *is_up,
                point_to_point: *ptp,
                addrs: if *addr { vec!["10.0.0.1".parse().unwrap()] } else { vec![] },
                ..up(&format!("eth{i}"))
            }));
            let choices = choose(&list, &InterfacePolicy::default());
            prop_assert_eq!(choices.len(), list.len());
            prop_assert_eq!(choices[0].used, !choices[1..].iter().any(|c| c.used));
            prop_assert!(choices.iter().all(|c| !c.why.is_empty()));
        }
    }
}
