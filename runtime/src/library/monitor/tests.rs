use std::fs;
use std::io;

use super::*;
use crate::library::{LibraryConfig, ShareRoot};
use crate::supervisor::{Supervisor, SupervisorConfig};

async fn wait_until(library: &Library, what: &str, mut wanted: impl FnMut(&Library) -> bool) {
    let mut activity = library.activity();
    let waiting = async {
        while !wanted(library) {
            activity.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_watcher_changes_are_found_by_looking_and_a_notice_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let shared = temp.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("item"), "before").unwrap();
    let mut config = LibraryConfig::new(temp.path().join("cache"), [1; 8]);
    config.roots = vec![ShareRoot::Children(shared.clone())];
    config.rescan_interval = Duration::from_millis(200);
    config.settle = Duration::from_millis(100);
    let library = Library::open(config).unwrap();
    let supervisor = Supervisor::new(SupervisorConfig::default());
    let (allow, allowed) = tokio::sync::watch::channel(false);
    let start: StartWatcher = Box::new(move |capacity| {
        if *allowed.borrow() {
            return Watcher::start(capacity);
        }
        Err(notify::Error::io(io::Error::other("too many watchers")))
    });
    let scope = supervisor.root();
    let monitor = scope.spawn("monitor", run_with(library.clone(), scope.clone(), start));

    wait_until(&library, "what is there is offered", |library| library.items().len() == 1).await;
    let notices = library.notices();
    let [notice] = &notices.list[..] else { panic!("{notices:?}") };
    assert!(matches!(&notice.reason, NoticeReason::NotWatched(why) if why.contains("too many watchers")), "{notice}");
    fs::write(shared.join("new"), "new").unwrap();
    wait_until(&library, "what is new is found", |library| library.items().len() == 2).await;
    fs::remove_file(shared.join("item")).unwrap();
    wait_until(&library, "what is gone is withdrawn", |library| library.items().len() == 1).await;
    allow.send(true).unwrap();
    wait_until(&library, "it watches once it can", |library| library.notices().total == 0).await;
    scope.cancel();
    monitor.await.unwrap().unwrap();
}
