//! The manifest on disk: fetched page by page, verified as it comes, and read back page by page, so that no more than a few
//! pages are ever in memory.
//!
//! Layout: a magic line; then the head and each page, every one as two little-endian 32-bit lengths (content; number of
//! modification times), the content, and the times as little-endian 64-bit words. The content carries its own hashes, so a
//! torn or damaged file is noticed and fetched again from the damage on.

use std::fs::File;
use std::io;

use bytes::Bytes;
use moorline_proto::{EncodedPage, Hash, ItemId, ManifestHead, ManifestVerifier, PAGE_MAX_RECORDS, PAGE_TARGET};

use super::tree::{read_exact_at, write_all_at};

const MAGIC: &[u8] = b"moorline manifest 1\n";
const HEADER: usize = 8;

/// No record is larger: a head of the most pages there may be has less than 150 KB.
const MAX_CONTENT: usize = 256 << 10;

const _: () = assert!(PAGE_TARGET <= MAX_CONTENT);

/// A manifest file, as far as it is complete.
#[derive(Debug)]
pub(super) struct ManifestFile {
    file: File,
    /// Where each page begins.
    pages: Vec<u64>,
    end: u64,
}

impl ManifestFile {
    /// Begins an empty file for `head`.
    pub(super) fn create(file: File, head: &ManifestHead) -> io::Result<Self> {
        file.set_len(0)?;
        write_all_at(&file, MAGIC, 0)?;
        let mut this = Self { file, pages: Vec::new(), end: MAGIC.len() as u64 };
        this.end = this.write(&head.encode(), &[])?;
        Ok(this)
    }

    /// Reads back what an earlier run has: the head of `item` if it is there and whole, and its verified pages from the
    /// first on.
    pub(super) fn resume(
        file: File,
        item: &ItemId,
    ) -> io::Result<Result<(Self, ManifestHead, ManifestVerifier), File>> {
        let mut magic = [0; MAGIC.len()];
        if file.metadata()?.len() < MAGIC.len() as u64 {
            return Ok(Err(file));
        }
        read_exact_at(&file, &mut magic, 0)?;
        let mut this = Self { file, pages: Vec::new(), end: MAGIC.len() as u64 };
        let Some((record, end)) = this.read(this.end)?.filter(|_| magic == *MAGIC) else { return Ok(Err(this.file)) };
        let head = match ManifestHead::decode(&record.content) {
            Ok(head) if head.verify(item).is_ok() => head,
            _ => return Ok(Err(this.file)),
        };
        this.end = end;
        let mut verifier = ManifestVerifier::new(&head);
        while this.pages.len() < head.pages.len() {
            let Some((page, end)) = this.read(this.end)? else { break };
            // Looked at before it is pushed, because a verifier that refused a page is of no more use.
            if Hash::of(&page.content) != head.pages[this.pages.len()].hash || verifier.push(&page).is_err() {
                break;
            }
            this.pages.push(this.end);
            this.end = end;
        }
        // A page whose hash is right and that is refused all the same would be refused again from any peer.
        this.file.set_len(this.end)?;
        Ok(Ok((this, head, verifier)))
    }

    /// How many pages are there.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Adds the next page, which has been verified.
    pub(super) fn push(&mut self, page: &EncodedPage) -> io::Result<()> {
        let end = self.write(&page.content, &page.modified_ms)?;
        self.pages.push(self.end);
        self.end = end;
        Ok(())
    }

    /// Reads page `index`; an error of the kind `InvalidData` if it is not what was written.
    pub(super) fn page(&self, index: usize, expected: &Hash) -> io::Result<EncodedPage> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a page of the staged manifest is damaged");
        let at = *self.pages.get(index).ok_or_else(damaged)?;
        let (page, _) = self.read(at)?.ok_or_else(damaged)?;
        if Hash::of(&page.content) == *expected { Ok(page) } else { Err(damaged()) }
    }

    fn write(&self, content: &[u8], times: &[i64]) -> io::Result<u64> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "a manifest record is too long");
        let mut record = Vec::with_capacity(HEADER + content.len() + times.len() * 8);
        record.extend_from_slice(&u32::try_from(content.len()).map_err(too_long)?.to_le_bytes());
        record.extend_from_slice(&u32::try_from(times.len()).map_err(too_long)?.to_le_bytes());
        record.extend_from_slice(content);
        times.iter().for_each(|time| record.extend_from_slice(&time.to_le_bytes()));
        write_all_at(&self.file, &record, self.end)?;
        Ok(self.end + record.len() as u64)
    }

    /// The record at `at` and where the next one begins; `None` if there is no whole one.
    fn read(&self, at: u64) -> io::Result<Option<(EncodedPage, u64)>> {
        let mut header = [0; HEADER];
        if !read_or_end(&self.file, &mut header, at)? {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h] = header;
        let content = u32::from_le_bytes([a, b, c, d]) as usize;
        let times = u32::from_le_bytes([e, f, g, h]) as usize;
        if content > MAX_CONTENT || times > PAGE_MAX_RECORDS {
            return Ok(None);
        }
        let mut bytes = vec![0; content + times * 8];
        if !read_or_end(&self.file, &mut bytes, at + HEADER as u64)? {
            return Ok(None);
        }
        let modified_ms = bytes.split_off(content).as_chunks().0.iter().map(|time| i64::from_le_bytes(*time)).collect();
        let end = at + (HEADER + content + times * 8) as u64;
        Ok(Some((EncodedPage { content: Bytes::from(bytes), modified_ms }, end)))
    }
}

/// False if the file ends before `buf` is full.
fn read_or_end(file: &File, buf: &mut [u8], at: u64) -> io::Result<bool> {
    match read_exact_at(file, buf, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
