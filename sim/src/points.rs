//! Points of the code under test: which are reached, on which host, and what happens at them.

mod known;

use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_sim_point::active::{Answer, Hook, Installed, Reached, install};
use moorline_sim_point::still;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use tokio::runtime::{self, Handle};

pub use known::{Runs, known_points};

use crate::host::Happened;
use crate::{History, Seeds, Trace};

/// What is done to a host at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interference {
    /// The task that reaches it panics.
    Panic {
        /// What the panic says; no other one says the same.
        message: String,
    },
    /// The process is killed.
    Crash,
    /// The user asks for the end, in good order.
    Stop,
}

/// What is to happen the next time, or a later time, that a host reaches a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plant {
    pub(crate) point: String,
    /// The next time that it is reached: 1.
    pub(crate) nth: u64,
    pub(crate) what: Planted,
    /// For how long what runs on the host is gone, if it is to come back.
    pub(crate) for_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Panic,
    Crash,
    Stop,
}

/// Something planted that was reached, and that has to be seen to from outside.
#[derive(Clone, Debug)]
pub(crate) struct Sprung {
    pub(crate) host: Arc<str>,
    pub(crate) what: Planted,
    pub(crate) for_ms: Option<u64>,
}

/// Asks what runs on a host to end, from within.
type Stop = Arc<dyn Fn() + Send + Sync>;

/// The points of all hosts of a simulation. Clones are the same points.
#[derive(Clone)]
pub(crate) struct Points {
    seeds: Seeds,
    trace: Trace,
    history: History,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// Which host a tokio runtime belongs to: each life of a host has its own. Never iterated over.
    runtimes: std::collections::HashMap<runtime::Id, usize, BuildHasherDefault<DefaultHasher>>,
    hosts: Vec<HostPoints>,
    numbers: BTreeMap<Arc<str>, usize>,
    /// That a task is put behind the others.
    yields: f64,
    yielded: u64,
    panics: u64,
    sprung: Vec<Sprung>,
}

struct HostPoints {
    name: Arc<str>,
    reached: BTreeMap<String, u64>,
    plants: Vec<Plant>,
    rng: ChaCha8Rng,
    /// It was killed at a point: nothing of it runs on, not even to the end of the step.
    still: bool,
    stop: Option<Stop>,
}

impl Points {
    pub(crate) fn new(seeds: Seeds, trace: Trace, history: History) -> Self {
        Self { seeds, trace, history, inner: Arc::default() }
    }

    /// Makes them those of this thread.
    pub(crate) fn install(&self) -> Installed {
        install(Rc::new(self.clone()))
    }

    pub(crate) fn add_host(&self, name: &Arc<str>) {
        let rng = ChaCha8Rng::from_seed(self.seeds.derive(&[name, "points"]));
        let mut inner = self.lock();
        let number = inner.hosts.len();
        inner.numbers.insert(name.clone(), number);
        inner.hosts.push(HostPoints {
            name: name.clone(),
            reached: BTreeMap::new(),
            plants: Vec::new(),
            rng,
            still: false,
            stop: None,
        });
    }

    /// One life of a host: whatever runs on its tokio runtime from here on is its own.
    pub(crate) async fn live<F: Future>(self, name: Arc<str>, software: F) -> F::Output {
        {
            let mut inner = self.lock();
            if let Some(number) = inner.numbers.get(&name).copied() {
                inner.runtimes.insert(Handle::current().id(), number);
                inner.hosts[number].still = false;
                inner.hosts[number].stop = None;
            }
        }
        still(software).await
    }

    /// How what runs on a host is asked to end at a point.
    pub(crate) fn stop_with(&self, name: &str, stop: impl Fn() + Send + Sync + 'static) {
        self.with_host(name, |host| host.stop = Some(Arc::new(stop)));
    }

    pub(crate) fn plant(&self, name: &str, plant: Plant) {
        self.with_host(name, |host| host.plants.push(plant));
    }

    /// That a task which could go on lets others go first: from 0 to 1.
    pub(crate) fn set_yields(&self, chance: f64) {
        self.lock().yields = chance;
    }

    /// Takes everything back that was planted and has not been reached.
    pub(crate) fn calm(&self) {
        let mut inner = self.lock();
        inner.yields = 0.0;
        inner.hosts.iter_mut().for_each(|host| host.plants.clear());
    }

