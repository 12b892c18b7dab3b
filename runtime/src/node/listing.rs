use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moorline_proto::{ItemId, ItemSummary, Thumbnail};

/// What every listing may take without asking, in bytes: a hundred items and more, so that a peer that lists without end does not
/// keep others from being seen.
const OWN: usize = 64 << 10;

/// What one link's peer offers: a bounded number of items, in a little memory of its own and beyond that in what all listings share.
pub(super) struct Listing {
    items: BTreeMap<ItemId, ItemSummary>,
    bytes: usize,
    most: usize,
    room: Room,
}

/// The memory that is left for all listings beyond their own share, in bytes. Clones share it.
#[derive(Clone)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Listing {
    /// An empty one for up to `most` items.
    pub(super) fn new(most: usize, room: Room) -> Self {
        Self { items: BTreeMap::new(), bytes: 0, most, room }
    }

    /// Adds or replaces an item. `false`: there is no room for it, and an older state of it is gone as well.
    pub(super) fn insert(&mut self, item: ItemSummary) -> bool {
        self.remove(&item.id);
        let bytes = self.bytes + weight(&item);
        if self.items.len() >= self.most || !self.room.take(shared(bytes) - shared(self.bytes)) {
            return false;
        }
        self.bytes = bytes;
        self.items.insert(item.id, item);
        true
    }

    pub(super) fn remove(&mut self, id: &ItemId) {
        if let Some(item) = self.items.remove(id) {
            let bytes = self.bytes - weight(&item);
            self.room.give(shared(self.bytes) - shared(bytes));
            self.bytes = bytes;
        }
    }

    pub(super) fn items(&self) -> &BTreeMap<ItemId, ItemSummary> {
        &self.items
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.room.give(shared(self.bytes));
    }
}

/// What a listing of so many bytes takes of the shared room.
fn shared(bytes: usize) -> usize {
    bytes.saturating_sub(OWN)
}

/// What an item takes in memory, in bytes; the tree around it is not counted.
fn weight(item: &ItemSummary) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let picture = |picture: &Thumbnail| picture.media_type.len();
    size_of::<(ItemId, ItemSummary)>()
        + item.name.len()
        + [&item.title, &item.version, &item.description].map(optional).iter().sum::<usize>()
        + item.thumbnail.as_ref().map_or(0, picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u8, description: usize) -> ItemSummary {
        ItemSummary {
            id: ItemId::from_bytes([number; 32]),
            name: "n".to_owned(),
            title: None,
            version: None,
            description: Some("d".repeat(description)),
            bytes: 0,
            files: 0,
            thumbnail: None,
        }
    }

    fn left(room: &Room) -> usize {
        room.0.load(Ordering::Relaxed)
    }

    #[test]
    fn all_that_was_taken_is_given_back() {
        let room = Room::new(100_000);
        let mut listing = Listing::new(10, room.clone());
        assert!(listing.insert(item(1, OWN)) && listing.insert(item(2, 2000)));
        assert!(left(&room) < 100_000);
        assert!(listing.insert(item(1, OWN + 10)), "a larger state of the same item");
        listing.remove(&ItemId::from_bytes([2; 32]));
        listing.remove(&ItemId::from_bytes([3; 32]));
        assert_eq!(left(&room), 100_000 - shared(weight(&item(1, OWN + 10))));
        assert!(listing.insert(item(1, 10)), "a smaller one");
        assert_eq!(left(&room), 100_000);
        assert!(listing.insert(item(1, OWN)));
        drop(listing);
        assert_eq!(left(&room), 100_000);
    }

    #[test]
    fn a_listing_ends_at_its_own_bound() {
        let mut listing = Listing::new(2, Room::new(100_000));
        assert!(listing.insert(item(1, 0)) && listing.insert(item(2, 0)));
        assert!(!listing.insert(item(3, 0)));
        assert!(listing.insert(item(2, 5)), "what is there may change");
        assert_eq!(listing.items().len(), 2);
    }

    #[test]
    fn large_listings_end_at_the_room_that_they_share_and_small_ones_do_not_need_it() {
        let room = Room::new(shared(weight(&item(1, 2 * OWN))));
        let (mut greedy, mut modest) = (Listing::new(10, room.clone()), Listing::new(10, room));
        assert!(greedy.insert(item(1, 2 * OWN)));
        assert!(!greedy.insert(item(2, 0)), "the room is full");
        assert!(modest.insert(item(2, 1000)), "its own share is its own");
        assert!(!modest.insert(item(3, OWN)));
        drop(greedy);
        assert!(modest.insert(item(3, OWN)));
    }
}
