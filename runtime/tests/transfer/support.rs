//! Items in memory, sources that serve them well or badly, and downloads to watch.
#![allow(dead_code, unreachable_pub, reason = "the test of memory includes this and uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use moorline_proto::{
    CHUNK_SIZE, ChunkContent, EncodedPage, Entry, ErrorCode, FileHasher, ItemId, ManifestBuilder, ManifestHead, Page,
    PeerId, RelPath,
};
use moorline_runtime::supervisor::{Scope, Supervisor, SupervisorConfig, Task, TaskError};
use moorline_runtime::transfer::{
    BoxFuture, ChunkStream, DownloadConfig, DownloadEvent, DownloadOutcome, Source, SourceChange, SourceError, download,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

pub const CHUNK: usize = CHUNK_SIZE as usize;

/// Nothing here takes this long; what does, hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// 2001-09-09 and some milliseconds.
pub const MODIFIED_MS: i64 = 1_000_000_000_123;

/// Bytes that are nowhere the same.
pub fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

#[derive(Clone)]
pub struct File {
    pub content: Vec<u8>,
    pub executable: bool,
}

/// What an item consists of.
#[derive(Clone, Default)]
pub struct Content {
    pub files: BTreeMap<RelPath, File>,
    pub folders: BTreeSet<RelPath>,
    pub single: bool,
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("a good path")
}

impl Content {
    pub fn new() -> Self {
        Self::default()
    }

    /// An item that is one file.
    pub fn single(name: &str, content: Vec<u8>) -> Self {
        Self { single: true, ..Self::new().file(name, content) }
    }

    pub fn file(mut self, name: &str, content: Vec<u8>) -> Self {
        self.files.insert(path(name), File { content, executable: false });
        self
    }

    pub fn executable(mut self, name: &str, content: Vec<u8>) -> Self {
        self.files.insert(path(name), File { content, executable: true });
        self
    }

    pub fn folder(mut self, name: &str) -> Self {
        self.folders.insert(path(name));
        self
    }

    /// `large` chunks in one file, and some small ones.
    pub fn sample(large: usize) -> Self {
        let mut this = Self::new().file("big.bin", noise(large * CHUNK, 1)).folder("empty/of all");
        for n in 0..5 {
            this = this.file(&format!("small/{n}.txt"), noise(100 * n as usize, n + 2));
        }
        this
    }

    pub fn build(&self) -> Arc<Item> {
        let mut builder = if self.single { ManifestBuilder::single_file() } else { ManifestBuilder::new() };
        let paths: BTreeSet<&RelPath> = self.files.keys().chain(&self.folders).collect();
        for path in paths {
            match self.files.get(path) {
                None => builder.push_dir(path.clone()).expect("a good folder"),
                Some(file) => {
                    let mut hasher = FileHasher::new();
                    hasher.update(&file.content);
                    let (hash, subtrees, len) = hasher.finish();
                    builder
                        .push_file(path.clone(), len, file.executable, MODIFIED_MS, hash, &subtrees)
                        .expect("a good file");
                }
            }
        }
        let (pages, head) = builder.finish().expect("a good manifest");
        let mut chunks = Vec::new();
        for page in &pages {
            let page = Page::decode(page).expect("a good page");
            for chunk in page.chunks() {
                let content = |entry: usize| match &page.entries[entry] {
                    Entry::File(file) => &self.files[&file.path].content[..],
                    Entry::Dir(_) => panic!("a chunk of a folder"),
                };
                chunks.push(match &chunk.content {
                    ChunkContent::Pack { entries } => {
                        entries.iter().flat_map(|entry| content(*entry).iter().copied()).collect()
                    }
                    ChunkContent::Slice { entry, offset, .. } => {
                        let offset = usize::try_from(*offset).expect("fits memory");
                        Bytes::copy_from_slice(&content(*entry)[offset..][..chunk.len as usize])
                    }
                });
            }
        }
        Arc::new(Item { id: head.item_id(), head, pages, chunks, content: self.clone() })
    }

    /// Checks that `place` holds exactly this.
    pub fn assert_at(&self, place: &Path) {
        if self.single {
            let file = self.files.values().next().expect("one file");
            return assert_file(place, file);
        }
        let mut found = BTreeSet::new();
        let mut folders = vec![place.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("readable") {
                let entry = entry.expect("readable");
                if entry.file_type().expect("known").is_dir() {
                    folders.push(entry.path());
                } else {
                    found.insert(entry.path());
                }
            }
        }
        assert_eq!(found, self.files.keys().map(|name| name.join_under(place)).collect());
        for (name, file) in &self.files {
            assert_file(&name.join_under(place), file);
        }
        for folder in &self.folders {
            let folder = folder.join_under(place);
            assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "{}", folder.display());
        }
    }
}

