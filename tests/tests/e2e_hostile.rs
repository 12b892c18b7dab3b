//! Peers that lie, stall and flood: the item arrives from an honest one, the other is named, and nothing is held up for ever.

use std::{
    cell::Cell,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use moorline_proto::{ItemId, MAX_FRAME, Request, limits};
use moorline_tests::{
    hostile::{Client, Hostile, Lie, Occupier, Trickler},
    moorline::{Ended, Home, SOON},
    proc,
    sample::{self, CHUNK, MIB},
    scene::{BY_ADDRESS, Sharer, downloads, get},
    tree::{assert_same, tree},
};

/// How long a source may deliver nothing before others do its work; and then the work itself.
const PATIENCE: Duration = Duration::from_secs(40);

/// Requests of one peer that are served at the same time.
const SHARE: usize = 3;

/// Requests of all peers that are served at the same time.
const PLACES: usize = 24;

/// Peers that can hold every place.
const PEERS: usize = PLACES / SHARE;

struct Scene {
    alice: Home,
    bob: Home,
    sharer: Sharer,
}

fn scene() -> Scene {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 100 * CHUNK + 1, 1);
    sample::small_files(&alice.path("Quake/small"), 500, 3000);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &["--name", "honest"]);
    Scene { alice, bob, sharer }
}

/// Fetches from a hostile peer and the honest one behind it: whole, correct, in time, with the hostile one named.
#[track_caller]
fn arrives_despite(lie: Lie) -> Ended {
    let scene = scene();
    let liar = Hostile::start("mallory", scene.sharer.addr, lie);
    let ended = get(&scene.bob, "Quake", &[liar.addr, scene.sharer.addr], &downloads(&scene.bob), &[]).ended(PATIENCE);
    ended.assert_code(0);
    assert!(liar.lies() > 0, "the hostile peer was never asked, so nothing was shown\n{ended}");
    assert_same(&tree(&scene.alice.path("Quake")), &tree(&downloads(&scene.bob).join("Quake")));
    ended
}

#[track_caller]
fn assert_names_the_liar(ended: &Ended) {
    let mut dropped = ended.events().into_iter().filter(|event| event["type"] == "source_dropped");
    let named = dropped.any(|event| event["peer_name"] == "mallory" && event["bad_content"] == true);
    assert!(named, "nothing names the liar\n{ended}");
}

