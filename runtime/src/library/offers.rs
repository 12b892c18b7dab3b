//! The set of items on offer, its revisions, and what changed between them. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline_proto::{Hash, ItemId, ItemPage, ItemSummary, LibraryDelta, LibraryDigest, limits};

use super::item::SharedItem;

/// Key derivation context of the hash in a digest.
const DIGEST_CONTEXT: &str = "moorline 2026 library digest";

pub(super) struct Offers {
    /// Every item by its root.
    by_root: BTreeMap<PathBuf, Arc<SharedItem>>,
    /// One item for each content: of several roots with the same, the first.
    by_id: BTreeMap<ItemId, Arc<SharedItem>>,
    digest: LibraryDigest,
    /// The latest changes, oldest first: the revision that each led to, what it touched, and whether that was on offer before.
    history: VecDeque<(u64, BTreeMap<ItemId, bool>)>,
    history_limit: usize,
}

impl Offers {
    pub(super) fn new(first_revision: u64, history_limit: usize) -> Self {
        let mut offers = Self {
            by_root: BTreeMap::new(),
            by_id: BTreeMap::new(),
            digest: LibraryDigest { revision: first_revision, items: 0, hash: Hash::of(b"") },
            history: VecDeque::new(),
            history_limit,
        };
        offers.digest.hash = offers.listing_hash();
        offers
    }

    pub(super) fn digest(&self) -> LibraryDigest {
        self.digest
    }

    pub(super) fn items(&self) -> Vec<Arc<SharedItem>> {
        self.by_id.values().cloned().collect()
    }

    pub(super) fn item(&self, id: &ItemId) -> Option<Arc<SharedItem>> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn at(&self, root: &Path) -> Option<&Arc<SharedItem>> {
        self.by_root.get(root)
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        self.by_root.keys()
    }

    /// Puts `item` in the place of what is at `root`, or removes that. Returns whether what peers see changed, and what had to go,
    /// for the caller to drop without a lock.
    pub(super) fn set(&mut self, root: &Path, item: Option<&Arc<SharedItem>>) -> (bool, Option<Arc<SharedItem>>) {
        let before = match item {
            Some(item) => self.by_root.insert(root.to_owned(), Arc::clone(item)),
            None => self.by_root.remove(root),
        };
        let mut touched = BTreeMap::new();
        for id in [before.as_ref(), item].into_iter().flatten().map(|item| item.id()) {
            let was_offered = self.by_id.contains_key(&id);
            if self.choose(id) {
                touched.insert(id, was_offered);
            }
        }
        let changed = !touched.is_empty();
        if changed {
            self.digest.revision += 1;
            self.digest.items = u32::try_from(self.by_id.len()).unwrap_or(u32::MAX);
            self.digest.hash = self.listing_hash();
            self.history.push_back((self.digest.revision, touched));
            while self.history.len() > self.history_limit {
                self.history.pop_front();
            }
        }
        (changed, before)
    }

    /// A part of the listing, in the order of ids: those after `after`, as many as a message takes.
    pub(super) fn list_page(&self, after: Option<ItemId>) -> ItemPage {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let mut rest = self.by_id.range((from, Unbounded)).map(|(_, item)| item.summary().clone());
        let items = rest.by_ref().take(limits::MAX_ITEMS).collect();
        ItemPage { revision: self.digest.revision, items, more: rest.next().is_some() }
    }

    /// What changed since a revision; `reset` if that is too long ago, not of this run, or more than a message takes.
    pub(super) fn deltas_since(&self, since: u64) -> LibraryDelta {
        let to = self.digest.revision;
        let mut delta = LibraryDelta { from: since, to, reset: false, upserts: Vec::new(), removed: Vec::new() };
        if since == to {
            return delta;
        }
        let known_from = self.history.front().map_or(to, |(revision, _)| revision - 1);
        if since < known_from || since > to {
            delta.reset = true;
            return delta;
        }
        let steps = self.history.iter().filter(|(revision, _)| *revision > since);
        let mut was_offered = BTreeMap::new();
        for (id, before) in steps.flat_map(|(_, touched)| touched) {
            was_offered.entry(*id).or_insert(*before);
        }
        for (id, was_offered) in was_offered {
            match self.by_id.get(&id) {
                Some(item) => delta.upserts.push(item.summary().clone()),
                None if was_offered => delta.removed.push(id),
                // Came and went since.
                None => {}
            }
        }
        if delta.upserts.len() > limits::MAX_ITEMS || delta.removed.len() > limits::MAX_REMOVED {
            return LibraryDelta { from: since, to, reset: true, upserts: Vec::new(), removed: Vec::new() };
        }
        delta
    }

    /// Decides which item is offered under `id`. Returns whether that changed what peers see.
    fn choose(&mut self, id: ItemId) -> bool {
        let chosen = self.by_root.values().find(|item| item.id() == id).cloned();
        let before = match &chosen {
            Some(item) => self.by_id.insert(id, Arc::clone(item)),
            None => self.by_id.remove(&id),
        };
        before.map(|item| item.summary().clone()) != chosen.map(|item| item.summary().clone())
    }

    /// Hash over all summaries in order: equal listings have equal hashes, whatever way they came about.
    fn listing_hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
        for item in self.by_id.values() {
            hash_summary(&mut hasher, item.summary());
        }
        Hash::from_bytes(*hasher.finalize().as_bytes())
    }
}

fn hash_summary(hasher: &mut blake3::Hasher, summary: &ItemSummary) {
    hasher.update(summary.id.as_bytes());
    let texts = [Some(&summary.name), summary.title.as_ref(), summary.version.as_ref(), summary.description.as_ref()];
    for text in texts {
        match text {
            Some(text) => hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes()),
            None => hasher.update(&u64::MAX.to_le_bytes()),
        };
    }
    match &summary.thumbnail {
        Some(thumbnail) => hasher.update(thumbnail.hash.as_bytes()),
        None => hasher.update(&[0]),
    };
}
