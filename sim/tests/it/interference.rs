//! Panics, kills and requests to stop, at every point of the code, in every phase.

mod source;
mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use moorline_sim::scenario::{Fault, Timed};
use moorline_sim::{Report, RunOptions, Runs, Scenario, known_points, run};

use survey::{Phase, Stage};

/// Plays scenarios, and returns their reports in the same order.
fn play_all(scenarios: &[Scenario]) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(BTreeMap::new());
    let options = RunOptions { trace_bytes: 0, ..RunOptions::default() };
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(number) else { break };
            let report = run(scenario, &options).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
            reports.lock().unwrap().insert(number, report);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    reports.into_inner().unwrap().into_values().collect()
}

/// Plays all, and tells which of them did not hold what they are to hold.
fn check_all(what: &str, scenarios: &[Scenario]) -> Vec<Report> {
    let reports = play_all(scenarios);
    let cpu: f64 = reports.iter().map(|report| report.cpu.as_secs_f64()).sum();
    println!("{what}: {} runs, {cpu:.1} s of the processor", reports.len());
    let failed: Vec<String> = reports.iter().filter(|report| !report.passed()).map(tell).collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), reports.len(), failed.join("\n"));
    reports
}

fn tell(report: &Report) -> String {
    let violations: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
    format!("{}:\n    {}", report.name, violations.join("\n    "))
}

/// The stage with one more thing in its plan.
fn with(stage: &Stage, at_ms: u64, fault: Fault) -> Scenario {
    let mut scenario = stage.scenario.clone();
    let (point, _) = fault.point().expect("it strikes at a point");
    scenario.name = format!("{} on {} at {at_ms} ms, at {point}", fault.word(), fault.hosts().join(" and "));
    scenario.plan.push(Timed::at(at_ms, fault));
    scenario
}

/// One scenario for each task, host and phase in which the task has something to do: at its first poll and at a later one.
fn panics(stage: &Stage) -> Vec<Scenario> {
    let reached = stage.survey();
    let mut scenarios = Vec::new();
    for (phase, host, point) in reached.into_iter().filter(|(.., point)| point.starts_with("task.")) {
        let scenario = with(stage, phase.at_ms, Fault::PanicAt { host: host.clone(), point, nth: 1 });
        scenarios.push(stage.stopped_in(phase, scenario, host));
    }
    scenarios
}

/// One scenario for each point, the first time that it is reached by a host: by another host for every other point.
fn everywhere(stage: &Stage, fault: impl Fn(String, String) -> Fault) -> Vec<Scenario> {
    let mut first: BTreeMap<String, BTreeMap<String, Phase>> = BTreeMap::new();
    for (phase, host, point) in stage.survey() {
        first.entry(point).or_default().entry(host).or_insert(phase);
    }
    let scenarios = first.into_iter().enumerate().filter_map(|(number, (point, hosts))| {
        let number = number % hosts.len();
        let (host, phase) = hosts.into_iter().nth(number)?;
        let scenario = with(stage, phase.at_ms, fault(host.clone(), point));
        Some(stage.stopped_in(phase, scenario, host))
    });
    scenarios.collect()
}

fn sum(reports: &[Report], what: &str) -> u64 {
    reports.iter().map(|report| report.count(what)).sum()
}

#[test]
fn a_panic_in_any_task_of_a_node_in_any_phase_is_contained() {
    let scenarios = panics(&Stage::nodes());
    let reports = check_all("panics in nodes", &scenarios);
    assert!(sum(&reports, "panic.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
    assert!(sum(&reports, "panic.fetching") > 10);
}

#[test]
fn a_panic_in_any_task_of_a_room_in_any_phase_is_contained() {
    let scenarios = panics(&Stage::rooms());
    let reports = check_all("panics in rooms", &scenarios);
    assert!(sum(&reports, "panic.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
    assert!(sum(&reports, "panic.recovering") > 1);
}

#[test]
fn a_node_that_is_killed_at_any_point_comes_back() {
    let crash = |host, point| Fault::CrashAt { host, point, nth: 1, for_ms: Some(200) };
    let reports = check_all("kills of nodes", &everywhere(&Stage::nodes(), crash));
    assert!(sum(&reports, "crash_at.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
}

#[test]
fn a_room_whose_server_or_client_is_killed_at_any_point_comes_back() {
    let crash = |host, point| Fault::CrashAt { host, point, nth: 1, for_ms: Some(200) };
    let reports = check_all("kills in rooms", &everywhere(&Stage::rooms(), crash));
    assert!(sum(&reports, "crash_at.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
}

#[test]
fn a_node_that_is_told_to_stop_at_any_point_stops() {
    let stop = |host, point| Fault::StopAt { host, point, nth: 1, for_ms: Some(200) };
    let reports = check_all("stops of nodes", &everywhere(&Stage::nodes(), stop));
    assert!(sum(&reports, "stop.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
}

#[test]
fn a_room_whose_server_or_client_is_told_to_stop_at_any_point_ends_or_goes_on() {
    let stop = |host, point| Fault::StopAt { host, point, nth: 1, for_ms: Some(200) };
    let reports = check_all("stops in rooms", &everywhere(&Stage::rooms(), stop));
    assert!(sum(&reports, "stop.planted") * 10 >= reports.len() as u64 * 9, "most of them are reached");
}

#[test]
fn every_known_point_is_reached_and_every_reached_one_is_known() {
    for stage in [Stage::nodes(), Stage::rooms()] {
        let survey = stage.survey();
        for runs in [Runs::Node, Runs::Server, Runs::User] {
            let here = survey.iter().filter(|(_, host, _)| stage.runs(host) == runs);
            let reached: BTreeSet<String> = here.map(|(.., point)| point.clone()).collect();
            if !reached.is_empty() {
                let known = known_points(runs);
                assert_eq!(reached, known, "{:?} beyond; {:?} missing", &reached - &known, &known - &reached);
            }
        }
    }
}
