//! What Linux knows of interfaces beyond `getifaddrs`: those without address, bridge ports, and addresses that are not usable yet.

use super::Interface;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv6Addr},
    path::Path,
};

/// Flags of `/proc/net/if_inet6` (`include/uapi/linux/if_addr.h`): duplicate found; check under way.
const IFA_F_DADFAILED: u8 = 0x08;
const IFA_F_TENTATIVE: u8 = 0x40;

const SYSFS: &str = "/sys/class/net";

/// Adds what the kernel's files say. They are a bonus: what cannot be read stays as it is.
pub(super) fn refine(list: &mut BTreeMap<String, Interface>) {
    if let Ok(text) = fs::read_to_string("/proc/net/if_inet6") {
        set_aside_unusable(list, &text);
    }
    if sysfs_is_of_this_namespace(list) {
        for (name, interface) in list.iter_mut() {
            interface.bridge_ports = names_in(&Path::new(SYSFS).join(name).join("brif"));
        }
        for name in names_in(Path::new(SYSFS)).unwrap_or_default() {
            let file = |leaf: &str| fs::read_to_string(Path::new(SYSFS).join(&name).join(leaf)).unwrap_or_default();
            list.entry(name.clone()).or_insert_with(|| Interface {
                index: file("ifindex").trim().parse().ok(),
                up: file("operstate").trim() == "up",
                name: name.clone(),
                ..Interface::default()
            });
        }
    }
}

/// In a network namespace whose `/sys` was not mounted anew, sysfs shows the interfaces of another namespace.
fn sysfs_is_of_this_namespace(list: &BTreeMap<String, Interface>) -> bool {
    list.values().all(|interface| {
        let index = fs::read_to_string(Path::new(SYSFS).join(&interface.name).join("ifindex"));
        index.is_ok_and(|text| text.trim().parse().ok() == interface.index)
    })
}

fn names_in(folder: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(folder).ok()?;
    // An interface name is ASCII in practice; one that is not UTF-8 cannot be named in a policy anyway.
    let names: BTreeSet<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // `bonding_masters` and the like are files among the links to interfaces.
    Some(names.into_iter().filter(|name| folder.join(name).is_dir()).collect())
}

fn set_aside_unusable(list: &mut BTreeMap<String, Interface>, if_inet6: &str) {
    for (name, addr) in if_inet6.lines().filter_map(unusable_addr) {
        if let Some(interface) = list.get_mut(name) {
            interface.addrs.retain(|a| *a != addr);
            interface.unusable.push(addr);
        }
    }
}

/// Reads one line: address in hex, index, prefix length, scope and flags in hex, name.
fn unusable_addr(line: &str) -> Option<(&str, IpAddr)> {
    let mut fields = line.split_ascii_whitespace();
    let addr = u128::from_str_radix(fields.next()?, 16).ok()?;
    let flags = u8::from_str_radix(fields.nth(3)?, 16).ok()?;
    let name = fields.next()?;
    (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) != 0).then(|| (name, Ipv6Addr::from_bits(addr).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_under_check_are_set_aside() {
        let text = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
                    fd000000000000000000000000000002 04 40 00 c0     eth0\n\
                    fd000000000000000000000000000003 04 40 00 08     eth0\n\
                    rubbish\n\n\
                    00000000000000000000000000000001 01 80 10 80       lo\n";
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        let eth0 = Interface {
            name: "eth0".into(),
            addrs: vec![v6("192.0.2.1"), v6("fe80::fc:ff:fe00:1"), v6("fd00::2"), v6("fd00::3")],
            ..Interface::default()
        };
        let mut list = BTreeMap::from([("eth0".to_owned(), eth0)]);
        set_aside_unusable(&mut list, text);
        assert_eq!(list["eth0"].addrs, [v6("192.0.2.1"), v6("fe80::fc:ff:fe00:1")]);
        assert_eq!(list["eth0"].unusable, [v6("fd00::2"), v6("fd00::3")]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_bridge() {
        assert_eq!(names_in(Path::new("/sys/class/net/lo/brif")), None);
    }
}
