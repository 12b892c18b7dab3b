//! Share, list, get: two processes on loopback that know each other by address.

use std::{collections::BTreeSet, fs};

use moorline_tests::{
    moorline::{Home, SOON},
    sample::{self, CHUNK},
    scene::{BY_ADDRESS, Sharer, downloads, get},
    tree::{Node, assert_same, b3sum, tree},
};

#[test]
fn a_folder_arrives_whole_with_the_hashes_that_b3sum_prints() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::everything(&alice.path("games/Quake"));
    let sharer = Sharer::start(&alice, &alice.path("games/Quake"), &[]);

    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(0);
    let finished = ended.only("finished");
    assert_eq!(finished["name"], "Quake");
    assert_eq!(finished["resumed_bytes"], 0);

    let mut expected = tree(&alice.path("games/Quake"));
    expected.retain(|_, node| !matches!(node, Node::Link(_)));
    assert_same(&expected, &tree(&downloads(&bob).join("Quake")));
    assert_eq!(leftovers(&bob), ["Quake"], "nothing but the item is left in the target folder");
    sharer.stop();
}

#[test]
fn a_symbolic_link_is_left_out_with_a_notice() {
    let alice = Home::new();
    sample::everything(&alice.path("Quake"));
    let mut sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let left_out = |path: &str| {
        let path = path.to_owned();
        move |event: &serde_json::Value| {
            event["type"] == "left_out" && event["path"].as_str().is_some_and(|left| left.ends_with(&path))
        }
    };
    let notice = sharer.process.event("a notice about the link", SOON, left_out("link.bin"));
    assert!(notice["reason"].as_str().is_some_and(|reason| reason.contains("link")), "{notice}");
}

#[test]
fn a_single_file_is_an_item_and_arrives_as_a_file() {
    let (alice, bob) = (Home::new(), Home::new());
    let file = alice.path("film 🎬.mkv");
    sample::random_file(&file, 3 * CHUNK + 17, 1);
    let sharer = Sharer::start(&alice, &file, &[]);
    get(&bob, "film 🎬.mkv", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(0);
    assert_eq!(b3sum(&downloads(&bob).join("film 🎬.mkv")), b3sum(&file));
}

#[test]
fn every_child_of_a_library_is_an_item_and_all_are_listed() {
    let (alice, bob) = (Home::new(), Home::new());
    for (index, name) in ["Quake", "Doom", "Heretic"].iter().enumerate() {
        sample::random_file(&alice.path(&format!("games/{name}/data.bin")), 1000, index as u64);
    }
    sample::random_file(&alice.path("games/readme.txt"), 10, 4);
    let games = alice.path("games");
    let mut args = vec!["share", "--library", games.to_str().expect("a path in UTF-8"), "--listen", "127.0.0.1:0"];
    args.extend(BY_ADDRESS);
    let sharer = Sharer::offering(alice.start(&args), 4);

    let peer = sharer.addr.to_string();
    let ended = bob.run(&[&["list", "--peer", &peer], &BY_ADDRESS[..]].concat());
    ended.assert_code(0);
    let names: BTreeSet<String> = ended
        .events()
        .iter()
        .filter(|event| event["type"] == "offer")
        .map(|offer| offer["name"].as_str().expect("an offer has a name").to_owned())
        .collect();
    assert_eq!(names, ["Quake", "Doom", "Heretic", "readme.txt"].map(str::to_owned).into());
    let offered_by = ended.only("peer");
    assert_eq!(offered_by["peer"], sharer.peer.as_str());
    assert_eq!(offered_by["items"], 4);
}

#[test]
fn seventy_items_arrive_a_few_at_a_time() {
    let (alice, bob) = (Home::new(), Home::new());
    let names: Vec<String> = (0..70).map(|index| format!("item {index:02}")).collect();
    for (index, name) in names.iter().enumerate() {
        sample::small_files(&alice.path(&format!("games/{name}")), 3, 500 + index as u64);
    }
    let games = alice.path("games");
    let mut args = vec!["share", "--library", games.to_str().expect("a path in UTF-8"), "--listen", "127.0.0.1:0"];
    args.extend(BY_ADDRESS);
    let sharer = Sharer::offering(alice.start(&args), names.len());

    let (peer, into) = (sharer.addr.to_string(), downloads(&bob));
    let into = into.to_str().expect("a path in UTF-8");
    let mut args: Vec<&str> = ["get", "--into", into, "--peer", &peer].into();
    args.extend(BY_ADDRESS);
    args.extend(names.iter().map(String::as_str));
    let ended = bob.run(&args);
    ended.assert_code(0);
    assert_same(&tree(&games), &tree(&downloads(&bob)));

    // Each is told of once from its beginning to its end, and only a few are under way at any time.
    let (mut under_way, mut finished) = (BTreeSet::new(), BTreeSet::new());
    for event in ended.events() {
        let name = event["name"].to_string();
        if event["type"] == "found" {
            under_way.insert(name);
            assert!(under_way.len() <= 4, "{under_way:?} at once\n{ended}");
        } else if event["type"] == "finished" {
            assert!(under_way.remove(&name) && finished.insert(name), "{event}\n{ended}");
        }
    }
    assert_eq!(finished.len(), names.len(), "{ended}");
}

#[test]
fn metadata_of_an_item_is_listed() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("q3/data.bin"), 1000, 1);
    let metadata = "title = \"Quake III Arena\"\nversion = \"1.32c\"\ndescription = \"Frag your friends.\"\n\
                    thumbnail = \"box.png\"\n";
    fs::write(alice.path("q3/moorline.toml"), metadata).expect("the home is writable");
    fs::write(alice.path("q3/box.png"), b"\x89PNG\r\n\x1a\n").expect("the home is writable");
    let sharer = Sharer::start(&alice, &alice.path("q3"), &[]);
    let peer = sharer.addr.to_string();
    let offer = bob.run(&[&["list", "--peer", &peer], &BY_ADDRESS[..]].concat()).only("offer");
    assert_eq!(offer["title"], "Quake III Arena");
    assert_eq!(offer["version"], "1.32c");
    assert_eq!(offer["description"], "Frag your friends.");
    assert_eq!(offer["thumbnail"], serde_json::json!({ "media_type": "image/png", "bytes": 8 }));
}

