//! How fast simulated time goes by.

use std::time::Duration;

use anyhow::Result;
use moorline_sim::{RunOptions, Scenario, run as play, swarm};
use rustix::time::{ClockId, clock_gettime};

/// How long each simulation of three hosts is, in simulated time.
const SPAN: Duration = Duration::from_secs(60);
/// Random scenarios a round.
const SEEDS: u64 = 40;
/// What a developer can count on.
const GOALS: (f64, f64) = (100.0, 10.0);

/// Prints medians, and how they compare with a bare turmoil network of as many hosts that only wake up with each step.
pub(crate) fn run(options: &RunOptions, rounds: usize) -> Result<bool> {
    let options = RunOptions { trace_bytes: 0, ..options.clone() };
    let mut idle = Vec::new();
    let mut busy = Vec::new();
    let mut bare = Vec::new();
    let mut scenarios = Vec::new();
    for round in 0..rounds.max(1) as u64 {
        bare.push(bare_network()?);
        idle.push(ratio(&three_hosts(round, 1), &options)?);
        busy.push(ratio(&three_hosts(round, 4 << 20), &options)?);
        scenarios.push(scenarios_a_second(round * SEEDS, &options)?);
    }
    let (bare, idle, busy, scenarios) = (median(bare), median(idle), median(busy), median(scenarios));
    println!(
        "simulated seconds a second of the processor, steps of 1 ms, as the tests are built, medians of {} rounds:",
        rounds.max(1)
    );
    println!("  three hosts that only wake up, bare turmoil  {bare:7.0}");
    println!("  three nodes, one fetch of a byte             {idle:7.0}  {:.2} of that", idle / bare);
    println!("  three nodes, two fetches of 4 MiB            {busy:7.0}  {:.2} of that, goal {}", busy / bare, GOALS.0);
    println!("random scenarios a second of the processor     {scenarios:7.1}  goal {}", GOALS.1);
    Ok(true)
}

fn three_hosts(seed: u64, bytes: u64) -> Scenario {
    let text = format!(
        r#"
        version = 1
        name = "three"
        seed = {seed}
        heal_at_ms = {span}
        duration_ms = {end}
        hosts = [
            {{ kind = "node", name = "ann", share = [{{ name = "song", files = {{ "a.ogg" = {bytes} }} }}] }},
            {{ kind = "node", name = "bob" }},
            {{ kind = "node", name = "cem" }},
        ]
        workload = [
            {{ at_ms = 0, work = "fetch", host = "bob", item = "song" }},
            {{ at_ms = 20000, work = "fetch", host = "cem", item = "song" }},
        ]
        "#,
        span = SPAN.as_millis(),
        end = SPAN.as_millis() * 2,
    );
    Scenario::parse(&text).expect("a scenario that makes sense")
}

fn ratio(scenario: &Scenario, options: &RunOptions) -> Result<f64> {
    let report = play(scenario, options)?;
    anyhow::ensure!(report.passed(), "{}: {:?}", scenario.name, report.violations);
    Ok(report.simulated.as_secs_f64() / report.cpu.as_secs_f64())
}

fn scenarios_a_second(first: u64, options: &RunOptions) -> Result<f64> {
    let mut cpu = Duration::ZERO;
    for seed in first..first + SEEDS {
        cpu += play(&swarm(seed), options)?.cpu;
    }
    Ok(SEEDS as f64 / cpu.as_secs_f64())
}

/// Nothing is recorded and nothing is sent: what is left is what turmoil and tokio cost.
fn bare_network() -> Result<f64> {
    let mut sim = turmoil::Builder::new().simulation_duration(SPAN * 2).tick_duration(Duration::from_millis(1)).build();
    for name in ["ann", "bob", "cem"] {
        sim.client(name, async {
            let end = tokio::time::Instant::now() + SPAN;
            while tokio::time::Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        });
    }
    let start = cpu();
    sim.run().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(SPAN.as_secs_f64() / (cpu() - start).as_secs_f64())
}

/// Time that the processor has spent on this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
