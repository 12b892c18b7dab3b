//! What peers see: listings, revisions, and what changed between them.

use std::collections::BTreeMap;
use std::fs;

use moorline_proto::{ItemId, ItemSummary, LibraryDelta, MAX_FRAME, Response, limits};
use moorline_runtime::library::{Library, LibraryConfig, NoticeReason, ShareRoot};

use crate::support::{Fixture, only_item, reasons};

/// What a peer knows that has followed a library.
#[derive(Default)]
struct Peer {
    items: BTreeMap<ItemId, ItemSummary>,
    revision: u64,
}

impl Peer {
    fn list(library: &Library) -> Self {
        let mut peer = Self { revision: library.digest().revision, ..Self::default() };
        let mut after = None;
        loop {
            let page = library.list_page(after);
            assert_eq!(page.revision, peer.revision);
            assert!(Response::Items(page.clone()).encode().len() <= MAX_FRAME);
            after = page.items.last().map(|item| item.id);
            peer.items.extend(page.items.into_iter().map(|item| (item.id, item)));
            if !page.more {
                return peer;
            }
        }
    }

    fn apply(&mut self, delta: LibraryDelta) {
        assert_eq!((delta.reset, delta.from), (false, self.revision));
        self.revision = delta.to;
        delta.removed.iter().for_each(|id| drop(self.items.remove(id).expect("what is removed was there")));
        self.items.extend(delta.upserts.into_iter().map(|item| (item.id, item)));
    }

    fn knows(&self, library: &Library) -> bool {
        let listed = Self::list(library);
        (&self.items, self.revision) == (&listed.items, listed.revision)
    }
}

#[tokio::test]
async fn a_peer_that_applies_each_delta_knows_what_one_knows_that_lists_anew() {
    let fixture = Fixture::new();
    let library = fixture.children_library();
    let mut peer = Peer::list(&library);
    let mut latecomer = Peer::list(&library);
    for round in 0..8u8 {
        fixture.write("always-another", [round; 3]);
        fixture.write(&format!("new-{round}"), [round]);
        if round > 3 {
            fs::remove_file(fixture.path(&format!("new-{}", round - 2))).unwrap();
        }
        fixture.scan(&library).await;
        peer.apply(library.deltas_since(peer.revision));
        assert!(peer.knows(&library), "round {round}");
    }
    latecomer.apply(library.deltas_since(latecomer.revision));
    assert!(latecomer.knows(&library));
    let nothing = library.deltas_since(peer.revision);
    assert_eq!((nothing.reset, nothing.upserts.len(), nothing.removed.len()), (false, 0, 0));
}

