use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use moorline_runtime::node::NodeEvent;
use moorline_runtime::transfer::DownloadEvent;

use super::{Checker, Docket};
use crate::host::{Happened, Seen};
use crate::run::World;
use crate::scenario::ItemSpec;

/// `content-whole`.
#[derive(Default)]
pub(super) struct Content {
    /// What was found whole under its final name, by host and item; it is compared again at the end only.
    whole: BTreeSet<(String, String)>,
    /// What was said to be finished.
    finished: BTreeSet<(String, String)>,
    ids: BTreeMap<(String, u64, moorline_runtime::node::DownloadId), String>,
}

impl Checker for Content {
    fn hear(&mut self, world: &World<'_>, seen: &Seen, docket: &mut Docket) {
        let host = seen.host.to_string();
        match &seen.what {
            Happened::FetchBegun { item, id } => {
                self.ids.insert((host, seen.life, *id), item.clone());
            }
            Happened::Node(NodeEvent::Download { id, event: DownloadEvent::Finished { .. } }) => {
                let key = (host, seen.life, *id);
                if let Some(item) = self.ids.get(&key).cloned() {
                    self.whole.remove(&(key.0.clone(), item.clone()));
                    if !self.compare(world, &key.0, &item, docket) {
                        let text = format!("{item} is said to be finished, and is not in its place");
                        docket.accuse("content-whole", seen.at, &key.0, text);
                    }
                    self.finished.insert((key.0, item));
                }
            }
            Happened::Crashed => {
                // Its power may have gone.
                self.whole.retain(|(of, _)| *of != host);
                self.compare_all(world, Some(&host), docket);
            }
            _ => {}
        }
    }

    fn look(&mut self, world: &World<'_>, docket: &mut Docket) {
        self.compare_all(world, None, docket);
    }

    fn end(&mut self, world: &World<'_>, docket: &mut Docket) {
        self.whole.clear();
        self.compare_all(world, None, docket);
    }
}

impl Content {
    fn compare_all(&mut self, world: &World<'_>, only: Option<&str>, docket: &mut Docket) {
        for (host, item) in world.wishes.keys().filter(|(host, _)| only.is_none_or(|only| only == host)) {
            if !self.compare(world, host, item, docket) && self.finished.remove(&(host.clone(), item.clone())) {
                docket.accuse("content-whole", world.now(), host, format!("{item} was finished, and is gone"));
            }
        }
    }

    /// Whether there is something. If so, and if it is not what was shared, that is told once.
    fn compare(&mut self, world: &World<'_>, host: &str, item: &str, docket: &mut Docket) -> bool {
        let (Some(node), Some(spec)) = (world.cast.nodes.get(host), world.items.get(item)) else { return false };
        let place = node.folder().path(Path::new("into").join(item));
        if !place.exists() {
            return false;
        }
        if self.whole.insert((host.to_owned(), item.to_owned()))
            && let Err(difference) = same(&place, spec)
        {
            docket.accuse("content-whole", world.now(), host, format!("{item} is in its place, and {difference}"));
        }
        true
    }
}

/// Whether a folder holds exactly an item.
fn same(place: &Path, item: &ItemSpec) -> Result<(), String> {
    let mut files = Vec::new();
    walk(place, "", &mut files).map_err(|error| format!("cannot be read: {error}"))?;
    files.sort_unstable();
    if !files.iter().eq(item.files.keys()) {
        return Err(format!("has the files {files:?}"));
    }
    for (file, len) in &item.files {
        let found = fs::read(place.join(file)).map_err(|error| format!("{file} cannot be read: {error}"))?;
        if found != item.content(file, *len) {
            return Err(format!("{file} is not what was shared"));
        }
    }
    Ok(())
}

fn walk(folder: &Path, above: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => walk(&entry.path(), &format!("{name}/"), files)?,
            false => files.push(name),
        }
    }
    Ok(())
}
