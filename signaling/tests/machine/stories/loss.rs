//! A connection is lost, one way or another.

use std::time::Duration;

use moorline_signaling::machine::{Health, Input, NetHint, Phase, State};
use moorline_signaling::{CloseReason, LossCause, SendClass, Strategy};

use super::{check, closed_within, dials, downtimes, joined, last_word, live_within, losses, recoveries, tale, world};
use crate::model::Greeting;
use crate::wire::{Down, pb};
use crate::world::DialMode;

fn cut(world: &mut crate::world::World) {
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
}

#[test]
fn a_reset_is_recovered_by_the_same_session() {
    let mut world = joined();
    let session = world.machine.session();
    world.publish(3);
    world.pass(Duration::from_millis(100));
    cut(&mut world);
    world.publish(2);
    assert!(live_within(&mut world, 1_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(losses(&world).len(), 1);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
    assert_eq!(world.machine.session(), session);
    assert!(downtimes(&world)[0] < Duration::from_millis(300));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn close_1000_is_a_loss_like_any_other() {
    let mut world = joined();
    let epoch = world.newest_link().expect("there is a connection");
    world.close_from_server(epoch, 1000, true);
    assert!(live_within(&mut world, 1_000));
    check(&mut world);
    assert_eq!(losses(&world), [LossCause::ClosedByServer(1000)]);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn an_end_that_is_reported_three_times_is_one_loss() {
    let mut world = joined();
    world.echo = true;
    cut(&mut world);
    assert!(live_within(&mut world, 1_000));
    world.pass(Duration::from_secs(5));
    check(&mut world);
    assert_eq!(losses(&world).len(), 1);
    assert_eq!(dials(&world), 2);
}

#[test]
fn late_words_of_an_old_connection_do_not_end_the_new_one() {
    let mut world = joined();
    world.late = true;
    world.echo = true;
    let first = world.newest_link().expect("there is a connection");
    cut(&mut world);
    assert!(live_within(&mut world, 1_000));
    let live = world.state();
    for report in [
        moorline_signaling::machine::Transport::Error("late".into()),
        moorline_signaling::machine::Transport::Closed { code: 1006, clean: false },
        moorline_signaling::machine::Transport::Opened,
        moorline_signaling::machine::Transport::Frame(bytes::Bytes::from_static(b"\xff\xff")),
    ] {
        world.input(Input::Transport(first, report));
    }
    check(&mut world);
    assert_eq!(world.state(), live);
    assert_eq!(losses(&world).len(), 1);
}

#[test]
fn a_black_hole_is_detected_in_time_and_told_before_anything_is_closed() {
    let mut world = joined();
    (world.up, world.down) = (false, false);
    let dark = world.elapsed();
    assert!(world.until(Duration::from_secs(13), |w| matches!(w.state(), State::Live { health: Health::Probing, .. })));
    assert!(world.until(Duration::from_secs(13), |w| matches!(w.state(), State::Recovering { .. })));
    let detected = world.elapsed() - dark;
    assert!(detected <= Duration::from_millis(12_100), "detected after {detected:?}");
    (world.up, world.down) = (true, true);
    assert!(live_within(&mut world, 15_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert!(matches!(losses(&world)[..], [LossCause::Silence(_)]));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn either_half_of_a_connection_alone_is_not_enough() {
    for up in [true, false] {
        let mut world = joined();
        (world.up, world.down) = (up, !up);
        let dark = world.elapsed();
        assert!(world.until(Duration::from_secs(26), |w| !losses(w).is_empty()), "up {up}: {}", world.tell(40));
        let detected = world.elapsed() - dark;
        assert!(detected <= Duration::from_millis(17_200), "up {up}: detected after {detected:?}");
        world.heal();
        assert!(live_within(&mut world, 15_000));
        check(&mut world);
    }
}

#[test]
fn after_a_hint_a_black_hole_is_detected_within_two_seconds() {
    for hint in [Input::SystemResumed, Input::Net(NetHint::PathChanged)] {
        let mut world = joined();
        (world.up, world.down) = (false, false);
        let dark = world.elapsed();
        world.input(hint);
        assert!(world.until(Duration::from_secs(5), |w| matches!(w.state(), State::Recovering { .. })));
        let detected = world.elapsed() - dark;
        assert!(detected <= Duration::from_millis(2_100), "detected after {detected:?}");
        check(&mut world);
    }
}

#[test]
fn more_hints_do_not_put_the_verdict_off() {
    for first in [500, 11_000] {
        let mut world = joined();
        let heard = world.elapsed();
        (world.up, world.down) = (false, false);
        world.pass(Duration::from_millis(first));
        let mut hints = 0;
        while losses(&world).is_empty() && hints < 20 {
            world.input(Input::Net(NetHint::PathChanged));
            hints += 1;
            world.pass(Duration::from_secs(1));
        }
        // In time by the first hint, and by the heartbeat timeout in any case.
        let detected = world.elapsed() - heard;
        let limit = Duration::from_millis((first + 3_100).min(13_100));
        assert!(!losses(&world).is_empty() && detected <= limit, "first {first}: {detected:?}, {}", world.tell(30));
        check(&mut world);
    }
}

#[test]
fn a_refused_dial_notifies_nobody_of_a_loss_and_is_tried_again() {
    let mut world = world();
    world.dial = DialMode::Refuse;
    world.input(Input::Connect);
    world.pass(Duration::from_secs(3));
    assert!(dials(&world) >= 2);
    world.dial = DialMode::Accept;
    assert!(live_within(&mut world, 10_000));
    check(&mut world);
    assert!(losses(&world).is_empty());
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_world_that_refuses_everything_ends_by_the_deadline() {
    let mut world = world();
    world.dial = DialMode::Refuse;
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 30_100));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Deadline { .. })));
    assert!(dials(&world) > 4);
}

#[test]
fn a_dial_that_hangs_is_bounded_and_so_is_the_whole() {
    let mut world = world();
    world.dial = DialMode::Hang;
    world.input(Input::Connect);
    world.pass(Duration::from_millis(5_100));
    assert_eq!(world.facts.open().count(), 0, "the first dial is over: {}", world.tell(20));
    assert!(closed_within(&mut world, 25_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Deadline { .. })));
    assert!(dials(&world) >= 2);
}

#[test]
fn a_server_that_never_answers_hello_is_left_in_time() {
    let mut world = world();
    world.cluster.nodes[0].greeting = Greeting::Silent;
    world.input(Input::Connect);
    // The healthy node is found in the end: two failures of one node lead elsewhere.
    assert!(live_within(&mut world, 20_000));
    check(&mut world);
    assert!(dials(&world) <= 3);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_replay_that_never_ends_is_left_in_time() {
    let mut world = joined();
    world.cluster.nodes[0].greeting = Greeting::NoReplayEnd;
    cut(&mut world);
    world.pass(Duration::from_secs(20));
    world.heal();
    assert!(live_within(&mut world, 15_000), "{}", world.tell(40));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(losses(&world).len(), 1);
}

#[test]
fn a_replay_that_goes_on_is_waited_for() {
    let mut world = joined();
    world.cluster.nodes[0].greeting = Greeting::NoReplayEnd;
    cut(&mut world);
    let replays = |w: &crate::world::World| matches!(w.state(), State::Recovering { phase: Phase::Replay, .. });
    assert!(world.until(Duration::from_secs(1), replays));
    for _ in 0..4 {
        world.pass(Duration::from_secs(2));
        world.publish(1);
    }
    world.say(&Down::ReplayEnd(pb::ReplayEnd { upto: 4 }));
    assert!(live_within(&mut world, 100), "{}", tale(&world));
    check(&mut world);
    assert_eq!(dials(&world), 2);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
}

#[test]
fn sends_survive_a_loss_once_and_in_order() {
    let mut world = joined();
    for _ in 0..5 {
        world.send(SendClass::Reliable, 16, None);
    }
    cut(&mut world);
    for _ in 0..5 {
        world.send(SendClass::Reliable, 16, None);
    }
    assert!(live_within(&mut world, 1_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(world.cluster.ledger.applied.len(), 10);
    assert_eq!(world.facts.sends.open().count(), 0);
}