/// Programs and people are told who it was, and what was wrong.
#[track_caller]
fn assert_tells_what_the_liar_did(ended: &Ended, what: &str) {
    assert_names_the_liar(ended);
    let mut dropped = ended.events().into_iter().filter(|event| event["type"] == "source_dropped");
    let liar = dropped.find(|event| event["peer_name"] == "mallory").unwrap_or_default();
    let reason = liar["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(what), "{what:?} is not the reason in {liar}");
    assert!(ended.stderr.contains(&format!("not from mallory any more: {reason}")), "{ended}");
}

#[test]
fn a_peer_with_wrong_bytes_is_dropped_and_named() {
    let ended = arrives_despite(Lie::WrongBytes);
    assert_names_the_liar(&ended);
}

#[test]
fn a_peer_that_never_answers_loses_its_work() {
    arrives_despite(Lie::Silence);
}

#[test]
fn a_peer_that_sends_a_byte_a_minute_loses_its_work() {
    arrives_despite(Lie::ByteAMinute);
}

#[test]
fn a_lone_peer_that_never_answers_is_named_with_what_it_failed_to_do() {
    assert_told_of_a_stall(Lie::Silence);
}

#[test]
fn a_lone_peer_that_sends_a_byte_a_minute_is_named_with_what_it_failed_to_do() {
    assert_told_of_a_stall(Lie::ByteAMinute);
}

/// With nobody to take its work over, the last word says who stalled, and for how long.
#[track_caller]
fn assert_told_of_a_stall(lie: Lie) {
    let scene = scene();
    let liar = Hostile::start("mallory", scene.sharer.addr, lie);
    let ended = get(&scene.bob, "Quake", &[liar.addr], &downloads(&scene.bob), &["--no-wait"]).ended(PATIENCE);
    ended.assert_code(4);
    assert!(liar.lies() > 0, "the hostile peer was never asked, so nothing was shown\n{ended}");
    let dropped = ended.only("source_dropped");
    let who = (dropped["peer"].as_str(), dropped["peer_name"].as_str(), dropped["bad_content"].as_bool());
    assert_eq!(who, (Some(liar.peer.as_str()), Some("mallory"), Some(false)), "{dropped}");
    let stalled = "it made no progress for 10 s";
    assert_eq!(dropped["reason"], stalled);
    for said in [ended.only("failed")["reason"].to_string(), ended.only("error")["message"].to_string()] {
        assert!(said.contains(&format!("mallory: {stalled}")), "{said}");
    }
    // The same for people: when it happens, and as the last word.
    assert!(ended.stderr.contains(&format!("not from mallory any more: {stalled}")), "{ended}");
    let last = ended.stderr.lines().find(|line| line.starts_with("error:")).unwrap_or_default();
    assert!(last.contains(&format!("mallory: {stalled}")), "{ended}");
    assert!(!downloads(&scene.bob).join("Quake").exists());
}

#[test]
fn a_frame_over_the_limit_is_refused() {
    let ended = arrives_despite(Lie::HugeFrame);
    assert_tells_what_the_liar_did(&ended, &format!("a frame of {} bytes is over the limit of {MAX_FRAME}", u32::MAX));
}

#[test]
fn random_bytes_in_place_of_a_frame_are_refused() {
    let ended = arrives_despite(Lie::Garbage);
    // Their first four were read as a length.
    assert_tells_what_the_liar_did(&ended, &format!("bytes is over the limit of {MAX_FRAME}"));
}

#[test]
fn a_reply_of_another_length_is_refused() {
    assert_tells_what_the_liar_did(&arrives_despite(Lie::TooMuch), "it announces");
    assert_tells_what_the_liar_did(&arrives_despite(Lie::TooLittle), "before the end of what was announced");
}

#[test]
fn a_manifest_whose_totals_lie_is_refused() {
    let ended = arrives_despite_or_unasked(Lie::WrongTotals);
    assert_names_the_liar(&ended);
}

#[test]
fn a_manifest_whose_pages_are_others_is_refused() {
    let ended = arrives_despite_or_unasked(Lie::WrongPages);
    assert_names_the_liar(&ended);
}

/// Which peer is asked for the manifest is up to the program: the hostile one is there first, and alone.
#[track_caller]
fn arrives_despite_or_unasked(lie: Lie) -> Ended {
    let scene = scene();
    let liar = Hostile::start("mallory", scene.sharer.addr, lie);
    let alone = get(&scene.bob, "Quake", &[liar.addr], &downloads(&scene.bob), &["--no-wait"]).ended(PATIENCE);
    assert!(liar.lies() > 0, "the hostile peer was never asked, so nothing was shown\n{alone}");
    assert_ne!(alone.code(), Some(0), "{alone}");
    assert!(!downloads(&scene.bob).join("Quake").exists());
    // What it said has spoilt nothing for the next run.
    let addrs = [liar.addr, scene.sharer.addr];
    get(&scene.bob, "Quake", &addrs, &downloads(&scene.bob), &[]).ended(PATIENCE).assert_code(0);
    assert_same(&tree(&scene.alice.path("Quake")), &tree(&downloads(&scene.bob).join("Quake")));
    alone
}

#[test]
fn a_lone_liar_gets_nothing_under_the_final_name() {
    let scene = scene();
    let liar = Hostile::start("mallory", scene.sharer.addr, Lie::WrongBytes);
    let ended = get(&scene.bob, "Quake", &[liar.addr], &downloads(&scene.bob), &["--no-wait"]).ended(PATIENCE);
    assert_ne!(ended.code(), Some(0), "{ended}");
    assert_names_the_liar(&ended);
    assert!(!downloads(&scene.bob).join("Quake").exists());
}

#[test]
fn a_listing_without_end_is_cut() {
    /// Items that are taken over from one peer.
    const ITEMS: usize = 4096;
    let (pages, peak) = arrives_despite_endless_listings(1);
    assert!(pages > (ITEMS / limits::MAX_ITEMS) as u64, "only {pages} pages were asked for, which have room");
    assert!(peak < 110 * MIB, "the getter had {} MiB after {pages} pages", peak / MIB);
}

#[test]
fn listings_without_end_share_the_room_that_there_is_for_all() {
    /// Memory for all listings.
    const ROOM: u64 = 32 * MIB;
    let (pages, peak) = arrives_despite_endless_listings(4);
    let bytes = pages * (limits::MAX_ITEMS * (limits::MAX_NAME + limits::MAX_DESCRIPTION + 512)) as u64;
    assert!(bytes > ROOM, "only {pages} pages were asked for, which have room");
    // The room, a copy of what is in it where somebody looks for an item, and what a transfer needs in any case.
    assert!(peak < 2 * ROOM + 96 * MIB, "the getter had {} MiB after {pages} pages", peak / MIB);
}

/// Fetches from an honest peer among so many whose listings never end. Answers how many pages of those were asked for, and the most
/// memory that the getter had.
#[track_caller]
fn arrives_despite_endless_listings(liars: usize) -> (u64, u64) {
    let scene = scene();
    let start = |_| Hostile::start("mallory", scene.sharer.addr, Lie::EndlessListing);
    let liars: Vec<Hostile> = (0..liars).map(start).collect();
    let addrs: Vec<SocketAddr> = liars.iter().map(|liar| liar.addr).chain([scene.sharer.addr]).collect();
    let mut getter = get(&scene.bob, "Quake", &addrs, &downloads(&scene.bob), &[]);
    let (pid, peak) = (getter.pid(), Cell::new(0));
    getter.event("the end", PATIENCE, |event| {
        peak.set(proc::peak_memory(pid).unwrap_or_default().max(peak.get()));
        event["type"] == "finished"
    });
    getter.ended(SOON).assert_code(0);
    assert_same(&tree(&scene.alice.path("Quake")), &tree(&downloads(&scene.bob).join("Quake")));
    assert!(peak.get() > 0, "its memory was never seen");
    (liars.iter().map(Hostile::lies).sum(), peak.get())
}

#[test]
fn requests_that_make_no_sense_get_an_error_and_the_sharer_lives_on() {
    let scene = scene();
    let item = item_of(&scene.sharer, "Quake");
    let client = Client::join(scene.sharer.addr);
    let unknown = ItemId::from_bytes([7; 32]);
    let nonsense = [
        Request::Chunks { item, first: u64::MAX, count: 1 },
        Request::Chunks { item, first: 0, count: u32::MAX },
        Request::Chunks { item, first: 0, count: 0 },
        Request::Chunks { item: unknown, first: 0, count: 1 },
        Request::ManifestPages { item, first: u32::MAX, count: u32::MAX },
        Request::Manifest { item: unknown },
        Request::Thumbnail { item },
        Request::ListItems { after: Some(unknown) },
    ];
    for request in nonsense {
        client.run(async {
            // Any answer will do, as long as there is one.
            if let Ok(mut exchange) = client.connection.request(&request).await {
                let _ = exchange.response().await;
            }
        });
    }
    assert_serves(&scene);
}

#[test]
fn peers_that_hold_every_place_and_read_nothing_cost_bounded_memory_and_keep_nobody_out() {
    /// Places change hands when who holds them has read nothing for 8 seconds, and again after some chunks.
    const TURNS: Duration = Duration::from_secs(60);
    /// What can wait in the windows of that many connections, two chunks a place, and what the program has in any case.
    const MEMORY: u64 = 140 * MIB;

    let Scene { alice, bob, sharer } = two_items();
    let (addr, item) = (sharer.addr, item_of(&sharer, "Quake"));
    let occupiers: Vec<Occupier> = thread::scope(|scope| {
        let starting: Vec<_> = (0..PEERS).map(|_| scope.spawn(move || Occupier::start(addr, item, SHARE))).collect();
        starting.into_iter().map(|occupier| occupier.join().expect("it can ask")).collect()
    });
    let places: Vec<usize> = occupiers.iter().map(Occupier::places).collect();
    assert_eq!(places, [SHARE; PEERS], "each has its share of the places, and no more");

    // Now every place is taken by somebody who does not read, and more such requests wait. Yet another peer is served.
    get(&bob, "Doom", &[addr], &downloads(&bob), &[]).ended(TURNS).assert_code(0);
    assert_same(&tree(&alice.path("Doom")), &tree(&downloads(&bob).join("Doom")));
    let peak = proc::peak_memory(sharer.process.pid()).expect("the sharer runs");
    assert!(peak < MEMORY, "the sharer had {} MiB", peak / MIB);
    drop(occupiers);
}

/// An item with as many chunks as one request may ask for, and a small one.
fn two_items() -> Scene {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 64 * CHUNK, 1);
    sample::random_file(&alice.path("Doom/data.bin"), 4 * CHUNK, 2);
    let paths = ["Quake", "Doom"].map(|name| alice.path(name).to_str().expect("a path in UTF-8").to_owned());
    let mut args = vec!["share", &paths[0], &paths[1], "--listen", "127.0.0.1:0"];
    args.extend(BY_ADDRESS);
    let sharer = Sharer::offering(alice.start(&args), 2);
    Scene { alice, bob, sharer }
}

