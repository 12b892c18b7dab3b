//! The hosts of a trace by number, and the order in which their lanes stand.

use std::collections::BTreeMap;

/// Up to so many lanes are put in the best order of all; more stay in the order in which they appear.
const ORDERED: usize = 7;

/// Numbers for names, in order of appearance.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<String>,
    numbers: BTreeMap<String, usize>,
    /// Whether it was the host of a record. What was only sent to has no lane.
    is_host: Vec<bool>,
}

/// Which lane each number has.
pub(super) struct Lanes {
    /// From left to right.
    pub(super) names: Vec<String>,
    by_number: Vec<Option<usize>>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.names.push(name.to_owned());
        self.is_host.push(false);
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The number of a name that is the host of a record.
    pub(super) fn host(&mut self, name: &str) -> usize {
        let number = self.number(name);
        self.is_host[number] = true;
        number
    }

    /// Puts hosts that send each other much beside each other. `traffic` is how much goes between two numbers.
    pub(super) fn lanes(self, traffic: &BTreeMap<(usize, usize), u64>) -> Lanes {
        let mut hosts: Vec<usize> = (0..self.names.len()).filter(|number| self.is_host[*number]).collect();
        let order = if hosts.len() <= ORDERED {
            // Among equally good orders, that of the names: who appears first may depend on the seed.
            hosts.sort_by_key(|number| &self.names[*number]);
            shortest(&hosts, traffic)
        } else {
            hosts
        };
        let mut by_number = vec![None; self.names.len()];
        for (lane, number) in order.iter().enumerate() {
            by_number[*number] = Some(lane);
        }
        Lanes { names: order.iter().map(|number| self.names[*number].clone()).collect(), by_number }
    }
}

impl Lanes {
    pub(super) fn of(&self, number: usize) -> Option<usize> {
        self.by_number.get(number).copied().flatten()
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|lane| lane == name)
    }
}

/// The first of the orders in which arrows are shortest together.
fn shortest(hosts: &[usize], traffic: &BTreeMap<(usize, usize), u64>) -> Vec<usize> {
    let mut best = (u64::MAX, hosts.to_vec());
    permute(&mut Vec::new(), hosts, &mut |order| {
        let place = |number: &usize| order.iter().position(|one| one == number);
        let length = |((from, to), weight): (&(usize, usize), &u64)| match (place(from), place(to)) {
            (Some(from), Some(to)) => weight.saturating_mul(from.abs_diff(to) as u64),
            _ => 0,
        };
        let together = traffic.iter().map(length).fold(0, u64::saturating_add);
        if together < best.0 {
            best = (together, order.to_vec());
        }
    });
    best.1
}

fn permute(done: &mut Vec<usize>, all: &[usize], visit: &mut impl FnMut(&[usize])) {
    if done.len() == all.len() {
        return visit(done);
    }
    for one in all {
        if !done.contains(one) {
            done.push(*one);
            permute(done, all, visit);
            done.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_talks_with_both_stands_between_them() {
        let mut names = Names::default();
        let [hub, ann, bob, nobody] = ["hub", "ann", "bob", "10.0.0.9"].map(|name| names.number(name));
        for name in ["hub", "ann", "bob"] {
            names.host(name);
        }
        let lanes = names.lanes(&BTreeMap::from([((ann, hub), 4), ((hub, bob), 4), ((ann, nobody), 9)]));
        assert_eq!(lanes.names, ["ann", "hub", "bob"]);
        assert_eq!((lanes.of(hub), lanes.of(nobody), lanes.named("bob")), (Some(1), None, Some(2)));
    }

    #[test]
    fn without_traffic_and_among_many_the_order_of_appearance_stays() {
        let mut names = Names::default();
        let all: Vec<String> = (0..9).map(|number| format!("host-{number}")).collect();
        for name in &all {
            names.host(name);
        }
        assert_eq!(names.lanes(&BTreeMap::from([((0, 8), 5)])).names, all);
    }
}
