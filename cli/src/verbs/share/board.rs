//! What was said about the items on offer, so that only changes are said again.

use std::collections::{BTreeMap, BTreeSet};

use moorline_runtime::library::Library;
use moorline_runtime::proto::{ItemId, ItemSummary};

use crate::json::{Event, Item, Thumbnail};
use crate::output::Output;
use crate::{text, units};

/// Notices printed at once; of the rest only the number is said.
const MAX_NOTICES: usize = 50;

/// The items and notices that the user has seen.
#[derive(Debug, Default)]
pub(super) struct Board {
    items: BTreeMap<ItemId, String>,
    notices: BTreeSet<(String, String)>,
}

impl Board {
    /// The name of an item on offer.
    pub(super) fn name(&self, item: &ItemId) -> Option<String> {
        self.items.get(item).cloned()
    }

    /// How many items are on offer.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Prints what changed since the last time.
    pub(super) fn refresh(&mut self, output: &Output, library: &Library) {
        let items = library.items();
        self.show_items(output, items.iter().map(|item| item.summary()));
        let notices = library.notices();
        let list =
            notices.list.iter().map(|notice| (text::path(&notice.path), text::reason(&notice.reason.to_string())));
        self.show_notices(output, list.collect(), notices.total);
    }

    fn show_items<'a>(&mut self, output: &Output, items: impl Iterator<Item = &'a ItemSummary>) {
        let mut now = BTreeMap::new();
        for summary in items {
            if !self.items.contains_key(&summary.id) {
                announce(output, summary);
            }
            now.insert(summary.id, summary.name.clone());
        }
        for (id, name) in &self.items {
            if !now.contains_key(id) {
                output.event(&Event::ItemRemoved { item: &id.to_string(), name });
                output.line(format_args!("Not shared any more: {} (id {})", text::name(name), id.short()));
            }
        }
        self.items = now;
    }

    fn show_notices(&mut self, output: &Output, now: BTreeSet<(String, String)>, total: u64) {
        let fresh: Vec<&(String, String)> = now.difference(&self.notices).collect();
        for (path, reason) in fresh.iter().take(MAX_NOTICES) {
            output.event(&Event::LeftOut { path: Some(path), reason });
            output.note(format_args!("{path}: {reason}"));
        }
        if fresh.len() > MAX_NOTICES {
            let reason = format!("{total} notices in all; only some are printed");
            output.event(&Event::LeftOut { path: None, reason: &reason });
            output.note(reason);
        }
        self.notices = now;
    }
}

fn announce(output: &Output, summary: &ItemSummary) {
    output.event(&Event::Item(item(summary, &summary.id.to_string())));
    let title = summary.title.as_deref().map(|title| format!(" ({})", text::name(title))).unwrap_or_default();
    let version =
        summary.version.as_deref().map(|version| format!(", version {}", text::name(version))).unwrap_or_default();
    output.line(format_args!(
        "Shared   {}{title}: {}, {}{version}, id {}",
        text::name(&summary.name),
        units::bytes(summary.bytes),
        units::count(summary.files, "file"),
        summary.id.short(),
    ));
}

/// The item as JSON tells it.
pub(in crate::verbs) fn item<'a>(summary: &'a ItemSummary, id: &'a str) -> Item<'a> {
    Item {
        item: id,
        name: &summary.name,
        title: summary.title.as_deref(),
        version: summary.version.as_deref(),
        description: summary.description.as_deref(),
        thumbnail: summary
            .thumbnail
            .as_ref()
            .map(|picture| Thumbnail { media_type: &picture.media_type, bytes: picture.bytes }),
        bytes: summary.bytes,
        files: summary.files,
    }
}
