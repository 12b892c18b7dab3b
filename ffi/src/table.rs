//! Handles: numbers that name things, and cannot name anything else by mistake.
//!
//! A handle is a kind (8 bits), a generation (32 bits) and a place (24 bits). A place that is given up gets the next generation, and
//! is never used again once its generations are used up, so that no handle is ever given out twice. The owner stands beside each thing:
//! a handle in the hands of another owner names nothing.
//!
//! Things are dropped outside of every lock.

use std::sync::OnceLock;

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Bits of a handle that say where.
const PLACE_BITS: u32 = 24;
/// Bits of a handle that say which tenant of the place.
const GENERATION_BITS: u32 = 32;
/// Places a chunk.
const CHUNK: usize = 1 << 10;
/// Chunks, at most. As many places as `PLACE_BITS` can tell apart would be 16 million; this is a million.
const CHUNKS: usize = 1 << 10;
/// Generations of one place in one process. Each fork begins with fresh ones, so that handles from before name nothing after it.
const GENERATIONS: u32 = 1 << 24;

/// Why a handle names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It was never given out, or its thing is gone.
    Gone,
    /// It names somebody else's thing.
    Foreign,
}

/// Things by handle. `T` is cheap to clone: a reference.
pub(crate) struct Table<T> {
    chunks: Box<[Chunk<T>]>,
    free: Mutex<Free>,
    first_generation: u32,
}

/// Made when the first of its places is needed; never freed, so that places can be found without a lock.
type Chunk<T> = OnceLock<Box<[Slot<T>]>>;

struct Slot<T> {
    /// The handle of the thing that is here, or 0. Written with `tenant` locked; read without, so that stale handles cost next to
    /// nothing.
    handle: AtomicU64,
    /// Whose it is. Written before `handle`, and not changed while that stands.
    owner: AtomicU64,
    tenant: Mutex<Tenant<T>>,
}

struct Tenant<T> {
    generation: u32,
    thing: Option<T>,
}

struct Free {
    places: Vec<u32>,
    /// Places from here on have never been used.
    fresh: u32,
}

impl<T: Clone> Table<T> {
    /// An empty table. `age`: how many tables of earlier processes this one follows, so that their handles name nothing here.
    pub(crate) fn new(age: u32) -> Self {
        let first_generation = (age % 256).wrapping_mul(GENERATIONS).wrapping_add(1);
        let chunks = (0..CHUNKS).map(|_| OnceLock::new()).collect();
        Self { chunks, free: Mutex::new(Free { places: Vec::new(), fresh: 0 }), first_generation }
    }

    /// Takes in a thing that may know its own handle, and its owner. Nobody finds it before it is complete. `None` if every place is taken.
    pub(crate) fn insert_with(&self, kind: u32, make: impl FnOnce(u64) -> (u64, T)) -> Option<u64> {
        let place = self.place()?;
        let slot = self.slot(place)?;
        let generation = lock(&slot.tenant).generation;
        let handle = pack(kind, generation, place);
        let (owner, thing) = make(handle);
        let mut tenant = lock(&slot.tenant);
        tenant.thing = Some(thing);
        slot.owner.store(owner, Ordering::Release);
        slot.handle.store(handle, Ordering::Release);
        Some(handle)
    }

    /// Whether the handle names anything, whoever owns it. Takes no lock.
    pub(crate) fn is_alive(&self, handle: u64) -> bool {
        self.find(handle).is_some()
    }

    /// Whether the handle names a thing of this owner. Takes no lock.
    pub(crate) fn check(&self, owner: u64, handle: u64) -> Result<(), Unknown> {
        let slot = self.find(handle).ok_or(Unknown::Gone)?;
        let owned = slot.owner.load(Ordering::Acquire) == owner;
        // No handle comes twice: if it still stands, the owner that was read is its own.
        match slot.handle.load(Ordering::Acquire) == handle {
            true if owned => Ok(()),
            true => Err(Unknown::Foreign),
            false => Err(Unknown::Gone),
        }
    }

    /// The thing.
    pub(crate) fn get(&self, owner: u64, handle: u64) -> Result<T, Unknown> {
        self.look(owner, handle, T::clone)
    }

