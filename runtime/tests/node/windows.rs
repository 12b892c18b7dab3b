use moorline_runtime::node::DownloadRequest;
use moorline_runtime::transfer::{DownloadEvent, DownloadOutcome};
use tokio::time::timeout;

use crate::lab::{Lab, PATIENCE, offer, start, stop};

#[tokio::test]
async fn answers_that_wait_to_be_read_never_stop_those_that_are_read() {
    const ITEMS: usize = 4;
    const ITEM_MIB: u64 = 48;
    let lab = Lab::new();
    let items: Vec<_> = (0..ITEMS).map(|n| lab.item(&format!("item {n}"), &[("n", &[n as u8])])).collect();
    for (n, item) in items.iter().enumerate() {
        let file = std::fs::File::create(item.join("big.bin")).expect("file");
        file.set_len(ITEM_MIB << 20).expect("length");
        for chunk in 0..ITEM_MIB {
            let mark = [n as u64, chunk].map(u64::to_le_bytes).concat();
            std::os::unix::fs::FileExt::write_all_at(&file, &mark, chunk << 20).expect("content");
        }
    }
    let mut config = lab.config("sharer", &items);
    // Everything that is asked for is answered at once.
    config.limits.uploads_per_peer = 64;
    config.limits.uploads = 64;
    let sharer = start(config).await;
    let mut config = lab.config("getter", &[]);
    config.peers = vec![sharer.local_addr()];
    // The least that is allowed: two answers that nobody reads would fill the connection.
    config.endpoint.tuning.stream_window = 1 << 20;
    config.endpoint.tuning.connection_window = 2 << 20;
    let getter = start(config).await;

    let mut downloads = Vec::new();
    for n in 0..ITEMS {
        let found = offer(&getter, &format!("item {n}")).await;
        downloads.push(getter.download(DownloadRequest::new(found.summary.id, lab.path("into"))).await.expect("begun"));
    }
    for mut download in downloads {
        timeout(PATIENCE, async {
            while let Some(event) = download.next().await {
                assert!(!matches!(event, DownloadEvent::SourceDropped { .. }), "{event:?}");
            }
        })
        .await
        .expect("the download moves on");
        let outcome = download.outcome().await;
        assert!(matches!(outcome, DownloadOutcome::Finished { .. }), "{outcome:?}");
    }
    stop(&getter).await;
    stop(&sharer).await;
}
