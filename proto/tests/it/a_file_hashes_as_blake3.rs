//! One pass gives the hash that `b3sum` prints and values that each chunk verifies against.

use moorline_proto::*;
use proptest::prelude::*;

const CHUNK: usize = CHUNK_SIZE as usize;

/// Bytes that differ from chunk to chunk, cheap to make.
fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn hash_in_pieces(bytes: &[u8], pieces: impl IntoIterator<Item = usize>) -> (Hash, Vec<[u8; 32]>, u64) {
    let mut hasher = FileHasher::new();
    let mut rest = bytes;
    for piece in pieces {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        hasher.update(now);
        rest = later;
    }
    hasher.update(rest);
    hasher.finish()
}

fn check(bytes: &[u8], pieces: impl IntoIterator<Item = usize>) {
    let (hash, subtrees, len) = hash_in_pieces(bytes, pieces);
    assert_eq!(hash, Hash::of(bytes));
    assert_eq!(len, bytes.len() as u64);
    let expected = if bytes.len() <= CHUNK { 0 } else { bytes.len().div_ceil(CHUNK) };
    assert_eq!(subtrees.len(), expected);
    for (number, (slice, subtree)) in bytes.chunks(CHUNK).zip(&subtrees).enumerate() {
        let offset = number as u64 * CHUNK_SIZE;
        assert!(verify_slice(slice, offset, subtree), "chunk {number}");
        // The same bytes elsewhere, or fewer of them, are not this chunk.
        assert!(!verify_slice(slice, offset + CHUNK_SIZE, subtree));
        assert!(!verify_slice(&slice[..slice.len() - 1], offset, subtree));
    }
}

#[test]
fn sizes_at_the_edges() {
    let sizes = [0, 1, 1023, 1024, 1025, CHUNK - 1, CHUNK, CHUNK + 1];
    let several = [2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK, 4 * CHUNK, 5 * CHUNK + 7];
    for size in sizes.into_iter().chain(several) {
        let bytes = content(size, 1);
        check(&bytes, []);
        check(&bytes, std::iter::repeat_n(100_003, size / 100_003));
        check(&bytes, [CHUNK, 0, CHUNK, 1]);
        check(&bytes, [CHUNK - 1, 1, CHUNK - 1, 2]);
    }
}

#[test]
fn many_chunks_make_a_deep_tree() {
    check(&content(21 * CHUNK + 12_345, 2), []);
}

#[test]
fn what_is_no_slice_is_refused() {
    let bytes = content(2 * CHUNK, 3);
    let (_, subtrees, _) = hash_in_pieces(&bytes, []);
    assert!(verify_slice(&bytes[..CHUNK], 0, &subtrees[0]));
    assert!(!verify_slice(&bytes, 0, &subtrees[0]));
    assert!(!verify_slice(&[], 0, &subtrees[0]));
    assert!(!verify_slice(&bytes[..CHUNK], 1, &subtrees[0]));
    assert!(!verify_slice(&bytes[..CHUNK], 1024, &subtrees[0]));
    let far = u64::MAX - u64::MAX % CHUNK_SIZE;
    assert!(!verify_slice(&bytes[..CHUNK], far, &subtrees[0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_size_in_any_pieces(
        len in prop_oneof![0..4 * CHUNK, 0usize..5, (CHUNK - 2)..(CHUNK + 3)],
        pieces in prop::collection::vec(prop_oneof![0usize..3, 0..70_000usize, 0..3 * CHUNK], 0..12),
        seed: u64,
    ) {
        check(&content(len, seed), pieces);
    }

    #[test]
    fn a_flipped_bit_is_noticed(
        len in (CHUNK + 1)..(3 * CHUNK),
        position: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let mut bytes = content(len, 4);
        let (_, subtrees, _) = hash_in_pieces(&bytes, []);
        let position = position.index(len);
        bytes[position] ^= 1 << bit;
        for (number, (slice, subtree)) in bytes.chunks(CHUNK).zip(&subtrees).enumerate() {
            let intact = number != position / CHUNK;
            prop_assert_eq!(verify_slice(slice, number as u64 * CHUNK_SIZE, subtree), intact);
        }
    }
}
