//! Real amounts of real files: a gigabyte, ten thousand, a file that changes under way, and what that costs.

use std::{
    cell::Cell,
    fs::{self, File, Permissions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use moorline_tests::{
    moorline::{Home, Moorline, SOON},
    proc,
    sample::{self, CHUNK, GIB, MIB},
    scene::{Sharer, downloads, get, under_way},
    tree::{assert_same, b3sum, tree},
};
use serde_json::Value;

/// The program never needs more than this, however large the item is.
const MEMORY: u64 = 64 * MIB;
const LONG: Duration = Duration::from_secs(120);

/// Waits for the end of a `get`; answers the event and the most memory that it had at any event.
fn finished(receiver: &mut Moorline) -> (Value, u64) {
    let (pid, peak) = (receiver.pid(), Cell::new(0));
    let event = receiver.event("the end", LONG, |event| {
        peak.set(proc::peak_memory(pid).unwrap_or_default().max(peak.get()));
        event["type"] == "finished"
    });
    (event, peak.get())
}

#[test]
fn a_gigabyte_arrives_in_bounded_memory() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("film.bin"), GIB + 1, 1);
    let sharer = Sharer::start(&alice, &alice.path("film.bin"), &[]);
    let mut receiver = get(&bob, "film.bin", &[sharer.addr], &downloads(&bob), &[]);
    let (_, received) = finished(&mut receiver);
    let sent = proc::peak_memory(sharer.process.pid()).expect("the sharer runs");
    receiver.ended(SOON).assert_code(0);
    assert_eq!(b3sum(&downloads(&bob).join("film.bin")), b3sum(&alice.path("film.bin")));
    assert!(received > 0 && received < MEMORY, "the receiver had {} MiB", received / MIB);
    assert!(sent < MEMORY, "the sender had {} MiB", sent / MIB);
}

#[test]
fn ten_thousand_small_files_arrive_in_bounded_memory() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::small_files(&alice.path("many"), 10_000, 8 * 1024);
    let sharer = Sharer::start(&alice, &alice.path("many"), &[]);
    let mut receiver = get(&bob, "many", &[sharer.addr], &downloads(&bob), &[]);
    let (event, received) = finished(&mut receiver);
    let sent = proc::peak_memory(sharer.process.pid()).expect("the sharer runs");
    receiver.ended(SOON).assert_code(0);
    assert_eq!(event["bytes"], 10_000 * 8 * 1024);
    assert_same(&tree(&alice.path("many")), &tree(&downloads(&bob).join("many")));
    assert!(received > 0 && received < MEMORY, "the receiver had {} MiB", received / MIB);
    assert!(sent < MEMORY, "the sender had {} MiB", sent / MIB);
}

#[test]
fn a_file_that_changes_under_way_is_never_a_mixture() {
    let (alice, bob) = (Home::new(), Home::new());
    let source = alice.path("Quake/data.bin");
    sample::random_file(&source, GIB, 1);
    let before = b3sum(&source);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let mut receiver = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]);
    under_way(&mut receiver);
    // In place, of the same length, in what has not been sent and in what has.
    let mut file = File::options().write(true).open(&source).expect("it was just made");
    for at in [0, GIB / 2, GIB - CHUNK] {
        file.seek(SeekFrom::Start(at)).expect("a file can be sought in");
        file.write_all(&sample::random_bytes(4096, 99)).expect("the home is writable");
    }
    drop(file);
    let after = b3sum(&source);
    assert_ne!(before, after);

    let ended = receiver.ended(LONG);
    let target = downloads(&bob).join("Quake/data.bin");
    if ended.code() == Some(0) {
        let arrived = b3sum(&target);
        assert!(arrived == before || arrived == after, "a mixture was delivered as good\n{ended}");
    } else {
        assert!(!target.exists(), "what is not whole has no final name\n{ended}");
        let failed = ended.only("failed");
        assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("chang")), "it says why: {failed}");
    }
    // And the new version can be had afterwards.
    let again = get(&bob, "Quake", &[sharer.addr], &bob.path("again"), &[]).ended(LONG);
    again.assert_code(0);
    assert_eq!(b3sum(&bob.path("again/Quake/data.bin")), after);
}

#[test]
fn a_file_that_grows_while_it_is_shared_becomes_the_new_version() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let mut sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let first = sharer.items[0].clone();
    sample::random_file(&alice.path("Quake/more.bin"), 2000, 2);
    sharer.process.event("the item's new version", SOON, |event| {
        event["type"] == "item" && event["item"] != first["item"] && event["bytes"] == 3000
    });
    get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
}

#[test]
fn a_file_without_read_permission_is_left_out_with_a_notice() {
    let (mut alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/open.bin"), 1000, 1);
    sample::random_file(&alice.path("Quake/secret.bin"), 1000, 2);
    fs::set_permissions(alice.path("Quake/secret.bin"), Permissions::from_mode(0o000)).expect("it was just made");
    alice.become_nobody();
    let mut sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    sharer.process.event("a notice about the file", SOON, |event| {
        event["type"] == "left_out" && event["path"].as_str().is_some_and(|path| path.ends_with("secret.bin"))
    });
    get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(0);
    assert!(downloads(&bob).join("Quake/open.bin").exists());
    assert!(!downloads(&bob).join("Quake/secret.bin").exists());
}

#[test]
fn a_full_disk_is_said_before_anything_is_fetched() {
    let Some(bob) = Home::with_disk("downloads", 32) else {
        eprintln!("NOT RUN: a small file system could not be mounted (needs root)");
        assert!(std::env::var_os("CI").is_none(), "in CI nothing is left out");
        return;
    };
    let alice = Home::new();
    sample::random_file(&alice.path("Quake/data.bin"), 64 * MIB, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(7);
    assert!(ended.only("failed")["reason"].as_str().is_some_and(|reason| reason.contains("space")), "{ended}");
    assert!(!ended.events().iter().any(|event| event["type"] == "progress"), "{ended}");
}