fn assert_file(place: &Path, file: &File) {
    assert!(fs::read(place).expect("readable") == file.content, "{} has other contents", place.display());
    let metadata = fs::metadata(place).expect("there");
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(MODIFIED_MS as u64);
    assert_eq!(metadata.modified().expect("a time"), modified, "{}", place.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(metadata.permissions().mode() & 0o100 != 0, file.executable, "{}", place.display());
    }
}

/// An item, ready to be served.
pub struct Item {
    pub id: ItemId,
    pub head: ManifestHead,
    pub pages: Vec<EncodedPage>,
    pub chunks: Vec<Bytes>,
    pub content: Content,
}

/// How a source behaves; the default is well.
#[derive(Default)]
pub struct Manners {
    /// Time that each chunk takes.
    pub chunk_time: Duration,
    /// Chunks whose bytes are wrong.
    pub bad_chunks: BTreeSet<u64>,
    /// From the n-th chunk served on, nothing comes any more.
    pub silent_after: Option<usize>,
    /// It sends one byte in this time.
    pub byte_time: Option<Duration>,
    /// From the n-th chunk served on, the connection is gone.
    pub gone_after: Option<usize>,
    /// Chunk requests that are refused, from the first on, and how.
    pub refusals: Option<(usize, ErrorCode)>,
    /// It never answers anything.
    pub mute: bool,
    /// The head that it tells.
    pub head: Option<ManifestHead>,
    /// The pages that it tells.
    pub pages: Option<Vec<EncodedPage>>,
    /// Pages an answer, at most.
    pub pages_at_once: Option<usize>,
    /// Bytes more than there are that it announces.
    pub announces_more: u64,
    /// Panics when asked for chunks.
    pub panics: bool,
}

/// A source in memory.
pub struct Fake {
    pub peer: PeerId,
    pub item: Arc<Item>,
    pub manners: Manners,
    /// How often each chunk was sent in full.
    pub served: Mutex<BTreeMap<u64, usize>>,
    pub serves: AtomicUsize,
    pub condemned: Mutex<Vec<String>>,
    pub chunk_requests: AtomicUsize,
    pub page_requests: AtomicUsize,
    /// The connection was cut.
    pub cut: AtomicBool,
    pub progress: Notify,
    open: AtomicUsize,
    pub most_open: AtomicUsize,
}

pub fn fake(number: u8, item: &Arc<Item>, manners: Manners) -> Arc<Fake> {
    Arc::new(Fake {
        peer: PeerId::from_bytes([number; 32]),
        item: Arc::clone(item),
        manners,
        served: Mutex::default(),
        serves: AtomicUsize::new(0),
        condemned: Mutex::default(),
        chunk_requests: AtomicUsize::new(0),
        page_requests: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
        progress: Notify::new(),
        open: AtomicUsize::new(0),
        most_open: AtomicUsize::new(0),
    })
}

pub fn honest(number: u8, item: &Arc<Item>) -> Arc<Fake> {
    fake(number, item, Manners::default())
}

impl Fake {
    pub fn name(&self) -> String {
        format!("peer-{}", self.peer.as_bytes()[0])
    }

    /// Chunks that it sent in full.
    pub fn count(&self) -> usize {
        self.served.lock().expect("no panic").values().sum()
    }

    /// Waits until it has sent so many chunks.
    pub async fn has_served(&self, chunks: usize) {
        let reached = async {
            loop {
                let progress = self.progress.notified();
                if self.count() >= chunks {
                    return;
                }
                progress.await;
            }
        };
        timeout(DEADLINE, reached).await.expect("so many chunks are fetched");
    }

    async fn answer(&self, item: ItemId) -> Result<(), SourceError> {
        if self.manners.mute {
            pending::<()>().await;
        }
        if self.cut.load(Ordering::SeqCst) {
            return Err(SourceError::Gone("cut".into()));
        }
        if item != self.item.id {
            return Err(SourceError::Refused { code: ErrorCode::NotFound, message: "what?".into() });
        }
        Ok(())
    }
}

/// What is handed to a download: a download owns its sources.
struct Handle(Arc<Fake>);

impl Source for Handle {
    fn peer(&self) -> PeerId {
        self.0.peer
    }

