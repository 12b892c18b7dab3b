//! The two scenarios of the matrix, and which points they reach in which phase.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use moorline_signaling::SendClass;
use moorline_signaling::server::Drain;
use moorline_sim::scenario::{HostSpec, Timed, Work};
use moorline_sim::{Lab, LabConfig, LinkFaults, NodeSpec, Runs, Scenario, ServerSpec, UserSpec, on_fresh_thread};

/// What is going on from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Phase {
    pub(super) at_ms: u64,
    pub(super) name: &'static str,
}

/// Moves a simulation on to a time, and looks at what is reached in each phase on the way.
type RunTo<'a> = dyn FnMut(&mut Lab, Duration) + 'a;

/// A scenario whose phases are known.
pub(super) struct Stage {
    pub(super) scenario: Scenario,
    phases: Vec<Phase>,
    /// The same, told in calls.
    play: fn(&mut Lab, &mut RunTo<'_>),
}

fn phase(at_ms: u64, name: &'static str) -> Phase {
    Phase { at_ms, name }
}

impl Stage {
    /// One fetches from another, which dies in the middle and comes back.
    pub(super) fn nodes() -> Self {
        Self {
            scenario: Scenario::parse(include_str!("nodes.toml")).unwrap(),
            phases: vec![
                phase(0, "starting"),
                phase(1_000, "idle"),
                phase(2_000, "fetching"),
                phase(2_500, "recovering"),
                phase(6_000, "stopping"),
            ],
            play: play_nodes,
        }
    }

    /// Two talk; their server is killed; one of them sleeps; the server sends them away, and a new one takes its place.
    pub(super) fn rooms() -> Self {
        Self {
            scenario: Scenario::parse(include_str!("rooms.toml")).unwrap(),
            phases: vec![
                phase(0, "starting"),
                phase(1_000, "idle"),
                phase(2_000, "talking"),
                phase(2_500, "recovering"),
                phase(11_500, "stopping"),
            ],
            play: play_rooms,
        }
    }

    /// What a host of it runs.
    pub(super) fn runs(&self, host: &str) -> Runs {
        self.scenario.host(host).map(HostSpec::runs).unwrap()
    }

    /// The scenario, in which the host is told to stop if this is the phase for that.
    pub(super) fn stopped_in(&self, phase: Phase, mut scenario: Scenario, host: String) -> Scenario {
        scenario.name = format!("{} ({})", scenario.name, phase.name);
        if phase.name == "stopping" {
            let leave = match self.runs(&host) {
                Runs::User => Work::Close { host },
                _ => Work::Stop { host },
            };
            scenario.workload.push(Timed::at(phase.at_ms, leave));
        }
        scenario
    }

    /// Which points are reached in each phase, on which host.
    pub(super) fn survey(&self) -> BTreeSet<(Phase, String, String)> {
        let hosts: Vec<String> = self.scenario.host_names().collect();
        let root = tempfile::tempdir().unwrap();
        on_fresh_thread(self.scenario.seed, || {
            let tick = Duration::from_millis(self.scenario.tick_ms);
            let mut lab = Lab::new(LabConfig { tick, ..LabConfig::new(self.scenario.seed, root.path()) });
            let mut found = BTreeSet::new();
            let mut before: BTreeMap<(String, String), u64> = BTreeMap::new();
            let mut current = self.phases[0];
            let mut look = |lab: &mut Lab, phase: Phase| {
                for host in &hosts {
                    for (point, count) in lab.reached(host) {
                        let known = before.insert((host.clone(), point.clone()), count).unwrap_or(0);
                        if count > known {
                            found.insert((phase, host.clone(), point));
                        }
                    }
                }
            };
            (self.play)(&mut lab, &mut |lab, until| {
                while lab.elapsed() < until {
                    let next =
                        self.phases.iter().rev().find(|phase| lab.elapsed() >= Duration::from_millis(phase.at_ms));
                    if let Some(next) = next.filter(|next| **next != current) {
                        look(lab, current);
                        current = *next;
                    }
                    lab.step().unwrap();
                }
            });
            look(&mut lab, current);
            found
        })
    }
}

fn play_nodes(lab: &mut Lab, run_to: &mut RunTo<'_>) {
    let ann = lab.node("ann", NodeSpec::sharing());
    let bob = lab.node("bob", NodeSpec::sharing());
    ann.folder().write("share/song/a.ogg", &[7; 400_000]).unwrap();
    ann.folder().write("share/song/deep/b.ogg", &[8; 1_200]).unwrap();
    bob.folder().write("share/book/c.txt", &[9; 40_000]).unwrap();
    lab.set_way("ann", "bob", LinkFaults { rate_kbit: Some(3_400), ..LinkFaults::default() });
    run_to(lab, Duration::from_millis(2_000));
    bob.fetch("song");
    run_to(lab, Duration::from_millis(2_500));
    lab.crash("ann");
    run_to(lab, Duration::from_millis(2_800));
    lab.bounce("ann");
    run_to(lab, Duration::from_millis(3_500));
    ann.fetch("book");
    run_to(lab, Duration::from_millis(6_000));
    assert!(bob.fetched("song"), "{:?}", bob.fetch_state("song"));
    ann.stop();
    bob.stop();
    run_to(lab, Duration::from_millis(9_000));
}

fn play_rooms(lab: &mut Lab, run_to: &mut RunTo<'_>) {
    let hub = lab.server("hub", ServerSpec::default());
    let joining = || UserSpec::joining(hub.url(), "den");
    let uma = lab.user("uma", joining().configure(|config| config.machine.info.identity = "uma".into()));
    let vic = lab.user("vic", joining());
    run_to(lab, Duration::from_millis(2_000));
    for number in 0..30 {
        run_to(lab, Duration::from_millis(2_000 + number * 100));
        for user in [&uma, &vic] {
            user.send(SendClass::Reliable, format!("{}|{number}|", user.name()));
        }
        match number {
            5 => lab.crash("hub"),
            8 => lab.bounce("hub"),
            20 => lab.partition("uma", "hub"),
            21 => uma.sleep(Duration::from_secs(60)),
            _ => {}
        }
    }
    run_to(lab, Duration::from_millis(6_200));
    lab.heal("uma", "hub");
    run_to(lab, Duration::from_millis(8_000));
    let (spread, deadline) = (Duration::from_millis(100), Duration::from_millis(500));
    hub.drain(Drain { spread, deadline, ..Drain::default() });
    run_to(lab, Duration::from_millis(9_000));
    lab.bounce("hub");
    run_to(lab, Duration::from_millis(11_500));
    uma.close();
    vic.close();
    run_to(lab, Duration::from_millis(12_500));
    hub.stop();
    run_to(lab, Duration::from_millis(13_000));
}
