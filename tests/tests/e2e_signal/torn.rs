//! Connections that are reset, again and again, while people talk.

use std::time::Duration;

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{Direction, Proxy, RoomUser, SignalServer},
};
use serde_json::Value;

use crate::{join, numbered};

#[test]
fn one_reset_is_made_good_at_once_in_the_same_session() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let mut ada = join(&home, &proxy.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    assert_eq!(proxy.reset(), 1);
    let lost = ada.named("lost");
    let recovered = ada.named("recovered");
    assert_eq!((&recovered["strategy"], &recovered["resumed"]), (&"fast".into(), &true.into()), "{recovered}");
    assert!(recovered["epoch"].as_u64() > lost["epoch"].as_u64(), "{lost} {recovered}");
    assert!(
        recovered["downtime_ms"].as_u64().map(Duration::from_millis).is_some_and(|downtime| downtime < SOON),
        "{recovered}"
    );
    ben.say("welcome back");
    ada.hears("welcome back");
    let (ada, ben) = (ada.leave(), ben.leave());
    assert_eq!((ada.count("lost"), ada.count("recovered"), ada.count("resync")), (1, 1, 0), "{ada}");
    assert_eq!(proxy.accepted(), 2, "one dial for one loss");
    // Nobody else has noticed.
    assert_eq!((ben.arrivals_of("ada"), ben.count("participant_updated")), (0, 0), "{ben}");
}

#[test]
fn many_resets_lose_nothing_and_double_nothing() {
    // Thirty resets, three hundred lines. No more than three resets a connection: one that does not last is given pauses that grow.
    const PEOPLE: usize = 10;
    const ROUNDS: usize = 3;
    const LINES: usize = 10;
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let names = numbered("guest", PEOPLE);
    let proxies: Vec<Proxy> = names.iter().map(|_| Proxy::to(server.addr)).collect();
    let mut people: Vec<RoomUser> =
        names.iter().zip(&proxies).map(|(name, proxy)| join(&home, &proxy.url(), name)).collect();
    people[0].until("everybody", SOON, |seen| seen.count("participant_joined") == PEOPLE - 1);
    for round in 0..ROUNDS {
        for line in 1..=LINES {
            for (index, (person, proxy)) in people.iter_mut().zip(&proxies).enumerate() {
                person.say(&format!("line {}", round * LINES + line));
                // Each in the middle of another line of the others.
                if line == 1 + index % LINES {
                    assert_eq!(proxy.reset(), 1, "there was nothing to reset in round {round}");
                }
            }
        }
        for person in &mut people {
            person.named("recovered");
        }
    }
    let expected = numbered("line", ROUNDS * LINES);
    for person in &mut people {
        person.settles(SOON);
        person.until("every line of the others", SOON, |seen| seen.count("message") >= (PEOPLE - 1) * expected.len());
    }
    for (own, person) in names.iter().zip(people) {
        let seen = person.leave();
        for other in names.iter().filter(|other| *other != own) {
            assert_eq!(seen.texts_from(other), expected, "{own} of {other}");
        }
        assert!(seen.outcomes().values().all(|outcome| *outcome == "acked"), "{own}\n{seen}");
        seen.assert_each_loss_recovered();
        assert_eq!((seen.count("lost"), seen.count("resync")), (ROUNDS, 0), "{own}\n{seen}");
        assert!(seen.of("recovered").all(|event| event["strategy"] == "fast"), "{own}\n{seen}");
        // Nobody has noticed the others' troubles.
        assert!(seen.of("participant_left").all(|event| event["reason"] == "left"), "{own}\n{seen}");
    }
}

#[test]
fn a_reset_while_coming_back_is_made_good_too() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let mut ada = join(&home, &proxy.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    ada.say("before");
    // The server's answers do not come: ada knocks, and is cut off once more while she waits.
    proxy.hold(Direction::ToClient);
    assert_eq!(proxy.reset(), 1);
    ada.named("lost");
    ada.say("between");
    wait_for("a second dial", SOON, || proxy.accepted() >= 2);
    assert_eq!(proxy.reset(), 1);
    proxy.release(Direction::ToClient);
    ada.named("recovered");
    ada.say("after");
    ben.hears("after");
    ada.settles(SOON);
    let ada = ada.leave();
    assert_eq!((ada.count("lost"), ada.count("recovered")), (1, 1), "one loss, however many tries\n{ada}");
    assert!(ada.outcomes().values().all(|outcome| *outcome == "acked"), "{ada}");
    assert_eq!(ben.leave().texts_from("ada"), ["before", "between", "after"]);
}

#[test]
fn all_of_a_room_are_reset_at_once_and_all_come_back() {
    const PEOPLE: usize = 12;
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let names = numbered("guest", PEOPLE);
    let mut people: Vec<RoomUser> = names.iter().map(|name| join(&home, &proxy.url(), name)).collect();
    people[0].until("everybody", SOON, |seen| seen.count("participant_joined") == PEOPLE - 1);
    for round in 1..=3 {
        assert_eq!(proxy.reset(), PEOPLE);
        let recovered: Vec<Value> = people.iter_mut().map(|person| person.named("recovered")).collect();
        assert!(recovered.iter().all(|event| event["strategy"] == "fast"), "{recovered:?}");
        let mut downtimes: Vec<Option<u64>> = recovered.iter().map(|event| event["downtime_ms"].as_u64()).collect();
        downtimes.sort_unstable();
        // How fast they are is measured by the benchmarks, on a machine that does nothing else.
        println!("downtimes in round {round}, in ms: {downtimes:?}");
        let hello = format!("round {round}");
        people[0].say(&hello);
        people[1..].iter_mut().for_each(|person| {
            person.hears(&hello);
        });
    }
    assert_eq!(proxy.accepted(), PEOPLE * 4, "one dial for one loss");
    for person in people {
        let transcript = person.leave();
        transcript.assert_each_loss_recovered();
        assert!(transcript.of("participant_left").all(|event| event["reason"] == "left"), "{transcript}");
    }
}

/// Waits until something is so that tells nobody when it becomes so.
#[track_caller]
fn wait_for(what: &str, deadline: Duration, so: impl Fn() -> bool) {
    let until = std::time::Instant::now() + deadline;
    while !so() {
        assert!(std::time::Instant::now() < until, "no {what} within {deadline:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
