//! The name that an item gets in the target folder.

use std::collections::BTreeSet;

use moorline_runtime::proto::{ItemId, RelPath};

/// A name for each item that cannot leave the target folder, is valid on every platform, and is nobody else's of this run.
/// `None` where the item's own name will do.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// The name for an item that its peers call `offered`.
    pub(super) fn choose(&mut self, offered: &str, item: &ItemId) -> Option<String> {
        let own = is_file_name(offered);
        let mut name = if own { offered.to_owned() } else { format!("item-{}", item.short()) };
        let mut fresh = self.take(&name);
        if !fresh {
            name = format!("{name}-{}", item.short());
            fresh = self.take(&name) && is_file_name(&name);
        }
        if !fresh {
            // Two items with the same name and the same first characters of their ids: the whole id is unique.
            name = format!("item-{item}");
            self.take(&name);
        }
        (name != offered).then_some(name)
    }

    /// Names are compared without regard to case, as some file systems do.
    fn take(&mut self, name: &str) -> bool {
        self.taken.insert(RelPath::parse(name).map_or_else(|_| name.to_lowercase(), |path| path.fold_key()))
    }
}

fn is_file_name(name: &str) -> bool {
    RelPath::parse(name).is_ok_and(|path| path.components().count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u8) -> ItemId {
        ItemId::from_bytes([n; 32])
    }

    #[test]
    fn a_good_name_is_kept() {
        let mut names = Names::default();
        assert_eq!(names.choose("Quake III 🎮", &item(1)), None);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_replaced() {
        for bad in ["../../.bashrc", "/etc/passwd", "a/b", "..", ".", "", "C:\\x", "con", "nul.txt", "a\u{0}b", "name."]
        {
            let name = Names::default().choose(bad, &item(1)).expect(bad);
            assert_eq!(name, format!("item-{}", item(1).short()), "{bad:?}");
            assert!(is_file_name(&name));
        }
    }

    #[test]
    fn namesakes_of_one_run_do_not_share_a_target() {
        let mut names = Names::default();
        assert_eq!(names.choose("Quake", &item(1)), None);
        assert_eq!(names.choose("quake", &item(2)), Some(format!("quake-{}", item(2).short())));
        let mut bytes = [2; 32];
        bytes[31] = 3;
        let twin = ItemId::from_bytes(bytes);
        assert_eq!(names.choose("quake", &twin), Some(format!("item-{twin}")));
    }
}
