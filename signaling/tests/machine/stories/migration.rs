//! The server asks its clients to go.

use std::time::Duration;

use moorline_signaling::machine::{Config, Event, Input, NetHint, Phase, State, Transport};
use moorline_signaling::{Epoch, SendClass, SendOutcome, Strategy};
use proptest::prelude::*;

use super::{check, dials, events, joined, live_within, losses, recoveries, tale};
use crate::model::{Greeting, Keep};
use crate::wire::{self, Down, pb};
use crate::world::{DialMode, World};

#[test]
fn a_go_away_with_a_healthy_second_node_costs_nothing() {
    let mut world = joined();
    for _ in 0..3 {
        world.send(SendClass::Reliable, 16, None);
    }
    world.go_away(0, 3_000, 1_000, Some(1));
    for _ in 0..20 {
        world.send(SendClass::Reliable, 16, None);
        world.publish(1);
        world.pass(Duration::from_millis(100));
    }
    world.pass(Duration::from_secs(3));
    check(&mut world);
    assert!(matches!(world.state(), State::Live { .. }));
    assert!(losses(&world).is_empty());
    assert_eq!(recoveries(&world), [Strategy::Migrate]);
    assert_eq!(dials(&world), 2);
    assert_eq!(world.cluster.ledger.applied.len(), 23);
    assert!(world.facts.sends.iter().all(|(_, send)| send.outcome == Some(SendOutcome::Acked)));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_migration_that_fails_stays_where_it_is_until_it_is_put_out() {
    let mut world = joined();
    world.cluster.nodes[1].greeting = Greeting::Silent;
    world.go_away(0, 3_000, 0, Some(1));
    world.pass(Duration::from_secs(12));
    world.cluster.nodes[1].greeting = Greeting::Proper;
    assert!(live_within(&mut world, 30_000), "{}", world.tell(40));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert!(losses(&world).len() <= 1);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_node_that_dies_during_the_migration_is_not_gone_back_to() {
    let mut world = joined();
    world.cluster.nodes[1].greeting = Greeting::Silent;
    world.go_away(0, 3_000, 0, Some(1));
    world.pass(Duration::from_millis(100));
    assert!(matches!(world.state(), State::Migrating { .. }), "{}", tale(&world));
    world.restart(0, Keep::Nothing);
    world.cluster.nodes[1].greeting = Greeting::Proper;
    assert!(live_within(&mut world, 30_000), "{}", world.tell(40));
    check(&mut world);
    assert_eq!(losses(&world).len(), 1);
    let home = world.facts.home().and_then(|(_, c)| c.welcome.as_ref()).map(|w| w.node_id.clone());
    assert_eq!(home.as_deref(), Some("b"));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_go_away_without_another_node_is_survived() {
    let mut world = super::with(Config::new("room"), 1);
    super::join(&mut world);
    world.go_away(0, 1_000, 0, None);
    world.pass(Duration::from_secs(2));
    world.restart(0, Keep::Nothing);
    world.heal();
    assert!(live_within(&mut world, 20_000), "{}", world.tell(40));
    check(&mut world);
    assert_eq!(losses(&world).len(), 1);
}

/// In the room, asked to go, and on the way to another node while there is no network, by somebody's word.
fn waiting_for_a_network(config: Config) -> World {
    let mut world = super::with(config, 2);
    super::join(&mut world);
    world.go_away(0, 100_000, 400, Some(1));
    world.pass(Duration::from_millis(2));
    world.input(Input::Net(NetHint::Offline));
    let waits = |w: &World| matches!(w.state(), State::Migrating { phase: Phase::WaitNet });
    assert!(world.until(Duration::from_secs(1), waits), "{}", tale(&world));
    world
}

#[test]
fn a_frame_proves_that_there_is_a_network_to_migrate_over() {
    let mut world = waiting_for_a_network(Config::new("room"));
    world.publish(1);
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate], "{}", tale(&world));
    assert!(losses(&world).is_empty());
}

#[test]
fn a_loss_while_the_migration_waits_for_a_network_begins_with_a_pause() {
    let mut config = Config::new("room");
    config.offline_counts = false;
    let mut world = waiting_for_a_network(config);
    // Until shortly before the next heartbeat.
    world.pass(Duration::from_secs(3));
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    world.pass(Duration::from_millis(100));
    assert_eq!(super::delays(&world).len(), 1, "{}", tale(&world));
    assert!(matches!(world.state(), State::Recovering { phase: Phase::WaitNet, .. }));
    // The deadline stands still from the loss on, not from before it.
    world.pass(Duration::from_secs(60));
    world.dial = DialMode::Refuse;
    world.input(Input::Net(NetHint::Online));
    assert!(super::closed_within(&mut world, 30_100), "{}", tale(&world));
    check(&mut world);
}

/// On the way to another node, which has let the client in and has not said yet that all is said.
fn arrived() -> World {
    let mut world = joined();
    world.cluster.mute_acks = true;
    world.cluster.nodes[1].greeting = Greeting::NoReplayEnd;
    world.send(SendClass::Reliable, 16, None);
    world.go_away(0, 1_000, 0, Some(1));
    let arrived = |w: &World| w.facts.connections.get(&Epoch(2)).is_some_and(|c| c.migrate_done);
    assert!(world.until(Duration::from_secs(3), arrived), "{}", world.tell(30));
    world
}

#[test]
fn what_a_node_said_after_it_broke_the_protocol_is_not_taken_in() {
    let mut world = arrived();
    world.facts.faithful = false;
    let hole = Down::Deliver(pb::Deliver { event: None });
    for seq in [50, 60] {
        let frame = pb::ServerFrame { seq, ack: 0, body: Some(hole.clone()) };
        world.input(Input::Transport(Epoch(2), Transport::Frame(wire::encode(&frame))));
    }
    let before = super::delays(&world).len();
    world.input(Input::Transport(Epoch(1), Transport::Error("reset".into())));
    assert_eq!(losses(&world).len(), 1);
    assert_eq!(super::delays(&world).len() - before, 1, "one failure, one pause: {}", tale(&world));
    world.heal();
    assert!(live_within(&mut world, 10_000), "{}", tale(&world));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// I23: with healthy nodes nothing is lost, nothing comes twice, and no loss is told.
    #[test]
    fn no_go_away_ever_costs_anything(
        seed in any::<u64>(),
        latency in 0..200u64,
        spread in 0..3_000u32,
        steps in prop::collection::vec((0..3u32, 0..3u32, 0..300u64), 10..60),
        when in 0..10usize,
    ) {
        let mut world = World::new(Config::new("room"), seed, 2);
        world.latency = Duration::from_millis(latency);
        super::join(&mut world);
        let mut published = 0;
        for (index, (sends, news, pause)) in steps.iter().enumerate() {
            if index == when {
                world.go_away(0, 5_000, spread, Some(1));
            }
            for _ in 0..*sends {
                world.send(SendClass::Reliable, 16, None);
            }
            world.publish(*news);
            published += news;
            world.pass(Duration::from_millis(*pause));
        }
        world.pass(Duration::from_secs(10));
        check(&mut world);
        prop_assert_eq!(losses(&world).len(), 0);
        prop_assert_eq!(recoveries(&world), [Strategy::Migrate]);
        let heard = events(&world).filter(|e| matches!(e, Event::Message(_))).count();
        prop_assert_eq!(heard, published as usize, "{}", world.tell(80));
        let sent = world.facts.sends.iter().count();
        prop_assert_eq!(world.cluster.ledger.applied.len(), sent);
    }
}
