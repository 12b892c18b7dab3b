//! Prints how much simulated time a second of the processor gives.

use std::time::Duration;

use moorline_sim::{Lab, LabConfig, LinkFaults, NodeSpec, ServerSpec, Trace, UserSpec, on_fresh_thread};
use rustix::time::{ClockId, clock_gettime};

use crate::scenes;

/// Processor time of this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn measure(what: &str, simulation: impl FnOnce() -> (Duration, Trace) + Send) -> f64 {
    on_fresh_thread(5, || {
        let start = cpu();
        let (simulated, trace) = simulation();
        let used = cpu() - start;
        let ratio = simulated.as_secs_f64() / used.as_secs_f64();
        println!("{what}: {simulated:?} in {used:?} of the processor: {ratio:.0} times, {} records", trace.records());
        ratio
    })
}

#[test]
fn simulated_time_is_cheap() {
    let root = tempfile::tempdir().unwrap();
    for tick_ms in [1, 5] {
        let config = LabConfig { tick: Duration::from_millis(tick_ms), ..LabConfig::new(5, root.path()) };
        let ratio = measure(&format!("three idle hosts, ticks of {tick_ms} ms"), move || {
            let mut lab = Lab::new(config);
            let server = lab.server("hub", ServerSpec::default());
            lab.user("ann", UserSpec::joining(server.url(), "den"));
            lab.user("bob", UserSpec::joining(server.url(), "den"));
            lab.run_for(Duration::from_secs(60)).unwrap();
            (lab.elapsed(), lab.finish())
        });
        // Far below what is measured, for slow machines and builds without optimisation.
        assert!(ratio > 2.0, "{ratio}");
    }
    measure("three idle nodes, ticks of 1 ms", || {
        let mut lab = Lab::new(LabConfig::new(5, root.path()));
        for name in ["ann", "bob", "cem"] {
            lab.node(name, NodeSpec::sharing());
        }
        lab.run_for(Duration::from_secs(30)).unwrap();
        (lab.elapsed(), lab.finish())
    });
    for (what, faults) in [("clean", LinkFaults::default()), ("chaos", scenes::chaos())] {
        let root = root.path().join(what);
        measure(&format!("a transfer of 4 MiB, {what}"), || {
            let trace = scenes::transfer(5, &root, faults);
            let text = trace.text();
            let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            (Duration::from_micros(last["t_us"].as_u64().unwrap()), trace)
        });
    }
}