    /// Gives the place up and returns the thing. Of several who try, one succeeds.
    pub(crate) fn remove(&self, owner: u64, handle: u64) -> Result<T, Unknown> {
        let slot = self.find(handle).ok_or(Unknown::Gone)?;
        let (thing, reusable) = {
            let mut tenant = lock(&slot.tenant);
            if slot.handle.load(Ordering::Relaxed) != handle {
                return Err(Unknown::Gone);
            }
            if slot.owner.load(Ordering::Relaxed) != owner {
                return Err(Unknown::Foreign);
            }
            slot.handle.store(0, Ordering::Release);
            tenant.generation += 1;
            let reusable = tenant.generation - self.first_generation < GENERATIONS - 1;
            (tenant.thing.take(), reusable)
        };
        if reusable {
            lock(&self.free).places.push(place_of(handle));
        }
        thing.ok_or(Unknown::Gone)
    }

    /// Gives up every place of an owner, and returns the things.
    pub(crate) fn remove_all(&self, owner: u64) -> Vec<T> {
        let slots = self.chunks.iter().map_while(OnceLock::get).flatten();
        let handles = slots.map(|slot| slot.handle.load(Ordering::Acquire)).filter(|handle| *handle != 0);
        handles.filter_map(|handle| self.remove(owner, handle).ok()).collect()
    }

    fn look<R>(&self, owner: u64, handle: u64, read: impl FnOnce(&T) -> R) -> Result<R, Unknown> {
        let slot = self.find(handle).ok_or(Unknown::Gone)?;
        let tenant = lock(&slot.tenant);
        match &tenant.thing {
            Some(thing) if slot.handle.load(Ordering::Relaxed) == handle => {
                if slot.owner.load(Ordering::Relaxed) == owner { Ok(read(thing)) } else { Err(Unknown::Foreign) }
            }
            _ => Err(Unknown::Gone),
        }
    }

    /// The slot in which this handle's thing was a moment ago.
    fn find(&self, handle: u64) -> Option<&Slot<T>> {
        let place = place_of(handle) as usize;
        let slot = self.chunks.get(place / CHUNK)?.get()?.get(place % CHUNK)?;
        (handle != 0 && slot.handle.load(Ordering::Acquire) == handle).then_some(slot)
    }

    fn place(&self) -> Option<u32> {
        let mut free = lock(&self.free);
        if let Some(place) = free.places.pop() {
            return Some(place);
        }
        let place = free.fresh;
        ((place as usize) < CHUNK * CHUNKS).then(|| {
            free.fresh += 1;
            place
        })
    }

    fn slot(&self, place: u32) -> Option<&Slot<T>> {
        let place = place as usize;
        let chunk = self.chunks.get(place / CHUNK)?.get_or_init(|| {
            let slot = || Slot {
                handle: AtomicU64::new(0),
                owner: AtomicU64::new(0),
                tenant: Mutex::new(Tenant { generation: self.first_generation, thing: None }),
            };
            (0..CHUNK).map(|_| slot()).collect()
        });
        chunk.get(place % CHUNK)
    }
}

/// The kind that a handle says it is of.
pub(crate) fn kind_of(handle: u64) -> u32 {
    (handle >> (PLACE_BITS + GENERATION_BITS)) as u32
}

fn place_of(handle: u64) -> u32 {
    (handle & ((1 << PLACE_BITS) - 1)) as u32
}

