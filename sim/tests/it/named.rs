//! The scenarios that come with the crate hold what they promise, and are the same each time.

use std::thread;

use moorline_sim::{Report, RunOptions, Scenario, first_difference, named_scenarios, run};

fn play(scenario: &Scenario) -> Report {
    run(scenario, &RunOptions::default()).unwrap_or_else(|error| panic!("{}: {error}", scenario.name))
}

/// What is wrong with a scenario, if anything is.
fn check(scenario: &Scenario) -> Option<String> {
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(|| play(scenario));
        (play(scenario), other.join().unwrap())
    });
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

/// A thousand users take as long as all others together.
const CROWDED: &str = "herd";

#[test]
fn each_named_scenario_passes_and_does_so_twice_in_the_same_way() {
    let others: Vec<Scenario> = named_scenarios().into_iter().filter(|scenario| scenario.name != CROWDED).collect();
    check_all(&others);
}

#[test]
fn a_herd_passes_and_does_so_twice_in_the_same_way() {
    let herd: Vec<Scenario> = named_scenarios().into_iter().filter(|scenario| scenario.name == CROWDED).collect();
    assert_eq!(herd.len(), 1);
    check_all(&herd);
}

fn check_all(scenarios: &[Scenario]) {
    let wrong: Vec<_> = scenarios.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
