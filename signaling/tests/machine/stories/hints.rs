//! Word from elsewhere: of the network, of the clock, of the media, of an application that is behind.

use std::time::Duration;

use moorline_signaling::machine::{Config, Input, MediaHealth, NetHint, Phase, State};
use moorline_signaling::{CloseReason, LossCause, Strategy};

use super::{check, closed_within, dials, join, joined, last_word, live_within, losses, recoveries, tale, with};
use crate::world::{CredsMode, DialMode, World};

fn cut(world: &mut World) {
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
}

#[test]
fn offline_waits_and_online_goes_on() {
    let mut world = joined();
    world.input(Input::Net(NetHint::Offline));
    cut(&mut world);
    world.pass(Duration::from_secs(5));
    assert!(matches!(world.state(), State::Recovering { phase: Phase::WaitNet, .. }), "{}", tale(&world));
    assert_eq!(dials(&world), 1);
    world.input(Input::Net(NetHint::Online));
    assert!(live_within(&mut world, 400), "{}", tale(&world));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn the_time_without_a_network_counts_for_nothing_where_it_is_not_to() {
    let mut config = Config::new("room");
    config.offline_counts = false;
    let mut world = with(config, 1);
    join(&mut world);
    world.input(Input::Net(NetHint::Offline));
    cut(&mut world);
    world.pass(Duration::from_secs(300));
    assert!(matches!(world.state(), State::Recovering { phase: Phase::WaitNet, .. }), "{}", tale(&world));
    world.input(Input::Net(NetHint::Online));
    assert!(live_within(&mut world, 5_000), "{}", tale(&world));
    check(&mut world);
    assert!(matches!(recoveries(&world)[..], [Strategy::Rejoin]), "the session is long gone");
}

#[test]
fn offline_for_too_long_is_the_end() {
    let mut world = joined();
    world.input(Input::Net(NetHint::Offline));
    cut(&mut world);
    assert!(closed_within(&mut world, 30_200));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Deadline { .. })));
    assert_eq!(dials(&world), 1);
}

#[test]
fn offline_does_not_end_a_connection_that_works_and_online_does_not_either() {
    let mut world = joined();
    let live = world.state();
    for hint in [NetHint::Offline, NetHint::Online, NetHint::Offline, NetHint::Online] {
        world.input(Input::Net(hint));
        world.pass(Duration::from_secs(7));
    }
    check(&mut world);
    assert_eq!(world.state(), live);
    assert!(losses(&world).is_empty());
}

#[test]
fn online_ends_no_attempt_that_is_in_flight() {
    let mut world = joined();
    world.latency = Duration::from_millis(400);
    cut(&mut world);
    assert!(world.until(Duration::from_secs(1), |w| dials(w) == 2));
    for _ in 0..10 {
        world.input(Input::Net(NetHint::Online));
        world.pass(Duration::from_millis(50));
    }
    assert!(live_within(&mut world, 3_000));
    check(&mut world);
    assert_eq!(dials(&world), 2);
}

#[test]
fn a_wish_to_retry_now_cuts_a_pause_short_but_not_again_and_again() {
    let mut world = joined();
    world.dial = DialMode::Refuse;
    cut(&mut world);
    world.pass(Duration::from_secs(8));
    assert!(matches!(world.state(), State::Recovering { .. }));
    let before = dials(&world);
    for _ in 0..100 {
        world.input(Input::Net(NetHint::RetryNow));
        world.pass(Duration::from_millis(20));
    }
    check(&mut world);
    let more = dials(&world) - before;
    assert!((1..=4).contains(&more), "{more} dials in two seconds of wishes");
}

#[test]
fn a_flapping_link_never_ends_in_a_storm_of_dials() {
    let mut world = joined();
    let mut second = 1;
    for _ in 0..40 {
        world.pass(Duration::from_secs(second));
        second = second % 9 + 1;
        if let Some(epoch) = world.newest_link() {
            world.reset(epoch);
        }
    }
    let (spent, dialled) = (world.elapsed().as_secs(), dials(&world));
    check(&mut world);
    assert!(dialled <= 45, "{dialled} dials in {spent} s");
    assert!(recoveries(&world).iter().all(|strategy| *strategy == Strategy::Fast), "{}", tale(&world));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn failures_are_forgotten_only_after_a_stable_time() {
    // Cut again and again right after each recovery: the pauses grow. Stable in between: they do not.
    let pauses = |stable: bool| {
        let mut world = joined();
        for _ in 0..8 {
            cut(&mut world);
            assert!(live_within(&mut world, 10_000));
            world.pass(if stable { Duration::from_secs(11) } else { Duration::from_millis(10) });
        }
        check(&mut world);
        super::delays(&world).into_iter().map(|(_, delay)| delay).max().unwrap_or_default()
    };
    assert!(pauses(true) <= Duration::from_millis(20), "the server's advice");
    assert!(pauses(false) > Duration::from_secs(1));
}

#[test]
fn a_suspended_machine_asks_first_and_then_recovers() {
    let mut world = joined();
    world.suspend(Duration::from_secs(60));
    world.input(Input::SystemResumed);
    assert!(world.until(Duration::from_secs(3), |w| !losses(w).is_empty()), "{}", tale(&world));
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin], "a minute is beyond the window");
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn whoever_wakes_up_late_comes_back_to_where_the_others_are() {
    for creds in [CredsMode::Good, CredsMode::Turns] {
        let mut world = joined();
        world.creds = creds;
        world.suspend(Duration::from_secs(60));
        world.input(Input::SystemResumed);
        assert!(world.until(Duration::from_secs(3), |w| !losses(w).is_empty()), "{}", tale(&world));
        assert!(live_within(&mut world, 5_000));
        check(&mut world);
        assert_eq!(recoveries(&world), [Strategy::Rejoin], "{creds:?}: {}", tale(&world));
        let home = world.facts.home().and_then(|(_, c)| c.welcome.as_ref()).map(|welcome| welcome.node_id.clone());
        assert_eq!(home.as_deref(), Some("a"), "{creds:?}");
    }
}

#[test]
fn a_short_suspension_costs_nothing() {
    let mut world = joined();
    world.suspend(Duration::from_secs(4));
    world.input(Input::SystemResumed);
    world.pass(Duration::from_secs(20));
    check(&mut world);
    assert!(losses(&world).is_empty());
}

#[test]
fn broken_media_is_rebuilt_with_the_session() {
    let mut world = joined();
    world.input(Input::Media(MediaHealth::Broken));
    cut(&mut world);
    assert!(live_within(&mut world, 2_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
}

#[test]
fn media_that_never_was_is_not_broken() {
    let mut world = joined();
    world.input(Input::Media(MediaHealth::NeverConnected));
    cut(&mut world);
    assert!(live_within(&mut world, 2_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
}

#[test]
fn a_slow_application_is_no_dead_connection() {
    let mut world = joined();
    world.input(Input::AppBusy(true));
    world.down = false;
    // Nothing is read for a while, and heartbeats go out all the same.
    world.pass(Duration::from_secs(20));
    assert!(losses(&world).is_empty(), "{}", tale(&world));
    world.input(Input::AppBusy(false));
    assert!(world.until(Duration::from_secs(13), |w| !losses(w).is_empty()), "from now on silence counts again");
    check(&mut world);
    assert!(matches!(losses(&world)[..], [LossCause::Silence(_)]));
}
