//! From the first step to the verdict.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{Cast, Report, RunError, RunOptions, World};
use crate::invariant::Court;
use crate::{LabConfig, LabError, Scenario, audit, panics};

/// How often in simulated time folders are looked at, and whether all is well.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Nodes have two seconds to stop, clients one to leave, and servers as long as their clients take.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn play(scenario: &Scenario, options: &RunOptions, folder: &Path) -> Result<Report, RunError> {
    let start = cpu();
    let config = LabConfig { trace_bytes: options.trace_bytes, ..LabConfig::new(scenario.seed, folder) };
    let (lab, cast) = Cast::assemble(scenario, config)?;
    let trace = lab.trace().clone();
    let mut world = World::new(scenario, lab, cast);
    let mut court = Court::new(scenario, options.lie);
    let played = catch_unwind(AssertUnwindSafe(|| acts(&mut world, &mut court)));
    match played {
        Ok(Ok(())) => {}
        Ok(Err(Failure::Folder(error))) => return Err(error.into()),
        Ok(Err(Failure::Lab(error))) => court.broke_off(&world, &error.to_string()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            court.broke_off(&world, &format!("panicked: {}", said.unwrap_or_default()));
        }
    }
    for panic in panics::take() {
        court.panicked(&world, &panic);
    }
    for call in audit::so_far().unexpected().take(3) {
        let by = call.by.iter().find(|function| function.contains("moorline")).or(call.by.first());
        court.asked_the_system(
            &world,
            &format!("{} asked for {}", by.map_or("somebody", String::as_str), call.question),
        );
    }
    let (violations, counters) = court.adjourn(&world);
    let simulated = world.now();
    drop(world);
    Ok(Report {
        name: scenario.name.clone(),
        seed: scenario.seed,
        violations,
        counters,
        simulated,
        wall: Duration::ZERO,
        cpu: cpu().saturating_sub(start),
        fingerprint: trace.fingerprint(),
        trace,
    })
}

enum Failure {
    Folder(io::Error),
    Lab(LabError),
}

fn acts(world: &mut World<'_>, court: &mut Court) -> Result<(), Failure> {
    let scenario = world.scenario;
    let mut next_look = Duration::ZERO;
    world.lab.points().set_yields(scenario.yields);
    while world.now() < scenario.heal_at() {
        step(world, court, &mut next_look)?;
    }
    world.heal();
    world.lab.trace().record("", "heal", |_| {});

    let end = Duration::from_millis(scenario.duration_ms);
    let rest = Duration::from_millis(scenario.rest_ms);
    let mut well_since = None;
    while world.now() < end {
        let looks = step(world, court, &mut next_look)?;
        if looks {
            let well = !world.has_more_to_do() && court.is_well(world);
            well_since = if well { well_since.or(Some(world.now())) } else { None };
        }
        if well_since.is_some_and(|since| world.now() - since >= rest) && world.now() >= world.silence_is_over() {
            break;
        }
    }
    court.rest(world);
    world.lab.trace().record("", "rest", |_| {});

    for servers in [false, true] {
        world.dismiss(servers);
        let limit = world.now() + STOPS_WITHIN;
        let all_ended =
            |world: &World<'_>| world.running().all(|host| !servers && world.cast.servers.contains_key(&host));
        while !all_ended(world) && world.now() < limit {
            step(world, court, &mut next_look)?;
        }
    }
    court.end(world);
    Ok(())
}

/// Whether folders were looked at.
fn step(world: &mut World<'_>, court: &mut Court, next_look: &mut Duration) -> Result<bool, Failure> {
    world.act().map_err(Failure::Folder)?;
    world.lab.step().map_err(Failure::Lab)?;
    world.see_to_sprung();
    for seen in court.news(world) {
        world.notice(&seen);
        court.hear(world, &seen);
    }
    let looks = world.now() >= *next_look;
    if looks {
        *next_look = world.now() + LOOK_EVERY;
        court.look(world);
    }
    Ok(looks)
}

/// Time that the processor has spent on this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}
