//! What to do when interfaces have changed: which responders to start, replace and stop. No I/O.

use super::InterfaceChoice;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// What a responder on one interface is made for; another value needs another responder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) index: Option<u32>,
    pub(crate) addrs: BTreeSet<IpAddr>,
    pub(crate) loopback: bool,
    /// Some addresses are still being checked for duplicates: better wait a moment than start, and start again.
    pub(crate) settling: bool,
}

/// The steps from what runs to what is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Nothing runs there.
    pub(crate) start: Vec<String>,
    /// The interface is still the same one, and only its addresses changed: the new responder overlaps with the old one.
    pub(crate) replace: Vec<String>,
    /// Not used any more, or it is another interface by that name.
    pub(crate) stop: Vec<String>,
}

/// The interfaces that are used, at most `max` of them.
pub(crate) fn wanted(choices: &[InterfaceChoice], max: usize) -> BTreeMap<String, Wanted> {
    let used = choices.iter().filter(|choice| choice.used).take(max).map(|choice| &choice.interface);
    used.map(|i| {
        let wanted = Wanted {
            index: i.index,
            addrs: i.addrs.iter().copied().collect(),
            loopback: i.loopback,
            settling: !i.unusable.is_empty(),
        };
        (i.name.clone(), wanted)
    })
    .collect()
}

/// Compares by index and usable addresses.
pub(crate) fn plan(running: &BTreeMap<String, Wanted>, wanted: &BTreeMap<String, Wanted>) -> Plan {
    let mut plan = Plan::default();
    for (name, old) in running {
        match wanted.get(name) {
            None => plan.stop.push(name.clone()),
            Some(new) if new.index != old.index => {
                plan.stop.push(name.clone());
                plan.start.push(name.clone());
            }
            Some(new) if new.addrs != old.addrs => plan.replace.push(name.clone()),
            Some(_) => {}
        }
    }
    plan.start.extend(wanted.keys().filter(|name| !running.contains_key(*name)).cloned());
    plan.start.sort();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interface;
    use proptest::prelude::*;

    fn on(index: u32, addrs: &[&str]) -> Wanted {
        let addrs = addrs.iter().map(|a| a.parse().unwrap()).collect();
        Wanted { index: Some(index), addrs, loopback: false, settling: false }
    }

    fn map(entries: &[(&str, Wanted)]) -> BTreeMap<String, Wanted> {
        entries.iter().map(|(name, wanted)| ((*name).to_owned(), wanted.clone())).collect()
    }

    #[test]
    fn nothing_changes_nothing_happens() {
        let now = map(&[("eth0", on(2, &["10.0.0.1"]))]);
        let settling = map(&[("eth0", Wanted { settling: true, ..on(2, &["10.0.0.1"]) })]);
        assert_eq!(plan(&now, &now), Plan::default());
        assert_eq!(plan(&now, &settling), Plan::default(), "an address under check is no change yet");
    }

    #[test]
    fn interfaces_come_go_and_change() {
        let running =
            map(&[("eth0", on(2, &["10.0.0.1"])), ("eth1", on(3, &["10.1.0.1"])), ("usb0", on(4, &["10.2.0.1"]))]);
        let wanted =
            map(&[("eth0", on(2, &["10.0.0.7"])), ("usb0", on(9, &["10.2.0.1"])), ("wlan0", on(5, &["10.3.0.1"]))]);
        let expected = Plan {
            start: vec!["usb0".into(), "wlan0".into()],
            replace: vec!["eth0".into()],
            stop: vec!["eth1".into(), "usb0".into()],
        };
        assert_eq!(plan(&running, &wanted), expected);
    }

    #[test]
    fn no_more_interfaces_than_allowed_are_wanted() {
        let choice = |name: &str, used| InterfaceChoice {
            interface: Interface { name: name.into(), ..Interface::default() },
            used,
            why: String::new(),
        };
        let choices = [choice("a", true), choice("b", false), choice("c", true), choice("d", true)];
        assert_eq!(wanted(&choices, 2).into_keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(wanted(&choices, 3).len(), 3);
    }

    fn worlds() -> impl Strategy<Value = BTreeMap<String, Wanted>> {
        let one = (0..3_u32, 0..3_u8).prop_map(|(index, addr)| on(index, &[&format!("10.0.0.{addr}")]));
        proptest::collection::btree_map("[a-d]", one, 0..4)
    }

    proptest! {
        #[test]
        fn carrying_out_the_plan_gives_what_is_wanted(running in worlds(), wanted in worlds()) {
            let steps = plan(&running, &wanted);
            let mut now = running;
            for name in &steps.stop {
                prop_assert!(now.remove(name).is_some());
            }
            for name in &steps.start {
                prop_assert_eq!(now.insert(name.clone(), wanted[name].clone()), None);
            }
            for name in &steps.replace {
                prop_assert!(now.insert(name.clone(), wanted[name].clone()).is_some());
            }
            prop_assert_eq!(now, wanted);
        }
    }
}
