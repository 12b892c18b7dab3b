//! The file in which the library keeps an item's manifest and hashes: one a root, named after it.
//!
//! ```text
//! header   magic (8), key (32): BLAKE3 of the canonical path of the root
//! page*    'P', length of content (4), records (4), content, records x record (41), checksum (32)
//! trailer  'T', length of head (4), head, for each of its pages (offset (8), length (4)), checksum (32)
//! footer   offset of the trailer (8), magic (8)
//! ```
//! All numbers are little-endian. A page's content is what peers fetch; its records say which state of each file was hashed. Each
//! checksum is BLAKE3 over the offset of its block and all of the block before it, and nothing is believed without it: reading stops
//! at the first block that does not match. The file is written under another name and renamed when it is whole. What an interrupted
//! scan wrote stays under that other name, and its pages are used as well: a large item is not hashed from the start again because
//! the program was stopped.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use moorline_proto::{EncodedPage, MAX_PAGES, ManifestHead, PAGE_MAX_RECORDS, PAGE_TARGET};

use super::dir::read_full_at;
use super::stamp::{Stamp, Time};

mod read;
mod write;

pub(super) use read::{Cached, CachedEntries, Hashes};
pub(super) use write::CacheWriter;

/// Changes with every change of the layout: files with another one are hashed again.
const MAGIC: &[u8; 8] = b"MOORLIB\x01";
const HEADER: u64 = 8 + 32;
const FOOTER: u64 = 8 + 8;
const PAGE: u8 = b'P';
const TRAILER: u8 = b'T';
const CHECKSUM: usize = 32;
const PAGE_HEAD: usize = 1 + 4 + 4;
const RECORD: usize = 8 + 8 + 4 + 8 + 4 + 8 + 1;
const TRAILER_HEAD: usize = 1 + 4;
const SPOT: usize = 8 + 4;
/// No head is longer.
const MAX_HEAD: usize = 64 + MAX_PAGES * 36;

/// Where an item's cache lies.
#[derive(Clone, Debug)]
pub(super) struct CachePaths {
    pub(super) dir: PathBuf,
    /// The finished file.
    pub(super) file: PathBuf,
    /// The file being written.
    pub(super) part: PathBuf,
    /// What an interrupted scan wrote.
    pub(super) interrupted: PathBuf,
    pub(super) key: [u8; 32],
}

impl CachePaths {
    pub(super) fn new(dir: &Path, root: &Path) -> Self {
        let key = *blake3::hash(root.as_os_str().as_encoded_bytes()).as_bytes();
        let name = blake3::Hash::from_bytes(key).to_hex();
        let path = |extension: &str| dir.join(format!("{name}.{extension}"));
        Self { dir: dir.to_owned(), file: path("manifest"), part: path("part"), interrupted: path("interrupted"), key }
    }
}

/// Which state of a file an entry of a manifest describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) stamp: Stamp,
    /// See [`Meta::changed`](super::stamp::Meta).
    pub(super) changed: Time,
    /// The file may have changed since without it showing; see [`is_racy`](super::stamp::is_racy).
    pub(super) racy: bool,
}

/// Where one page lies in the cache file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    offset: u64,
    length: u32,
}

/// What the trailer of a finished cache says.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) head: ManifestHead,
    pub(super) spots: Vec<Spot>,
}

/// Reads the trailer. `None` if there is no finished cache, or none that can be believed; the latter is logged.
pub(super) fn load_index(paths: &CachePaths) -> Option<Index> {
    let mut file = match File::open(&paths.file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %paths.file.display(), %error, "cannot read a cache of hashes; hashing its item again");
            return None;
        }
    };
    match read_index(&mut file, &paths.key) {
        Ok(index) => Some(index),
        Err(error) => {
            tracing::warn!(path = %paths.file.display(), %error, "a cache of hashes is damaged or from another version; rebuilding it");
            None
        }
    }
}

