//! The scenarios that come with the crate hold what they promise, and are the same each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use moorline_sim::{Report, RunOptions, Scenario, first_difference, named_scenarios, run};

fn play(scenario: &Scenario) -> Report {
    run(scenario, &RunOptions::default()).unwrap_or_else(|error| panic!("{}: {error}", scenario.name))
}

/// What is wrong with a scenario, if anything is.
fn check(scenario: &Scenario) -> Option<String> {
    let (one, other) = (play(scenario), play(scenario));
    let name = &scenario.name;
    println!("{name}: {:?} in {:?}, {}", one.simulated, one.wall, one.fingerprint);
    if !one.passed() {
        let violations: Vec<_> = one.violations.iter().map(ToString::to_string).collect();
        return Some(format!("{name}: {}\n{:?}", violations.join("\n"), one.counters));
    }
    let differs =
        (one.fingerprint != other.fingerprint).then(|| first_difference(&one.trace.text(), &other.trace.text()));
    differs.map(|difference| match difference {
        Some(difference) => format!("{name} differs: {difference}"),
        None => format!("{name} differs beyond what is kept"),
    })
}

fn check_all(scenarios: &[Scenario]) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(check(scenario));
        }
        wrong
    };
    let wrong: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// As long as all the others together.
fn is_herd(scenario: &Scenario) -> bool {
    scenario.name == "herd"
}

#[test]
fn each_named_scenario_passes_and_does_so_twice_in_the_same_way() {
    let all = named_scenarios().into_iter().filter(|scenario| !is_herd(scenario));
    check_all(&all.collect::<Vec<_>>());
}

#[test]
fn the_herd_passes_and_does_so_twice_in_the_same_way() {
    let herd = named_scenarios().into_iter().filter(is_herd);
    check_all(&herd.collect::<Vec<_>>());
}
