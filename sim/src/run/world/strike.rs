use std::time::Duration;

use moorline_signaling::server::Drain;

use super::super::agenda::Act;
use super::{World, pair};
use crate::LinkFaults;
use crate::points::{Plant, Planted, Sprung};
use crate::scenario::Fault;

impl World<'_> {
    /// Something goes wrong, or is undone.
    pub(super) fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Partition { a, b, .. } => {
                self.release(&a, &b);
                self.lab.partition(&a, &b);
                self.cut.insert(pair(&a, &b));
            }
            Fault::Oneway { from, to, .. } => {
                self.release(&from, &to);
                self.lab.partition_oneway(&from, &to);
                self.cut.insert(pair(&from, &to));
            }
            Fault::Heal { a, b } => self.heal_cut(&a, &b),
            Fault::Hold { a, b, .. } => {
                if !self.cut.contains(&pair(&a, &b)) {
                    self.lab.hold(&a, &b);
                    self.held.insert(pair(&a, &b));
                }
            }
            Fault::Release { a, b } => self.release(&a, &b),
            Fault::Crash { host, .. } | Fault::PowerLoss { host, .. } => {
                if self.lab.is_running(&host) {
                    self.lab.crash(&host);
                    self.down.insert(host);
                }
            }
            Fault::PanicAt { host, point, nth } => {
                self.plant(&host, Plant { point, nth, what: Planted::Panic, for_ms: None });
            }
            Fault::CrashAt { host, point, nth, for_ms } => {
                self.plant(&host, Plant { point, nth, what: Planted::Crash, for_ms });
            }
            Fault::StopAt { host, point, nth, for_ms } => {
                self.plant(&host, Plant { point, nth, what: Planted::Stop, for_ms });
            }
            Fault::Bounce { host } => {
                self.dismissed.remove(&host);
                self.down.remove(&host);
                self.ended.remove(&host);
                self.drained.remove(&host);
                self.lab.bounce(&host);
            }
            Fault::Latency { a, b, ms, .. } => {
                self.lab.set_latency(&a, &b, Duration::from_millis(ms));
                self.slow.insert(pair(&a, &b));
            }
            Fault::Link { from, to, faults, .. } => {
                self.lab.set_way(&from, &to, faults);
                self.damaged.insert((from, to));
            }
            Fault::Cancel { host, item } => {
                if let Some(node) = self.cast.nodes.get(&host) {
                    node.cancel(&item);
                    self.wishes.entry((host, item)).and_modify(|called_off| *called_off = true);
                }
            }
            Fault::SlowConsumer { host, .. } => {
                self.set_deaf(&host, true);
                self.deaf.insert(host);
            }
            Fault::DiskFull { host, .. } => {
                if let Some(node) = self.cast.nodes.get(&host) {
                    node.set_disk_full(true);
                    self.were_full.insert(host.clone());
                    self.full.insert(host);
                }
            }
            Fault::GoAway { host, spread_ms, deadline_ms, restart_ms } => {
                if let Some(server) = self.cast.servers.get(&host).filter(|_| self.runs(&host)) {
                    let (spread, deadline) = (Duration::from_millis(spread_ms), Duration::from_millis(deadline_ms));
                    server.drain(Drain { spread, deadline, ..Drain::default() });
                    self.drained.extend(restart_ms.map(|_| host));
                }
            }
            Fault::ClockStep { host, ms } => {
                self.lab.step_clock(&host, ms);
                self.clock_steps(&host, ms);
            }
            Fault::Slept { host, ms } => {
                if let Some(user) = self.cast.users.get(&host) {
                    user.sleep(Duration::from_millis(ms));
                }
            }
        }
    }

    fn plant(&self, host: &str, plant: Plant) {
        self.lab.points().plant(host, plant);
    }

    /// Sees to what was planted and has been reached in this step.
    pub(in super::super) fn see_to_sprung(&mut self) {
        let now_ms = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
        for Sprung { host, what, for_ms } in self.lab.points().sprung() {
            let host = host.to_string();
            let then = match what {
                Planted::Panic => continue,
                Planted::Crash => {
                    self.strike(Fault::Crash { host: host.clone(), for_ms });
                    Act::Restart { host }
                }
                Planted::Stop => {
                    self.dismissed.insert(host.clone());
                    Act::StartAgain { host }
                }
            };
            if let Some(for_ms) = for_ms {
                self.agenda.add(now_ms.saturating_add(for_ms), then);
            }
        }
    }

    /// Puts the end of what ends by itself on the agenda.
    pub(super) fn undo_later(&mut self, now_ms: u64, fault: &Fault) {
        let (for_ms, act) = match fault.clone() {
            Fault::Partition { a, b, for_ms } => (for_ms, Act::Fault(Fault::Heal { a, b })),
            Fault::Oneway { from, to, for_ms } => (for_ms, Act::Fault(Fault::Heal { a: from, b: to })),
            Fault::Hold { a, b, for_ms } => (for_ms, Act::Fault(Fault::Release { a, b })),
            Fault::Crash { host, for_ms } | Fault::PowerLoss { host, for_ms } => (for_ms, Act::Restart { host }),
            Fault::GoAway { host, deadline_ms, restart_ms, .. } => {
                (restart_ms.map(|ms| ms.saturating_add(deadline_ms)), Act::Renew { host })
            }
            Fault::Latency { a, b, for_ms, .. } => {
                let ms = self.scenario.latency_ms;
                (for_ms, Act::Fault(Fault::Latency { a, b, ms, for_ms: None }))
            }
            Fault::Link { from, to, for_ms, .. } => {
                (for_ms, Act::Fault(Fault::Link { from, to, faults: LinkFaults::default(), for_ms: None }))
            }
            Fault::SlowConsumer { host, for_ms } => (for_ms, Act::Hear { host }),
            Fault::DiskFull { host, for_ms } => (for_ms, Act::FreeDisk { host }),
            _ => return,
        };
        if let Some(for_ms) = for_ms {
            self.agenda.add(now_ms.saturating_add(for_ms), act);
        }
    }
}