#[test]
fn peers_that_hold_every_place_and_sip_are_cut_before_others_lose_their_patience() {
    let Scene { alice, bob, sharer } = two_items();
    let (addr, item) = (sharer.addr, item_of(&sharer, "Quake"));
    let mut tricklers: Vec<Trickler> = (0..PEERS).map(|_| Trickler::start(addr, item)).collect();
    for trickler in &mut tricklers {
        trickler.is_served(SHARE);
    }
    // Who gives up on a source that is silent for ten seconds, and has no other, would fail here.
    get(&bob, "Doom", &[addr], &downloads(&bob), &["--no-wait"]).ended(PATIENCE).assert_code(0);
    assert_same(&tree(&alice.path("Doom")), &tree(&downloads(&bob).join("Doom")));
    drop(tricklers);
}

#[test]
fn a_client_that_sips_is_cut_after_a_while() {
    let scene = scene();
    let mut trickler = Trickler::start(scene.sharer.addr, item_of(&scene.sharer, "Quake"));
    trickler.is_served(SHARE);
    trickler.is_cut(SHARE);
    assert_serves(&scene);
}

#[test]
fn a_client_that_reads_nothing_holds_up_nobody_and_loses_its_places() {
    let scene = scene();
    let occupier = Occupier::start(scene.sharer.addr, item_of(&scene.sharer, "Quake"), SHARE);
    assert_eq!(occupier.places(), SHARE, "it has its share of the places, and no more");
    assert_serves(&scene);
    assert!(occupier.moves_up(), "the places are never given up");
}

