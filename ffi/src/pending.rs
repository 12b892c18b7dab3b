//! Requests that are under way. Each gets one outcome: whoever takes it off this list tells it.

use std::collections::BTreeMap;

use crate::sync::{Mutex, lock};

/// Where a request belongs: what ends with it when that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The node, or 0.
    pub(crate) node: u64,
    /// The room, or 0.
    pub(crate) room: u64,
}

/// A part of a client: what a panic or an end concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Client,
    /// A node, and the rooms that were joined with it.
    Node(u64),
    /// A room.
    Room(u64),
}

impl Home {
    /// What a request of this home is said to concern.
    pub(crate) fn session(&self) -> u64 {
        if self.room == 0 { self.node } else { self.room }
    }

    pub(crate) fn is_in(&self, part: Part) -> bool {
        match part {
            Part::Client => true,
            Part::Node(node) => self.node == node,
            Part::Room(room) => self.room == room,
        }
    }
}

/// The list. `C` is what calls a request off, and all else that its end needs.
pub(crate) struct Pending<C> {
    list: Mutex<List<C>>,
}

struct List<C> {
    entries: BTreeMap<u64, Entry<C>>,
    open: bool,
}

/// A request taken off the list.
#[derive(Debug)]
pub(crate) struct Entry<C> {
    pub(crate) home: Home,
    pub(crate) call: C,
}

impl<C> Pending<C> {
    pub(crate) fn new() -> Self {
        Self { list: Mutex::new(List { entries: BTreeMap::new(), open: true }) }
    }

    /// Puts a request on the list. False if the list is closed.
    pub(crate) fn insert(&self, request: u64, home: Home, call: C) -> bool {
        let mut list = lock(&self.list);
        if list.open {
            list.entries.insert(request, Entry { home, call });
        }
        list.open
    }

    /// Takes a request off and has its outcome told, with the list locked: whoever sweeps or ends afterwards finds it told. Of several who
    /// try, one succeeds. True for that one.
    pub(crate) fn claim(&self, request: u64, tell: impl FnOnce(Entry<C>)) -> bool {
        let mut list = lock(&self.list);
        list.entries.remove(&request).map(tell).is_some()
    }

    /// Takes off every request of a part that is on the list at this moment, and none that comes later, and has their outcomes told, with
    /// the list locked. In the order of their handles.
    pub(crate) fn sweep(&self, part: Part, mut tell: impl FnMut(u64, Entry<C>)) {
        let mut list = lock(&self.list);
        for (request, entry) in list.entries.extract_if(.., |_, entry| entry.home.is_in(part)) {
            tell(request, entry);
        }
    }

    /// Takes nothing more. What is on the list stays there.
    pub(crate) fn close(&self) {
        lock(&self.list).open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Home = Home { node: 1, room: 2 };

    #[test]
    fn a_request_is_claimed_once() {
        let pending = Pending::new();
        assert!(pending.insert(10, ROOM, ()));
        assert!(pending.claim(10, |entry| assert_eq!(entry.home, ROOM)));
        assert!(!pending.claim(10, |_| panic!("twice")));
        pending.sweep(Part::Client, |_, _| panic!("twice"));
    }

    #[test]
    fn a_sweep_takes_what_is_in_its_part() {
        let pending = Pending::new();
        for (request, node, room) in [(10, 1, 2), (11, 1, 0), (12, 3, 0), (13, 0, 4)] {
            assert!(pending.insert(request, Home { node, room }, ()));
        }
        let requests = |part| {
            let mut taken = Vec::new();
            pending.sweep(part, |request, _| taken.push(request));
            taken
        };
        assert_eq!(requests(Part::Room(2)), [10]);
        assert_eq!(requests(Part::Node(1)), [11]);
        assert_eq!(requests(Part::Client), [12, 13]);
    }

    #[test]
    fn a_closed_list_takes_nothing_more() {
        let pending = Pending::new();
        assert!(pending.insert(1, ROOM, ()));
        pending.close();
        assert!(!pending.insert(2, ROOM, ()));
        assert!(pending.claim(1, drop), "what was on it stays");
    }
}
