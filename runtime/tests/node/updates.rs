use std::fs;
use std::sync::Arc;

use moorline_discovery::memory::{Network, NetworkConfig};
use moorline_runtime::library::ShareRoot;

use crate::lab::{Lab, offer, start, stop, until};

#[tokio::test]
async fn what_changes_in_a_shared_folder_changes_at_the_peers() {
    let lab = Lab::new();
    let item = lab.item("game", &[("a", b"one")]);
    let sharer = lab.start("sharer", std::slice::from_ref(&item)).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let before = offer(&getter, "game").await.summary.id;
    fs::write(item.join("a"), b"two!").expect("a change");
    until("the changed item", || {
        let offers = getter.offers();
        (offers.len() == 1 && offers[0].summary.id != before && offers[0].summary.bytes == 4).then_some(())
    })
    .await;
    sharer.share(ShareRoot::Item(lab.item("more", &[("b", b"b")]))).await.expect("shared");
    offer(&getter, "more").await;
    fs::remove_dir_all(&item).expect("removed");
    until("the removal", || {
        let offers = getter.offers();
        (offers.len() == 1 && offers[0].summary.name == "more").then_some(())
    })
    .await;
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn nodes_find_each_other_through_discovery_alone() {
    let lab = Lab::new();
    let network = Network::new(NetworkConfig::default());
    let item = lab.item("game", &[("a", b"one")]);
    let mut config = lab.config("sharer", std::slice::from_ref(&item));
    config.discovery = Arc::new(network.join("one", vec![[127, 0, 0, 1].into()]));
    let sharer = start(config).await;
    let mut config = lab.config("getter", &[]);
    config.discovery = Arc::new(network.join("two", vec![[127, 0, 0, 1].into()]));
    let getter = start(config).await;
    offer(&getter, "game").await;
    stop(&sharer).await;
    until("the sharer is gone", || getter.offers().is_empty().then_some(())).await;
    stop(&getter).await;
}
