//! People come, talk, and go.

use std::time::Duration;

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{Proxy, RoomUser, SignalServer},
};
use serde_json::Value;

use crate::{ROOM, join, numbered};

#[test]
fn two_hear_each_other_and_each_line_is_acknowledged() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    assert_eq!(server.ready["open"], true, "a server without a secret says so: {}", server.ready);
    let mut ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    ada.say("hello");
    let heard = ben.hears("hello");
    assert_eq!((&heard["name"], &heard["reliable"]), (&"ada".into(), &true.into()), "{heard}");
    ben.say("good evening ☕");
    ada.hears("good evening ☕");
    ada.settles(SOON);
    ben.settles(SOON);

    let (ada, ben) = (ada.leave(), ben.leave());
    for (who, transcript) in [("ada", &ada), ("ben", &ben)] {
        assert!(transcript.outcomes().values().all(|outcome| *outcome == "acked"), "{who}\n{transcript}");
        transcript.assert_never_lost();
        assert_eq!(transcript.count("message"), 1, "nobody hears themselves, nor anything twice: {who}\n{transcript}");
        assert_eq!(
            transcript.events().last().map(|event| &event["type"]),
            Some(&"closed".into()),
            "{who}\n{transcript}"
        );
        assert_eq!(transcript.count("closed"), 1, "{who}\n{transcript}");
    }
    server.stop();
}

#[test]
fn a_newcomer_is_told_who_is_there_and_what_they_announce() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let options = ["--identity", "ada", "--metadata", "seat 7", "--attribute", "colour=blue"];
    let mut ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &options);
    let mut ben = join(&home, &server.url(), "ben");
    ada.say("/set camera on");
    ada.say("/set camera off");
    let newest = |event: &Value| event["type"] == "value" && event["key"] == "camera" && event["text"] == "off";
    ben.event("the newest value", SOON, newest);

    let mut carl = RoomUser::start(&home, &[&server.url()], ROOM, "carl", &["--identity", "carl"]);
    let joined = carl.named("joined");
    let people = joined["participants"].as_array().unwrap_or_else(|| panic!("no participants in {joined}"));
    let find = |name: &str| {
        people.iter().find(|person| person["name"] == name).unwrap_or_else(|| panic!("{name} is not in {joined}"))
    };
    assert_eq!(people.len(), 3, "{joined}");
    assert_eq!(find("ada")["metadata"], "seat 7", "{joined}");
    assert_eq!(find("ada")["attributes"]["colour"], "blue", "{joined}");
    assert!(find("ada")["values"].to_string().contains("off"), "{joined}");
    assert_eq!(find("carl")["id"], joined["participant"], "{joined}");

    // Who goes is gone, for a reason, once.
    drop(ada.leave());
    assert_eq!(carl.sees_leave("ada", SOON), "left");
    assert_eq!(ben.sees_leave("ada", SOON), "left");
    ben.say("still here");
    carl.hears("still here");
    assert_eq!(carl.leave().departures_of("ada"), ["left"]);
    assert_eq!(ben.leave().arrivals_of("carl"), 1);
}

#[test]
fn what_is_for_one_is_heard_by_one_and_other_rooms_hear_nothing() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let [mut ada, mut ben, mut carl] = ["ada", "ben", "carl"].map(|name| join(&home, &server.url(), name));
    let mut dora = RoomUser::join(&home, &[&server.url()], "elsewhere", "dora", &[]);
    ada.until("ben and carl", SOON, |seen| seen.arrivals_of("ben") == 1 && seen.arrivals_of("carl") == 1);
    ada.say("/to ben psst");
    ada.say("everybody");
    dora.say("alone");
    dora.settles(SOON);
    ben.hears("psst");
    ben.hears("everybody");
    // Order is kept: had it been sent to carl too, it would have come before.
    carl.hears("everybody");
    assert_eq!(carl.leave().texts_from("ada"), ["everybody"]);
    assert_eq!(dora.leave().count("message"), 0);
    assert_eq!(ben.leave().texts_from("dora"), Vec::<&str>::new());
}

#[test]
fn a_call_is_answered() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let [mut ada, _ben] = ["ada", "ben"].map(|name| join(&home, &server.url(), name));
    ada.sees_arrive("ben");
    ada.say("/call ben echo are you there");
    let result = ada.named("call_result");
    assert!(result.to_string().contains("are you there"), "{result}");
    ada.say("/call ben dance now");
    let result = ada.named("call_result");
    assert!(result.to_string().contains("no_such_method"), "{result}");
}

#[test]
fn many_lines_from_many_people_come_in_each_ones_order() {
    const EACH: usize = 200;
    const NAMES: [&str; 5] = ["ada", "ben", "carl", "dora", "emil"];
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut people = NAMES.map(|name| join(&home, &server.url(), name));
    people[0].until("all to be there", SOON, |seen| seen.count("participant_joined") == NAMES.len() - 1);
    for text in numbered("line", EACH) {
        people.iter_mut().for_each(|person| {
            person.say(&text);
        });
    }
    let expected = numbered("line", EACH);
    for person in &mut people {
        person.settles(SOON);
        person.until("every line of the others", SOON, |seen| seen.count("message") >= EACH * (NAMES.len() - 1));
    }
    for (own, person) in NAMES.iter().zip(people) {
        let transcript = person.leave();
        for other in NAMES.iter().filter(|other| *other != own) {
            assert_eq!(transcript.texts_from(other), expected, "{own} of {other}");
        }
        assert!(transcript.outcomes().values().all(|outcome| *outcome == "acked"), "{own}\n{transcript}");
    }
}

#[test]
fn a_slow_way_delays_and_loses_nothing() {
    const LINES: usize = 100;
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    proxy.delay(Duration::from_millis(300));
    let mut ada = join(&home, &proxy.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    for line in numbered("slow", LINES) {
        ada.say(&line);
    }
    ben.hears(&format!("slow {LINES}"));
    ada.settles(SOON);
    let ada = ada.leave();
    ada.assert_never_lost();
    assert!(ada.outcomes().values().all(|outcome| *outcome == "acked"), "{ada}");
    assert_eq!(ben.leave().texts_from("ada"), numbered("slow", LINES));
    assert_eq!(proxy.accepted(), 1);
}
