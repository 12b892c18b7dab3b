//! Which chunks were verified and written, on disk, so that the next run need not fetch them again.
//!
//! One record of 16 bytes a chunk: its number, and a checksum keyed with the item's id, both little-endian 64-bit words. A
//! torn or damaged record is skipped. The journal is not flushed to the disk: what it claims is checked against the data
//! before it is believed, so a record that outlived its data costs a read, and a record that was lost costs a fetch.

use std::fs::File;
use std::io::{self, Read, Write};

use moorline_proto::ItemId;

use super::chunk_set::ChunkSet;

const RECORD: usize = 16;

/// An open journal. Records may be appended from several threads.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    item: ItemId,
}

impl Journal {
    /// Takes a file that was opened for appending.
    pub(super) fn new(file: File, item: ItemId) -> Self {
        Self { file, item }
    }

    /// Notes that `chunk` is on disk. One write: records of several threads do not mix.
    pub(super) fn append(&self, chunk: u64) -> io::Result<()> {
        (&self.file).write_all(&record(&self.item, chunk))
    }

    /// Writes a whole journal.
    pub(super) fn write(out: &mut impl Write, item: &ItemId, chunks: &ChunkSet) -> io::Result<()> {
        chunks.iter().try_for_each(|chunk| out.write_all(&record(item, chunk)))
    }

    /// Reads what an earlier run noted, of an item of `total` chunks. Never trusts a record that does not check.
    pub(super) fn read(input: &mut impl Read, item: &ItemId, total: u64) -> io::Result<ChunkSet> {
        let mut chunks = ChunkSet::new(total);
        let mut buf = [0; RECORD];
        loop {
            match input.read_exact(&mut buf) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(chunks),
                Err(error) => return Err(error),
            }
            let [a, b, c, d, e, f, g, h, ..] = buf;
            let chunk = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            if record(item, chunk) == buf {
                chunks.insert(chunk);
            }
        }
    }
}

fn record(item: &ItemId, chunk: u64) -> [u8; RECORD] {
    let number = chunk.to_le_bytes();
    let check = blake3::keyed_hash(item.as_bytes(), &number);
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&number);
    record[8..].copy_from_slice(&check.as_bytes()[..8]);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(item: &ItemId, chunks: &[u64]) -> Vec<u8> {
        let mut set = ChunkSet::new(100);
        assert!(chunks.iter().all(|chunk| set.insert(*chunk)));
        let mut out = Vec::new();
        Journal::write(&mut out, item, &set).expect("a vector takes everything");
        out
    }

    #[test]
    fn any_torn_tail_costs_only_the_record_that_was_torn() {
        let item = ItemId::from_bytes([7; 32]);
        let bytes = written(&item, &[1, 5, 99]);
        assert_eq!(bytes.len(), 48);
        for len in 0..=bytes.len() {
            let read = Journal::read(&mut &bytes[..len], &item, 100).expect("a slice reads");
            assert_eq!(read.len(), (len / RECORD) as u64, "{len} bytes");
        }
    }

    #[test]
    fn damaged_and_foreign_records_are_skipped() {
        let item = ItemId::from_bytes([7; 32]);
        let mut bytes = written(&item, &[1, 5, 99]);
        bytes[17] ^= 1;
        let read = Journal::read(&mut &bytes[..], &item, 100).expect("a slice reads");
        assert_eq!(read.iter().collect::<Vec<_>>(), [1, 99]);
        let small = Journal::read(&mut &bytes[..], &item, 50).expect("a slice reads");
        assert_eq!(small.iter().collect::<Vec<_>>(), [1], "a chunk beyond the item");
        let other = Journal::read(&mut &bytes[..], &ItemId::from_bytes([8; 32]), 100).expect("a slice reads");
        assert_eq!(other.len(), 0);
    }
}