#[test]
fn the_same_bytes_come_from_two_peers_at_once() {
    let (alice, carol, bob) = (Home::new(), Home::new(), Home::new());
    for home in [&alice, &carol] {
        sample::random_file(&home.path("Quake/data.bin"), 200 * CHUNK, 1);
    }
    let sharers = [&alice, &carol].map(|home| Sharer::start(home, &home.path("Quake"), &[]));
    let addrs = [sharers[0].addr, sharers[1].addr];
    let ended = get(&bob, "Quake", &addrs, &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(0);
    assert_eq!(ended.only("finished")["sources"], 2, "{ended}");
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
}

#[test]
fn namesakes_are_told_apart_and_nothing_is_fetched_by_chance() {
    let (alice, carol, bob) = (Home::new(), Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    sample::random_file(&carol.path("Quake/data.bin"), 1000, 2);
    let one = Sharer::start(&alice, &alice.path("Quake"), &["--name", "alice"]);
    let other = Sharer::start(&carol, &carol.path("Quake"), &["--name", "carol"]);
    let addrs = [one.addr, other.addr];

    let ended = get(&bob, "Quake", &addrs, &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(3);
    let error = ended.only("error");
    assert_eq!(error["code"], 3);
    let advice = format!("{} {}", error["message"], error["hint"]);
    assert!(advice.contains("alice") && advice.contains("carol"), "says how to choose: {advice}");
    assert!(leftovers(&bob).is_empty());

    get(&bob, "Quake@carol", &addrs, &downloads(&bob), &[]).ended(SOON).assert_code(0);
    assert_same(&tree(&carol.path("Quake")), &tree(&downloads(&bob).join("Quake")));
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);

    bob.run(&["get"]).assert_code(2);
    bob.run(&["share", "/no/such/folder", "--json", "--no-multicast"]).assert_code(7);
    get(&bob, "Unreal", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(3);
    // Port 9 is for what is thrown away: nobody answers there.
    let nobody = "127.0.0.1:9".parse().expect("an address");
    get(&bob, "Quake", &[nobody], &downloads(&bob), &[]).ended(2 * SOON).assert_code(4);
    // What stands under the name already is neither overwritten nor mixed with.
    fs::create_dir_all(downloads(&bob).join("Quake")).expect("the home is writable");
    fs::write(downloads(&bob).join("Quake/mine.txt"), "mine").expect("the home is writable");
    get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(7);
    assert_eq!(fs::read_to_string(downloads(&bob).join("Quake/mine.txt")).expect("it is still there"), "mine");
}

#[test]
fn every_line_of_json_is_an_object_with_a_type() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::everything(&alice.path("Quake"));
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let peer = sharer.addr.to_string();
    let mut lines = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).events();
    lines.extend(bob.run(&[&["list", "--peer", &peer], &BY_ADDRESS[..]].concat()).events());
    lines.extend(get(&bob, "Unreal", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).events());
    sharer.process.interrupt();
    lines.extend(sharer.process.ended(SOON).events());
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        assert!(line["type"].is_string(), "{line}");
    }
}

#[test]
fn two_programs_on_one_machine_are_two_peers() {
    let home = Home::new();
    sample::random_file(&home.path("one/data.bin"), 10, 1);
    sample::random_file(&home.path("two/data.bin"), 10, 2);
    // The same user, the same home: each must still be a peer of its own.
    let one = Sharer::start(&home, &home.path("one"), &[]);
    let two = Sharer::start(&home, &home.path("two"), &[]);
    assert_ne!(one.peer, two.peer);

    let bob = Home::new();
    let (first, second) = (one.addr.to_string(), two.addr.to_string());
    let ended = bob.run(&[&["list", "--peer", &first, "--peer", &second], &BY_ADDRESS[..]].concat());
    let peers: BTreeSet<String> =
        ended.events().iter().filter(|event| event["type"] == "peer").map(|peer| peer["peer"].to_string()).collect();
    assert_eq!(peers.len(), 2, "{ended}");
}

#[test]
fn a_peer_keeps_its_identity_over_a_restart() {
    let home = Home::new();
    sample::random_file(&home.path("one/data.bin"), 10, 1);
    let first = Sharer::start(&home, &home.path("one"), &[]);
    let peer = first.peer.clone();
    first.stop();
    assert_eq!(Sharer::start(&home, &home.path("one"), &[]).peer, peer);
}

#[test]
fn what_is_fetched_twice_is_not_carried_twice() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 20 * CHUNK, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let first = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON);
    assert_eq!(first.assert_code(0).only("finished")["already_there"], false);
    let second = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON);
    assert_eq!(second.assert_code(0).only("finished")["already_there"], true, "{second}");
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
    assert_eq!(leftovers(&bob), ["Quake"]);
}

/// The names in the download folder, hidden ones included.
fn leftovers(home: &Home) -> Vec<String> {
    let Ok(folder) = fs::read_dir(downloads(home)) else { return Vec::new() };
    let mut names: Vec<String> =
        folder.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
