mod strike;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::agenda::{Act, Agenda};
use super::cast::{Cast, write_item};
use crate::host::{Happened, Seen};
use crate::scenario::{Class, Fault, ItemSpec, Work};
use crate::{Interference, Lab, LinkFaults, Scenario};

type Pair = (String, String);

/// When to look again whether something has come to its end.
const ENDS_SOON_MS: u64 = 100;
/// A connection to a server that was cut is dead, and nobody knows until the other side has been silent for 12 s.
const SILENCE: Duration = Duration::from_secs(14);

/// A scenario under way: its hosts, what is wrong with them just now, and what was asked of them.
pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) lab: Lab,
    pub(crate) cast: Cast,
    agenda: Agenda,
    cut: BTreeSet<Pair>,
    /// When the last cut between a server and somebody else was healed.
    last_healed: Option<Duration>,
    held: BTreeSet<Pair>,
    slow: BTreeSet<Pair>,
    damaged: BTreeSet<Pair>,
    /// Killed, and not started again.
    down: BTreeSet<String>,
    /// Came to their end in good order.
    ended: BTreeSet<String>,
    /// Were asked to end.
    dismissed: BTreeSet<String>,
    /// Were emptied, and are to be started anew.
    drained: BTreeSet<String>,
    /// By how many milliseconds the clock of a host is ahead, and was at most.
    ahead_ms: BTreeMap<String, (i64, i64)>,
    deaf: BTreeSet<String>,
    /// Their library is looked after no more, for a panic that was planted.
    unlisted: BTreeSet<String>,
    full: BTreeSet<String>,
    /// Were full at some time.
    pub(crate) were_full: BTreeSet<String>,
    /// What was to be fetched by whom, and whether that was called off.
    pub(crate) wishes: BTreeMap<(String, String), bool>,
    /// Everything that anybody shares.
    pub(crate) items: BTreeMap<String, ItemSpec>,
    /// Who shares it.
    pub(crate) sharers: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, lab: Lab, cast: Cast) -> Self {
        let mut world = Self {
            scenario,
            lab,
            cast,
            agenda: Agenda::of(scenario),
            cut: BTreeSet::new(),
            last_healed: None,
            held: BTreeSet::new(),
            slow: BTreeSet::new(),
            damaged: BTreeSet::new(),
            down: BTreeSet::new(),
            ended: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            drained: BTreeSet::new(),
            ahead_ms: BTreeMap::new(),
            deaf: BTreeSet::new(),
            unlisted: BTreeSet::new(),
            full: BTreeSet::new(),
            were_full: BTreeSet::new(),
            wishes: BTreeMap::new(),
            items: BTreeMap::new(),
            sharers: BTreeMap::new(),
        };
        for host in &scenario.hosts {
            host.items().iter().for_each(|item| world.shares(host.name(), item));
            world.clock_steps(host.name(), host.clock_skew_ms());
        }
        for link in &scenario.links {
            world.damaged.insert((link.from.clone(), link.to.clone()));
            world.damaged.insert((link.to.clone(), link.from.clone()));
        }
        world
    }

    pub(crate) fn now(&self) -> Duration {
        self.lab.elapsed()
    }

    /// Whether a host was started and has neither been killed nor come to its end.
    pub(crate) fn runs(&self, host: &str) -> bool {
        !self.down.contains(host) && !self.ended.contains(host)
    }

    /// Whether it was asked to come to its end.
    pub(crate) fn is_dismissed(&self, host: &str) -> bool {
        self.dismissed.contains(host)
    }

    /// Whether a host runs and is to stay.
    pub(crate) fn is_there(&self, host: &str) -> bool {
        self.runs(host) && !self.is_dismissed(host)
    }

    /// Whether it is a server that is emptied at some time, and ends when it is empty.
    pub(crate) fn is_emptied(&self, host: &str) -> bool {
        let empties = |fault: &Fault| matches!(fault, Fault::GoAway { host: emptied, .. } if emptied == host);
        self.scenario.plan.iter().any(|timed| empties(&timed.what))
    }

    /// By how much the clock of a host was ahead at most; by none if it was behind.
    pub(crate) fn most_ahead(&self, host: &str) -> Duration {
        let most_ms = self.ahead_ms.get(host).map_or(0, |(_, most)| *most);
        Duration::from_millis(u64::try_from(most_ms).unwrap_or(0))
    }

    fn clock_steps(&mut self, host: &str, by_ms: i64) {
        let (now, most) = self.ahead_ms.entry(host.to_owned()).or_insert((0, i64::MIN));
        *now = now.saturating_add(by_ms);
        *most = (*now).max(*most);
    }

    /// Whether what it shares is listed.
    pub(crate) fn lists(&self, host: &str) -> bool {
        !self.unlisted.contains(host)
    }

    /// When all connections that died in a cut are known to be dead.
    pub(super) fn silence_is_over(&self) -> Duration {
        self.last_healed.map_or(Duration::ZERO, |healed| healed + SILENCE)
    }

    pub(super) fn has_more_to_do(&self) -> bool {
        !self.agenda.is_empty()
    }

    /// Takes notice of hosts that start and end.
    pub(super) fn notice(&mut self, seen: &Seen) {
        match &seen.what {
            Happened::Started => {
                self.ended.remove(&*seen.host);
                self.unlisted.remove(&*seen.host);
            }
            // Nobody starts it again: a node shares what it has listed, and fetches, without it.
            Happened::Interfered { what: Interference::Panic { .. }, task: Some(task), .. }
                if matches!(&**task, "library-monitor" | "library-roots") =>
            {
                self.unlisted.insert(seen.host.to_string());
            }
            Happened::Stopped { .. } => {
                self.ended.insert(seen.host.to_string());
            }
            _ => {}
        }
    }

    /// Does everything that is due.
    pub(super) fn act(&mut self) -> std::io::Result<()> {
        let now_ms = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
        while let Some(act) = self.agenda.due(now_ms) {
            match act {
                Act::Work(work) => self.work(work)?,
                Act::SendOne { host, class, bytes } => self.send(&host, class, bytes),
                Act::Fault(fault) => {
                    self.undo_later(now_ms, &fault);
                    let powerless = match &fault {
                        Fault::PowerLoss { host, .. } if self.runs(host) => self.cast.nodes.get(host).cloned(),
                        _ => None,
                    };
                    self.strike(fault);
                    powerless.map_or(Ok(()), |node| node.lose_power())?;
                }
                Act::Restart { host } => self.restart(&host),
                Act::Renew { host } if self.drained.contains(&host) => self.strike(Fault::Bounce { host }),
                Act::Renew { .. } => {}
                Act::StartAgain { host } => self.start_again(host, now_ms),
                Act::Hear { host } => self.hear(&host),
                Act::FreeDisk { host } => self.free_disk(&host),
            }
        }
        Ok(())
    }

    /// Ends everything that is wrong.
    pub(super) fn heal(&mut self) {
        self.agenda.heal();
        self.lab.points().calm();
        for (a, b) in self.cut.clone() {
            self.heal_cut(&a, &b);
        }
        for (a, b) in std::mem::take(&mut self.held) {
            self.lab.release(&a, &b);
        }
        for (a, b) in std::mem::take(&mut self.slow) {
            self.lab.set_latency(&a, &b, Duration::from_millis(self.scenario.latency_ms));
        }
        for (from, to) in std::mem::take(&mut self.damaged) {
            self.lab.set_way(&from, &to, LinkFaults::default());
        }
        self.deaf.clone().iter().for_each(|host| self.hear(host));
        self.full.clone().iter().for_each(|host| self.free_disk(host));
        if self.scenario.revive {
            self.down.clone().iter().for_each(|host| self.restart(host));
            for host in self.drained.clone() {
                self.strike(Fault::Bounce { host });
            }
        }
    }

    /// Asks everybody to come to an end, servers last.
    pub(super) fn dismiss(&mut self, servers: bool) {
        let hosts: Vec<String> =
            self.running().filter(|host| self.cast.servers.contains_key(host) == servers).collect();
        hosts.iter().for_each(|host| self.leave(host));
    }

    /// Those who run.
    pub(crate) fn running(&self) -> impl Iterator<Item = String> {
        self.scenario.host_names().filter(move |host| self.runs(host))
    }

    fn shares(&mut self, host: &str, item: &ItemSpec) {
        self.items.insert(item.name.clone(), item.clone());
        self.sharers.entry(item.name.clone()).or_default().insert(host.to_owned());
    }

    fn work(&mut self, work: Work) -> std::io::Result<()> {
        match work {
            Work::Share { host, item } => {
                if let Some(node) = self.cast.nodes.get(&host) {
                    // Below the folder whose children are shared: the next look at it finds the item, and a later life does too.
                    write_item(node, "share", &item, Duration::ZERO)?;
                    self.shares(&host, &item);
                }
            }
            Work::Fetch { host, item } => self.fetch(host, item),
            Work::Send { .. } => {}
            Work::Call { host, to, timeout_ms } => {
                if let Some(user) = self.cast.users.get(&host) {
                    user.call(&to, "hello", Duration::from_millis(timeout_ms));
                }
            }
            Work::Close { host } | Work::Stop { host } => self.leave(&host),
        }
        Ok(())
    }

    fn fetch(&mut self, host: String, item: String) {
        let Some(node) = self.cast.nodes.get(&host) else { return };
        // A node refuses a second fetch of what it is fetching, as it is to.
        if !matches!(node.fetch_state(&item), Some(crate::FetchState::Running(_))) {
            node.fetch(&item);
        }
        self.wishes.insert((host, item), false);
    }

    /// The payload tells who sent it and which of its messages it is: that is what order and gaps are judged by.
    fn send(&self, host: &str, class: Class, bytes: usize) {
        let Some(user) = self.cast.users.get(host) else { return };
        let mut payload = format!("{host}|{}|", user.sends() + 1);
        while payload.len() < bytes {
            payload.push('.');
        }
        user.send(class.into(), payload);
    }

    fn leave(&mut self, host: &str) {
        if !self.runs(host) {
            return;
        }
        if let Some(node) = self.cast.nodes.get(host) {
            node.stop();
        } else if let Some(server) = self.cast.servers.get(host) {
            server.stop();
        } else if let Some(user) = self.cast.users.get(host) {
            user.close();
        }
        self.dismissed.insert(host.to_owned());
    }

    /// Starts what was killed, unless its user had asked it to end.
    fn restart(&mut self, host: &str) {
        if !self.dismissed.contains(host) && self.down.remove(host) {
            self.drained.remove(host);
            self.lab.bounce(host);
        }
    }

    /// Starts what its user had ended, as soon as it has come to its end.
    fn start_again(&mut self, host: String, now_ms: u64) {
        if self.down.contains(&host) {
            self.dismissed.remove(&host);
            self.restart(&host);
        } else if self.ended.remove(&host) {
            self.dismissed.remove(&host);
            self.lab.bounce(&host);
        } else {
            self.agenda.add(now_ms + ENDS_SOON_MS, Act::StartAgain { host });
        }
    }

    fn heal_cut(&mut self, a: &str, b: &str) {
        if self.cut.remove(&pair(a, b)) {
            self.lab.heal(a, b);
            if [a, b].iter().any(|host| self.cast.servers.contains_key(*host)) {
                self.last_healed = Some(self.now());
            }
        }
    }

    fn release(&mut self, a: &str, b: &str) {
        if self.held.remove(&pair(a, b)) {
            self.lab.release(a, b);
        }
    }

    fn hear(&mut self, host: &str) {
        self.deaf.remove(host);
        self.set_deaf(host, false);
    }

    fn set_deaf(&self, host: &str, deaf: bool) {
        if let Some(node) = self.cast.nodes.get(host) {
            node.set_deaf(deaf);
        } else if let Some(user) = self.cast.users.get(host) {
            user.set_deaf(deaf);
        }
    }

    fn free_disk(&mut self, host: &str) {
        self.full.remove(host);
        if let Some(node) = self.cast.nodes.get(host) {
            node.set_disk_full(false);
        }
    }
}

fn pair(a: &str, b: &str) -> Pair {
    if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) }
}
