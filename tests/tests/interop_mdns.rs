//! Discovery on networks of namespaces: with Avahi and python-zeroconf on the other side, and with interfaces as real machines have them.

#[path = "interop/avahi.rs"]
mod avahi;
#[path = "interop/examples.rs"]
mod examples;
#[path = "interop/python.rs"]
mod python;

use avahi::Avahi;
use examples::{announce, browse, field};
use moorline_tests::netns::{LabPlan, NetLab, Talker, permitted};
use python::Python;
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// A bound for hangs; most of what is awaited comes within 2 s.
const SOON: Duration = Duration::from_secs(30);

fn zeroconf() -> Option<Python> {
    python::with("zeroconf==0.154.0")
}

/// Starts python-zeroconf on a host, and waits until it is ready.
fn start_zeroconf(python: &Python, lab: &NetLab, host: usize, args: &[&str]) -> Talker {
    let [program, script] = python.line("zeroconf_peer.py");
    let mut talker = Talker::start(lab.command(host, program).arg(script).args(args));
    talker.until("its readiness", Duration::from_secs(20), |line| line == "READY");
    talker
}

fn found(browser: &mut Talker, key: &str) -> String {
    browser.until(&format!("sight of {key}"), SOON, |line| line.starts_with(&format!("FOUND key={key} ")))
}

fn lost(browser: &mut Talker, key: &str) {
    browser.until(&format!("loss of {key}"), SOON, |line| line == format!("LOST key={key}"));
}

#[test]
fn avahi_sees_us_and_our_goodbye() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let avahi = Avahi::start(&lab, 1);
    let mut seen = Talker::start(avahi.command("avahi-browse").args(["--parsable", "--resolve", "_moorline._udp"]));
    let ours = announce(&lab, 0, &["ann", "7401", "Ann's PC"]);

    let v4 = format!(";{};7401;", lab.ipv4(0));
    let line = seen.until("us, resolved", SOON, |line| line.starts_with("=;lan0;IPv4;") && line.contains(&v4));
    for entry in ["\"v=1\"", "\"id=ann\"", "\"n=Ann's PC\""] {
        assert!(line.contains(entry), "{entry} in {line}");
    }
    assert!(ours.hang_up(SOON).success());
    seen.until("our goodbye", SOON, |line| line.starts_with("-;lan0;IPv4;"));
}

#[test]
fn what_avahi_publishes_is_found_and_lost() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let avahi = Avahi::start(&lab, 1);
    let mut ours = browse(&lab, 0, &[]);
    let published = Talker::start(avahi.command("avahi-publish").args([
        "-s",
        "Some Name",
        "_moorline._udp",
        "7402",
        "v=1",
        "id=bob",
        "n=Böb",
    ]));
    let line = found(&mut ours, "bob");
    assert_eq!(
        (field(&line, "port"), field(&line, "name"), field(&line, "interfaces")),
        ("7402", "Böb", "lan0"),
        "{line}"
    );
    assert!(line.contains(&format!("{}:7402", lab.ipv4(1))), "{line}");
    // Avahi withdraws what its client published when the client goes.
    published.kill();
    lost(&mut ours, "bob");
}

#[test]
fn python_zeroconf_sees_us_and_our_goodbye() {
    let Some(python) = permitted().then(zeroconf).flatten() else { return };
    let lab = NetLab::new(2);
    let mut seen = start_zeroconf(&python, &lab, 1, &["browse", "_moorline._udp.local."]);
    let ours = announce(&lab, 0, &["ann", "7401", "Ann's PC"]);
    let line = seen.until("us", SOON, |line| line.starts_with("FOUND "));
    assert!(line.contains("port=7401 ") && line.contains(&lab.ipv4(0).to_string()), "{line}");
    assert!(line.contains("txt=id=ann,n=Ann's PC,v=1 "), "{line}");
    assert!(ours.hang_up(SOON).success());
    seen.until("our goodbye", SOON, |line| line.starts_with("LOST "));
}

#[test]
fn what_python_zeroconf_publishes_is_found_and_lost() {
    let Some(python) = permitted().then(zeroconf).flatten() else { return };
    let lab = NetLab::new(2);
    let mut ours = browse(&lab, 0, &[]);
    let addr = lab.ipv4(1).to_string();
    let published = start_zeroconf(
        &python,
        &lab,
        1,
        &["publish", "Some Name", "_moorline._udp.local.", &addr, "7402", "v=1", "id=bob", "n=Bob"],
    );
    let line = found(&mut ours, "bob");
    assert_eq!((field(&line, "port"), field(&line, "addrs")), ("7402", format!("{addr}:7402").as_str()), "{line}");
    assert!(published.hang_up(SOON).success());
    lost(&mut ours, "bob");
}

#[test]
fn a_closed_group_shows_only_its_tag_to_avahi() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let avahi = Avahi::start(&lab, 1);
    let mut seen = Talker::start(avahi.command("avahi-browse").args(["--parsable", "--resolve", "_moorline._udp"]));
    let _ours = announce(&lab, 0, &["secret-id", "7401", "secret-name", "--tag", "tag7"]);
    seen.until("us, resolved", SOON, |line| line.starts_with("=;") && line.contains("\"t=tag7\""));
    assert!(!seen.heard().iter().any(|line| line.contains("secret")), "{}", seen.account());
}

