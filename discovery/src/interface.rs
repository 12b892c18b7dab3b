//! The network interfaces of this machine, and which of them discovery uses.

mod choice;
#[cfg(target_os = "linux")]
mod linux;
mod plan;

pub use choice::{InterfaceChoice, InterfacePolicy, VIRTUAL_NAMES, choose};
pub(crate) use plan::{Wanted, plan, wanted};

use std::{collections::BTreeMap, io, net::IpAddr};

/// An interface as it is at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Name, as the system shows it: `eth0`, `en0`, `Ethernet 2`.
    pub name: String,
    /// Number that the system gave it; `None` if it is gone already. A new one after it was removed and added again.
    pub index: Option<u32>,
    /// Switched on, and with carrier.
    pub up: bool,
    /// Leads to this machine only.
    pub loopback: bool,
    /// A link between two ends, such as a VPN; multicast discovery does not work there.
    pub point_to_point: bool,
    /// Its addresses, sorted.
    pub addrs: Vec<IpAddr>,
    /// Addresses that it has but that cannot be used (yet): being checked for duplicates, or found to be one. Known on Linux only.
    pub unusable: Vec<IpAddr>,
    /// If it is a bridge, the names of its ports. Known on Linux only.
    pub bridge_ports: Option<Vec<String>>,
}

/// The interfaces of this machine, by index. A few system calls: fit to be called from async code.
///
/// Those without an address are listed on Linux only.
///
/// # Errors
/// The system refuses to list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut by_name: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in if_addrs::get_if_addrs()? {
        let interface = by_name.entry(entry.name.clone()).or_insert_with(|| Interface {
            name: entry.name.clone(),
            index: entry.index,
            ..Interface::default()
        });
        interface.up |= entry.is_oper_up();
        interface.loopback |= entry.is_loopback();
        interface.point_to_point |= entry.is_p2p();
        interface.addrs.push(entry.ip());
    }
    #[cfg(target_os = "linux")]
    linux::refine(&mut by_name);
    let mut list: Vec<Interface> = by_name.into_values().collect();
    for interface in &mut list {
        interface.addrs.sort_unstable();
        interface.addrs.dedup();
    }
    list.sort_by(|a, b| (a.index, &a.name).cmp(&(b.index, &b.name)));
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_loopback() {
        let list = interfaces().expect("interfaces can be listed");
        let loopback = list.iter().find(|i| i.loopback).expect("there is a loopback interface");
        assert!(loopback.addrs.iter().any(IpAddr::is_loopback));
        assert!(list.windows(2).all(|pair| pair[0].index <= pair[1].index));
    }
}
