//! Sources that are slow, silent, gone or lying: the item still arrives, and who is at fault is named.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::*;
use moorline_proto::ErrorCode;
use moorline_runtime::transfer::{DownloadError, DownloadEvent, DownloadOutcome, SourceChange, WhenAlone};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn all_sources_share_the_work_and_the_faster_one_does_more_of_it() {
    let (into, content) = (folder(), Content::sample(60));
    let item = content.build();
    let slow = fake(1, &item, Manners { chunk_time: ms(40), ..Manners::default() });
    let fast = fake(2, &item, Manners { chunk_time: ms(8), ..Manners::default() });
    let mut config = config(&item, into.path());
    config.max_batch = 2;
    let end = run(config, &[&slow, &fast]).await;
    content.assert_at(end.finished());
    let (slow, fast) = (slow.count(), fast.count());
    assert!(slow >= 3 && fast > 2 * slow, "slow {slow}, fast {fast}");
    assert_eq!(end.stats().sources.len(), 2);
    assert_eq!(end.dropped(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_named_and_dropped_and_the_item_arrives_from_another() {
    let (into, content) = (folder(), Content::sample(12));
    let item = content.build();
    let liar = fake(1, &item, Manners { bad_chunks: (3..13).collect(), ..Manners::default() });
    let mut run = start(config(&item, into.path()));
    run.add(&liar).await;
    run.until(|event| matches!(event, DownloadEvent::SourceDropped { .. })).await;
    // It may try again as often as it likes.
    run.add(&liar).await;
    let good = honest(2, &item);
    run.add(&good).await;
    let end = run.end().await;
    content.assert_at(end.finished());
    let dropped = end.dropped();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert_eq!(dropped[0].0, "peer-1");
    assert!(dropped[0].1.contains("bad content") && dropped[0].1.contains("big.bin"), "{dropped:?}");
    assert_eq!(liar.condemned.lock().expect("no panic").len(), 1);
    assert!(end.stats().wasted_bytes >= CHUNK as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_liars_only_nothing_appears() {
    let (into, item) = (folder(), Content::sample(1).build());
    let liars: Vec<_> =
        (1..4).map(|n| fake(n, &item, Manners { bad_chunks: (0..9).collect(), ..Manners::default() })).collect();
    let end = run(config(&item, into.path()), &liars.iter().collect::<Vec<_>>()).await;
    assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)), "{end:?}");
    assert_eq!((end.dropped().len(), end.times_alone()), (3, 1));
    assert!(!into.path().join("item").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_or_a_page_that_lies_puts_its_source_out() {
    let (content, other) = (Content::sample(2), Content::sample(3).build());
    let item = content.build();
    let mut cut = item.pages.clone();
    cut[0].content = cut[0].content.slice(..cut[0].content.len() - 1);
    let mut times = item.pages.clone();
    times[0].modified_ms.push(5);
    let manners = [
        Manners { head: Some(other.head.clone()), ..Manners::default() },
        Manners { pages: Some(other.pages.clone()), ..Manners::default() },
        Manners { pages: Some(Vec::new()), ..Manners::default() },
        Manners { pages: Some(cut), ..Manners::default() },
        Manners { pages: Some(times), ..Manners::default() },
    ];
    for manners in manners {
        let into = folder();
        let liar = fake(1, &item, manners);
        let end = run(config(&item, into.path()), &[&liar, &honest(2, &item)]).await;
        content.assert_at(end.finished());
        assert_eq!(liar.condemned.lock().expect("no panic").len(), 1, "{:?}", end.dropped());
        assert_eq!(end.dropped()[0].0, "peer-1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_announces_other_lengths_is_put_out() {
    let (into, content) = (folder(), Content::sample(2));
    let item = content.build();
    let liar = fake(1, &item, Manners { announces_more: 1, ..Manners::default() });
    let end = run(config(&item, into.path()), &[&liar, &honest(2, &item)]).await;
    content.assert_at(end.finished());
    assert!(end.dropped()[0].1.contains("announces"), "{:?}", end.dropped());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_falls_silent_loses_its_work_at_once_and_its_place_after_the_deadline() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let silent = fake(1, &item, Manners { silent_after: Some(1), ..Manners::default() });
    let good = fake(2, &item, Manners { chunk_time: ms(100), ..Manners::default() });
    let end = run(config(&item, into.path()), &[&silent, &good]).await;
    content.assert_at(end.finished());
    assert!(end.stats().elapsed < Duration::from_secs(4), "nobody waits for the silent one: {:?}", end.stats().elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_dropped_by_the_deadline() {
    let (into, item) = (folder(), Content::new().file("a", noise(100_000, 1)).file("b", noise(CHUNK, 2)).build());
    for manners in [
        Manners { mute: true, ..Manners::default() },
        Manners { silent_after: Some(1), ..Manners::default() },
        // A byte each second.
        Manners { byte_time: Some(Duration::from_secs(1)), ..Manners::default() },
        // A little below and above the least rate of 64 KiB in 10 s.
        Manners { byte_time: Some(Duration::from_micros(160)), ..Manners::default() },
    ] {
        let end = run(config(&item, into.path()), &[&fake(1, &item, manners)]).await;
        assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)), "{end:?}");
        assert!(end.dropped()[0].1.contains("no progress for 10 s"), "{:?}", end.dropped());
        assert_eq!(end.times_alone(), 1);
    }
    let item = Content::new().file("a", noise(100_000, 1)).build();
    let enough = fake(1, &item, Manners { byte_time: Some(Duration::from_micros(150)), ..Manners::default() });
    run(config(&item, into.path()), &[&enough]).await.finished();
}

#[tokio::test(start_paused = true)]
async fn a_mute_source_does_not_hold_up_the_manifest() {
    let (into, item) = (folder(), Content::sample(2).build());
    let mute = fake(1, &item, Manners { mute: true, ..Manners::default() });
    let end = run(config(&item, into.path()), &[&mute, &honest(2, &item)]).await;
    assert!(end.stats().elapsed < Duration::from_secs(9), "{:?}", end.stats().elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_busy_source_is_asked_again_and_one_that_stays_busy_is_dropped() {
    let (into, content) = (folder(), Content::sample(2));
    let item = content.build();
    let busy = fake(1, &item, Manners { refusals: Some((3, ErrorCode::Busy)), ..Manners::default() });
    let end = run(config(&item, into.path()), &[&busy]).await;
    content.assert_at(end.finished());
    assert_eq!(end.dropped(), []);

    let into = folder();
    let busy = fake(1, &item, Manners { refusals: Some((usize::MAX, ErrorCode::Busy)), ..Manners::default() });
    let end = run(config(&item, into.path()), &[&busy]).await;
    assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)), "{end:?}");
    assert!(end.dropped()[0].1.contains("failed 5 times"), "{:?}", end.dropped());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_this_version_is_dropped_but_not_condemned() {
    for code in [ErrorCode::NotFound, ErrorCode::Changed] {
        let (into, content) = (folder(), Content::sample(2));
        let item = content.build();
        let stale = fake(1, &item, Manners { refusals: Some((9, code)), ..Manners::default() });
        let end = run(config(&item, into.path()), &[&stale, &honest(2, &item)]).await;
        content.assert_at(end.finished());
        assert!(stale.condemned.lock().expect("no panic").is_empty());
        assert!(end.dropped()[0].1.contains("this version"), "{:?}", end.dropped());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_are_gone_that_is_the_end_and_no_failure() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let leaves = fake(1, &item, Manners { gone_after: Some(3), ..Manners::default() });
    let end = run(config(&item, into.path()), &[&leaves]).await;
    assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)), "{end:?}");
    assert!(matches!(end.last(), DownloadEvent::AllPeersGone { waiting: false }));
    assert_eq!(end.times_alone(), 1);
    assert!(staging(into.path()).is_some(), "what it has is kept");
    let back = honest(1, &item);
    let end = run(config(&item, into.path()), &[&back]).await;
    content.assert_at(end.finished());
    assert!(end.stats().resumed_bytes > 0);
    assert_eq!(back.count() + leaves.count(), item.chunks.len(), "nothing is fetched twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_download_goes_on_when_a_source_returns() {
    let (into, content) = (folder(), Content::sample(8));
    let item = content.build();
    let mut config = config(&item, into.path());
    config.when_alone = WhenAlone::Wait;
    let mut run = start(config);
    for (number, after) in [(1, 2), (2, 3)] {
        let leaves = fake(number, &item, Manners { gone_after: Some(after), ..Manners::default() });
        run.add(&leaves).await;
        run.until(|event| matches!(event, DownloadEvent::AllPeersGone { waiting: true })).await;
    }
    run.add(&honest(1, &item)).await;
    let end = run.end().await;
    content.assert_at(end.finished());
    assert_eq!(end.times_alone(), 2, "once each time");
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_by_its_deadline_or_when_nobody_can_come() {
    let (into, item) = (folder(), Content::sample(8).build());
    let mut bounded = config(&item, into.path());
    bounded.when_alone = WhenAlone::Wait;
    bounded.alone_deadline = Some(Duration::from_secs(30));
    let leaves = fake(1, &item, Manners { gone_after: Some(3), ..Manners::default() });
    let end = run(bounded.clone(), &[&leaves]).await;
    let DownloadEvent::GaveUp { waited } = end.last() else { panic!("{end:?}") };
    assert_eq!(waited.as_secs(), 30);
    assert!(matches!(end.outcome, Ok(DownloadOutcome::AllPeersGone)));
    assert_eq!(end.times_alone(), 1);

    bounded.alone_deadline = None;
    let mut run = start(bounded);
    // The last sender is dropped: nobody can come any more.
    run.sources = tokio::sync::mpsc::channel(1).0;
    let end = run.end().await;
    assert!(matches!(end.last(), DownloadEvent::GaveUp { .. }), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn without_any_source_the_download_is_alone_after_a_while() {
    let (into, item) = (folder(), Content::sample(1).build());
    let mut config = config(&item, into.path());
    config.first_source_timeout = Duration::from_secs(7);
    let began = tokio::time::Instant::now();
    let end = run(config, &[]).await;
    assert!(matches!(end.last(), DownloadEvent::AllPeersGone { waiting: false }));
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(staging(into.path()), None, "nothing was fetched, nothing is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_replaced_is_not_an_absence() {
    let (into, content) = (folder(), Content::sample(20));
    let item = content.build();
    let mut config = config(&item, into.path());
    config.alone_grace = Duration::from_secs(5);
    let first = fake(1, &item, Manners { silent_after: Some(3), ..Manners::default() });
    let run = start_with(config, &[&first]);
    first.has_served(3).await;
    run.sources.send(SourceChange::Removed(first.peer)).await.expect("it runs");
    run.add(&honest(1, &item)).await;
    let end = run.end().await;
    content.assert_at(end.finished());
    assert_eq!(end.times_alone(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_sources_in_flight_are_bounded() {
    let (into, content) = (folder(), Content::sample(40));
    let item = content.build();
    let mut config = config(&item, into.path());
    (config.active_sources, config.max_sources, config.pipeline) = (2, 3, 3);
    let sources: Vec<_> =
        (1..=4).map(|n| fake(n, &item, Manners { chunk_time: ms(2), ..Manners::default() })).collect();
    let end = run(config, &sources.iter().collect::<Vec<_>>()).await;
    content.assert_at(end.finished());
    let most: Vec<usize> = sources.iter().map(|source| source.most_open.load(Ordering::SeqCst)).collect();
    assert!(most.iter().all(|most| *most <= 3), "{most:?}");
    assert_eq!(most.iter().filter(|most| **most > 0).count(), 2, "two at work, the others stand by: {most:?}");
    assert!(end.dropped().iter().any(|(who, why)| who == "peer-4" && why.contains("3 sources")), "{:?}", end.dropped());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_standing_by_takes_the_place_of_one_that_left() {
    let (into, content) = (folder(), Content::sample(12));
    let item = content.build();
    let mut config = config(&item, into.path());
    config.active_sources = 1;
    let leaves = fake(1, &item, Manners { gone_after: Some(3), ..Manners::default() });
    let end = run(config, &[&leaves, &honest(2, &item)]).await;
    content.assert_at(end.finished());
    assert_eq!(end.times_alone(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_malformed_from_its_maker_fails_and_nobody_else_is_blamed() {
    // A head that is consistent with itself and names a page that is none.
    let good = Content::sample(1).build();
    let mut head = good.head.clone();
    let page =
        moorline_proto::EncodedPage { content: bytes::Bytes::from_static(b"\x01no page"), modified_ms: Vec::new() };
    head.pages[0].hash = page.hash();
    let item = std::sync::Arc::new(Item {
        id: head.item_id(),
        head,
        pages: vec![page],
        chunks: good.chunks.clone(),
        content: good.content.clone(),
    });
    let (into, source) = (folder(), honest(1, &item));
    let end = run(config(&item, into.path()), &[&source]).await;
    assert!(matches!(end.error(), DownloadError::BadItem { .. }), "{:?}", end.error());
    assert!(source.condemned.lock().expect("no panic").is_empty());
}
