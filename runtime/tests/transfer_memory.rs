//! Memory does not grow with the item. Alone in its file: it looks at the whole process.
#![cfg(all(feature = "node", target_os = "linux"))]

#[path = "transfer/support.rs"]
mod support;

use std::sync::Arc;

use moorline_proto::{FileHasher, ManifestBuilder};
use support::*;

const CHUNKS: usize = 400;
const SOURCES: u8 = 12;

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it tells the peak");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_item_from_many_sources_needs_little_memory() {
    // The same bytes again and again, so that the sources need no memory either.
    let chunk = bytes::Bytes::from(noise(CHUNK, 1));
    let mut hasher = FileHasher::new();
    (0..CHUNKS).for_each(|_| hasher.update(&chunk));
    let (hash, subtrees, len) = hasher.finish();
    let mut builder = ManifestBuilder::new();
    builder.push_file(path("large"), len, false, MODIFIED_MS, hash, &subtrees).expect("a good file");
    let (pages, head) = builder.finish().expect("a good manifest");
    let item = Item { id: head.item_id(), head, pages, chunks: vec![chunk; CHUNKS], content: Content::new() };
    let (into, item) = (tempfile::tempdir().expect("a temporary folder"), Arc::new(item));
    let sources: Vec<_> = (1..=SOURCES).map(|number| honest(number, &item)).collect();
    let before = peak();
    let end = run(config(&item, into.path()), &sources.iter().collect::<Vec<_>>()).await;
    assert_eq!(std::fs::metadata(end.finished().join("large")).expect("it is there").len(), len);
    let grown = (peak() - before) >> 20;
    // 16 buffers of 1 MiB, and what the threads need.
    assert!(grown < 32, "{grown} MiB for an item of {CHUNKS} MiB");
}
