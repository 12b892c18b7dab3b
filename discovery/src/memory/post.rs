//! The post: who is there, and what happens to letters on their way.

use super::{NetworkConfig, dice::Dice};
use crate::Announcement;
use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

pub(super) type Reach = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// I am here.
    Announce { announcement: Announcement, addrs: Vec<IpAddr> },
    /// I go.
    Goodbye { key: String },
    /// Who is there? (All, or the one with this key.)
    Query { key: Option<String> },
}

/// A letter that arrives `delay` after it was taken from the box. Clocks of different runtimes cannot be compared, so no instant is written on it.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) from: String,
    pub(super) delay: Duration,
    pub(super) body: Body,
}

pub(super) struct Post {
    pub(super) config: NetworkConfig,
    state: Mutex<State>,
}

struct State {
    reach: Reach,
    next_box: u64,
    boxes: BTreeMap<u64, LetterBox>,
    /// How many letters went from one host to another.
    sent: BTreeMap<(String, String), u64>,
}

struct LetterBox {
    host: String,
    letters: VecDeque<Letter>,
    wake: Arc<Notify>,
}

impl Post {
    pub(super) fn new(config: NetworkConfig) -> Post {
        let state = State { reach: Arc::new(|_, _| true), next_box: 0, boxes: BTreeMap::new(), sent: BTreeMap::new() };
        Post { config, state: Mutex::new(state) }
    }

    pub(super) fn set_reach(&self, reach: Reach) {
        self.lock().reach = reach;
    }

    pub(super) fn reaches(&self, from: &str, to: &str) -> bool {
        // Not under the lock: the hook is foreign code.
        let reach = Arc::clone(&self.lock().reach);
        reach(from, to)
    }

    /// To everyone but those on the host itself.
    pub(super) fn broadcast(&self, from: &str, body: &Body) {
        let hosts: Vec<String> = self.lock().boxes.values().map(|letter_box| letter_box.host.clone()).collect();
        for to in hosts.iter().filter(|to| *to != from) {
            self.send(from, to, body);
        }
    }

    /// To one host, if it is there.
    pub(super) fn send(&self, from: &str, to: &str, body: &Body) {
        if !self.reaches(from, to) {
            return;
        }
        let mut state = self.lock();
        let count = state.sent.entry((from.to_owned(), to.to_owned())).or_default();
        *count += 1;
        let mut dice = Dice::new(self.config.seed, [from, to], *count);
        let lost = dice.chance(self.config.loss);
        let twice = dice.chance(self.config.duplicate);
        let goodbye_lost = matches!(body, Body::Goodbye { .. }) && dice.chance(self.config.goodbye_loss);
        let delays = [0; 2].map(|_| dice.between(self.config.delay_min, self.config.delay_max));
        if lost || goodbye_lost {
            return;
        }
        for letter_box in state.boxes.values_mut().filter(|letter_box| letter_box.host == to) {
            for delay in &delays[..if twice { 2 } else { 1 }] {
                if letter_box.letters.len() < self.config.max_letters {
                    letter_box.letters.push_back(Letter { from: from.to_owned(), delay: *delay, body: body.clone() });
                }
            }
            letter_box.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Being there: ends when it is dropped, without a goodbye, as in a crash.
pub(super) struct Presence {
    post: Arc<Post>,
    id: u64,
    wake: Arc<Notify>,
}

impl Presence {
    pub(super) fn new(post: &Arc<Post>, host: &str) -> Presence {
        let wake = Arc::new(Notify::new());
        let mut state = post.lock();
        let id = state.next_box;
        state.next_box += 1;
        state.boxes.insert(id, LetterBox { host: host.to_owned(), letters: VecDeque::new(), wake: Arc::clone(&wake) });
        drop(state);
        Presence { post: Arc::clone(post), id, wake }
    }

    /// Waits for letters, and takes them all. Cancel safe.
    pub(super) async fn letters(&self) -> VecDeque<Letter> {
        loop {
            let letters =
                self.post.lock().boxes.get_mut(&self.id).map(|letter_box| std::mem::take(&mut letter_box.letters));
            if let Some(letters) = letters.filter(|letters| !letters.is_empty()) {
                return letters;
            }
            self.wake.notified().await;
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.post.lock().boxes.remove(&self.id);
    }
}