    /// What was reached since the last time.
    pub(crate) fn sprung(&self) -> Vec<Sprung> {
        std::mem::take(&mut self.lock().sprung)
    }

    /// How often each was reached, on all hosts together, and how often a task was put off.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let inner = self.lock();
        let mut counts = BTreeMap::new();
        for (point, count) in inner.hosts.iter().flat_map(|host| &host.reached) {
            *counts.entry(format!("point.{point}")).or_default() += count;
        }
        if inner.yielded > 0 {
            counts.insert("yielded".to_owned(), inner.yielded);
        }
        counts
    }

    /// How often a host has reached each.
    pub(crate) fn reached(&self, name: &str) -> BTreeMap<String, u64> {
        let mut reached = BTreeMap::new();
        self.with_host(name, |host| reached.clone_from(&host.reached));
        reached
    }

    fn with_host(&self, name: &str, change: impl FnOnce(&mut HostPoints)) {
        let mut inner = self.lock();
        if let Some(number) = inner.numbers.get(name).copied() {
            change(&mut inner.hosts[number]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, host: &str, what: Interference, reached: &Reached<'_>) {
        let word = match what {
            Interference::Panic { .. } => "panic_at",
            Interference::Crash => "crash_at",
            Interference::Stop => "stop_at",
        };
        self.trace.record(host, "fault", |fields| {
            fields.text("what", word).text("detail", reached.point);
        });
        let (point, task) = (reached.point.to_owned(), reached.task.map(str::to_owned));
        self.history.add(host, Happened::Interfered { what, point, task });
    }
}

impl Hook for Points {
    fn reach(&self, reached: &Reached<'_>) -> Answer {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(host) = inner.here().and_then(|number| inner.hosts.get_mut(number)) else { return Answer::Go };
        if host.still {
            return Answer::Still;
        }
        match host.reached.get_mut(reached.point) {
            Some(count) => *count += 1,
            None => {
                host.reached.insert(reached.point.to_owned(), 1);
            }
        }
        let Some(plant) = host.due(reached) else {
            let yields = reached.yields && inner.yields > 0.0 && host.chance(inner.yields);
            inner.yielded += u64::from(yields);
            return if yields { Answer::Yield } else { Answer::Go };
        };
        inner.sprung.push(Sprung { host: host.name.clone(), what: plant.what, for_ms: plant.for_ms });
        let (name, stop) = (host.name.clone(), host.stop.clone());
        match plant.what {
            Planted::Panic => {
                inner.panics += 1;
                let message = format!("planted panic {} at {}", inner.panics, reached.point);
                drop(guard);
                self.tell(&name, Interference::Panic { message: message.clone() }, reached);
                Answer::Panic(message)
            }
            Planted::Crash => {
                host.still = true;
                drop(guard);
                self.tell(&name, Interference::Crash, reached);
                Answer::Still
            }
            Planted::Stop => {
                drop(guard);
                self.tell(&name, Interference::Stop, reached);
                if let Some(stop) = stop {
                    stop();
                }
                Answer::Go
            }
        }
    }

    fn is_still(&self) -> bool {
        let inner = self.lock();
        inner.here().and_then(|number| inner.hosts.get(number)).is_some_and(|host| host.still)
    }
}

impl Inner {
    /// The host whose tokio runtime this thread is in.
    fn here(&self) -> Option<usize> {
        let handle = Handle::try_current().ok()?;
        self.runtimes.get(&handle.id()).copied()
    }
}

impl HostPoints {
    /// What is to happen now, of what was planted here; each time that this is asked, the point is reached once more.
    fn due(&mut self, reached: &Reached<'_>) -> Option<Plant> {
        let mut due = None;
        for (index, plant) in self.plants.iter_mut().enumerate() {
            // Outside of tasks a panic would be the application's own.
            if plant.point != reached.point || (plant.what == Planted::Panic && reached.task.is_none()) {
                continue;
            }
            plant.nth = plant.nth.saturating_sub(1);
            if plant.nth == 0 && due.is_none() {
                due = Some(index);
            }
        }
        due.map(|index| self.plants.remove(index))
    }

    fn chance(&mut self, p: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        ((self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < p
    }
}
