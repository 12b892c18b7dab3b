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
    let scenarios =
        ["share-and-fetch", "server-restarts", "back-after-the-window"].map(|name| named_scenario(name).unwrap());
    for lie in lies() {
        let options = RunOptions { lie: Some(*lie), ..RunOptions::default() };
        let noticed = scenarios.iter().any(|scenario| run(scenario, &options).unwrap().violates(lie.violates));
        assert!(noticed, "{} is not noticed", lie.name);
    }
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