fn pack(kind: u32, generation: u32, place: u32) -> u64 {
    u64::from(kind) << (PLACE_BITS + GENERATION_BITS) | u64::from(generation) << PLACE_BITS | u64::from(place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn insert<T: Clone>(table: &Table<T>, kind: u32, owner: u64, thing: T) -> Option<u64> {
        table.insert_with(kind, |_| (owner, thing))
    }

    #[test]
    fn a_handle_names_its_thing_and_nothing_after_it_is_gone() {
        let table = Table::new(0);
        let first = insert(&table, 3, 7, Arc::new("first")).expect("a place");
        assert_eq!(kind_of(first), 3);
        assert_eq!(table.get(7, first).as_deref(), Ok(&"first"));
        assert_eq!(table.get(8, first), Err(Unknown::Foreign));
        assert_eq!(table.remove(8, first), Err(Unknown::Foreign), "and it is unharmed");
        assert_eq!(table.remove(7, first).as_deref(), Ok(&"first"));
        let second = insert(&table, 3, 7, Arc::new("second")).expect("a place");
        assert_eq!(place_of(first), place_of(second), "the place is used again");
        assert_eq!(table.get(7, first), Err(Unknown::Gone));
        assert_eq!(table.remove(7, first), Err(Unknown::Gone));
        assert_eq!(table.get(7, second).as_deref(), Ok(&"second"));
    }

    #[test]
    fn handles_of_a_table_before_a_fork_name_nothing_after_it() {
        let before = Table::new(0);
        let old = insert(&before, 2, 1, ()).expect("a place");
        let after = Table::new(1);
        let new = insert(&after, 2, 1, ()).expect("a place");
        assert_ne!(old, new);
        assert_eq!(after.get(1, old), Err(Unknown::Gone));
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_left_alone() {
        let table = Table::new(0);
        let first = insert(&table, 1, 1, ()).expect("a place");
        lock(&table.slot(place_of(first)).expect("a slot").tenant).generation = GENERATIONS - 1;
        table.remove(1, first).expect("it is there");
        let next = insert(&table, 1, 1, ()).expect("a place");
        assert_ne!(place_of(first), place_of(next));
    }

    #[test]
    fn a_full_table_says_so() {
        let table = Table::new(0);
        lock(&table.free).fresh = (CHUNK * CHUNKS) as u32;
        assert_eq!(insert(&table, 1, 1, ()), None);
    }

    #[test]
    fn an_owner_gives_up_all_that_it_has() {
        let table = Table::new(0);
        let handles: Vec<_> = (0..3000).map(|number| insert(&table, 1, number % 2, number).expect("a place")).collect();
        assert_eq!(table.remove_all(1).len(), 1500);
        assert!(
            handles.iter().zip(0..).all(|(handle, number)| table.get(number % 2, *handle).is_ok() == (number % 2 == 0))
        );
    }

    #[test]
    fn of_many_who_remove_one_succeeds() {
        let table = Table::new(0);
        for _ in 0..500 {
            let handle = insert(&table, 1, 1, Arc::new(())).expect("a place");
            let winners: usize = std::thread::scope(|scope| {
                let tries: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| usize::from(table.remove(1, handle).is_ok()))).collect();
                tries.into_iter().map(|tried| tried.join().expect("no panic")).sum()
            });
            assert_eq!(winners, 1);
        }
    }

    proptest! {
        /// Whatever is done in whatever order, each handle names what a map says it does.
        #[test]
        fn the_table_is_a_map(steps in prop::collection::vec((0u8..4, any::<prop::sample::Index>(), 1u64..3), 1..200)) {
            let table = Table::new(0);
            let mut model: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
            let mut known = vec![0u64, 1, u64::MAX];
            for (number, (action, which, owner)) in steps.into_iter().enumerate() {
                let handle = *which.get(&known);
                match action {
                    0 | 1 => {
                        let handle = insert(&table, 4, owner, number).expect("a place");
                        prop_assert!(!known.contains(&handle), "given out twice");
                        known.push(handle);
                        model.insert(handle, (owner, number));
                    }
                    2 => {
                        let removed = table.remove(owner, handle).ok();
                        let expected = model.get(&handle).filter(|(mine, _)| *mine == owner).map(|(_, thing)| *thing);
                        prop_assert_eq!(removed, expected);
                        if removed.is_some() {
                            model.remove(&handle);
                        }
                    }
                    _ => {
                        let expected = match model.get(&handle) {
                            None => Err(Unknown::Gone),
                            Some((mine, _)) if *mine != owner => Err(Unknown::Foreign),
                            Some((_, thing)) => Ok(*thing),
                        };
                        prop_assert_eq!(table.check(owner, handle), expected.map(drop));
                        prop_assert_eq!(table.get(owner, handle), expected);
                    }
                }
            }
        }
    }
}
