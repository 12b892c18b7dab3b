//! Several hosts on one network: namespaces joined by a bridge, real mDNS, interfaces that come and go.

use std::{
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use moorline_tests::{
    moorline::{Ended, Home, Moorline, SOON},
    netns::{LabPlan, NetLab, permitted},
    sample::{self, GIB, MIB},
    scene::{Sharer, downloads, under_way},
    tree::{Node, assert_same, tree},
};
use serde_json::Value;

/// Options of a program that meets others by multicast alone.
const BY_MULTICAST: [&str; 2] = ["--json", "--no-remembered"];
const LONG: Duration = Duration::from_secs(150);

/// So many hosts, if this user may have them.
fn lab(hosts: usize) -> Option<NetLab> {
    permitted().then(|| NetLab::new(hosts))
}

fn share(home: &Home, what: &Path, options: &[&str]) -> Sharer {
    let mut args: Vec<OsString> = vec!["share".into(), what.into()];
    args.extend(BY_MULTICAST.iter().chain(options).map(OsString::from));
    Sharer::offering(home.start(&args), 1)
}

fn get(home: &Home, item: &str, options: &[&str]) -> Moorline {
    let mut args: Vec<OsString> = vec!["get".into(), item.into(), "--into".into(), downloads(home).into()];
    args.extend(BY_MULTICAST.iter().chain(options).map(OsString::from));
    home.start(&args)
}

/// What must arrive of a shared folder: everything but symbolic links.
#[track_caller]
fn assert_arrived(source: &Home, target: &Home, item: &str) {
    let mut expected = tree(&source.path(item));
    expected.retain(|_, node| !matches!(node, Node::Link(_)));
    assert_same(&expected, &tree(&downloads(target).join(item)));
}

#[test]
fn network_two_share_and_a_third_fetches_from_both_at_once() {
    let Some(lab) = lab(3) else { return };
    fetch_from_both_at_once(&lab, GIB, 10_000);
}

#[test]
fn network_with_ipv6_alone_and_a_third_fetches_from_both_at_once() {
    if !permitted() {
        return;
    }
    let plan = LabPlan { hosts: 3, ipv4: false, ipv6: true };
    let lab = NetLab::build(plan).unwrap_or_else(|error| panic!("{error}"));
    fetch_from_both_at_once(&lab, 300 * MIB, 1000);
}

/// Two hosts share the same tree, with a file of `large` bytes and `small` files; the third fetches it, and both give.
#[track_caller]
fn fetch_from_both_at_once(lab: &NetLab, large: u64, small: u64) {
    let [alice, carol, bob] = [0, 1, 2].map(|host| Home::on(lab.namespace(host)));
    sample::everything(&alice.path("Quake"));
    sample::random_file(&alice.path("Quake/large.pak"), large, 1);
    sample::small_files(&alice.path("Quake/small"), small, 1024);
    sample::copy(&alice.path("Quake"), &carol.path("Quake"));
    let mut one = share(&alice, &alice.path("Quake"), &["--name", "alice"]);
    let mut other = share(&carol, &carol.path("Quake"), &["--name", "carol"]);
    assert_eq!(one.items[0]["item"], other.items[0]["item"], "the same bytes are the same item, wherever they are");

    let before = [0, 1].map(|host| lab.sent_bytes(host));
    let ended = get(&bob, "Quake", &[]).ended(LONG);
    ended.assert_code(0);
    let total = ended.only("finished")["bytes"].as_u64().expect("a number");
    assert_eq!(ended.only("finished")["sources"], 2, "{ended}");
    assert_arrived(&alice, &bob, "Quake");
    for (host, before) in before.into_iter().enumerate() {
        let sent = lab.sent_bytes(host) - before;
        assert!(sent > total / 10, "host {host} sent only {sent} of {total} bytes\n{ended}");
    }
    one.process.named("serving");
    other.process.named("serving");
}

#[test]
fn network_with_interfaces_that_lead_nowhere() {
    let Some(lab) = lab(2) else { return };
    for host in [0, 1] {
        lab.add_down_interface(host);
        lab.add_dead_bridge(host);
    }
    simple_transfer(&lab);
}

#[test]
fn network_of_one_machine_with_nothing_but_loopback() {
    let Some(lab) = lab(1) else { return };
    lab.set_link(0, lab.interface(0), false);
    let (alice, bob) = (Home::on(lab.namespace(0)), Home::on(lab.namespace(0)));
    sample::random_file(&alice.path("Quake/data.bin"), 5 * MIB, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &[]);
    get(&bob, "Quake", &[]).ended(SOON).assert_code(0);
    assert_arrived(&alice, &bob, "Quake");
}

#[test]
fn network_with_a_passphrase_by_mdns_alone() {
    let Some(lab) = lab(3) else { return };
    let [alice, bob, eve] = [0, 1, 2].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), 5 * MIB, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &["--passphrase", "correct horse", "--name", "alice-the-sharer"]);
    get(&bob, "Quake", &["--passphrase", "correct horse"]).ended(SOON).assert_code(0);
    assert_arrived(&alice, &bob, "Quake");
    let seen = eve.run(&["list", "--json", "--no-remembered"]);
    assert!(!seen.stdout.contains("Quake") && !seen.stdout.contains("alice-the-sharer"), "{seen}");
}

