//! Stories: one thing goes wrong, and what follows is told line by line. Each also says in code what must be true of it, since a
//! changed snapshot is accepted too easily.

mod auth;
mod hints;
mod ladder;
mod loss;
mod migration;
mod server;
mod user;

use std::time::Duration;

use moorline_signaling::machine::{Config, Event, Input, Output, State};
use moorline_signaling::{CloseReason, LossCause, Strategy};

use crate::trace;
use crate::world::World;

/// A world with two nodes and a machine that has not begun.
pub(crate) fn world() -> World {
    with(Config::new("room"), 2)
}

/// The same with another configuration.
pub(crate) fn with(config: Config, nodes: usize) -> World {
    World::new(config, 1, nodes)
}

/// A world whose machine is in the room.
pub(crate) fn joined() -> World {
    let mut world = world();
    join(&mut world);
    world
}

/// Takes the machine into the room, and lets the connection become stable.
pub(crate) fn join(world: &mut World) {
    world.input(Input::Connect);
    assert!(live_within(world, 5_000), "it does not join: {}", tale(world));
    world.pass(Duration::from_secs(11));
}

/// Runs until the machine is in the room, for at most so many milliseconds. What has just happened arrives first.
pub(crate) fn live_within(world: &mut World, millis: u64) -> bool {
    world.pass(Duration::from_millis(3));
    let there = world.until(Duration::from_millis(millis), |world| matches!(world.state(), State::Live { .. }));
    if let Some(broken) = &world.broken {
        panic!("{broken}\n{}", world.tell(60));
    }
    there
}

/// Runs until the machine is closed, for at most so many milliseconds.
pub(crate) fn closed_within(world: &mut World, millis: u64) -> bool {
    world.until(Duration::from_millis(millis), |world| world.state() == State::Closed)
}

/// Everything works as it should: the watchers have nothing to say, and what was told is true.
pub(crate) fn check(world: &mut World) {
    world.verify(true);
    if let Some(broken) = &world.broken {
        panic!("{broken}\n{}", world.tell(60));
    }
}

/// What the application was told and why, with times.
pub(crate) fn tale(world: &World) -> String {
    world.tale(|output| match output {
        Output::App(event) => Some(trace::event_words(event)),
        Output::Dial { epoch, url } => Some(format!("(dial {epoch}: {url})")),
        _ => None,
    })
}

/// Events that the application was told.
pub(crate) fn events(world: &World) -> impl Iterator<Item = &Event> {
    world.outputs().iter().filter_map(|output| match output {
        Output::App(event) => Some(event),
        _ => None,
    })
}

/// Why connections were lost, in order.
pub(crate) fn losses(world: &World) -> Vec<LossCause> {
    let cause = |event: &Event| match event {
        Event::ConnectionLost { cause, .. } => Some(cause.clone()),
        _ => None,
    };
    events(world).filter_map(cause).collect()
}

/// How recoveries ended, in order.
pub(crate) fn recoveries(world: &World) -> Vec<Strategy> {
    let strategy = |event: &Event| match event {
        Event::Recovered { strategy, .. } => Some(*strategy),
        _ => None,
    };
    events(world).filter_map(strategy).collect()
}

/// How long each recovery took.
pub(crate) fn downtimes(world: &World) -> Vec<Duration> {
    let downtime = |event: &Event| match event {
        Event::Recovered { downtime, .. } => Some(*downtime),
        _ => None,
    };
    events(world).filter_map(downtime).collect()
}

/// The pauses that the machine made, with the plan that each was for.
pub(crate) fn delays(world: &World) -> Vec<(Strategy, Duration)> {
    events(world)
        .filter_map(|event| match event {
            Event::Decision(decision) => Some((decision.strategy?, decision.delay?)),
            _ => None,
        })
        .collect()
}

/// The last word.
pub(crate) fn last_word(world: &World) -> Option<CloseReason> {
    world.facts.closed.clone()
}

/// Dials so far.
pub(crate) fn dials(world: &World) -> usize {
    world.facts.connections.len()
}
