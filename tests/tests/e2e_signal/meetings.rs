//! Peers that meet in rooms: `share`, `list` and `get` with `--room`.

use std::{fs, path::PathBuf, time::Duration};

use moorline_tests::{
    moorline::{Ended, Home, Moorline, SOON},
    sample,
    scene::{BY_ADDRESS, Sharer},
    signal::{Direction, Proxy, SignalServer, mint, reserved_address},
};
use serde_json::Value;

use crate::ROOM;

const SECRET: &str = "a secret of 24 bytes or so";
const HOUR: Duration = Duration::from_secs(3600);

/// The usual room, as `--room` has it.
fn at(url: &str) -> String {
    format!("{url}/{ROOM}")
}

/// Somebody who has an item of this name to share. The same content would be the same item, whatever its name.
fn owner(item: &str) -> (Home, PathBuf) {
    let home = Home::new();
    sample::random_file(&home.path(item).join("data.bin"), 1000, item.bytes().map(u64::from).sum());
    let item = home.path(item);
    (home, item)
}

/// What can be seen in a room by whoever has this token in the environment.
fn list(home: &Home, rooms: &[&str], token: Option<&str>) -> Moorline {
    let mut args = [&["list"], &BY_ADDRESS[..]].concat();
    rooms.iter().for_each(|room| args.extend(["--room", room]));
    let mut command = home.command(&args);
    if let Some(token) = token {
        command.env("MOORLINE_TOKEN", token);
    }
    Moorline::spawn(command)
}

fn all(ended: &Ended, name: &str) -> Vec<Value> {
    ended.events().into_iter().filter(|event| event["type"] == name).collect()
}

#[test]
fn a_token_in_a_file_or_in_the_environment_opens_a_room() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--token-secret", SECRET]);
    let room = at(&server.url());
    let (alice, quake) = owner("Quake");
    let file = alice.path("token");
    fs::write(&file, mint(&home, ROOM, "alice", SECRET, HOUR)).expect("the home can be written");
    let file = file.to_str().expect("a path in UTF-8");
    let sharer = Sharer::start(&alice, &quake, &["--room", &room, "--room-token-file", file]);

    let token = mint(&home, ROOM, "bob", SECRET, HOUR);
    let ended = list(&home, &[&room], Some(&token)).ended(SOON);
    ended.assert_code(0);
    assert_eq!(ended.only("offer")["name"], "Quake", "{ended}");
    assert!(!ended.to_string().contains("not reached"), "{ended}");
    sharer.stop();
}

#[test]
fn a_sharer_whose_token_ran_out_comes_back_with_the_next_one() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--token-secret", SECRET]);
    let room = at(&server.url());
    let (alice, quake) = owner("Quake");
    let file = alice.path("token");
    fs::write(&file, mint(&home, ROOM, "alice", SECRET, Duration::from_secs(3))).expect("the home can be written");
    let path = file.to_str().expect("a path in UTF-8");
    let sharer = Sharer::start(&alice, &quake, &["--room", &room, "--room-token-file", path]);
    // Whether the client or the server notices first is open, and so is the reason that is given.
    sharer.process.says("out of the room harbour: ", SOON);

    fs::write(&file, mint(&home, ROOM, "alice", SECRET, HOUR)).expect("the home can be written");
    sharer.process.says("in the room harbour again", SOON);
    let token = mint(&home, ROOM, "bob", SECRET, HOUR);
    let ended = list(&home, &[&room], Some(&token)).ended(SOON);
    assert_eq!(ended.only("offer")["name"], "Quake", "{ended}");
    sharer.stop();
}

#[test]
fn a_room_that_no_attempt_can_mend_is_lost_for_good_and_said_so() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--token-secret", SECRET]);
    let room = at(&server.url());
    let (alice, quake) = owner("Quake");
    let token = mint(&home, ROOM, "alice", SECRET, Duration::from_secs(3));
    let sharer = Sharer::start(&alice, &quake, &["--room", &room, "--room-token", &token]);
    sharer.process.says("the room harbour is lost for good: the token ran out", SOON);
    sharer.process.says("--room-token-file", SOON);
    // What is shared on the network goes on.
    sharer.stop();
}

#[test]
fn tokens_belong_to_rooms_in_their_order() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--token-secret", SECRET]);
    let rooms = ["one", "two"].map(|room| format!("{}/{room}", server.url()));
    let tokens = ["one", "two"].map(|room| mint(&home, room, "alice", SECRET, HOUR));
    let both = ["list", "--room", &rooms[0], "--room", &rooms[1]];
    let run = |more: &[&str]| home.run(&[&both[..], &BY_ADDRESS, more].concat());

    let ended = run(&["--room-token", &tokens[0], "--room-token", &tokens[1]]);
    ended.assert_code(0);
    assert!(all(&ended, "room_unreached").is_empty(), "{ended}");
    let swapped = run(&["--room-token", &tokens[1], "--room-token", &tokens[0]]);
    assert_eq!(all(&swapped, "room_unreached").len(), 2, "{swapped}");
    let one = run(&["--room-token", &tokens[0]]);
    one.assert_code(2);
    assert!(one.stderr.contains("--room-token-file"), "it says what to do\n{one}");
    list(&home, &[&rooms[0], &rooms[1]], Some(&tokens[0])).ended(SOON).assert_code(2);
}

#[test]
fn a_list_waits_for_a_room_that_is_slow() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let (alice, quake) = owner("Quake");
    let (carol, doom) = owner("Doom");
    let alice = Sharer::start(&alice, &quake, &[]);
    let carol = Sharer::start(&carol, &doom, &["--room", &at(&server.url())]);
    proxy.hold(Direction::ToServer);
    let (room, near) = (at(&proxy.url()), alice.addr.to_string());
    let list = home.start(&[&["list", "--room", &room, "--peer", &near], &BY_ADDRESS[..]].concat());
    // Longer than a list waits once it has seen somebody, and shorter than a dial takes.
    std::thread::sleep(Duration::from_millis(3000));
    proxy.release(Direction::ToServer);
    let ended = list.ended(SOON);
    let names: Vec<_> = all(&ended, "offer").into_iter().map(|offer| offer["name"].clone()).collect();
    assert_eq!(names.len(), 2, "{ended}");
    alice.stop();
    carol.stop();
}

#[test]
fn a_room_that_was_not_reached_is_named_with_the_reason() {
    let home = Home::new();
    let room = at(&format!("ws://{}", reserved_address()));
    let ended = list(&home, &[&room], None).ended(SOON);
    ended.assert_code(0);
    assert!(ended.stderr.contains("the room harbour was not reached: "), "{ended}");
    assert_eq!(ended.only("room_unreached")["room"], ROOM, "{ended}");
    let ended = home.run(&[&["get", "Quake", "--room", &room], &BY_ADDRESS[..]].concat());
    ended.assert_code(3);
    assert!(ended.stderr.contains("the room harbour was not reached: "), "{ended}");
}

#[test]
fn a_name_with_a_space_is_the_room_that_it_says() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let (alice, quake) = owner("Quake");
    let alice = Sharer::start(&alice, &quake, &["--room", &format!("{}/my%20room", server.url())]);
    let ended = home.run(&["room", &server.url(), "my room", "--json"]);
    ended.assert_code(0);
    assert_eq!(ended.only("joined")["participants"].as_array().map(Vec::len), Some(2), "{ended}");
    alice.stop();
}
