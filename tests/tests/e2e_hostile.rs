//! Peers that lie, stall and flood: the item arrives from an honest one, the other is named, and nothing is held up for ever.

use std::{
    thread,
    time::{Duration, Instant},
};

use moorline_proto::{ItemId, Request};
use moorline_tests::{
    hostile::{Client, Hostile, Lie, Occupier},
    moorline::{Ended, Home, SOON},
    proc,
    sample::{self, CHUNK, MIB},
    scene::{Sharer, downloads, get},
    tree::{assert_same, tree},
};

/// How long a source may deliver nothing before others do its work; and then the work itself.
const PATIENCE: Duration = Duration::from_secs(40);

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
    arrives_despite(Lie::HugeFrame);
}

#[test]
fn random_bytes_in_place_of_a_frame_are_refused() {
    arrives_despite(Lie::Garbage);
}

#[test]
fn a_reply_of_another_length_is_refused() {
    arrives_despite(Lie::TooMuch);
    arrives_despite(Lie::TooLittle);
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
    let scene = scene();
    let liar = Hostile::start("mallory", scene.sharer.addr, Lie::EndlessListing);
    let ended = get(&scene.bob, "Quake", &[liar.addr, scene.sharer.addr], &downloads(&scene.bob), &[]).ended(PATIENCE);
    ended.assert_code(0);
    assert!(liar.lies() > 0, "the hostile peer was never asked, so nothing was shown\n{ended}");
}

#[test]
fn requests_that_make_no_sense_get_an_error_and_the_sharer_lives_on() {
    let scene = scene();
    let item: ItemId = item_of(&scene);
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
fn clients_that_ask_for_everything_and_read_nothing_cost_bounded_memory() {
    /// Requests of one peer that are served at the same time.
    const SHARE: usize = 3;
    let scene = scene();
    let (addr, item) = (scene.sharer.addr, item_of(&scene));
    let idle = proc::peak_memory(scene.sharer.process.pid()).expect("the sharer runs");
    let mut occupiers: Vec<Occupier> = thread::scope(|scope| {
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(move || Occupier::start(addr, item))).collect();
        starting.into_iter().map(|occupier| occupier.join().expect("it can ask")).collect()
    });
    let peak = proc::peak_memory(scene.sharer.process.pid()).expect("the sharer runs");
    assert!(peak < 110 * MIB, "the sharer had {} MiB, and {} MiB before", peak / MIB, idle / MIB);
    let places = |occupiers: &[Occupier]| occupiers.iter().map(Occupier::places).collect::<Vec<_>>();
    assert_eq!(places(&occupiers), [SHARE; 6], "each has its share of the places, and no more");

    // They sit there, and yet another peer is served.
    assert_serves(&scene);
    occupiers.iter_mut().for_each(|occupier| occupier.look(Duration::from_millis(100)));
    assert_eq!(places(&occupiers), [SHARE; 6], "places were given up before the other peer was served");
    // Not for ever, though: who does not read loses the place to the next in line.
    assert!(occupiers.remove(0).moves_up(PATIENCE), "the places are never given up");
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

fn item_of(scene: &Scene) -> ItemId {
    let item = &scene.sharer.items[0];
    item["item"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("an item id in {item}"))
}