    fn label(&self) -> String {
        self.0.name()
    }

    fn head(&self, item: ItemId) -> BoxFuture<'_, Result<ManifestHead, SourceError>> {
        Box::pin(async move {
            self.0.answer(item).await?;
            Ok(self.0.manners.head.clone().unwrap_or_else(|| self.0.item.head.clone()))
        })
    }

    fn pages(&self, item: ItemId, first: u32, count: u32) -> BoxFuture<'_, Result<Vec<EncodedPage>, SourceError>> {
        Box::pin(async move {
            self.0.answer(item).await?;
            self.0.page_requests.fetch_add(1, Ordering::SeqCst);
            let pages = self.0.manners.pages.as_ref().unwrap_or(&self.0.item.pages);
            let count = (count as usize).min(self.0.manners.pages_at_once.unwrap_or(usize::MAX));
            Ok(pages.iter().skip(first as usize).take(count).cloned().collect())
        })
    }

    fn chunks(&self, item: ItemId, first: u64, count: u32) -> BoxFuture<'_, Result<Box<dyn ChunkStream>, SourceError>> {
        Box::pin(async move {
            self.0.answer(item).await?;
            assert!(!self.0.manners.panics, "this source panics");
            let number = self.0.chunk_requests.fetch_add(1, Ordering::SeqCst);
            if let Some((refused, code)) = self.0.manners.refusals
                && number < refused
            {
                return Err(SourceError::Refused { code, message: format!("refusal {number}") });
            }
            let chunks = (first..first + u64::from(count)).map(|chunk| (chunk, 0)).collect();
            let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.0.most_open.fetch_max(open, Ordering::SeqCst);
            Ok(Box::new(Stream { fake: Arc::clone(&self.0), chunks }) as Box<dyn ChunkStream>)
        })
    }

    fn condemn(&self, why: &str) {
        self.0.condemned.lock().expect("no panic").push(why.to_owned());
    }
}

struct Stream {
    fake: Arc<Fake>,
    /// Chunks to come, each with what has been read of it.
    chunks: std::collections::VecDeque<(u64, usize)>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.fake.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ChunkStream for Stream {
    fn bytes(&self) -> u64 {
        let bytes = |chunk: u64| self.fake.item.chunks[chunk as usize].len() as u64;
        self.chunks.iter().map(|(chunk, _)| bytes(*chunk)).sum::<u64>() + self.fake.manners.announces_more
    }

    fn read<'a>(&'a mut self, mut buf: &'a mut [u8]) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            let fake = Arc::clone(&self.fake);
            if let Some(time) = fake.manners.byte_time {
                sleep(time * buf.len() as u32).await;
            }
            while !buf.is_empty() {
                let (chunk, at) = *self.chunks.front().expect("no more is read than there is");
                let content = &fake.item.chunks[chunk as usize];
                if content.is_empty() {
                    self.chunks.pop_front();
                    continue;
                }
                if at == 0 {
                    let number = fake.serves.fetch_add(1, Ordering::SeqCst);
                    if fake.manners.silent_after.is_some_and(|after| number >= after) {
                        pending::<()>().await;
                    }
                    if fake.manners.gone_after.is_some_and(|after| number >= after) {
                        fake.cut.store(true, Ordering::SeqCst);
                    }
                    if !fake.manners.chunk_time.is_zero() {
                        sleep(fake.manners.chunk_time).await;
                    }
                }
                if fake.cut.load(Ordering::SeqCst) {
                    return Err(SourceError::Gone("cut".into()));
                }
                let n = buf.len().min(content.len() - at);
                let (now, rest) = buf.split_at_mut(n);
                now.copy_from_slice(&content[at..at + n]);
                if fake.manners.bad_chunks.contains(&chunk) {
                    now[n / 2] ^= 1;
                }
                buf = rest;
                if at + n == content.len() {
                    self.chunks.pop_front();
                    *fake.served.lock().expect("no panic").entry(chunk).or_default() += 1;
                    fake.progress.notify_waiters();
                } else if let Some(front) = self.chunks.front_mut() {
                    front.1 = at + n;
                }
            }
            Ok(())
        })
    }
}

pub fn added(fake: &Arc<Fake>) -> SourceChange {
    SourceChange::Added(Arc::new(Handle(Arc::clone(fake))))
}

/// A download in a task of its own.
pub struct Run {
    pub supervisor: Arc<Supervisor>,
    pub scope: Scope,
    pub sources: mpsc::Sender<SourceChange>,
    pub events: mpsc::Receiver<DownloadEvent>,
    pub task: Task<DownloadOutcome>,
    pub seen: Vec<DownloadEvent>,
}

