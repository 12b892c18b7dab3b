use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moorline_proto::{Chunk, ChunkContent, Entry, FileEntry, ManifestVerifier, Page};
use moorline_runtime::library::{Library, LibraryConfig, NoticeReason, ScanReport, ServeError, ShareRoot, SharedItem};
use moorline_runtime::supervisor::{Scope, Supervisor, SupervisorConfig};
use tempfile::TempDir;

/// Long enough for a slow machine; a test that works never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A folder to share, a folder for the cache, and a scope to work in.
pub(crate) struct Fixture {
    temp: TempDir,
    supervisor: Supervisor,
}

impl Fixture {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("shared")).unwrap();
        Self { temp, supervisor: Supervisor::new(SupervisorConfig::default()) }
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.temp.path().canonicalize().unwrap().join("shared")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.temp.path().join("cache")
    }

    pub(crate) fn scope(&self) -> Scope {
        self.supervisor.root()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.shared().join(name)
    }

    /// Writes a file that was last changed a while ago.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write_old(&self.path(name), content.as_ref());
    }

    pub(crate) fn config(&self, roots: Vec<ShareRoot>) -> LibraryConfig {
        let mut config = LibraryConfig::new(self.cache(), [7; 8]);
        config.roots = roots;
        config
    }

    /// A library with `shared` as its one item.
    pub(crate) fn item_library(&self) -> Library {
        Library::open(self.config(vec![ShareRoot::Item(self.shared())])).unwrap()
    }

    /// A library with each child of `shared` as an item.
    pub(crate) fn children_library(&self) -> Library {
        Library::open(self.config(vec![ShareRoot::Children(self.shared())])).unwrap()
    }

    pub(crate) async fn scan(&self, library: &Library) -> ScanReport {
        library.scan(&self.scope()).await.unwrap()
    }

    /// Scans `shared` as one item.
    pub(crate) async fn scan_item(&self) -> (Library, Arc<SharedItem>) {
        let library = self.item_library();
        self.scan(&library).await;
        let item = only_item(&library);
        (library, item)
    }
}

pub(crate) fn write_old(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    make_old(path, 3600);
}

/// Sets the modification time to so many seconds ago.
pub(crate) fn make_old(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

pub(crate) fn only_item(library: &Library) -> Arc<SharedItem> {
    let items = library.items();
    assert_eq!(items.len(), 1, "{items:?} {:?}", library.notices());
    items[0].clone()
}

/// Bytes that differ from place to place.
pub(crate) fn content(length: usize, seed: u8) -> Vec<u8> {
    let mut content = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut content);
    content
}

/// All pages, checked against the head as a receiver checks them.
pub(crate) fn pages(item: &SharedItem) -> Vec<Page> {
    item.head().verify(&item.id()).unwrap();
    let mut verifier = ManifestVerifier::new(item.head());
    let pages = (0..item.head().pages.len()).map(|index| verifier.push(&item.page(index).unwrap()).unwrap()).collect();
    verifier.finish().unwrap();
    pages
}

pub(crate) fn entries(item: &SharedItem) -> Vec<Entry> {
    pages(item).into_iter().flat_map(|page| page.entries).collect()
}

/// Paths of all entries in order, folders with a slash at the end, each large file once.
pub(crate) fn paths(item: &SharedItem) -> Vec<String> {
    entries(item)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Dir(path) => Some(format!("{path}/")),
            Entry::File(file) => (file.first_subtree == 0).then(|| file.path.to_string()),
        })
        .collect()
}

pub(crate) fn file(item: &SharedItem, path: &str) -> FileEntry {
    let found = entries(item).into_iter().find_map(|entry| match entry {
        Entry::File(file) if file.path.as_str() == path => Some(file),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{path:?} is not in the manifest"))
}

/// Reads every chunk and checks it against its page. Returns how many bytes that were.
pub(crate) fn verify_chunks(item: &SharedItem) -> u64 {
    let mut index = 0;
    let mut total = 0;
    for page in pages(item) {
        for chunk in page.chunks() {
            let bytes = item.read_chunk(index).unwrap();
            page.verify_chunk(&chunk, &bytes).unwrap();
            assert_eq!(item.chunks_len(index, 1).unwrap(), chunk.len);
            total += chunk.len;
            index += 1;
        }
    }
    assert_eq!(index, item.head().chunks);
    assert_eq!(total, item.head().bytes);
    total
}

/// [`verify_chunks`] for each item on offer.
pub(crate) fn verify_all(library: &Library) {
    library.items().iter().for_each(|item| assert_eq!(verify_chunks(item), item.summary().bytes));
}

/// The index of the first chunk with bytes of a file.
pub(crate) fn chunk_of(item: &SharedItem, path: &str) -> u64 {
    let mut index = 0;
    for page in pages(item) {
        for Chunk { content, .. } in page.chunks() {
            let mut entries = match content {
                ChunkContent::Pack { entries } => entries,
                ChunkContent::Slice { entry, .. } => vec![entry],
            };
            entries.retain(|entry| page.entries[*entry].path().as_str() == path);
            if !entries.is_empty() {
                return index;
            }
            index += 1;
        }
    }
    panic!("{path:?} has no chunk");
}

pub(crate) fn is_changed(error: &ServeError) -> bool {
    matches!(error, ServeError::Changed { .. })
}

/// The reasons given for what lies under a path that ends in `name`.
pub(crate) fn reasons(library: &Library, name: &str) -> Vec<NoticeReason> {
    let notices = library.notices().list.into_iter();
    notices.filter(|notice| notice.path.to_string_lossy().ends_with(name)).map(|notice| notice.reason).collect()
}

/// Waits until `library` is as `wanted`, woken by its changes.
pub(crate) async fn wait_until(library: &Library, what: &str, mut wanted: impl FnMut(&Library) -> bool) {
    let mut activity = library.activity();
    let waiting = async {
        loop {
            activity.borrow_and_update();
            if wanted(library) {
                return;
            }
            activity.changed().await.unwrap();
        }
    };
    if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
        panic!(
            "in {DEADLINE:?} it did not come to: {what}; items {:?}, notices {:?}",
            library.items(),
            library.notices()
        );
    }
}
