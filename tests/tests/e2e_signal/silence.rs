//! Connections that stay open and carry nothing.

use std::time::{Duration, Instant};

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{Direction, Proxy, RoomUser, SignalServer},
};

use crate::{ROOM, join, numbered};

/// Silence after which either side takes the other for dead, as the program's help and the protocol's schema have it.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(12);
/// What a look at the clock, and a busy machine, add to it.
const GRACE: Duration = Duration::from_secs(10);

#[test]
fn a_server_that_stands_still_is_noticed_within_the_heartbeat_timeout_and_found_again() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    ada.settles(SOON);
    server.freeze();
    let at = Instant::now();
    ada.say("into the void");
    for user in [&mut ada, &mut ben] {
        let patience = (HEARTBEAT_TIMEOUT + GRACE).saturating_sub(at.elapsed());
        let lost = user.event("the loss", patience, |event| event["type"] == "lost");
        // A silence that is shorter than what is between two pings is no reason.
        assert!(at.elapsed() >= Duration::from_secs(5), "noticed after {:?}: {lost}", at.elapsed());
    }
    server.thaw();
    ada.named("recovered");
    ben.named("recovered");
    ada.say("again");
    ben.hears("again");
    ada.settles(SOON);
    let ada = ada.leave();
    ben.sees_leave("ada", SOON);
    let ben = ben.leave();
    assert!(ada.outcomes().values().all(|outcome| *outcome == "acked"), "{ada}");
    ada.assert_each_loss_recovered();
    ben.assert_each_loss_recovered();
    // Neither was away for long enough to be missed. What was said meanwhile came, or there is a word of the gap.
    assert_eq!((ben.arrivals_of("ada"), ben.departures_of("ada")), (0, vec!["left"]), "{ben}");
    match ben.texts_from("ada")[..] {
        ["into the void", "again"] => {}
        ["again"] => assert!(ben.count("resync") > 0, "{ben}"),
        _ => panic!("something else than was said\n{ben}"),
    }
}

#[test]
fn a_short_silence_either_way_is_no_loss() {
    const LINES: usize = 20;
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let mut ada = join(&home, &proxy.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    for (number, direction) in [Direction::ToServer, Direction::ToClient].into_iter().enumerate() {
        proxy.hold(direction);
        numbered(&format!("part {number} line"), LINES).iter().for_each(|line| {
            ada.say(line);
            ben.say(line);
        });
        // Longer than a ping takes, shorter than the patience of either side.
        std::thread::sleep(Duration::from_secs(4));
        proxy.release(direction);
        let last = format!("part {number} line {LINES}");
        ada.hears(&last);
        ben.hears(&last);
    }
    let expected = [numbered("part 0 line", LINES), numbered("part 1 line", LINES)].concat();
    ada.settles(SOON);
    let (ada, ben) = (ada.leave(), ben.leave());
    assert_eq!((ada.texts_from("ben").len(), ben.texts_from("ada").len()), (expected.len(), expected.len()));
    assert_eq!(ada.texts_from("ben"), expected);
    assert_eq!(ben.texts_from("ada"), expected);
    ada.assert_never_lost();
    assert_eq!(proxy.accepted(), 1);
}

/// Both directions at once, with a person each, since each waits for the same clock.
#[test]
fn a_way_that_is_dead_in_one_direction_is_noticed_by_both_ends() {
    let home = Home::new();
    let server = SignalServer::start(&home, &["--resume-window", "2"]);
    let proxies = [Proxy::to(server.addr), Proxy::to(server.addr)];
    let mut mute =
        RoomUser::join(&home, &[&proxies[0].url()], ROOM, "mute", &["--identity", "mute", "--deadline", "8"]);
    let mut deaf =
        RoomUser::join(&home, &[&proxies[1].url()], ROOM, "deaf", &["--identity", "deaf", "--deadline", "8"]);
    let mut ben = join(&home, &server.url(), "ben");
    proxies[0].hold(Direction::ToServer);
    proxies[1].hold(Direction::ToClient);
    let at = Instant::now();
    for user in [&mut mute, &mut deaf] {
        let patience = (HEARTBEAT_TIMEOUT + GRACE).saturating_sub(at.elapsed());
        user.event("the loss", patience, |event| event["type"] == "lost");
    }
    // The server has noticed as soon: it keeps them for the resume window from then on.
    let latest = HEARTBEAT_TIMEOUT + Duration::from_secs(2) + GRACE;
    ben.until("both to be gone", latest.saturating_sub(at.elapsed()), |seen| seen.count("participant_left") == 2);
    for (name, user) in [("mute", mute), ("deaf", deaf)] {
        let (ended, seen) = user.ended(SOON);
        ended.assert_code(4);
        assert_eq!((seen.count("lost"), seen.count("recovered"), seen.count("closed")), (1, 0, 1), "{name}\n{seen}");
    }
    let ben = ben.leave();
    assert_eq!(ben.departures_of("mute"), ["timed_out"], "{ben}");
    assert_eq!(ben.departures_of("deaf"), ["timed_out"], "{ben}");
    ben.assert_never_lost();
}

#[test]
fn ctrl_c_ends_at_once_while_the_server_stands_still() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let ada = join(&home, &server.url(), "ada");
    server.freeze();
    let at = Instant::now();
    ada.interrupt();
    let (ended, seen) = ada.ended(SOON);
    let took = at.elapsed();
    ended.assert_code(0);
    // The goodbye is given a second.
    assert!(took < Duration::from_millis(2500), "it took {took:?}");
    assert_eq!(seen.count("closed"), 1, "{seen}");
}
