//! The user closes, at every step.

use std::time::Duration;

use moorline_signaling::machine::{Event, Input, NetHint, Output, Phase, State};
use moorline_signaling::{CloseReason, SendOutcome};

use super::{check, closed_within, dials, joined, last_word, losses, tale, world};
use crate::model::Greeting;
use crate::trace;
use crate::world::{CredsMode, DialMode, TokenMode, World};

/// Closes, and sees that this is the end: in time, with one last word, no loss told and nothing left open.
fn close(world: &mut World, step: &str) {
    let before = losses(world).len();
    let dialled = dials(world);
    world.input(Input::Close);
    world.input(Input::Close);
    assert!(closed_within(world, 1_100), "{step}: {}", world.tell(30));
    world.pass(Duration::from_secs(60));
    check(world);
    assert_eq!(last_word(world), Some(CloseReason::UserClosed), "{step}");
    assert_eq!(losses(world).len(), before, "{step}");
    assert_eq!(dials(world), dialled, "{step}");
    assert_eq!(world.facts.open().count(), 0, "{step}");
    assert_eq!(world.facts.view.deadline, None, "{step}");
}

/// Why the machine did what it did, up to the end.
fn log(world: &World, step: &str) -> String {
    let lines = world.tale(|output| match output {
        Output::App(event @ (Event::Decision(_) | Event::Closed { .. })) => Some(trace::event_words(event)),
        _ => None,
    });
    format!("{step}\n{lines}")
}

/// Prepares each phase of an attempt: what has to hang for it.
fn hang(world: &mut World, phase: Phase) {
    match phase {
        Phase::WaitNet => world.input(Input::Net(NetHint::Offline)),
        Phase::Backoff => world.dial = DialMode::Refuse,
        Phase::Token => world.tokens = TokenMode::Hang,
        Phase::Creds => world.creds = CredsMode::Hang,
        Phase::Dial => world.dial = DialMode::Hang,
        Phase::Hello => world.cluster.nodes.iter_mut().for_each(|node| node.greeting = Greeting::Silent),
        Phase::Replay => world.cluster.nodes.iter_mut().for_each(|node| node.greeting = Greeting::NoReplayEnd),
    }
}

const PHASES: [Phase; 7] =
    [Phase::WaitNet, Phase::Backoff, Phase::Token, Phase::Creds, Phase::Dial, Phase::Hello, Phase::Replay];

fn phase(world: &World) -> Option<Phase> {
    match world.state() {
        State::Connecting { phase, .. } | State::Recovering { phase, .. } | State::Migrating { phase } => Some(phase),
        _ => None,
    }
}

#[test]
fn before_anything() {
    let mut world = world();
    close(&mut world, "idle");
    world.input(Input::Connect);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn at_every_phase_of_connecting() {
    let mut logs = String::new();
    for wanted in PHASES {
        let mut world = world();
        hang(&mut world, wanted);
        world.input(Input::Connect);
        assert!(world.until(Duration::from_secs(3), |w| phase(w) == Some(wanted)), "{wanted:?}: {}", world.tell(30));
        let step = format!("connecting {wanted:?}");
        close(&mut world, &step);
        logs += &log(&world, &step);
    }
    insta::assert_snapshot!(logs);
}

#[test]
fn while_live() {
    let mut world = joined();
    close(&mut world, "live");
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn while_live_and_the_server_is_dead() {
    let mut world = joined();
    world.silence();
    close(&mut world, "live, dead server");
}

#[test]
fn at_every_phase_of_a_fast_recovery() {
    let mut logs = String::new();
    for wanted in PHASES {
        // A session that is resumed needs no new address; a token is fetched only where the last one was refused.
        if matches!(wanted, Phase::Creds | Phase::Token) {
            continue;
        }
        let mut world = joined();
        hang(&mut world, wanted);
        let epoch = world.newest_link().expect("there is a connection");
        world.reset(epoch);
        assert!(world.until(Duration::from_secs(3), |w| phase(w) == Some(wanted)), "{wanted:?}: {}", world.tell(30));
        let step = format!("recovering {wanted:?}");
        close(&mut world, &step);
        logs += &log(&world, &step);
    }
    insta::assert_snapshot!(logs);
}

#[test]
fn at_every_phase_of_a_rejoin() {
    let mut logs = String::new();
    for wanted in PHASES {
        if wanted == Phase::Token {
            continue;
        }
        let mut world = joined();
        world.cluster.restart(world.now, 0, crate::model::Keep::Lineages);
        hang(&mut world, wanted);
        let epoch = world.newest_link().expect("there is a connection");
        world.close_from_server(epoch, 4200, true);
        assert!(world.until(Duration::from_secs(3), |w| phase(w) == Some(wanted)), "{wanted:?}: {}", world.tell(30));
        let step = format!("rejoining {wanted:?}");
        close(&mut world, &step);
        logs += &log(&world, &step);
    }
    insta::assert_snapshot!(logs);
}

#[test]
fn at_every_phase_of_a_migration() {
    let mut logs = String::new();
    for wanted in [Phase::Creds, Phase::Dial, Phase::Hello, Phase::Replay] {
        let mut world = joined();
        hang(&mut world, wanted);
        world.go_away(0, 1_000, 0, Some(1));
        world.cluster.nodes[0].draining = false;
        let there = |w: &World| matches!(w.state(), State::Migrating { phase } if phase == wanted);
        assert!(world.until(Duration::from_secs(3), there), "{wanted:?}: {}", world.tell(30));
        let step = format!("migrating {wanted:?}");
        close(&mut world, &step);
        logs += &log(&world, &step);
    }
    insta::assert_snapshot!(logs);
}

#[test]
fn what_the_server_has_no_room_for_at_once_is_sent_before_the_goodbye_as_well() {
    let mut world = joined();
    for _ in 0..200 {
        world.send(moorline_signaling::SendClass::Reliable, 16, None);
    }
    close(&mut world, "with more sends than may be in flight");
    assert_eq!(world.cluster.ledger.applied.len(), 200);
    assert!(world.facts.sends.iter().all(|(_, send)| send.outcome == Some(SendOutcome::Acked)), "{}", world.tell(20));
}

#[test]
fn a_server_that_takes_nothing_does_not_hold_up_the_goodbye() {
    let mut world = joined();
    world.cluster.mute_acks = true;
    for _ in 0..200 {
        world.send(moorline_signaling::SendClass::Reliable, 16, None);
    }
    close(&mut world, "without acknowledgements");
    assert!(world.facts.connections.values().all(|connection| connection.left), "{}", world.tell(20));
}

#[test]
fn after_the_old_node_of_a_migration_was_told() {
    let mut world = joined();
    world.latency = Duration::from_millis(100);
    world.go_away(0, 1_000, 0, Some(1));
    let told = |w: &World| w.facts.connections.values().next().is_some_and(|connection| connection.left);
    assert!(world.until(Duration::from_secs(5), told), "{}", world.tell(30));
    assert!(matches!(world.state(), State::Migrating { .. }));
    let new = world.facts.last_welcome().map(|(_, _, welcome)| welcome.session_id.clone()).expect("it is let in");
    close(&mut world, "between two nodes");
    assert_eq!(world.cluster.head(&new), None, "the new node has heard a goodbye: {}", world.tell(30));
}

#[test]
fn what_was_sent_before_is_sent_before_the_goodbye() {
    let mut world = joined();
    for _ in 0..3 {
        world.send(moorline_signaling::SendClass::Reliable, 16, None);
    }
    close(&mut world, "with sends");
    assert_eq!(world.cluster.ledger.applied.len(), 3);
}
