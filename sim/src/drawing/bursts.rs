//! Many arrows become few: those that follow one another closely are one.

use std::collections::BTreeMap;

use super::pairing::{Arrow, Fate, Kind};

/// Arrows this close before a violation stay single: that is what the picture is looked at for.
const BEFORE_US: u64 = 20_000;
const AFTER_US: u64 = 5_000;
/// No burst is longer than so many times the pause that may be inside of it: a long one would hide when things happened.
const LONGEST: u64 = 8;
/// Where the search for a pause begins: the shortest tick.
const FIRST_PAUSE_US: u64 = 1_000;

/// One arrow, or several of the same kind and fate between the same hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    pub(super) first: Arrow,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) last_sent_us: u64,
    /// Earliest and latest.
    pub(super) ended_us: Option<(u64, u64)>,
}

/// As many as there are, if `limit` allows for them; otherwise joined, over as short pauses as will do. Tells that pause, too: 0 if
/// nothing was joined.
pub(super) fn collapse(arrows: &[Arrow], violations_us: &[u64], limit: usize) -> (Vec<Burst>, u64) {
    if arrows.len() <= limit {
        return (arrows.iter().map(Burst::of).collect(), 0);
    }
    let is_near = |arrow: &Arrow| {
        let near =
            |at: &u64| arrow.sent_us.saturating_add(BEFORE_US) >= *at && arrow.sent_us <= at.saturating_add(AFTER_US);
        violations_us.iter().any(near)
    };
    let near: Vec<bool> = arrows.iter().map(is_near).collect();
    // Unless they are too many themselves.
    let spare = near.iter().filter(|near| **near).count() <= limit / 4;
    let mut pause_us = FIRST_PAUSE_US;
    loop {
        let joined = join(arrows, |index| spare && near[index], pause_us);
        // Once the pause is longer than everything, there is nothing more to join.
        let is_all = arrows.last().is_none_or(|last| pause_us > last.sent_us);
        if joined.len() <= limit || is_all {
            return (joined, pause_us);
        }
        pause_us = pause_us.saturating_add(pause_us / 4);
    }
}

fn join(arrows: &[Arrow], is_single: impl Fn(usize) -> bool, pause_us: u64) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let mut open: BTreeMap<(Kind, Fate, &str, usize, usize), usize> = BTreeMap::new();
    for (index, arrow) in arrows.iter().enumerate() {
        let key = (arrow.kind, arrow.fate, arrow.cause, arrow.from, arrow.to);
        if is_single(index) {
            open.remove(&key);
        } else if let Some(burst) = open.get(&key).map(|at| &mut bursts[*at]).filter(|b| b.takes(arrow, pause_us)) {
            burst.add(arrow);
            continue;
        } else {
            open.insert(key, bursts.len());
        }
        bursts.push(Burst::of(arrow));
    }
    bursts
}

impl Burst {
    fn of(arrow: &Arrow) -> Self {
        Self {
            first: arrow.clone(),
            count: 1,
            bytes: arrow.bytes,
            last_sent_us: arrow.sent_us,
            ended_us: arrow.ended_us.map(|at| (at, at)),
        }
    }

    fn takes(&self, arrow: &Arrow, pause_us: u64) -> bool {
        let longest = pause_us.saturating_mul(LONGEST);
        arrow.sent_us.saturating_sub(self.last_sent_us) <= pause_us
            && arrow.sent_us.saturating_sub(self.first.sent_us) <= longest
    }

    fn add(&mut self, arrow: &Arrow) {
        self.count += 1;
        self.bytes += arrow.bytes;
        self.last_sent_us = self.last_sent_us.max(arrow.sent_us);
        self.ended_us = match (self.ended_us, arrow.ended_us) {
            (Some((first, last)), Some(at)) => Some((first.min(at), last.max(at))),
            (known, at) => known.or(at.map(|at| (at, at))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: usize, sent_us: u64, fate: Fate) -> Arrow {
        let ended_us = (fate == Fate::Arrived).then_some(sent_us + 1_000);
        Arrow { kind: Kind::Datagram, from, to: 1 - from, sent_us, ended_us, fate, cause: "", bytes: 100, id: sent_us }
    }

    /// Ten a burst, each burst a second after the one before, with one loss in each.
    fn train(bursts: u64) -> Vec<Arrow> {
        let one =
            |n: u64| arrow(0, n / 10 * 1_000_000 + n % 10 * 500, if n % 10 == 5 { Fate::Lost } else { Fate::Arrived });
        (0..bursts * 10).map(one).collect()
    }

    #[test]
    fn up_to_the_limit_every_arrow_stays_as_it_is() {
        let arrows = train(10);
        let (drawn, pause_us) = collapse(&arrows, &[], 100);
        assert_eq!((drawn.len(), pause_us), (100, 0));
    }

    #[test]
    fn beyond_the_limit_neighbours_of_the_same_fate_are_joined_and_nothing_is_lost_of_the_sums() {
        let arrows = train(10);
        let (drawn, pause_us) = collapse(&arrows, &[], 99);
        assert_eq!((drawn.len(), pause_us), (20, FIRST_PAUSE_US));
        assert_eq!(drawn.iter().map(|burst| burst.count).sum::<u64>(), 100);
        assert_eq!(drawn.iter().map(|burst| burst.bytes).sum::<u64>(), 10_000);
        let first = &drawn[0];
        assert_eq!((first.count, first.first.sent_us, first.last_sent_us), (9, 0, 4_500));
        assert_eq!(first.ended_us, Some((1_000, 5_500)));
        assert_eq!((drawn[1].count, drawn[1].first.fate, drawn[1].ended_us), (1, Fate::Lost, None));
    }

    #[test]
    fn the_pause_grows_until_it_is_enough() {
        let (drawn, pause_us) = collapse(&train(1_000), &[], 300);
        assert!(drawn.len() <= 300 && pause_us >= 1_000_000, "{} with {pause_us}", drawn.len());
    }

    #[test]
    fn what_came_just_before_a_violation_stays_single() {
        let (drawn, _) = collapse(&train(10), &[3_004_500], 99);
        let near = drawn.iter().filter(|burst| burst.first.sent_us / 1_000_000 == 3);
        assert_eq!(near.map(|burst| burst.count).collect::<Vec<_>>(), [1; 10]);
    }

    #[test]
    fn opposite_directions_are_never_joined() {
        let arrows: Vec<Arrow> = (0..100).map(|n| arrow(n % 2, n as u64, Fate::Arrived)).collect();
        assert_eq!(collapse(&arrows, &[], 10).0.len(), 2);
    }
}
