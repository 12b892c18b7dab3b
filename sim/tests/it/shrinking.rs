//! Of many faults, the one that matters is left.

use moorline_sim::scenario::{Expect, Fault, Timed};
use moorline_sim::{RunOptions, Scenario, named_scenario, run, shrink};

/// Fifteen faults that do no harm, and one cut that lasts longer than a client waits.
fn planted() -> Scenario {
    let mut scenario = named_scenario("gone-for-good").unwrap();
    let cut = scenario.plan.pop().unwrap();
    let (ann, bob, hub) = ("ann".to_owned(), "bob".to_owned(), "hub".to_owned());
    for number in 0..5 {
        let at_ms = 2_000 + 1_100 * number;
        let blink = Some(40);
        let hold = Fault::Hold { a: ann.clone(), b: hub.clone(), for_ms: blink };
        let latency = Fault::Latency { a: ann.clone(), b: hub.clone(), ms: 20, for_ms: blink };
        let deaf = Fault::SlowConsumer { host: bob.clone(), for_ms: blink };
        scenario.plan.extend([hold, latency, deaf].map(|fault| Timed::at(at_ms, fault)));
    }
    scenario.plan.insert(7, cut);
    scenario.expect = vec![Expect::Counted { what: "closed.deadline".into(), at_least: 0, at_most: Some(0) }];
    scenario
}

#[test]
fn sixteen_faults_shrink_to_the_one_that_matters() {
    let scenario = planted();
    assert_eq!(scenario.plan.len(), 16);
    let options = RunOptions::default();
    assert!(run(&scenario, &options).unwrap().violates("expected"));
    let shrunk = shrink(&scenario, "expected", 300, &options).unwrap();
    println!("{} runs\n{}", shrunk.runs, shrunk.scenario.to_toml());
    let [fault] = &shrunk.scenario.plan[..] else { panic!("{}", shrunk.scenario.to_toml()) };
    assert!(matches!(&fault.what, Fault::Partition { a, b, .. } if a == "bob" && b == "hub"), "{fault:?}");
    assert!(shrunk.scenario.workload.is_empty(), "nobody had to say anything");
    assert_eq!(shrunk.scenario.hosts.len(), 2, "bob and the server are enough");
    assert!(run(&shrunk.scenario, &options).unwrap().violates("expected"), "it still fails");
}

#[test]
fn a_bound_on_runs_is_kept() {
    let shrunk = shrink(&planted(), "expected", 3, &RunOptions::default()).unwrap();
    assert!(shrunk.gave_up && shrunk.runs == 3, "{}", shrunk.runs);
}
