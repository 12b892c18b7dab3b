use std::time::Duration;

use moorline_runtime::node::ThumbnailError;
use moorline_runtime::proto::ItemId;

use crate::lab::{Lab, offer, stop};

/// The smallest thing that begins like a PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-- the rest is not looked at --";

#[tokio::test]
async fn what_an_item_says_about_itself_and_its_picture_reach_other_peers() {
    let lab = Lab::new();
    let toml = "title = \"Quake III Arena\"\ndescription = \"Frag your friends.\"\nthumbnail = \"art/box.png\"\n";
    let files: [(&str, &[u8]); 3] = [("moorline.toml", toml.as_bytes()), ("art/box.png", PNG), ("data", b"x")];
    let sharer = lab.start("sharer", &[lab.item("q3", &files), lab.item("plain", &[("data", b"y")])]).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;

    let found = offer(&getter, "q3").await;
    assert_eq!(found.summary.title.as_deref(), Some("Quake III Arena"));
    assert_eq!(found.summary.description.as_deref(), Some("Frag your friends."));
    let listed = found.summary.thumbnail.expect("it is listed");
    assert_eq!((listed.media_type.as_str(), listed.bytes as usize), ("image/png", PNG.len()));
    let image = getter.thumbnail(found.summary.id).await.expect("it is served");
    assert_eq!((image.media_type.as_str(), &*image.bytes), ("image/png", PNG));

    let plain = offer(&getter, "plain").await.summary.id;
    for without in [plain, ItemId::from_bytes([1; 32])] {
        assert_eq!(getter.thumbnail(without).await, Err(ThumbnailError::NotOffered(without)));
    }
    stop(&getter).await;
    stop(&sharer).await;
}

#[tokio::test]
async fn a_picture_that_changed_is_not_passed_off_as_the_listed_one() {
    let lab = Lab::new();
    let toml = b"thumbnail = \"box.png\"\n";
    let item = lab.item("q3", &[("moorline.toml", toml), ("box.png", PNG), ("data", b"x")]);
    let mut config = lab.config("sharer", std::slice::from_ref(&item));
    // Nobody looks before somebody asks: the listing still shows the old one.
    let library = config.library.as_mut().expect("it shares");
    (library.watch, library.rescan_interval) = (false, Duration::from_secs(3600));
    let sharer = crate::lab::start(config).await;
    let getter = lab.start_with_peers("getter", &[sharer.local_addr()]).await;
    let found = offer(&getter, "q3").await.summary.id;
    std::fs::write(item.join("box.png"), [PNG, b"2"].concat()).expect("the item is writable");
    let error = getter.thumbnail(found).await.expect_err("it is another picture now");
    let ThumbnailError::Failed { peer, reason, .. } = &error else { panic!("{error}") };
    assert_eq!(peer, "sharer");
    assert!(reason.contains("changed"), "{reason}");
    stop(&getter).await;
    stop(&sharer).await;
}
