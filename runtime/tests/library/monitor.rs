//! The monitor keeps the offers true to the files, with the watcher and without it.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use moorline_proto::CHUNK_SIZE;
use moorline_runtime::library::{Library, LibraryConfig, NoticeReason, ShareRoot};
use moorline_runtime::supervisor::{BoxError, Task, TaskError};

use crate::support::{DEADLINE, Fixture, content, only_item, paths, reasons, verify_all, verify_chunks, wait_until};

/// A rescan that never comes, so that only the watcher can have seen what is seen.
const NEVER: Duration = Duration::from_secs(3600);
const SETTLE: Duration = Duration::from_millis(200);

struct Monitored {
    fixture: Fixture,
    library: Library,
    monitor: Task<Result<(), BoxError>>,
}

impl Monitored {
    fn start(fixture: Fixture, change: impl FnOnce(&mut LibraryConfig)) -> Self {
        let mut config = fixture.config(vec![ShareRoot::Children(fixture.shared())]);
        config.settle = SETTLE;
        config.rescan_interval = NEVER;
        change(&mut config);
        let library = Library::open(config).unwrap();
        let monitor = fixture.scope().spawn("monitor", library.clone().monitor(fixture.scope()));
        Self { fixture, library, monitor }
    }

    async fn wait_until(&self, what: &str, wanted: impl FnMut(&Library) -> bool) {
        wait_until(&self.library, what, wanted).await;
    }

    async fn stop(self) {
        self.fixture.scope().cancel();
        let stopped = tokio::time::timeout(DEADLINE, self.monitor).await.expect("the monitor stops");
        stopped.expect("it is not aborted").expect("it stops without an error");
        assert_eq!(watcher_threads(), 0, "the watcher's thread is gone");
    }
}

/// Threads of file watchers in this process. Each test runs in a process of its own.
fn watcher_threads() -> usize {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        let count = names.filter(|name| name.starts_with("notify-rs")).count();
        // It has let go of everything; the kernel may still have to take the thread itself away.
        if count == 0 || Instant::now() > deadline {
            return count;
        }
        std::thread::yield_now();
    }
}

fn named<'a>(library: &Library, names: impl IntoIterator<Item = &'a str>) -> bool {
    let mut offered: Vec<_> = library.items().iter().map(|item| item.summary().name.clone()).collect();
    offered.sort();
    offered.iter().map(String::as_str).eq(names)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn items_that_come_change_and_go_are_followed_by_the_watcher_alone() {
    let fixture = Fixture::new();
    fixture.write("there/file", "there");
    let monitored = Monitored::start(fixture, |_| {});
    let fixture = &monitored.fixture;
    monitored.wait_until("what is there is offered", |library| named(library, ["there"])).await;
    assert_eq!(monitored.library.notices().total, 0);

    fixture.write("new/deep/er/file", content(3000, 1));
    monitored.wait_until("a new folder is offered", |library| named(library, ["new", "there"])).await;
    fs::write(fixture.path("single.iso"), content(CHUNK_SIZE as usize + 1, 1)).unwrap();
    monitored.wait_until("a new file is offered", |library| named(library, ["new", "single.iso", "there"])).await;
    verify_all(&monitored.library);

    let changed = monitored.library.items().into_iter().find(|item| item.summary().name == "new").unwrap();
    fs::write(fixture.path("new/deep/er/file"), content(3001, 1)).unwrap();
    monitored
        .wait_until("a changed folder is offered as it is now", |library| {
            library.item(&changed.id()).is_none() && named(library, ["new", "single.iso", "there"])
        })
        .await;
    fs::remove_file(fixture.path("there/file")).unwrap();
    fs::write(fixture.path("there/other"), "other").unwrap();
    monitored
        .wait_until("a file that came and one that went", |library| {
            let there = library.items().into_iter().find(|item| item.summary().name == "there");
            there.is_some_and(|item| paths(&item) == ["other"])
        })
        .await;
    fs::remove_dir_all(fixture.path("new")).unwrap();
    fs::remove_file(fixture.path("single.iso")).unwrap();
    monitored.wait_until("what went is not offered", |library| named(library, ["there"])).await;
    fs::rename(fixture.path("there"), fixture.path("elsewhere")).unwrap();
    monitored.wait_until("what was renamed has its new name", |library| named(library, ["elsewhere"])).await;
    monitored.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_keeps_changing_is_not_offered_until_it_stays_as_it_is() {
    let fixture = Fixture::new();
    fixture.write("item/log", "start");
    fixture.write("other/file", "other");
    let monitored = Monitored::start(fixture, |config| config.settle = Duration::from_secs(4));
    monitored.wait_until("both are offered", |library| named(library, ["item", "other"])).await;
    let mut log = File::options().append(true).open(monitored.fixture.path("item/log")).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // Writes much more often than `settle`, until it is told to stop.
    let writer = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            log.write_all(b"line\n").unwrap();
        }
    });
    monitored.wait_until("it is withdrawn", |library| named(library, ["other"])).await;
    assert_eq!(reasons(&monitored.library, "item"), [NoticeReason::Changing]);
    let mut revision = monitored.library.revision();
    let offered = tokio::time::timeout(Duration::from_secs(8), revision.changed()).await;
    assert!(offered.is_err(), "offered while it changes: {:?}", monitored.library.items());

    drop(stop);
    writer.join().unwrap();
    monitored.wait_until("it is offered again", |library| named(library, ["item", "other"])).await;
    let item = monitored.library.items().into_iter().find(|item| item.summary().name == "item").unwrap();
    verify_chunks(&item);
    assert_eq!(monitored.library.notices().total, 0);
    monitored.stop().await;
}

