//! A download ends once, whatever ends it, and leaves nothing running.

use std::time::Duration;

use crate::support::*;
use moorline_runtime::transfer::{Disk, DownloadError, DownloadEvent, DownloadOutcome};
use tokio::time::timeout;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_it_at_once_and_what_is_there_is_resumed() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let silent = fake(1, &item, Manners { silent_after: Some(3), ..Manners::default() });
    let run_ = start(config(&item, into.path()));
    run_.add(&silent).await;
    silent.has_served(3).await;
    let began = std::time::Instant::now();
    run_.scope.cancel();
    let end = run_.end().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(matches!(end.outcome, Ok(DownloadOutcome::Cancelled)), "{end:?}");
    let end = run(config(&item, into.path()), &[&honest(2, &item)]).await;
    content.assert_at(end.finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_it_in_every_phase() {
    let item = Content::sample(8).build();
    let mute = || fake(1, &item, Manners { mute: true, ..Manners::default() });
    for sources in [vec![], vec![mute()], vec![mute(), mute()]] {
        let into = folder();
        let mut config = config(&item, into.path());
        config.first_source_timeout = DEADLINE * 2;
        config.stall_timeout = DEADLINE * 2;
        let run = start(config);
        for source in &sources {
            run.add(source).await;
        }
        tokio::task::yield_now().await;
        run.scope.cancel();
        let end = run.end().await;
        assert!(matches!(end.last(), DownloadEvent::Cancelled), "{end:?}");
        assert_eq!(staging(into.path()), None, "nothing was fetched, nothing is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_was_cancelled_before_gives_cancelled() {
    let (into, item) = (folder(), Content::sample(1).build());
    let supervisor = moorline_runtime::supervisor::Supervisor::new(Default::default());
    let scope = supervisor.root().child("download");
    scope.cancel();
    let (_sources, changes) = tokio::sync::mpsc::channel(1);
    let (sender, mut events) = tokio::sync::mpsc::channel(4);
    let ended = moorline_runtime::transfer::download(config(&item, into.path()), changes, sender, scope);
    let outcome = timeout(DEADLINE, ended).await.expect("it ends");
    assert!(matches!(outcome, DownloadOutcome::Cancelled), "{outcome:?}");
    assert!(matches!(events.recv().await, Some(DownloadEvent::Cancelled)));
    assert!(events.recv().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_task_still_tells_its_end_and_stops_all_it_started() {
    let (into, item) = (folder(), Content::sample(8).build());
    let silent = fake(1, &item, Manners { silent_after: Some(2), ..Manners::default() });
    let mut config = config(&item, into.path());
    // Nothing ends by itself while this test waits for it.
    config.stall_timeout = DEADLINE * 2;
    let run = start(config);
    run.add(&silent).await;
    silent.has_served(2).await;
    run.task.abort();
    let end = run.end().await;
    assert!(end.outcome.is_err());
    assert!(matches!(end.last(), DownloadEvent::Cancelled), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shutdown_of_the_whole_tree_ends_it() {
    let (into, item) = (folder(), Content::sample(8).build());
    let silent = fake(1, &item, Manners { silent_after: Some(2), ..Manners::default() });
    let run = start(config(&item, into.path()));
    run.add(&silent).await;
    silent.has_served(2).await;
    run.supervisor.shutdown();
    run.supervisor.wait_stopped(Duration::from_secs(10)).await.expect("no stragglers");
    assert!(matches!(run.end().await.last(), DownloadEvent::Cancelled));
}

struct PanickingDisk;

impl Disk for PanickingDisk {
    fn free_bytes(&self, _: &std::path::Path) -> std::io::Result<Option<u64>> {
        Ok(None)
    }

    fn before_write(&self, _: &str, _: u64) -> std::io::Result<()> {
        panic!("this disk panics");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_writer_or_a_source_is_a_failure_and_not_silence() {
    let item = Content::sample(3).build();
    let into = folder();
    let mut writer = config(&item, into.path());
    writer.disk = std::sync::Arc::new(PanickingDisk);
    let end = run(writer, &[&honest(1, &item)]).await;
    assert!(matches!(end.error(), DownloadError::Internal(_)), "{:?}", end.error());

    let into = folder();
    let end = run(config(&item, into.path()), &[&fake(1, &item, Manners { panics: true, ..Manners::default() })]).await;
    assert!(matches!(end.error(), DownloadError::Internal(_)), "{:?}", end.error());
}

struct PanickingLabel(std::sync::Arc<Fake>);

impl moorline_runtime::transfer::Source for PanickingLabel {
    fn peer(&self) -> moorline_proto::PeerId {
        self.0.peer
    }

    fn label(&self) -> String {
        panic!("this source has no label")
    }

    fn head(
        &self,
        _: moorline_proto::ItemId,
    ) -> moorline_runtime::transfer::BoxFuture<
        '_,
        Result<moorline_proto::ManifestHead, moorline_runtime::transfer::SourceError>,
    > {
        unreachable!("it is never asked")
    }

    fn pages(
        &self,
        _: moorline_proto::ItemId,
        _: u32,
        _: u32,
    ) -> moorline_runtime::transfer::BoxFuture<
        '_,
        Result<Vec<moorline_proto::EncodedPage>, moorline_runtime::transfer::SourceError>,
    > {
        unreachable!("it is never asked")
    }

    fn chunks(
        &self,
        _: moorline_proto::ItemId,
        _: u64,
        _: u32,
    ) -> moorline_runtime::transfer::BoxFuture<
        '_,
        Result<Box<dyn moorline_runtime::transfer::ChunkStream>, moorline_runtime::transfer::SourceError>,
    > {
        unreachable!("it is never asked")
    }

    fn condemn(&self, _: &str) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_download_itself_is_told_as_its_end() {
    let (into, item) = (folder(), Content::sample(1).build());
    let run = start(config(&item, into.path()));
    let source = std::sync::Arc::new(PanickingLabel(honest(1, &item)));
    run.sources.send(moorline_runtime::transfer::SourceChange::Added(source)).await.expect("it runs");
    let end = run.end().await;
    assert!(matches!(end.outcome, Err(moorline_runtime::supervisor::TaskError::Panicked { .. })), "{end:?}");
    assert!(matches!(end.error(), DownloadError::Internal(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_no_reason_to_stop() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let mut run = start(config(&item, into.path()));
    run.events.close();
    run.add(&honest(1, &item)).await;
    let outcome = timeout(DEADLINE, run.task).await.expect("it ends").expect("no panic");
    assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    content.assert_at(&into.path().join("item"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_does_not_listen_does_not_hold_up_the_data() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let supervisor = moorline_runtime::supervisor::Supervisor::new(Default::default());
    let scope = supervisor.root();
    let (sources, changes) = tokio::sync::mpsc::channel(4);
    let (sender, mut events) = tokio::sync::mpsc::channel(1);
    sources.send(added(&honest(1, &item))).await.expect("there is room");
    let outcome =
        timeout(DEADLINE, moorline_runtime::transfer::download(config(&item, into.path()), changes, sender, scope))
            .await;
    assert!(matches!(outcome.expect("it ends"), DownloadOutcome::Finished { .. }));
    assert!(matches!(events.recv().await, Some(DownloadEvent::Finished { .. })), "the last event is certain");
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_a_few_times_a_second_and_ends_at_the_total() {
    let (into, content) = (folder(), Content::sample(40));
    let item = content.build();
    let source = fake(1, &item, Manners { chunk_time: Duration::from_millis(50), ..Manners::default() });
    let end = run(config(&item, into.path()), &[&source]).await;
    let progress: Vec<_> = end
        .events
        .iter()
        .filter_map(|event| match event {
            DownloadEvent::Progress(progress) => Some(progress),
            _ => None,
        })
        .collect();
    // 41 chunks at 50 ms are about 2 s.
    assert!((5..=13).contains(&progress.len()), "{}", progress.len());
    assert!(progress.is_sorted_by_key(|progress| progress.bytes_done));
    let last = progress.last().expect("some");
    assert_eq!(last.bytes_total, item.head.bytes);
    assert_eq!(last.sources[0].label, "peer-1");
    assert!((10e6..30e6).contains(&last.rate), "about 20 MB/s: {}", last.rate);
}