fn read_index(file: &mut File, key: &[u8; 32]) -> io::Result<Index> {
    check_header(file, key)?;
    let length = file.metadata()?.len();
    let footer_at = length.checked_sub(FOOTER).ok_or_else(|| damaged("too short"))?;
    let mut footer = [0; FOOTER as usize];
    if read_full_at(file, &mut footer, footer_at)? != footer.len() || &footer[8..] != MAGIC {
        return Err(damaged("it has no end mark"));
    }
    let trailer_at = (&footer[..]).get_u64_le();
    let size = footer_at
        .checked_sub(trailer_at)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| damaged("index"))?;
    if size > TRAILER_HEAD + MAX_HEAD + MAX_PAGES * SPOT + CHECKSUM {
        return Err(damaged("its index is too long"));
    }
    let mut block = vec![0; size];
    if read_full_at(file, &mut block, trailer_at)? != size {
        return Err(damaged("its index is cut off"));
    }
    let body = checked(&block, trailer_at)?;
    parse_trailer(body).ok_or_else(|| damaged("its index does not parse"))
}

fn parse_trailer(mut body: &[u8]) -> Option<Index> {
    if body.try_get_u8().ok()? != TRAILER {
        return None;
    }
    let length = body.try_get_u32_le().ok()? as usize;
    let (head, mut places) = body.split_at_checked(length)?;
    let head = ManifestHead::decode(head).ok()?;
    if places.len() != head.pages.len() * SPOT {
        return None;
    }
    let spot = |_: &_| Spot { offset: places.get_u64_le(), length: places.get_u32_le() };
    let spots = head.pages.iter().map(spot).collect();
    Some(Index { head, spots })
}

/// Reads one page with the records of its files. Any damage is an error of kind `InvalidData`.
pub(super) fn read_page(file: &File, spot: Spot) -> io::Result<(EncodedPage, Vec<Record>)> {
    let length = spot.length as usize;
    if length > PAGE_HEAD + PAGE_TARGET + PAGE_MAX_RECORDS * RECORD + CHECKSUM {
        return Err(damaged("a page is too long"));
    }
    let mut block = vec![0; length];
    if read_full_at(file, &mut block, spot.offset)? != length {
        return Err(damaged("a page is cut off"));
    }
    checked(&block, spot.offset)?;
    parse_page(&Bytes::from(block)).ok_or_else(|| damaged("a page does not parse"))
}

/// Takes a block apart whose checksum was found right.
fn parse_page(block: &Bytes) -> Option<(EncodedPage, Vec<Record>)> {
    let mut head = block.get(..PAGE_HEAD)?;
    if head.try_get_u8().ok()? != PAGE {
        return None;
    }
    let (content, count) = (head.get_u32_le() as usize, head.get_u32_le() as usize);
    let records_at = PAGE_HEAD.checked_add(content)?;
    let end = records_at.checked_add(count.checked_mul(RECORD)?)?;
    let mut rest = block.get(records_at..end)?;
    let mut modified_ms = Vec::with_capacity(count);
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        modified_ms.push(rest.get_i64_le());
        let modified = Time { seconds: rest.get_i64_le(), nanos: rest.get_u32_le() };
        let changed = Time { seconds: rest.get_i64_le(), nanos: rest.get_u32_le() };
        let stamp = Stamp { size: 0, modified, inode: rest.get_u64_le() };
        records.push(Record { stamp, changed, racy: rest.get_u8() != 0 });
    }
    Some((EncodedPage { content: block.slice(PAGE_HEAD..records_at), modified_ms }, records))
}

fn put_record(block: &mut Vec<u8>, modified_ms: i64, record: &Record) {
    block.put_i64_le(modified_ms);
    block.put_i64_le(record.stamp.modified.seconds);
    block.put_u32_le(record.stamp.modified.nanos);
    block.put_i64_le(record.changed.seconds);
    block.put_u32_le(record.changed.nanos);
    block.put_u64_le(record.stamp.inode);
    block.put_u8(record.racy.into());
}

fn check_header(file: &File, key: &[u8; 32]) -> io::Result<()> {
    let mut header = [0; HEADER as usize];
    if read_full_at(file, &mut header, 0)? != header.len() || &header[..8] != MAGIC {
        return Err(damaged("not a cache of this version"));
    }
    if &header[8..] != key {
        return Err(damaged("it belongs to another folder"));
    }
    Ok(())
}

fn checksum(body: &[u8], offset: u64) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

/// The block without its checksum, if that matches.
fn checked(block: &[u8], offset: u64) -> io::Result<&[u8]> {
    let split = block.len().checked_sub(CHECKSUM).ok_or_else(|| damaged("a block is too short"))?;
    let (body, sum) = block.split_at(split);
    if checksum(body, offset) == sum { Ok(body) } else { Err(damaged("a checksum does not match")) }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
