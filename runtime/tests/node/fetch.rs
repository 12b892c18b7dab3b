use moorline_runtime::node::{DownloadRequest, NodeEvent};
use moorline_runtime::transfer::DownloadOutcome;
use tokio::time::timeout;

use crate::lab::{Lab, PATIENCE, event, offer, start, stop, tree};

#[tokio::test]
async fn what_one_node_shares_another_fetches_whole() {
    let lab = Lab::new();
    let chunk = vec![7; 1 << 20];
    let item = lab.item("game", &[("a.txt", b"hello"), ("deep/er/b.bin", &chunk), ("empty.txt", b""), ("-dash", b"x")]);
    std::fs::create_dir(item.join("empty folder")).expect("folder");
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;

    let found = offer(&getter, "game").await;
    assert_eq!(found.providers.len(), 1);
    assert_eq!(found.providers[0].name, "sharer");
    let request = DownloadRequest::new(found.summary.id, lab.path("into"));
    let download = getter.download(request).await.expect("the download starts");
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(
        matches!(&outcome, DownloadOutcome::Finished { path, .. } if *path == lab.path("into").join("game")),
        "{outcome:?}"
    );
    assert_eq!(tree(&item), tree(&lab.path("into").join("game")));
    assert_eq!(getter.active_downloads(), 0);
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn two_sharers_of_one_item_are_one_offer_and_both_are_used() {
    let lab = Lab::new();
    let item = lab.big_item("game", 96);
    let one = lab.start("one", std::slice::from_ref(&item)).await;
    let two = lab.start("two", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[one.local_addr(), two.local_addr()]).await;
    let found =
        crate::lab::until("both providers", || getter.offers().into_iter().find(|offer| offer.providers.len() == 2))
            .await;
    let download =
        getter.download(DownloadRequest::new(found.summary.id, lab.path("into"))).await.expect("the download starts");
    match timeout(PATIENCE, download.outcome()).await.expect("in time") {
        DownloadOutcome::Finished { stats, .. } => {
            assert_eq!(stats.sources.len(), 2, "{stats:?}");
            assert!(stats.sources.iter().all(|source| source.bytes > 0), "{stats:?}");
        }
        other => panic!("{other:?}"),
    }
    for node in [&getter, &one, &two] {
        stop(node).await;
    }
}

#[tokio::test]
async fn a_finished_download_is_shared_on_when_asked() {
    let lab = Lab::new();
    let item = lab.item("song", &[("a.ogg", b"la la")]);
    let first = lab.start("first", std::slice::from_ref(&item)).await;
    let mut config = lab.config("second", &[lab.item("other", &[("x", b"x")])]);
    config.peers = vec![first.local_addr()];
    let second = start(config).await;
    let third = lab.start_with_peers("third", &[second.local_addr()]).await;

    let found = offer(&second, "song").await;
    let request = DownloadRequest { share: true, ..DownloadRequest::new(found.summary.id, lab.path("second-into")) };
    let download = second.download(request).await.expect("the download starts");
    let outcome = timeout(PATIENCE, download.outcome()).await.expect("in time");
    assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    let seen = offer(&third, "song").await;
    assert_eq!(seen.summary.id, found.summary.id, "the same content has the same id wherever it is");
    for node in [&third, &second, &first] {
        stop(node).await;
    }
}

#[tokio::test]
async fn the_sharer_hears_who_fetches_what_once() {
    let lab = Lab::new();
    let item = lab.big_item("game", 40);
    let mut sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let mut events = sharer.events();
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let found = offer(&getter, "game").await;
    let download =
        getter.download(DownloadRequest::new(found.summary.id, lab.path("into"))).await.expect("the download starts");
    timeout(PATIENCE, download.outcome()).await.expect("in time");
    stop(&getter).await;
    let mut uploads = 0;
    event(&mut events, "end of the getter", |event| {
        uploads += usize::from(matches!(event, NodeEvent::UploadStarted { name, item, .. } if name == "getter" && *item == found.summary.id));
        matches!(event, NodeEvent::PeerDown { .. }).then_some(())
    })
    .await;
    assert_eq!(uploads, 1);
    stop(&sharer).await;
}