#[tokio::test]
async fn a_peer_that_is_too_far_behind_ahead_or_of_another_run_lists_anew() {
    let fixture = Fixture::new();
    let mut config = fixture.config(vec![ShareRoot::Children(fixture.shared())]);
    config.limits.history = 3;
    let library = Library::open(config).unwrap();
    let mut revisions = vec![library.digest().revision];
    for name in ["a", "b", "c", "d"] {
        fixture.write(name, name);
        fixture.scan(&library).await;
        revisions.push(library.digest().revision);
    }
    assert!(revisions.is_sorted_by(|a, b| a + 1 == *b), "{revisions:?}");
    let delta = library.deltas_since(revisions[1]);
    assert_eq!((delta.reset, delta.upserts.len(), delta.to), (false, 3, revisions[4]));
    for unknown in [revisions[0], 0, revisions[4] + 1, u64::MAX] {
        let delta = library.deltas_since(unknown);
        assert_eq!((delta.reset, delta.from, delta.to), (true, unknown, revisions[4]));
        assert_eq!((delta.upserts.len(), delta.removed.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_listing_and_a_delta_at_their_limits_fit_a_frame() {
    let fixture = Fixture::new();
    let mut config = fixture.config(vec![ShareRoot::Children(fixture.shared())]);
    config.limits.history = 1000;
    let library = Library::open(config).unwrap();
    let start = library.digest().revision;
    let item = |index: usize| {
        let name = format!("{index:03}{}", "n".repeat(limits::MAX_NAME - 3));
        let metadata = format!(
            "title = \"{}\"\nversion = \"{}\"\ndescription = \"{}\"\nthumbnail = \"t.webp\"",
            "t".repeat(limits::MAX_TITLE),
            "v".repeat(limits::MAX_ITEM_VERSION),
            "d".repeat(limits::MAX_DESCRIPTION),
        );
        fixture.write(&format!("{name}/moorline.toml"), metadata);
        fixture.write(&format!("{name}/t.webp"), name);
    };
    (0..limits::MAX_ITEMS).for_each(item);
    fixture.scan(&library).await;
    let page = library.list_page(None);
    assert_eq!((page.items.len(), page.more), (limits::MAX_ITEMS, false));
    assert_eq!(page.items[0].title.as_ref().unwrap().len(), limits::MAX_TITLE);
    let delta = library.deltas_since(start);
    assert_eq!((delta.upserts.len(), delta.reset), (limits::MAX_ITEMS, false));
    let frame = Response::Delta(delta).encode();
    assert!(frame.len() <= MAX_FRAME, "{}", frame.len());
    Response::decode(&frame).unwrap();

    item(limits::MAX_ITEMS);
    fixture.scan(&library).await;
    let page = library.list_page(None);
    assert_eq!((page.items.len(), page.more), (limits::MAX_ITEMS, true));
    assert!(library.deltas_since(start).reset, "one item more than a delta holds");
    let rest = library.list_page(page.items.last().map(|item| item.id));
    assert_eq!((rest.items.len(), rest.more), (1, false));
}

#[tokio::test]
async fn the_same_content_in_two_places_is_one_offer_that_outlives_either_place() {
    let fixture = Fixture::new();
    fixture.write("one/file", "same");
    fixture.write("two/file", "same");
    let library = fixture.children_library();
    let mut peer = Peer::list(&library);
    fixture.scan(&library).await;
    let id = only_item(&library).id();
    assert_eq!(only_item(&library).summary().name, "one");
    peer.apply(library.deltas_since(peer.revision));

    fs::remove_dir_all(fixture.path("one")).unwrap();
    fixture.scan(&library).await;
    assert_eq!((only_item(&library).id(), only_item(&library).summary().name.as_str()), (id, "two"));
    peer.apply(library.deltas_since(peer.revision));
    assert!(peer.knows(&library));

    fs::remove_dir_all(fixture.path("two")).unwrap();
    fixture.scan(&library).await;
    peer.apply(library.deltas_since(peer.revision));
    assert!(peer.items.is_empty() && library.item(&id).is_none());
}

#[tokio::test]
async fn equal_libraries_have_equal_digests_and_other_metadata_makes_another() {
    let (one, two) = (Fixture::new(), Fixture::new());
    for fixture in [&one, &two] {
        fixture.write("b/file", "b");
        fixture.write("a/file", "a");
    }
    let (first, second) = (one.children_library(), two.children_library());
    let empty = first.digest();
    one.scan(&first).await;
    two.scan(&second).await;
    assert_ne!(first.digest().hash, empty.hash);
    assert_eq!((first.digest().hash, first.digest().items), (second.digest().hash, 2));
    fs::rename(two.path("a"), two.path("c")).unwrap();
    two.scan(&second).await;
    assert_ne!(first.digest().hash, second.digest().hash, "the same contents under another name");
}

#[tokio::test]
async fn the_revision_can_be_awaited_and_starts_elsewhere_in_each_run() {
    let fixture = Fixture::new();
    fixture.write("file", "file");
    let library = fixture.item_library();
    let mut revision = library.revision();
    assert_eq!(*revision.borrow_and_update(), library.digest().revision);
    fixture.scan(&library).await;
    assert!(revision.has_changed().unwrap());
    assert_eq!(*revision.borrow_and_update(), library.digest().revision);
    fixture.scan(&library).await;
    assert!(!revision.has_changed().unwrap());

    let first = |entropy| LibraryConfig::new("cache", entropy).first_revision;
    assert_ne!(first([1; 8]), first([2; 8]));
    assert_eq!(first([0; 8]), 1, "zero is what a peer says that knows nothing");
    assert!(first([0xff; 8]).checked_add(1 << 62).is_some(), "room to count");
}

#[tokio::test]
async fn metadata_is_shown_and_what_is_wrong_with_it_spoils_nothing_else() {
    let fixture = Fixture::new();
    fixture.write(
        "good/moorline.toml",
        "title = \" Quake \"\nversion = \"1.06\"\ndescription = \"\"\"\nline\r\nline\"\"\"\nfuture = [1]\n",
    );
    fixture.write("bad-toml/moorline.toml", "title = ");
    fixture.write("bad-types/moorline.toml", "title = 5\nversion = \"2\"\nthumbnail = [\"x.png\"]");
    fixture.write("too-long/moorline.toml", format!("title = \"{}\"\nversion = \"3\"", "x".repeat(129)));
    fixture.write("control/moorline.toml", "title = \"\\u001b[31mred\"\nversion = \"4\"");
    fixture.write("huge/moorline.toml", format!("version = \"5\"\n#{}", "x".repeat(64 * 1024)));
    for (name, thumbnail) in [
        ("outside", "../good/x.png"),
        ("absolute", "/etc/x.png"),
        ("no-image", "moorline.toml"),
        ("missing", "x.png"),
        ("too-large", "large.jpg"),
    ] {
        fixture.write(&format!("{name}/moorline.toml"), format!("version = \"6\"\nthumbnail = \"{thumbnail}\""));
    }
    fixture.write("too-large/large.jpg", vec![1; limits::MAX_THUMBNAIL + 1]);
    fixture.write("largest/moorline.toml", "thumbnail = \"large.jpg\"");
    fixture.write("largest/large.jpg", vec![1; limits::MAX_THUMBNAIL]);
    let library = fixture.children_library();
    fixture.scan(&library).await;
    let shown: BTreeMap<String, ItemSummary> =
        library.items().iter().map(|item| (item.summary().name.clone(), item.summary().clone())).collect();
    assert_eq!(shown.len(), 12, "{:?}", library.notices());
    let good = &shown["good"];
    assert_eq!((good.title.as_deref(), good.version.as_deref()), (Some("Quake"), Some("1.06")));
    assert_eq!(good.description.as_deref(), Some("line\nline"));
    assert!(reasons(&library, "good/moorline.toml").is_empty());
    for (name, version, notices) in [
        ("bad-toml", None, 1),
        ("bad-types", Some("2"), 2),
        ("too-long", Some("3"), 1),
        ("control", Some("4"), 1),
        ("huge", None, 1),
        ("outside", Some("6"), 1),
        ("absolute", Some("6"), 1),
        ("no-image", Some("6"), 1),
        ("missing", Some("6"), 1),
        ("too-large", Some("6"), 1),
    ] {
        let item = &shown[name];
        assert_eq!((item.title.as_deref(), item.version.as_deref(), &item.thumbnail), (None, version, &None), "{name}");
        let reasons = reasons(&library, &format!("{name}/moorline.toml"));
        assert_eq!(reasons.len(), notices, "{name}: {reasons:?}");
        assert!(reasons.iter().all(|reason| matches!(reason, NoticeReason::Metadata(_))), "{name}: {reasons:?}");
        item.check().unwrap();
    }
    assert_eq!(shown["largest"].thumbnail.as_ref().unwrap().bytes as usize, limits::MAX_THUMBNAIL);
}
