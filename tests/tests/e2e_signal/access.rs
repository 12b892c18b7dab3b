//! Tokens: who gets in, for how long, and who is who.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use moorline_tests::{
    moorline::{Home, Moorline, SOON},
    signal::{Proxy, RoomUser, SignalServer, mint},
};
use serde_json::Value;

use crate::ROOM;

const SECRET: &str = "a secret of 24 bytes or so";
const HOUR: Duration = Duration::from_secs(3600);

fn guarded(home: &Home) -> SignalServer {
    let server = SignalServer::start(home, &["--token-secret", SECRET]);
    assert_eq!(server.ready["open"], false, "{}", server.ready);
    server
}

#[test]
fn a_token_names_its_bearer_and_opens_its_room_alone() {
    let home = Home::new();
    let server = guarded(&home);
    let token = mint(&home, ROOM, "ada@example.org", SECRET, HOUR);
    // What the command line claims does not count beside a token.
    let options = ["--token", &token, "--identity", "somebody else"];
    let mut ada = RoomUser::start(&home, &[&server.url()], ROOM, "ada", &options);
    let joined = ada.named("joined");
    assert_eq!(joined["participants"][0]["identity"], "ada@example.org", "{joined}");

    let elsewhere = home.run(&["room", &server.url(), "another-room", "--token", &token, "--json"]);
    elsewhere.assert_code(5);
}

#[test]
fn wrong_tokens_and_none_are_refused_and_not_tried_for_ever() {
    let home = Home::new();
    let server = guarded(&home);
    let forged = mint(&home, ROOM, "ada", "another secret of some bytes", HOUR);
    let cases: [(&str, &[&str]); 3] =
        [("forged", &["--token", &forged]), ("garbage", &["--token", "not.a.token"]), ("none", &[])];
    for (what, options) in cases {
        let proxy = Proxy::to(server.addr);
        let at = Instant::now();
        let ended = home.run(&[&["room", &proxy.url(), ROOM, "--json"], options].concat());
        ended.assert_code(5);
        assert!(at.elapsed() < SOON, "{what} took {:?}\n{ended}", at.elapsed());
        assert!(proxy.accepted() <= 2, "{what} was tried {} times\n{ended}", proxy.accepted());
        assert!(!ended.stdout.contains("joined"), "{what}\n{ended}");
        assert!(!ended.stderr.contains(&forged) && !ended.stdout.contains(&forged), "a token is a secret\n{ended}");
    }
}

#[test]
fn a_token_that_has_expired_is_refused_and_not_tried_for_ever() {
    let home = Home::new();
    let server = guarded(&home);
    let made = home.run(&["token", ROOM, "--identity", "ada", "--ttl", "1", "--token-secret", SECRET, "--json"]);
    made.assert_code(0);
    let made = made.only("token");
    let expires = made["expires_unix"].as_u64().unwrap_or_else(|| panic!("no expires_unix in {made}"));
    let token = made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    // The clock on the wall is what is awaited here.
    std::thread::sleep((Duration::from_secs(expires + 1)).saturating_sub(now));
    let proxy = Proxy::to(server.addr);
    let ended = home.run(&["room", &proxy.url(), ROOM, "--token", token, "--json"]);
    ended.assert_code(5);
    assert!(proxy.accepted() <= 2, "tried {} times with a token that was refused\n{ended}", proxy.accepted());
    assert!(ended.to_string().contains("expired"), "the reason is said\n{ended}");
}

#[test]
fn a_token_that_runs_out_ends_the_visit() {
    let home = Home::new();
    let server = guarded(&home);
    let long = mint(&home, ROOM, "ben", SECRET, HOUR);
    let mut ben = RoomUser::join(&home, &[&server.url()], ROOM, "ben", &["--token", &long]);
    // Made last: its time runs from here.
    let brief = mint(&home, ROOM, "ada", SECRET, Duration::from_secs(8));
    let ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &["--token", &brief]);
    let (ended, seen) = ada.ended(SOON);
    assert_ne!(ended.code(), Some(0), "{ended}");
    assert_eq!((seen.count("lost"), seen.count("closed")), (0, 1), "the end of a visit is no loss\n{seen}");
    ben.sees_leave("ada", SOON);
    let ben = ben.leave();
    assert_eq!(ben.departures_of("ada").len(), 1, "{ben}");
    ben.assert_never_lost();
}

#[test]
fn the_same_identity_takes_over_and_the_first_is_told() {
    let home = Home::new();
    let server = guarded(&home);
    let [token, other] = ["ada", "ben"].map(|identity| mint(&home, ROOM, identity, SECRET, HOUR));
    let mut ben = RoomUser::join(&home, &[&server.url()], ROOM, "ben", &["--token", &other]);
    let first = RoomUser::join(&home, &[&server.url()], ROOM, "first", &["--token", &token]);
    ben.sees_arrive("first");
    let proxy = Proxy::to(server.addr);
    let mut second = RoomUser::join(&home, &[&proxy.url()], ROOM, "second", &["--token", &token]);
    assert_eq!(ben.sees_leave("first", SOON), "replaced");
    ben.sees_arrive("second");
    let (ended, seen) = first.ended(SOON);
    assert_ne!(ended.code(), Some(0), "{ended}");
    let closed: Vec<&Value> = seen.of("closed").collect();
    assert!(closed.len() == 1 && closed[0]["reason"].to_string().contains("same identity"), "{seen}");
    assert_eq!(seen.count("lost"), 0, "whoever is replaced does not fight for the place\n{seen}");
    second.say("it is me");
    ben.hears("it is me");
    // A loss of the second one's connection does not bring the first one's rights back.
    assert_eq!(proxy.reset(), 1);
    assert_eq!(second.named("recovered")["resumed"], true);
    ben.say("so it is");
    second.hears("so it is");
    let ben = ben.leave();
    assert_eq!((ben.arrivals_of("first"), ben.arrivals_of("second")), (1, 1), "{ben}");
    assert_eq!((ben.departures_of("first"), ben.departures_of("second").len()), (vec!["replaced"], 0), "{ben}");
}

#[test]
fn a_variable_that_should_hold_the_secret_and_is_empty_opens_no_server() {
    let home = Home::new();
    let mut command = home.command(&["signal", "--listen", "127.0.0.1:0", "--json"]);
    command.env("MOORLINE_TOKEN_SECRET", "");
    let ended = Moorline::spawn(command).ended(SOON);
    ended.assert_code(2);
    assert!(ended.stderr.contains("MOORLINE_TOKEN_SECRET is set, but empty"), "{ended}");
}

#[test]
fn what_a_token_does_not_grant_is_rejected_line_by_line() {
    let home = Home::new();
    let server = guarded(&home);
    let made = home.run(&["token", ROOM, "--identity", "ada", "--no-publish", "--token-secret", SECRET]);
    made.assert_code(0);
    let long = mint(&home, ROOM, "ben", SECRET, HOUR);
    let ben = RoomUser::join(&home, &[&server.url()], ROOM, "ben", &["--token", &long]);
    let mut ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &["--token", made.stdout.trim()]);
    ada.say("may I?");
    ada.settles(SOON);
    ada.say("/quit");
    let (ended, ada) = ada.ended(SOON);
    ended.assert_code(8);
    assert!(ended.stderr.contains("line 1: refused"), "{ended}");
    assert_eq!(ada.outcomes().into_values().collect::<Vec<_>>(), ["rejected"], "{ada}");
    assert_eq!(ben.leave().count("message"), 0);
}
