//! The ladder of strategies, the pauses between its rungs, and what limits them.

use std::time::Duration;

use moorline_signaling::machine::{Config, Event, Input};
use moorline_signaling::{CloseReason, SendClass, Strategy};

use super::{
    check, closed_within, delays, dials, events, join, joined, last_word, live_within, recoveries, tale, with,
};
use crate::model::{Greeting, Keep};
use crate::world::{DialMode, World};

fn cut(world: &mut World) {
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
}

#[test]
fn fast_escalates_to_rejoin_after_three_failures() {
    let mut world = joined();
    world.dial = DialMode::Refuse;
    cut(&mut world);
    assert!(world.until(Duration::from_secs(10), |w| {
        matches!(w.state(), moorline_signaling::machine::State::Recovering { strategy: Strategy::Rejoin, .. })
    }));
    assert_eq!(dials(&world), 4, "{}", tale(&world));
    world.dial = DialMode::Accept;
    assert!(live_within(&mut world, 25_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn fast_escalates_when_its_window_is_over() {
    let mut world = joined();
    (world.up, world.down) = (false, false);
    world.pass(Duration::from_secs(25));
    world.heal();
    assert!(live_within(&mut world, 25_000), "{}", world.tell(40));
    check(&mut world);
    assert!(matches!(recoveries(&world)[..], [Strategy::Rejoin | Strategy::Migrate]));
}

#[test]
fn two_failures_of_one_node_lead_to_another() {
    let mut world = joined();
    world.restart(0, Keep::Nothing);
    world.cluster.nodes[0].up = false;
    assert!(live_within(&mut world, 30_000), "{}", world.tell(40));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate]);
}

#[test]
fn the_first_retry_is_spread_by_the_servers_advice() {
    for spread in [Duration::from_millis(20), Duration::from_secs(4)] {
        let mut first = Vec::new();
        for seed in 0..200 {
            let mut world = World::new(Config::new("room"), seed, 1);
            world.cluster.terms.spread = spread;
            join(&mut world);
            cut(&mut world);
            assert!(live_within(&mut world, 10_000));
            first.push(delays(&world)[0].1);
        }
        first.sort();
        let (least, most) = (first[0], first[first.len() - 1]);
        assert!(most <= spread, "{most:?} of {spread:?}");
        assert!(least < spread / 10 && most > spread * 9 / 10, "from {least:?} to {most:?} of {spread:?}");
        let median = first[first.len() / 2];
        assert!(median > spread * 3 / 10 && median < spread * 7 / 10, "{median:?} of {spread:?}");
    }
}

#[test]
fn a_server_without_advice_is_come_back_to_soon_but_not_at_once() {
    let mut first: Vec<Duration> = (0..100)
        .map(|seed| {
            let mut world = World::new(Config::new("room"), seed, 1);
            world.cluster.terms.spread = Duration::ZERO;
            join(&mut world);
            cut(&mut world);
            assert!(live_within(&mut world, 10_000));
            check(&mut world);
            delays(&world)[0].1
        })
        .collect();
    first.sort();
    assert!(first[50] > Duration::from_millis(75) && first[50] < Duration::from_millis(175), "{:?}", first[50]);
    assert!(first[99] <= Duration::from_millis(250));
}

#[test]
fn advice_holds_for_who_was_lost_before_it_was_stable() {
    // The second of two losses: the pauses of one's own have begun to grow, and the herd is as large as ever.
    let longest = (0..50).map(|seed| {
        let mut world = World::new(Config::new("room"), seed, 1);
        world.cluster.terms.spread = Duration::from_secs(8);
        join(&mut world);
        cut(&mut world);
        assert!(live_within(&mut world, 10_000));
        cut(&mut world);
        assert!(live_within(&mut world, 20_000));
        check(&mut world);
        delays(&world)[1].1
    });
    let longest = longest.max().unwrap_or_default();
    assert!(longest > Duration::from_secs(6), "{longest:?} of 8 s");
}

#[test]
fn no_advice_is_longer_than_what_the_deadline_leaves() {
    let mut first: Vec<Duration> = (0..50)
        .map(|seed| {
            let mut world = World::new(Config::new("room"), seed, 1);
            world.cluster.terms.spread = Duration::from_secs(300);
            join(&mut world);
            cut(&mut world);
            assert!(live_within(&mut world, 31_000), "seed {seed}: {}", tale(&world));
            check(&mut world);
            delays(&world)[0].1
        })
        .collect();
    first.sort();
    // Evenly, as far as an attempt fits in: not all of them at the last moment.
    assert!(first[49] <= Duration::from_secs(20));
    assert!(first[25] > Duration::from_secs(6) && first[25] < Duration::from_secs(14), "{:?}", first[25]);
}

#[test]
fn pauses_grow_up_to_a_cap_and_are_random_all_the_way() {
    let mut longest = [Duration::ZERO; 10];
    for seed in 0..100 {
        let mut config = Config::new("room");
        config.timers.deadline = None;
        let mut world = World::new(config, seed, 1);
        world.dial = DialMode::Refuse;
        world.input(Input::Connect);
        world.pass(Duration::from_secs(180));
        check(&mut world);
        for (n, (_, delay)) in delays(&world).into_iter().enumerate().take(longest.len()) {
            let exponent = u32::try_from(n).expect("small");
            let most = (Duration::from_millis(500) * 2u32.pow(exponent)).min(Duration::from_secs(20));
            assert!(delay <= most, "pause {n} of {delay:?}, at most {most:?}");
            longest[n] = longest[n].max(delay);
        }
    }
    for (n, longest) in longest.iter().enumerate().take(6) {
        let most =
            (Duration::from_millis(500) * 2u32.pow(u32::try_from(n).expect("small"))).min(Duration::from_secs(20));
        assert!(*longest > most * 8 / 10, "pause {n} is at most {longest:?} of {most:?}");
    }
}

#[test]
fn new_sessions_are_limited() {
    let mut config = Config::new("room");
    config.timers.deadline = None;
    let mut world = with(config, 1);
    join(&mut world);
    for _ in 0..12 {
        world.restart(0, Keep::Nothing);
        if !live_within(&mut world, 60_000) {
            break;
        }
    }
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::RateLimited { limit: 10, .. })), "{}", tale(&world));
    assert_eq!(recoveries(&world).len(), 10);
}