#[test]
fn random_datagrams_change_nothing() {
    let mut scene = scene();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
    let until = Instant::now() + Duration::from_secs(2);
    let mut sent = 0;
    while Instant::now() < until {
        for length in [0, 1, 20, 40, 1200, 1500, 9000, 60_000] {
            sent += 1;
            let mut datagram = sample::random_bytes(length, sent);
            if let Some(first) = datagram.first_mut() {
                // Now and then what looks like the start of a QUIC connection: long header, version 1, initial packet.
                if sent % 2 == 0 {
                    *first = 0xc0 | (*first & 0x0f);
                    for (byte, version) in datagram.iter_mut().skip(1).zip([0, 0, 0, 1, 8]) {
                        *byte = version;
                    }
                }
            }
            let _ = socket.send_to(&datagram, scene.sharer.addr);
        }
    }
    assert!(scene.sharer.process.runs(), "{}", scene.sharer.process.account());
    let peak = proc::peak_memory(scene.sharer.process.pid()).expect("the sharer runs");
    assert!(peak < 64 * MIB, "the sharer had {} MiB after {sent} datagrams", peak / MIB);
    assert_serves(&scene);
}

#[track_caller]
fn assert_serves(scene: &Scene) {
    let ended = get(&scene.bob, "Quake", &[scene.sharer.addr], &downloads(&scene.bob), &[]).ended(SOON);
    ended.assert_code(0);
    assert_same(&tree(&scene.alice.path("Quake")), &tree(&downloads(&scene.bob).join("Quake")));
}

fn item_of(sharer: &Sharer, name: &str) -> ItemId {
    let item = sharer.items.iter().find(|item| item["name"] == name);
    let item = item.unwrap_or_else(|| panic!("no {name} in {:?}", sharer.items));
    item["item"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("an item id in {item}"))
}
