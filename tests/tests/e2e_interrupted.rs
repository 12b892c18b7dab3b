//! Transfers that are cut in the middle, on either side and in every way, and go on afterwards.

use std::time::{Duration, Instant};

use moorline_tests::{
    moorline::{Home, SOON},
    proc,
    sample::{self, MIB},
    scene::{Sharer, downloads, get, under_way},
    tree::{assert_same, tree},
};
use rustix::process::Signal;

/// Large enough that no machine carries it before the first report of progress.
const LARGE: u64 = 1024 * MIB;
/// What may be written twice: chunks that were under way when the axe fell.
const IN_FLIGHT: u64 = 64 * MIB;
/// A transfer of `LARGE`, on a slow machine.
const LONG: Duration = Duration::from_secs(90);

/// What a person still calls at once, on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(1);

struct Scene {
    alice: Home,
    bob: Home,
    sharer: Sharer,
}

fn scene() -> Scene {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), LARGE, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    Scene { alice, bob, sharer }
}

impl Scene {
    #[track_caller]
    fn assert_arrived(&self) {
        assert_same(&tree(&self.alice.path("Quake")), &tree(&downloads(&self.bob).join("Quake")));
    }

    #[track_caller]
    fn assert_absent(&self) {
        assert!(!downloads(&self.bob).join("Quake").exists(), "nothing stands under the final name before it is whole");
    }
}

#[test]
fn a_receiver_that_is_killed_and_run_again_fetches_nothing_twice() {
    let scene = scene();
    let mut first = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]);
    let seen = under_way(&mut first);
    first.kill();
    scene.assert_absent();

    let second = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]).ended(LONG);
    second.assert_code(0);
    let planned = second.only("planned");
    let resumed = planned["resumed_bytes"].as_u64().expect("a number");
    assert!(resumed >= seen, "{seen} bytes were verified before, only {resumed} of them counted\n{second}");
    assert_eq!(second.only("finished")["resumed_bytes"], resumed);
    scene.assert_arrived();
}

#[test]
fn a_sender_that_is_killed_and_comes_back_goes_on_where_it_was() {
    let scene = scene();
    let addr = scene.sharer.addr;
    let mut receiver = get(&scene.bob, "Quake", &[addr], &downloads(&scene.bob), &[]);
    under_way(&mut receiver);
    let Scene { alice, bob, sharer } = scene;
    let peer = sharer.peer.clone();
    sharer.process.kill();
    let sharer = Sharer::start_at(&alice, &alice.path("Quake"), &addr.to_string(), &[]);
    assert_eq!(sharer.peer, peer);

    receiver.named("peer_down");
    assert!(receiver.runs(), "{}", receiver.account());
    // Bytes that it writes a second time would show here.
    let finished = receiver.event("the end", LONG, |event| event["type"] == "finished");
    let written = proc::written(receiver.pid());
    assert_eq!(finished["bytes"], LARGE);
    if let Some(written) = written {
        assert!(written < LARGE + IN_FLIGHT, "{written} bytes were written for {LARGE}\n{}", receiver.account());
    }
    receiver.ended(SOON).assert_code(0);
    Scene { alice, bob, sharer }.assert_arrived();
}

#[test]
fn a_receiver_that_is_closed_says_goodbye_and_the_sender_logs_it_as_such() {
    let mut scene = scene();
    let mut receiver = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]);
    let seen = under_way(&mut receiver);
    receiver.interrupt();
    let ended = receiver.ended(SOON);
    ended.assert_code(130);
    assert!(ended.only("cancelled")["item"].is_string(), "{ended}");

    let down = scene.sharer.process.named("peer_down");
    assert_eq!(down["goodbye"], true, "{down}");
    scene.assert_absent();

    let again = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]).ended(LONG);
    again.assert_code(0);
    assert!(again.only("finished")["resumed_bytes"].as_u64() >= Some(seen), "{again}");
    scene.assert_arrived();
}

#[test]
fn a_sender_that_is_closed_leaves_the_receiver_waiting_until_it_is_back() {
    let scene = scene();
    let addr = scene.sharer.addr;
    let mut receiver = get(&scene.bob, "Quake", &[addr], &downloads(&scene.bob), &[]);
    under_way(&mut receiver);
    let Scene { alice, bob, sharer } = scene;
    sharer.stop();

    let gone = receiver.named("all_peers_gone");
    assert_eq!(gone["waiting"], true);
    assert!(receiver.runs(), "{}", receiver.account());
    let sharer = Sharer::start_at(&alice, &alice.path("Quake"), &addr.to_string(), &[]);
    let ended = receiver.ended(LONG);
    ended.assert_code(0);
    let events = ended.events();
    let count = |name: &str| events.iter().filter(|event| event["type"] == name).count();
    assert_eq!(count("all_peers_gone"), 1, "{ended}");
    assert_eq!(count("failed"), 0, "{ended}");
    assert_eq!(count("finished"), 1, "{ended}");
    Scene { alice, bob, sharer }.assert_arrived();
}

#[test]
fn ctrl_c_is_immediate_where_all_is_well() {
    let scene = scene();
    let mut receiver = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]);
    under_way(&mut receiver);
    let at = Instant::now();
    receiver.interrupt();
    receiver.ended(SOON).assert_code(130);
    assert!(at.elapsed() < AT_ONCE, "the receiver took {:?}", at.elapsed());
    let at = Instant::now();
    scene.sharer.stop();
    assert!(at.elapsed() < AT_ONCE, "the sender took {:?}", at.elapsed());
}

#[test]
fn a_frozen_peer_holds_nobody_up() {
    let scene = scene();
    let mut receiver = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]);
    under_way(&mut receiver);
    // A stopped process holds its socket and answers nothing: to its peers the network is dead.
    proc::signal(scene.sharer.process.pid(), Signal::STOP);
    let at = Instant::now();
    receiver.interrupt();
    receiver.ended(SOON).assert_code(130);
    assert!(at.elapsed() < Duration::from_secs(2), "it took {:?}", at.elapsed());
    proc::signal(scene.sharer.process.pid(), Signal::CONT);
    scene.sharer.stop();
}

#[test]
fn a_second_ctrl_c_waits_for_nothing() {
    let scene = scene();
    let mut receiver = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]);
    under_way(&mut receiver);
    proc::signal(scene.sharer.process.pid(), Signal::STOP);
    // Both signals are pending when it wakes: it sees the second one while it stops because of the first.
    proc::signal(receiver.pid(), Signal::STOP);
    receiver.interrupt();
    proc::signal(receiver.pid(), Signal::TERM);
    let at = Instant::now();
    proc::signal(receiver.pid(), Signal::CONT);
    receiver.ended(SOON).assert_code(130);
    assert!(at.elapsed() < Duration::from_millis(500), "it took {:?}", at.elapsed());
    proc::signal(scene.sharer.process.pid(), Signal::CONT);
}
