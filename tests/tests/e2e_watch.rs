//! `moorline list --watch`: what changes is told as it changes, for people and for programs.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU8, Ordering},
    time::Instant,
};

use moorline_tests::{
    moorline::{Home, Moorline, SOON},
    sample,
    scene::{BY_ADDRESS, Sharer},
};
use serde_json::Value;

/// Two sharers, the second of which is not there yet.
struct Scene {
    alice: Sharer,
    carol: Home,
    /// Where the second one will be.
    there: String,
    _home: Home,
}

fn scene() -> Scene {
    let (home, carol) = (Home::new(), Home::new());
    sample::random_file(&home.path("Quake/data.bin"), 1000, 1);
    sample::random_file(&carol.path("Doom/data.bin"), 3000, 2);
    let alice = Sharer::start(&home, &home.path("Quake"), &["--name", "alice"]);
    Scene { alice, carol, there: own_address().to_string(), _home: home }
}

/// An address that nobody else uses, for a peer that is not there yet: on the loopback there are enough for each test of each process.
fn own_address() -> SocketAddr {
    /// Not among those that systems give out by themselves.
    const PORT: u16 = 17_077;
    static TESTS: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 77 + TESTS.fetch_add(1, Ordering::Relaxed), high, low], PORT))
}

fn carol_comes(carol: &Home, listen: &str) -> Sharer {
    Sharer::start_at(carol, &carol.path("Doom"), listen, &["--name", "carol"])
}

impl Scene {
    fn watch(&self, bob: &Home, options: &[&str]) -> Moorline {
        let alice = self.alice.addr.to_string();
        bob.start(&[&["list", "--watch", "--peer", &alice, "--peer", &self.there], options].concat())
    }
}

#[test]
fn a_second_sharer_comes_and_goes_for_programs() {
    let (scene, bob) = (scene(), Home::new());
    let mut watch = scene.watch(&bob, &BY_ADDRESS);
    let offer = watch.named("offer");
    assert_eq!(offer["name"], "Quake", "{offer}");

    let carol = carol_comes(&scene.carol, &scene.there);
    // A peer and what it offers are looked at one after the other: either may be seen first.
    let [up, offer] = both(&mut watch, ["peer_up", "offer"]);
    assert_eq!(
        (&up["peer"], &up["name"], &up["address"]),
        (&carol.peer.as_str().into(), &"carol".into(), &scene.there.as_str().into())
    );
    assert_eq!((&offer["name"], &offer["bytes"]), (&"Doom".into(), &3000.into()), "{offer}");
    assert_eq!(offer["peers"][0]["name"], "carol", "{offer}");
    let (peer, item) = (carol.peer.clone(), offer["item"].clone());

    carol.stop();
    let [down, removed] = both(&mut watch, ["peer_down", "offer_removed"]);
    assert_eq!((&down["peer"], &down["goodbye"]), (&peer.as_str().into(), &true.into()), "{down}");
    assert_eq!((&removed["item"], &removed["name"]), (&item, &"Doom".into()), "{removed}");

    watch.interrupt();
    let ended = watch.ended(SOON);
    ended.assert_code(0);
    // Of the one that stayed nothing was said but that it is there.
    let of_alice = ended.events().into_iter().filter(|event| event["name"] == "alice" || event["name"] == "Quake");
    let kinds: Vec<String> = of_alice.map(|event| event["type"].to_string()).collect();
    assert_eq!(kinds, [r#""peer""#, r#""offer""#], "{ended}");
}

#[test]
fn a_second_sharer_comes_and_goes_for_people() {
    let (scene, bob) = (scene(), Home::new());
    let mut watch = scene.watch(&bob, &BY_ADDRESS[1..]);
    until(&mut watch, &[&["alice", "Quake"]]);

    let carol = carol_comes(&scene.carol, &scene.there);
    until(&mut watch, &[&["+ peer", "carol", &scene.there], &["+ item", "Doom", "2.9 KiB", "from carol"]]);

    carol.stop();
    until(&mut watch, &[&["- peer", "carol", "goodbye"], &["- item", "Doom"]]);

    watch.interrupt();
    watch.ended(SOON).assert_code(0);
}

/// Waits for an event of each of these kinds, in whatever order they come.
#[track_caller]
fn both(watch: &mut Moorline, kinds: [&str; 2]) -> [Value; 2] {
    let first = watch.event(&kinds.join(" and "), SOON, |event| kinds.iter().any(|kind| event["type"] == *kind));
    let other = usize::from(first["type"] == kinds[0]);
    let second = watch.named(kinds[other]);
    if other == 1 { [first, second] } else { [second, first] }
}

/// Waits for a line with all of the parts of each, in whatever order the lines come.
#[track_caller]
fn until(watch: &mut Moorline, lines: &[&[&str]]) {
    let deadline = Instant::now() + SOON;
    let mut wanted = lines.to_vec();
    while !wanted.is_empty() {
        let line = watch.line(deadline.saturating_duration_since(Instant::now()));
        if let Some(found) = wanted.iter().position(|parts| parts.iter().all(|part| line.contains(part))) {
            wanted.swap_remove(found);
        }
    }
}
