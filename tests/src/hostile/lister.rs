//! Listings of items that do not exist.

use std::sync::atomic::{AtomicU64, Ordering};

use moorline_proto::{ItemId, ItemPage, ItemSummary, limits};

/// A page of as many items as a page may have, each as large as it may be, and none of them listed before by anyone. Ids ascend
/// from page to page, so that whoever goes on behind the last item is led on, and never to an end.
pub(super) fn endless_page() -> ItemPage {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let count = limits::MAX_ITEMS as u64;
    let first = NEXT.fetch_add(count, Ordering::Relaxed);
    ItemPage { revision: 1, items: (first..first + count).map(invented).collect(), more: true }
}

fn invented(number: u64) -> ItemSummary {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    ItemSummary {
        id: ItemId::from_bytes(id),
        name: format!("{number:0>width$}", width = limits::MAX_NAME),
        title: Some("t".repeat(limits::MAX_TITLE)),
        version: Some("v".repeat(limits::MAX_ITEM_VERSION)),
        description: Some("d".repeat(limits::MAX_DESCRIPTION)),
        bytes: 1,
        files: 1,
        thumbnail: None,
    }
}