#[test]
fn network_interface_goes_down_and_comes_back() {
    let Some(lab) = lab(3) else { return };
    let [alice, bob, carol] = [0, 1, 2].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), GIB, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &[]);
    let mut receiver = get(&bob, "Quake", &[]);
    let seen = under_way(&mut receiver);

    lab.set_link(0, lab.interface(0), false);
    receiver.event("the loss of the only source", 2 * SOON, |event| event["type"] == "all_peers_gone");
    assert!(receiver.runs(), "{}", receiver.account());
    lab.set_link(0, lab.interface(0), true);

    // Who was there before goes on, and who comes now finds it as well.
    let ended = receiver.ended(LONG);
    ended.assert_code(0);
    assert!(seen > 0);
    assert_arrived(&alice, &bob, "Quake");
    let listed = carol.run(&["list", "--json", "--no-remembered", "--wait", "8"]);
    assert!(listed.events().iter().any(|event| event["type"] == "offer" && event["name"] == "Quake"), "{listed}");
}

#[test]
fn network_up_only_after_the_program_is() {
    let Some(lab) = lab(2) else { return };
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), 5 * MIB, 1);
    lab.set_link(0, lab.interface(0), false);
    let _sharer = share(&alice, &alice.path("Quake"), &[]);
    let receiver = get(&bob, "Quake", &["--wait"]);
    lab.set_link(0, lab.interface(0), true);
    receiver.ended(2 * SOON).assert_code(0);
    assert_arrived(&alice, &bob, "Quake");
}

#[test]
fn network_dead_closes_within_two_seconds() {
    let Some(lab) = lab(2) else { return };
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), GIB, 1);
    let sharer = share(&alice, &alice.path("Quake"), &[]);
    let mut receiver = get(&bob, "Quake", &[]);
    under_way(&mut receiver);
    lab.set_link(0, lab.interface(0), false);
    for (who, process, code) in [("sharer", sharer.process, 0), ("receiver", receiver, 130)] {
        let at = Instant::now();
        process.interrupt();
        process.ended(SOON).assert_code(code);
        assert!(at.elapsed() < Duration::from_secs(2), "the {who} took {:?}", at.elapsed());
    }
}

#[test]
fn network_crash_of_a_sharer_is_noticed_without_a_goodbye() {
    let Some(lab) = lab(2) else { return };
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), MIB, 1);
    let sharer = share(&alice, &alice.path("Quake"), &[]);
    let mut watching = bob.start(&["list", "--watch", "--json", "--no-remembered"]);
    watching.event("the offer", SOON, |event| event["type"] == "offer");
    // Nothing answers any more, not even with a reset: the machine is gone.
    lab.set_link(0, lab.interface(0), false);
    sharer.process.kill();
    let gone = watching.event("the loss of the peer", SOON, |event| event["type"] == "peer_down");
    assert_eq!(gone["goodbye"], false, "{gone}");
}