#[test]
fn attempts_may_be_limited() {
    let mut config = Config::new("room");
    config.max_attempts = Some(3);
    let mut world = with(config, 1);
    world.dial = DialMode::Refuse;
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 20_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::AttemptsExhausted { attempts: 3, .. })));
    assert_eq!(dials(&world), 3);
}

#[test]
fn the_deadline_ends_an_attempt_that_is_in_flight() {
    let mut config = Config::new("room");
    config.timers.deadline = Some(Duration::from_secs(1));
    let mut world = with(config, 1);
    world.cluster.nodes[0].greeting = Greeting::Silent;
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 1_100), "{}", tale(&world));
    check(&mut world);
    assert_eq!(world.facts.open().count(), 0);
}

#[test]
fn one_recovery_does_not_remember_the_one_before() {
    let mut world = joined();
    cut(&mut world);
    assert!(live_within(&mut world, 2_000));
    world.pass(Duration::from_secs(11));
    world.restart(0, Keep::Lineages);
    assert!(live_within(&mut world, 5_000));
    world.pass(Duration::from_secs(11));
    cut(&mut world);
    assert!(live_within(&mut world, 2_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Fast, Strategy::Rejoin, Strategy::Fast]);
}

#[test]
fn a_full_queue_does_not_hold_up_signs_of_life() {
    let mut world = joined();
    world.cluster.mute_acks = true;
    for _ in 0..1100 {
        world.send(SendClass::Reliable, 4_000, None);
    }
    let full = events(&world)
        .filter(|e| matches!(e, Event::SendOutcome { outcome: moorline_signaling::SendOutcome::Overflow, .. }));
    assert!(full.count() > 0);
    world.pass(Duration::from_secs(30));
    world.cluster.mute_acks = false;
    world.pass(Duration::from_secs(30));
    check(&mut world);
    assert!(super::losses(&world).is_empty(), "{}", world.tell(40));
}
