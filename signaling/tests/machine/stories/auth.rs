//! Tokens expire, are refused, or cannot be had.

use std::time::Duration;

use moorline_signaling::machine::{Config, Input, Output, State, Transport};
use moorline_signaling::{CloseReason, Epoch, SendClass, Strategy};

use super::{check, closed_within, dials, last_word, live_within, losses, recoveries, tale, world};
use crate::wire::{Down, Up, pb};
use crate::world::{CredsMode, DialMode, TokenMode, World};

fn forced(world: &World) -> usize {
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
fn an_application_that_never_answers_is_asked_again() {
    let asked = |world: &World| {
        let asks = |output: &&Output| matches!(output, Output::FetchToken { .. } | Output::FetchCreds { .. });
        world.outputs().iter().filter(asks).count()
    };
    for (creds, tokens) in [(CredsMode::Hang, TokenMode::None), (CredsMode::Good, TokenMode::Hang)] {
        let mut world = world();
        super::join(&mut world);
        (world.creds, world.tokens) = (creds, tokens);
        if tokens == TokenMode::Hang {
            world.cluster.good_tokens = vec!["another".into()];
        }
        let before = asked(&world);
        let epoch = world.newest_link().expect("there is a connection");
        world.close_from_server(epoch, 4200, true);
        world.pass(Duration::from_secs(11));
        check(&mut world);
        let more = asked(&world) - before;
        assert!(more >= 2, "{creds:?}, {tokens:?}: asked {more} times, {}", tale(&world));
    }
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

/// In the room, and asked to go to a node that takes no token.
fn migrating_without_a_token(mode: TokenMode) -> World {
    let mut world = world();
    world.tokens = TokenMode::Fresh;
    super::join(&mut world);
    world.cluster.good_tokens = vec!["token-9".into()];
    world.tokens = mode;
    world.go_away(0, 1_000, 0, Some(1));
    world.cluster.nodes[0].draining = false;
    world
}

#[test]
fn a_token_that_fails_in_a_migration_does_not_end_the_session_that_there_is() {
    for mode in [TokenMode::Fresh, TokenMode::Stale, TokenMode::Fail { fatal: true }, TokenMode::Fail { fatal: false }]
    {
        let mut world = migrating_without_a_token(mode);
        world.pass(Duration::from_secs(3));
        assert_eq!(last_word(&world), None, "{mode:?}: {}", tale(&world));
        assert!(losses(&world).is_empty(), "{mode:?}: {}", tale(&world));
        // As soon as there is a token the client goes.
        world.heal();
        world.tokens = TokenMode::Fresh;
        world.pass(Duration::from_secs(10));
        check(&mut world);
        assert_eq!(last_word(&world), None, "{mode:?}: {}", tale(&world));
        assert_eq!(recoveries(&world), [Strategy::Migrate], "{mode:?}: {}", tale(&world));
    }
}

#[test]
fn too_many_new_sessions_do_not_end_the_one_that_there_is() {
    let mut config = Config::new("room");
    config.rejoin_budget = (0, Duration::from_secs(120));
    let mut world = super::with(config, 2);
    super::join(&mut world);
    world.go_away(0, 1_000, 0, Some(1));
    world.pass(Duration::from_secs(30));
    check(&mut world);
    assert!(matches!(world.state(), State::Live { .. }), "{}", tale(&world));
    assert!(losses(&world).is_empty());
    assert_eq!(dials(&world), 1);
}

#[test]
fn an_http_status_after_the_handshake_is_no_word_on_the_token() {
    for code in [401, 403] {
        let mut world = world();
        super::join(&mut world);
        world.cluster.mute_acks = true;
        world.send(SendClass::Reliable, 16, None);
        world.go_away(0, 1_000, 0, Some(1));
        // The new node has let the client in, and the old one has not acknowledged everything.
        let arrived = |w: &World| w.facts.connections.values().nth(1).is_some_and(|c| c.migrate_done);
        assert!(world.until(Duration::from_secs(3), arrived), "{}", world.tell(30));
        world.facts.faithful = false;
        world.input(Input::Transport(Epoch(2), Transport::Closed { code, clean: false }));
        assert!(world.facts.view.deadline.is_some(), "{code}: {}", world.tell(30));
        assert_eq!(forced(&world), 0, "{code}");
        assert!(losses(&world).is_empty(), "{code}: {}", tale(&world));
        world.cluster.mute_acks = false;
        world.heal();
        world.pass(Duration::from_secs(20));
        assert!(matches!(world.state(), State::Live { .. }), "{code}: {}", world.tell(40));
    }
}

#[test]
fn a_fresh_token_is_no_attempt() {
    let mut config = Config::new("room");
    config.max_attempts = Some(2);
    let mut world = super::with(config, 1);
    world.tokens = TokenMode::Fresh;
    world.cluster.good_tokens = vec!["token-2".into()];
    world.input(Input::Connect);
    // Refused once, with the first token; the attempt goes on with the second one, and fails.
    assert!(world.until(Duration::from_secs(1), |w| forced(w) == 1), "{}", tale(&world));
    world.dial = DialMode::Refuse;
    world.pass(Duration::from_millis(5));
    world.dial = DialMode::Accept;
    assert!(live_within(&mut world, 5_000), "{}", tale(&world));
    check(&mut world);
    assert_eq!(dials(&world), 3);
}