#[test]
fn network_or_not_the_demonstration_ends_well() {
    let Some(lab) = lab(1) else { return };
    lab.set_link(0, lab.interface(0), false);
    let home = Home::on(lab.namespace(0));
    let ended = home.start(&["demo", "--json"]).ended(3 * SOON);
    ended.assert_code(0);
    assert!(ended.events().iter().any(|event| event["type"] == "step"), "{ended}");
}

#[test]
fn network_that_is_well_is_well_for_the_doctor_too() {
    let Some(lab) = lab(2) else { return };
    lab.add_down_interface(0);
    lab.add_dead_bridge(0);
    let [bob, alice] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &["--name", "alice"]);
    let ended = bob.run(&["doctor", "--json"]);
    ended.assert_code(0);
    assert_eq!(ended.only("verdict")["ok"], true, "{ended}");
    // It says which interfaces it uses, which not, and whom it sees.
    for word in ["lan0", "docker0", "spare0", "alice"] {
        assert!(ended.stdout.contains(word), "nothing is said of {word}\n{ended}");
    }
}

#[test]
fn network_that_keeps_multicast_apart_needs_an_address_once() {
    let Some(lab) = lab(2) else { return };
    lab.keep_multicast_apart();
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), 5 * MIB, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &["--name", "alice"]);
    let alone = get(&bob, "Quake", &[]).ended(SOON);
    alone.assert_code(3);
    assert!(alone.only("error")["hint"].to_string().contains("--peer ADDR"), "{alone}");
    // A host hears itself, so the doctor cannot know; it says what may be, and what helps.
    let advice = check(&bob.run(&["doctor", "--json"]), "peer")["advice"].to_string();
    assert!(advice.contains("access points") && advice.contains("--peer ADDR"), "{advice}");

    let address = lab.ipv4(0).to_string();
    bob.run(&["get", "Quake", "--json", "--into", "first", "--peer", &address]).assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&bob.path("first/Quake")));
    // Who worked once is remembered.
    bob.run(&["get", "Quake", "--json", "--into", "second"]).assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&bob.path("second/Quake")));
    let seen = check(&bob.run(&["doctor", "--json"]), "peer");
    assert_eq!((&seen["status"], &seen["data"]["name"]), (&"ok".into(), &"alice".into()), "{seen}");
}

#[test]
fn network_whose_firewalls_keep_multicast_out_is_ill_for_the_doctor() {
    let Some(lab) = lab(2) else { return };
    for host in [0, 1] {
        lab.keep_mdns_out(host);
    }
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let _sharer = share(&alice, &alice.path("Quake"), &[]);
    let ended = bob.run(&["doctor", "--json"]);
    ended.assert_code(4);
    assert_eq!(ended.only("verdict")["ok"], false, "{ended}");
    let multicast = check(&ended, "multicast");
    assert_eq!(multicast["status"], "bad", "{ended}");
    assert!(multicast["detail"].to_string().contains("does not come through"), "{multicast}");
    let advice = multicast["advice"].to_string();
    assert!(advice.contains("UDP port 5353") && advice.contains("--peer ADDR"), "{advice}");
    // And so it is: by multicast nothing is found, and the address helps.
    get(&bob, "Quake", &[]).ended(SOON).assert_code(3);
    get(&bob, "Quake", &["--peer", &lab.ipv4(0).to_string()]).ended(SOON).assert_code(0);
    assert_arrived(&alice, &bob, "Quake");
}

/// The only line of the doctor about something.
#[track_caller]
fn check(doctor: &Ended, name: &str) -> Value {
    let checks = doctor.events().into_iter().filter(|event| event["type"] == "check" && event["name"] == name);
    let checks: Vec<Value> = checks.collect();
    assert_eq!(checks.len(), 1, "{} checks of {name}\n{doctor}", checks.len());
    checks[0].clone()
}

/// Share on the first host, fetch on the second, soon.
#[track_caller]
fn simple_transfer(lab: &NetLab) {
    let [alice, bob] = [0, 1].map(|host| Home::on(lab.namespace(host)));
    sample::everything(&alice.path("Quake"));
    let _sharer = share(&alice, &alice.path("Quake"), &[]);
    get(&bob, "Quake", &[]).ended(SOON).assert_code(0);
    assert_arrived(&alice, &bob, "Quake");
}