/// With no watcher, or with reports lost, changes are found by looking.
#[tokio::test(flavor = "multi_thread")]
async fn a_rescan_finds_what_no_report_told() {
    let fixture = Fixture::new();
    fixture.write("kept/file", "kept");
    fixture.write("changed/file", "before");
    fixture.write("gone/file", "gone");
    let other = Fixture::new();
    other.write("link-target", "x");
    // The watcher does not look into a folder that comes to be by a mount or a bind; here the whole folder is exchanged for one
    // that it does not watch.
    let monitored = Monitored::start(fixture, |config| config.rescan_interval = Duration::from_millis(300));
    monitored.wait_until("all are offered", |library| named(library, ["changed", "gone", "kept"])).await;
    let shared = monitored.fixture.shared();
    let aside = shared.with_extension("aside");
    fs::rename(&shared, &aside).unwrap();
    monitored
        .wait_until("nothing is left", |library| {
            library.items().is_empty() && matches!(reasons(library, "shared")[..], [NoticeReason::Missing(_)])
        })
        .await;

    crate::support::write_old(&aside.join("changed/file"), b"after!");
    fs::remove_dir_all(aside.join("gone")).unwrap();
    fs::rename(&aside, &shared).unwrap();
    monitored.wait_until("it is back", |library| named(library, ["changed", "kept"])).await;
    assert_eq!(monitored.library.notices().total, 0);
    verify_all(&monitored.library);

    // It is watched again, too.
    fs::write(shared.join("kept/file"), "KEPT").unwrap();
    monitored
        .wait_until("the folder that came back is followed", |library| {
            library
                .items()
                .iter()
                .any(|item| item.root().ends_with("kept") && item.read_chunk(0).is_ok_and(|bytes| bytes == "KEPT"[..]))
        })
        .await;
    monitored.stop().await;
}

/// More reports at once than the queue holds: what they told is found by looking at everything.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn lost_reports_lead_to_a_look_at_everything() {
    let fixture = Fixture::new();
    fixture.write("item/file", "one");
    let monitored = Monitored::start(fixture, |config| config.limits.watch_events = 1);
    monitored.wait_until("it is offered", |library| named(library, ["item"])).await;
    for index in 0..200 {
        fs::write(monitored.fixture.path(&format!("item/{index}")), [index]).unwrap();
    }
    fs::write(monitored.fixture.path("last"), "last").unwrap();
    monitored
        .wait_until("all is offered", |library| {
            named(library, ["item", "last"]) && library.items().iter().any(|item| item.summary().files == 201)
        })
        .await;
    monitored.stop().await;
}

/// With neither a watcher nor a rescan, so that only serving can have found it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_serving_finds_withdraws_the_item_at_once() {
    let fixture = Fixture::new();
    fixture.write("item/file", "before");
    let monitored = Monitored::start(fixture, |config| config.watch = false);
    monitored.wait_until("it is offered", |library| library.items().len() == 1).await;
    let item = only_item(&monitored.library);
    let revision = monitored.library.digest().revision;
    monitored.fixture.write("item/file", "after!");
    item.read_chunk(0).unwrap_err();
    let is_new = |library: &Library| library.items().iter().any(|now| now.id() != item.id());
    monitored.wait_until("it is offered as it is now", is_new).await;
    assert_eq!(monitored.library.digest().revision, revision + 2, "it was withdrawn first");
    assert_eq!(only_item(&monitored.library).read_chunk(0).unwrap(), "after!"[..]);
    monitored.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_later_is_shared_at_once() {
    let fixture = Fixture::new();
    fixture.write("first", "first");
    let other = Fixture::new();
    other.write("second", "second");
    let monitored = Monitored::start(fixture, |config| config.settle = NEVER);
    monitored.wait_until("the first is offered", |library| named(library, ["first"])).await;
    monitored.library.add(ShareRoot::Item(other.path("second")));
    monitored.library.add(ShareRoot::Item(other.path("second")));
    monitored.wait_until("the second is offered", |library| named(library, ["first", "second"])).await;
    monitored.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_a_scan_of_a_large_file_at_once() {
    let fixture = Fixture::new();
    let large = fixture.path("item/large");
    fs::create_dir_all(large.parent().unwrap()).unwrap();
    // Sparse: costs no disk, and minutes to hash without optimisation.
    File::create(&large).unwrap().set_len(200 << 30).unwrap();
    let monitored = Monitored::start(fixture, |_| {});
    let cache = monitored.fixture.cache();
    let hashing = || {
        fs::read_dir(&cache)
            .is_ok_and(|mut files| files.any(|file| file.unwrap().path().extension() == Some("part".as_ref())))
    };
    let started = Instant::now();
    while !hashing() {
        assert!(started.elapsed() < DEADLINE, "hashing never began");
        tokio::task::yield_now().await;
    }
    let scope = monitored.fixture.scope();
    let cancelled = Instant::now();
    monitored.stop().await;
    scope.join().await;
    assert!(cancelled.elapsed() < Duration::from_secs(10), "{:?}", cancelled.elapsed());
}

#[tokio::test]
async fn a_monitor_in_a_cancelled_scope_ends_without_a_word() {
    let fixture = Fixture::new();
    let library = fixture.children_library();
    fixture.scope().cancel();
    library.clone().monitor(fixture.scope()).await.unwrap();
    let refused = fixture.scope().spawn("late", async {}).await;
    assert_eq!(refused, Err(TaskError::Cancelled));
}
