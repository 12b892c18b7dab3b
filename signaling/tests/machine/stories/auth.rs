//! Tokens expire, are refused, or cannot be had.

use std::time::Duration;

use moorline_signaling::CloseReason;
use moorline_signaling::machine::{Input, Output};

use super::{check, closed_within, dials, last_word, live_within, losses, tale, world};
use crate::wire::{Down, Up, pb};
use crate::world::TokenMode;

fn forced(world: &crate::world::World) -> usize {
    world.outputs().iter().filter(|output| matches!(output, Output::FetchToken { force: true })).count()
}

#[test]
fn an_expired_token_is_replaced_once_and_not_counted() {
    let mut world = world();
    world.tokens = TokenMode::Fresh;
    world.cluster.good_tokens = vec!["token-2".into()];
    world.input(Input::Connect);
    assert!(live_within(&mut world, 1_000), "at once: {}", tale(&world));
    check(&mut world);
    assert_eq!(dials(&world), 2);
    assert_eq!(forced(&world), 1);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_token_that_expires_while_recovering_is_replaced_and_the_session_kept() {
    let mut world = world();
    world.tokens = TokenMode::Fresh;
    super::join(&mut world);
    let session = world.machine.session();
    world.cluster.good_tokens = vec!["token-2".into()];
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    assert!(live_within(&mut world, 1_000));
    check(&mut world);
    assert_eq!(world.machine.session(), session);
    assert_eq!(forced(&world), 1);
}

#[test]
fn a_fresh_token_that_is_refused_is_the_end() {
    let mut world = world();
    world.tokens = TokenMode::Fresh;
    world.cluster.good_tokens = vec!["token-9".into()];
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 1_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::AuthRejected(_))));
    assert!(dials(&world) <= 2);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn the_same_expired_token_is_not_sent_for_ever() {
    let mut world = world();
    world.tokens = TokenMode::Stale;
    world.cluster.good_tokens = vec!["token-9".into()];
    world.input(Input::Connect);
    world.pass(Duration::from_secs(60));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::AuthRejected(_))));
    assert!(dials(&world) <= 2);
}

#[test]
fn a_token_that_never_comes_is_a_failed_attempt_and_no_hang() {
    let mut world = world();
    world.tokens = TokenMode::Hang;
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 31_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Deadline { .. })));
    assert_eq!(dials(&world), 0);
}

#[test]
fn a_token_that_cannot_be_had_is_the_end() {
    let mut world = world();
    world.tokens = TokenMode::Fail { fatal: true };
    world.input(Input::Connect);
    assert!(closed_within(&mut world, 100));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::AuthRejected(_))));
}

#[test]
fn a_token_is_renewed_before_it_runs_out() {
    for told in [false, true] {
        let mut world = world();
        world.tokens = TokenMode::Fresh;
        if !told {
            world.cluster.terms.token_ttl = Duration::from_secs(60);
        }
        world.input(Input::Connect);
        assert!(live_within(&mut world, 1_000));
        if told {
            world.say(&Down::TokenExpiring(pb::TokenExpiring { in_ms: 10_000 }));
        }
        world.pass(Duration::from_secs(55));
        check(&mut world);
        let written =
            world.written().into_iter().filter(|frame| matches!(frame.body, Some(Up::TokenUpdate(_)))).count();
        assert!(written >= 1, "told {told}: {}", world.tell(20));
        assert!(losses(&world).is_empty());
        assert_eq!(dials(&world), 1);
    }
}
