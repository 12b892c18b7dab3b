//! A server that is stopped on purpose sends its people to another one.

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{RoomUser, SignalServer},
};

use crate::{ROOM, numbered};

#[test]
fn people_move_to_another_server_without_losing_a_word() {
    const LINES: usize = 40;
    let home = Home::new();
    let new = SignalServer::start(&home, &[]);
    let old = SignalServer::start(&home, &["--drain", "20", "--move-to", &new.url()]);
    let urls = [old.url(), new.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let person = |name: &str| RoomUser::join(&home, &urls, ROOM, name, &["--identity", name]);
    let mut ada = person("ada");
    let mut ben = person("ben");
    ada.sees_arrive("ben");
    assert_eq!(ada.transcript().events()[0]["node"], old.node(), "the first address is the first tried");
    let (before, while_moving, after) =
        (numbered("before", LINES), numbered("moving", LINES), numbered("after", LINES));
    before.iter().for_each(|line| {
        ada.say(line);
    });
    ben.hears(&before[LINES - 1]);

    old.terminate();
    while_moving.iter().for_each(|line| {
        ben.say(line);
    });
    for user in [&mut ada, &mut ben] {
        let recovered = user.named("recovered");
        assert_eq!(recovered["strategy"], "migrate", "{recovered}");
    }
    let stopped = old.process.ended(SOON);
    stopped.assert_code(0);
    assert_eq!(stopped.only("draining")["sessions"], 2, "{stopped}");
    assert_eq!(stopped.only("stopped")["left"], 0, "{stopped}");

    for (user, other) in [(&mut ada, "ben"), (&mut ben, "ada")] {
        user.until(&format!("{other} on the other server"), SOON, |seen| {
            let after_move: Vec<_> =
                seen.events().iter().rev().take_while(|event| event["type"] != "recovered").collect();
            let met = |event: &serde_json::Value| {
                event["type"] == "participant_joined" && event["participant"]["name"] == other
            };
            after_move.iter().any(|event| met(event))
                || seen.of("resync").any(|event| event["participants"].to_string().contains(other))
        });
    }
    after.iter().for_each(|line| {
        ada.say(line);
        ben.say(line);
    });
    ada.hears(&after[LINES - 1]);
    ben.hears(&after[LINES - 1]);
    ada.settles(SOON);
    ben.settles(SOON);
    let (ada, ben) = (ada.leave(), ben.leave());
    for (who, transcript) in [("ada", &ada), ("ben", &ben)] {
        transcript.assert_never_lost();
        assert!(transcript.outcomes().values().all(|outcome| *outcome == "acked"), "{who}\n{transcript}");
    }
    assert_eq!(ben.texts_from("ada"), [&before[..], &after].concat());
    let heard = ada.texts_from("ben");
    let (moving, rest): (Vec<&str>, Vec<&str>) = heard.iter().partition(|text| text.starts_with("moving"));
    assert_eq!(rest, after, "what is said with both in one place is heard");
    // What ben said to one server while ada was on the other reached the room that he was in, without her.
    let places: Vec<_> = moving.iter().map(|text| while_moving.iter().position(|line| line == text)).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "in order, and nothing twice: {moving:?}");
    println!("of {LINES} lines during the move, {} were heard", moving.len());
}

#[test]
fn a_server_that_stops_with_nowhere_to_go_ends_all_the_same() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--drain", "1"]);
    let mut ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &["--deadline", "3"]);
    server.terminate();
    let stopped = server.process.ended(SOON);
    stopped.assert_code(0);
    assert_eq!(stopped.only("draining")["sessions"], 1, "{stopped}");
    ada.named("lost");
    let (ended, seen) = ada.ended(SOON);
    ended.assert_code(4);
    assert_eq!((seen.count("lost"), seen.count("closed")), (1, 1), "{seen}");
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let home = Home::new();
    let mut server = SignalServer::start(&home, &["--drain", "120"]);
    let _ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &[]);
    server.terminate();
    server.process.named("draining");
    let at = std::time::Instant::now();
    server.terminate();
    server.process.ended(SOON).assert_code(130);
    assert!(at.elapsed() < SOON, "it took {:?}", at.elapsed());
}

#[test]
fn when_a_server_dies_its_people_find_another_one() {
    let home = Home::new();
    let [old, new] = [(); 2].map(|()| SignalServer::start(&home, &[]));
    let urls = [old.url(), new.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut ada = RoomUser::join(&home, &urls, ROOM, "ada", &[]);
    let mut ben = RoomUser::join(&home, &urls, ROOM, "ben", &[]);
    ada.sees_arrive("ben");
    old.kill();
    for user in [&mut ada, &mut ben] {
        user.named("lost");
        let recovered = user.event("the return", 2 * SOON, |event| event["type"] == "recovered");
        assert_eq!(recovered["resumed"], false, "another node knows nothing of the session: {recovered}");
    }
    ada.say("new house");
    ben.hears("new house");
}
