//! The same seed gives the same trace: on another thread, at the same time, and in another process.

use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};

use moorline_sim::{LinkFaults, Trace, on_fresh_thread};

use crate::scenes;

/// Set for the other process: where it is to put its trace.
const OUT: &str = "MOORLINE_SIM_TRACE_TO";

fn check(test: &str, simulation: impl Fn(&Path) -> Trace + Sync) {
    let run = || {
        let root = tempfile::tempdir().unwrap();
        on_fresh_thread(9, || simulation(root.path()))
    };
    if let Some(out) = env::var_os(OUT) {
        let trace = run();
        fs::write(out, format!("{}\n{}", trace.fingerprint(), trace.text())).unwrap();
        return;
    }
    let (one, other) = thread::scope(|scope| {
        let (one, other) = (scope.spawn(run), scope.spawn(run));
        (one.join().unwrap(), other.join().unwrap())
    });
    println!("{test}: {} records, {} bytes, {}", one.records(), one.text().len(), one.fingerprint());
    assert_same(&one.text(), &other.text());
    assert_eq!(one.fingerprint(), other.fingerprint());

    let elsewhere = tempfile::tempdir().unwrap();
    let out = elsewhere.path().join("trace");
    let test = format!("determinism::{test}");
    let child = Command::new(env::current_exe().unwrap()).args([&test, "--exact"]).env(OUT, &out).output().unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let theirs = fs::read_to_string(out).unwrap();
    let (fingerprint, theirs) = theirs.split_once('\n').unwrap();
    assert_same(&one.text(), theirs);
    assert_eq!(one.fingerprint().to_string(), fingerprint);
}

fn assert_same(one: &str, other: &str) {
    let differs = one.lines().zip(other.lines()).position(|(one, other)| one != other);
    if let Some(at) = differs {
        let around = |text: &str| text.lines().skip(at.saturating_sub(10)).take(14).collect::<Vec<_>>().join("\n");
        panic!("line {at} differs:\n{}\n----\n{}", around(one), around(other));
    }
    assert_eq!(one.lines().count(), other.lines().count(), "one goes on where the other ends");
}

#[test]
fn a_clean_transfer() {
    check("a_clean_transfer", |root| scenes::transfer(9, root, LinkFaults::default()));
}

#[test]
fn a_transfer_in_chaos() {
    check("a_transfer_in_chaos", |root| scenes::transfer(9, root, scenes::chaos()));
}

#[test]
fn a_transfer_with_crashes_of_both() {
    check("a_transfer_with_crashes_of_both", |root| scenes::restarts(9, root));
}

#[test]
fn a_room_with_crash_and_cut() {
    check("a_room_with_crash_and_cut", |root| scenes::rooms(9, root));
}

#[test]
fn another_seed_gives_another_trace() {
    let root = tempfile::tempdir().unwrap();
    let run = |seed: u64| {
        let root = root.path().join(seed.to_string());
        on_fresh_thread(seed, || scenes::rooms(seed, &root)).fingerprint()
    };
    assert_ne!(run(1), run(2));
}
