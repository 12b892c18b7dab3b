//! A set of chunk numbers of one item.

/// Which chunks of an item are in some state: one bit a chunk.
///
/// An item has at most as many chunks as its verified manifest has room for, so the set is bounded by the manifest
/// (2 MiB for the largest), and must not be created from a count that was not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChunkSet {
    words: Vec<u64>,
    total: u64,
    len: u64,
}

impl ChunkSet {
    /// An empty set over the chunks `0..total`.
    pub(super) fn new(total: u64) -> Self {
        let words = usize::try_from(total.div_ceil(64)).unwrap_or(usize::MAX);
        Self { words: vec![0; words], total, len: 0 }
    }

    /// How many chunks the item has.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many of them are in the set.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether every chunk of the item is in the set.
    pub(super) fn is_full(&self) -> bool {
        self.len == self.total
    }

    /// Whether `chunk` is in the set; false for a chunk that the item does not have.
    pub(super) fn contains(&self, chunk: u64) -> bool {
        chunk < self.total && self.words[Self::word(chunk)] & Self::bit(chunk) != 0
    }

    /// Adds `chunk`; true if it is the item's and was not in the set.
    pub(super) fn insert(&mut self, chunk: u64) -> bool {
        if chunk >= self.total || self.contains(chunk) {
            return false;
        }
        self.words[Self::word(chunk)] |= Self::bit(chunk);
        self.len += 1;
        true
    }

    /// The chunks in the set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words
            .iter()
            .zip(0_u64..)
            .flat_map(|(word, index)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit))
    }

    fn word(chunk: u64) -> usize {
        // Fits: the vector of words was allocated with a usize length that covers every chunk below `total`.
        (chunk / 64) as usize
    }

    fn bit(chunk: u64) -> u64 {
        1 << (chunk % 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_chunk_once_and_refuses_foreign_ones() {
        let mut set = ChunkSet::new(65);
        assert!(set.insert(0) && set.insert(63) && set.insert(64));
        assert!(!set.insert(64) && !set.insert(65) && !set.insert(u64::MAX));
        assert_eq!(set.len(), 3);
        assert!(set.contains(63) && !set.contains(62) && !set.contains(u64::MAX));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64]);
        assert!(!set.is_full());
        assert!(ChunkSet::new(0).is_full());
    }
}