/// The end of a download.
#[derive(Debug)]
pub struct End {
    pub events: Vec<DownloadEvent>,
    pub outcome: Result<DownloadOutcome, TaskError>,
}

pub fn start(config: DownloadConfig) -> Run {
    start_with(config, &[])
}

/// The same, with sources that are there from the first moment on.
pub fn start_with(config: DownloadConfig, known: &[&Arc<Fake>]) -> Run {
    let supervisor = Arc::new(Supervisor::new(SupervisorConfig::default()));
    let scope = supervisor.root().child("download");
    let (sources, changes) = mpsc::channel(16);
    let (sender, events) = mpsc::channel(64);
    for source in known {
        sources.try_send(added(source)).expect("there is room");
    }
    let task = scope.spawn("download", download(config, changes, sender, scope.clone()));
    Run { supervisor, scope, sources, events, task, seen: Vec::new() }
}

/// A download of `item` to `into`/item that does not wait when alone.
pub fn config(item: &Item, into: &Path) -> DownloadConfig {
    let mut config = DownloadConfig::new(item.id, into, "item");
    config.when_alone = moorline_runtime::transfer::WhenAlone::End;
    config.flush = false;
    config.alone_grace = Duration::from_millis(20);
    config.first_source_timeout = Duration::from_millis(500);
    config
}

impl Run {
    pub async fn add(&self, fake: &Arc<Fake>) {
        self.sources.send(added(fake)).await.expect("the download runs");
    }

    /// Reads events until one is `wanted`.
    pub async fn until(&mut self, wanted: impl Fn(&DownloadEvent) -> bool) -> DownloadEvent {
        let found = async {
            loop {
                let event = self.events.recv().await.expect("the event comes before the end");
                self.seen.push(event.clone());
                if wanted(&event) {
                    return event;
                }
            }
        };
        timeout(DEADLINE, found).await.expect("the event comes in time")
    }

    /// Waits for the end, and checks what holds for each: one terminal event, the last, which tells the same as the
    /// outcome; and no task left.
    pub async fn end(mut self) -> End {
        let drained = async {
            while let Some(event) = self.events.recv().await {
                self.seen.push(event);
            }
        };
        timeout(DEADLINE, drained).await.expect("the download ends");
        let outcome = timeout(DEADLINE, self.task).await.expect("the task ends");
        let end = End { events: self.seen, outcome };
        let terminal: Vec<bool> = end.events.iter().map(DownloadEvent::is_terminal).collect();
        assert_eq!(terminal.iter().filter(|terminal| **terminal).count(), 1, "{:?}", end.events);
        assert_eq!(terminal.last(), Some(&true), "{:?}", end.events);
        timeout(DEADLINE, self.scope.join()).await.expect("no task is left");
        end
    }
}

impl End {
    pub fn last(&self) -> &DownloadEvent {
        self.events.last().expect("a terminal event")
    }

    /// The place of the finished item.
    #[track_caller]
    pub fn finished(&self) -> &PathBuf {
        assert!(matches!(self.outcome, Ok(DownloadOutcome::Finished { .. })), "{self:?}");
        match self.last() {
            DownloadEvent::Finished { path, .. } => path,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn stats(&self) -> &moorline_runtime::transfer::DownloadStats {
        match self.last() {
            DownloadEvent::Finished { stats, .. } => stats,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub fn error(&self) -> &moorline_runtime::transfer::DownloadError {
        match self.last() {
            DownloadEvent::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Who was dropped, and why.
    pub fn dropped(&self) -> Vec<(String, String)> {
        let dropped = |event: &DownloadEvent| match event {
            DownloadEvent::SourceDropped { label, reason, .. } => Some((label.clone(), reason.to_string())),
            _ => None,
        };
        self.events.iter().filter_map(dropped).collect()
    }

    pub fn times_alone(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, DownloadEvent::AllPeersGone { .. })).count()
    }
}

/// Runs a download from `sources`, which are there from the first moment on, to its end.
pub async fn run(config: DownloadConfig, sources: &[&Arc<Fake>]) -> End {
    start_with(config, sources).end().await
}

/// The staging folder in `into`, if there is one.
pub fn staging(into: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(into).expect("readable").map(|entry| entry.expect("readable").path());
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".moorline-partial-"));
    let mut found: Vec<PathBuf> = entries.filter(named).collect();
    assert!(found.len() <= 1);
    found.pop()
}
