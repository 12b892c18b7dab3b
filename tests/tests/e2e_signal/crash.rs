//! Servers and people that die without a word.

use std::time::{Duration, Instant};

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{Direction, Proxy, SignalServer, reserved_address},
};

use crate::{join, numbered};

/// How long a server that was told nothing of it keeps a session for its client's return. In whole seconds, as on its command line.
const WINDOW: Duration = Duration::from_secs(2);

#[test]
fn a_server_that_is_killed_and_comes_back_finds_both_there_again() {
    let home = Home::new();
    let server = SignalServer::start_at(&home, &reserved_address(), &[]);
    let (url, node) = (server.url(), server.node().to_owned());
    let mut ada = join(&home, &url, "ada");
    let mut ben = join(&home, &url, "ben");
    ada.sees_arrive("ben");
    ada.say("before");
    ben.hears("before");
    ada.settles(SOON);

    let at = server.kill();
    ada.named("lost");
    ben.named("lost");
    let server = SignalServer::start_at(&home, &at.to_string(), &[]);
    assert_ne!(server.node(), node, "a process that starts anew is another node");
    for user in [&mut ada, &mut ben] {
        let recovered = user.named("recovered");
        assert_eq!(recovered["resumed"], false, "nothing is left to resume: {recovered}");
    }
    // Each sees the other, whoever was first.
    for (user, other) in [(&mut ada, "ben"), (&mut ben, "ada")] {
        user.until(&format!("{other} again"), SOON, |seen| {
            let met = |event: &&serde_json::Value| event["participants"].to_string().contains(other);
            seen.of("resync").any(|event| met(&event))
                || seen
                    .events()
                    .iter()
                    .rev()
                    .take_while(|event| event["type"] != "lost")
                    .any(|event| event["type"] == "participant_joined" && event["participant"]["name"] == other)
        });
    }
    ada.say("after");
    ben.hears("after");
    ben.say("indeed");
    ada.hears("indeed");
    let (ada, ben) = (ada.leave(), ben.leave());
    assert_eq!(ben.texts_from("ada"), ["before", "after"]);
    assert_eq!(ada.texts_from("ben"), ["indeed"]);
    for transcript in [&ada, &ben] {
        assert_eq!((transcript.count("lost"), transcript.count("recovered")), (1, 1), "{transcript}");
    }
}

#[test]
fn what_is_typed_without_a_server_arrives_once_and_in_order_or_is_said_to_be_unknown() {
    const LINES: usize = 50;
    let home = Home::new();
    let server = SignalServer::start_at(&home, &reserved_address(), &[]);
    let proxy = Proxy::to(server.addr);
    let mut ada = join(&home, &proxy.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    // Some are on their way when the server dies: their acknowledgements are held up.
    proxy.hold(Direction::ToClient);
    let (doomed, typed) = (numbered("doomed", LINES), numbered("typed", LINES));
    doomed.iter().for_each(|line| {
        ada.say(line);
    });
    ben.hears(&doomed[LINES - 1]);
    let at = server.kill();
    ben.named("lost");
    // Nothing reaches her until ben is back: a room without him would take what she says for said.
    proxy.hold(Direction::ToServer);
    proxy.reset();
    ada.named("lost");
    typed.iter().for_each(|line| {
        ada.say(line);
    });
    let _server = SignalServer::start_at(&home, &at.to_string(), &[]);
    ben.named("recovered");
    proxy.release(Direction::ToServer);
    proxy.release(Direction::ToClient);
    ada.named("recovered");
    ada.settles(SOON);
    ben.hears(&typed[LINES - 1]);
    // Of some it is not known that they arrived: that is no success.
    ada.say("/quit");
    let (ended, ada) = ada.ended(SOON);
    ended.assert_code(8);
    let ben = ben.leave();
    let outcomes: Vec<&str> = ada.outcomes().into_values().collect();
    assert!(outcomes[..LINES].iter().all(|outcome| *outcome == "unknown"), "{outcomes:?}");
    assert!(outcomes[LINES..].iter().all(|outcome| *outcome == "acked"), "{outcomes:?}");
    assert_eq!(ben.texts_from("ada"), [doomed, typed].concat(), "each once, in order");
}

#[test]
fn somebody_who_is_killed_is_gone_after_the_window_once() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--resume-window", "2"]);
    let ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    let at = Instant::now();
    ada.kill();
    assert_eq!(ben.sees_leave("ada", SOON), "timed_out");
    let took = at.elapsed();
    assert!(took >= WINDOW, "gone after {took:?}, before the time for a return was over");
    // Whoever comes now does not meet a ghost.
    let mut carl = join(&home, &server.url(), "carl");
    let people = carl.transcript().of("joined").next().map(|joined| joined["participants"].to_string());
    assert!(
        people.as_ref().is_some_and(|people| people.contains("\"ben\"") && !people.contains("\"ada\"")),
        "{people:?}"
    );
    carl.say("hello");
    ben.hears("hello");
    let ben = ben.leave();
    assert_eq!(ben.departures_of("ada"), ["timed_out"], "{ben}");
}

#[test]
fn somebody_who_is_killed_and_comes_again_is_not_there_twice() {
    /// Long enough for a new process to come while the old one is still expected back.
    const WINDOW: Duration = Duration::from_secs(6);
    let home = Home::new();
    let server = SignalServer::start(&home, &["--resume-window", "6"]);
    let ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.kill();
    // A new process knows nothing of the old one: the same identity takes its place.
    let mut again = join(&home, &server.url(), "ada");
    let people = again.transcript().of("joined").next().map(|joined| joined["participants"].clone());
    assert_eq!(people.as_ref().and_then(|people| people.as_array()).map(Vec::len), Some(2), "{people:?}");
    again.say("back");
    ben.hears("back");
    ben.say("good");
    again.hears("good");
    let ben = ben.leave();
    assert_eq!((ben.departures_of("ada"), ben.arrivals_of("ada")), (vec!["replaced"], 1), "{ben}");
    let order: Vec<&str> = ben
        .events()
        .iter()
        .filter_map(|event| event["type"].as_str().filter(|kind| kind.starts_with("participant_")))
        .collect();
    assert_eq!(order, ["participant_left", "participant_joined"], "never two of one identity");
    // And the old one's time does not end the new one's visit.
    std::thread::sleep(WINDOW);
    again.say("still");
    again.settles(SOON);
    let again = again.leave();
    again.assert_never_lost();
}
