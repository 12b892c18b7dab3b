//! Random scenarios hold, and checkers that are lied to notice.

use moorline_sim::{INVARIANTS, RunOptions, lies, named_scenario, run, swarm, sweep};

#[test]
fn some_seeds_hold() {
    let swept = sweep(0..16, 2, None, &RunOptions::default(), swarm).unwrap();
    let ratio = swept.simulated.as_secs_f64() / swept.cpu.as_secs_f64();
    println!("{} runs, {ratio:.0} times, slowest {:?}", swept.runs, swept.slowest);
    println!("{:?}", swept.counters);
    assert_eq!((swept.runs, swept.next), (16, None));
    let failed: Vec<_> =
        swept.failed.iter().map(|(seed, report)| format!("{seed}: {:#?}", report.violations)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn each_lie_is_noticed_by_the_invariant_that_it_is_for() {
    let quiet = ["share-and-fetch", "sender-dies-and-returns", "server-restarts", "back-after-the-window"];
    let with_panics = ["panic-in-a-dialler", "required-service-dies"];
    for lie in lies() {
        let options = RunOptions { lie: Some(*lie), ..RunOptions::default() };
        let names = if is_of_panics(lie.violates) { &with_panics[..] } else { &quiet[..] };
        let mut scenarios = names.iter().map(|name| named_scenario(name).unwrap());
        let noticed = scenarios.any(|scenario| run(&scenario, &options).unwrap().violates(lie.violates));
        assert!(noticed, "{} is not noticed", lie.name);
    }
}

fn is_of_panics(invariant: &str) -> bool {
    ["panic-heard", "panic-contained", "failure-stops"].contains(&invariant)
}

#[test]
fn each_invariant_that_judges_what_is_observed_has_a_lie() {
    // These judge the simulation or the scenario.
    let without = ["runs", "no-entropy", "expected"];
    for (name, _) in INVARIANTS {
        let lied = lies().iter().any(|lie| lie.violates == *name);
        assert!(lied != without.contains(name), "{name}");
    }
}