#[test]
fn three_hosts_find_each_other() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(3);
    let ids = ["ann", "bob", "cid"];
    let mut hosts: Vec<Talker> = (0..3).map(|host| announce(&lab, host, &[ids[host], "7400"])).collect();
    for (host, talker) in hosts.iter_mut().enumerate() {
        let mut missing: BTreeSet<&str> = ids.into_iter().filter(|id| *id != ids[host]).collect();
        while !missing.is_empty() {
            let line = talker.until("the others", SOON, |line| line.starts_with("FOUND "));
            assert!(missing.remove(field(&line, "key")), "{}", talker.account());
        }
    }
}

#[test]
fn ipv6_alone_is_enough() {
    if !permitted() {
        return;
    }
    let lab = NetLab::build(LabPlan { hosts: 2, ipv4: false, ipv6: true }).expect("a lab");
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 1, &[]);
    let line = found(&mut bob, "ann");
    let scope = format!("%{}]", lab.index(1, "lan0"));
    assert!(line.contains(&scope), "a link-local address says where it is valid: {line}");
}

#[test]
fn ipv4_alone_is_enough() {
    if !permitted() {
        return;
    }
    let lab = NetLab::build(LabPlan { hosts: 2, ipv4: true, ipv6: false }).expect("a lab");
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 1, &[]);
    let line = found(&mut bob, "ann");
    assert_eq!(field(&line, "addrs"), format!("{}:7401", lab.ipv4(0)), "{line}");
}

/// mdns-sd by itself announces the link-local addresses of all interfaces on each of them.
#[test]
fn each_network_is_told_the_addresses_that_work_there() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    lab.add_cable(0, 1, "lan1");
    for host in [0, 1] {
        lab.add_dead_bridge(host);
        lab.add_down_interface(host);
    }
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 1, &[]);
    let mut expected = BTreeSet::new();
    for interface in ["lan0", "lan1"] {
        let scope = lab.index(1, interface);
        expected.extend(lab.addresses(0, interface).into_iter().map(|addr| match addr {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("[{v6}%{scope}]:7401"),
            IpAddr::V6(v6) => format!("[{v6}]:7401"),
            IpAddr::V4(v4) => format!("{v4}:7401"),
        }));
    }
    let seen_all = |line: &str| {
        field(line, "interfaces") == "lan0,lan1" && field(line, "addrs").split(',').count() >= expected.len()
    };
    let line = bob
        .until("both networks", SOON, |line| !line.starts_with("LOST") && line.contains("key=ann ") && seen_all(line));
    let seen: BTreeSet<String> = field(&line, "addrs").split(',').map(str::to_owned).collect();
    assert_eq!(seen, expected);
    assert_eq!(bob.heard().iter().filter(|line| line.starts_with("FOUND ")).count(), 1, "one peer: {}", bob.account());
}

#[test]
fn without_a_network_two_programs_on_one_machine_find_each_other() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(1);
    lab.set_link(0, "lan0", false);
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 0, &[]);
    let line = found(&mut bob, "ann");
    assert_eq!((field(&line, "interfaces"), field(&line, "addrs")), ("lo", "127.0.0.1:7401"), "{line}");
}

#[test]
fn on_one_machine_with_a_network_two_programs_find_each_other() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(1);
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 0, &[]);
    assert_eq!(field(&found(&mut bob, "ann"), "interfaces"), "lan0");
}

#[test]
fn an_interface_that_goes_down_and_comes_back_is_recovered_from() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let mut ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = announce(&lab, 1, &["bob", "7402"]);
    found(&mut ann, "bob");
    found(&mut bob, "ann");
    lab.set_link(0, "lan0", false);
    // Ann has no network; bob cannot know yet.
    lost(&mut ann, "bob");
    lab.set_link(0, "lan0", true);
    found(&mut ann, "bob");
    // And she is heard again: somebody who comes now finds her.
    let mut cid = browse(&lab, 1, &[]);
    found(&mut cid, "ann");
}

#[test]
fn a_cable_that_is_pulled_and_plugged_is_recovered_from() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let mut ann = announce(&lab, 0, &["ann", "7401"]);
    let _bob = announce(&lab, 1, &["bob", "7402"]);
    found(&mut ann, "bob");
    lab.set_cable(0, false);
    lost(&mut ann, "bob");
    lab.set_cable(0, true);
    found(&mut ann, "bob");
}

#[test]
fn an_interface_that_comes_late_is_used() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    lab.set_link(0, "lan0", false);
    let _ann = announce(&lab, 0, &["ann", "7401"]);
    let mut bob = browse(&lab, 1, &[]);
    lab.set_link(0, "lan0", true);
    found(&mut bob, "ann");
}

#[test]
fn a_crash_is_noticed_when_the_peer_is_verified() {
    if !permitted() {
        return;
    }
    let lab = NetLab::new(2);
    let mut bob = browse(&lab, 1, &[]);
    let ann = announce(&lab, 0, &["ann", "7401"]);
    found(&mut bob, "ann");
    // Announced after ann was found: sightings are awaited in the order in which they come.
    let _dan = announce(&lab, 0, &["dan", "7404"]);
    found(&mut bob, "dan");
    ann.kill();
    bob.tell("verify dan");
    bob.tell("verify ann");
    lost(&mut bob, "ann");
    assert!(!bob.heard().iter().any(|line| line == "LOST key=dan"), "dan answered: {}", bob.account());
}
