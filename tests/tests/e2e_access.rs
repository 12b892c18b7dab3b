//! Who gets in: a passphrase or a list of peers gates everything, before anything is listed.

use std::fs;

use moorline_tests::{
    moorline::{Ended, Home, SOON},
    sample,
    scene::{BY_ADDRESS, Sharer, downloads, get},
    tree::{assert_same, tree},
};

fn shared(options: &[&str]) -> (Home, Sharer) {
    let alice = Home::new();
    sample::random_file(&alice.path("Quake/data.bin"), 3_000_000, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), options);
    (alice, sharer)
}

fn list(home: &Home, sharer: &Sharer, options: &[&str]) -> Ended {
    let peer = sharer.addr.to_string();
    home.run(&[&["list", "--peer", &peer], &BY_ADDRESS[..], options].concat())
}

#[track_caller]
fn assert_tells_nothing(ended: &Ended) {
    for secret in ["Quake", "alice-the-sharer"] {
        assert!(!ended.stdout.contains(secret), "{secret} is none of a stranger's business\n{ended}");
        assert!(!ended.stderr.contains(secret), "{secret} is none of a stranger's business\n{ended}");
    }
}

#[test]
fn with_the_passphrase_everything_works() {
    let (alice, sharer) = shared(&["--passphrase", "correct horse"]);
    assert_eq!(sharer.ready["access"], "passphrase");
    let bob = Home::new();
    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &["--passphrase", "correct horse"]).ended(SOON);
    ended.assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
}

#[test]
fn with_another_passphrase_nothing_is_listed_or_served() {
    let (_alice, sharer) = shared(&["--passphrase", "correct horse", "--name", "alice-the-sharer"]);
    let bob = Home::new();
    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &["--passphrase", "wrong horse"]).ended(SOON);
    ended.assert_code(5);
    let refused = ended.only("error");
    assert!(refused["message"].as_str().is_some_and(|message| message.contains("passphrase")), "{refused}");
    assert!(!downloads(&bob).join("Quake").exists());
    assert_tells_nothing(&list(&Home::new(), &sharer, &["--passphrase", "wrong horse"]));
}

#[test]
fn without_a_passphrase_nothing_is_listed_or_served() {
    let (_alice, sharer) = shared(&["--passphrase", "correct horse", "--name", "alice-the-sharer"]);
    let bob = Home::new();
    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(5);
    assert!(ended.only("error").to_string().contains("passphrase"), "{ended}");
    assert_tells_nothing(&list(&Home::new(), &sharer, &[]));
}

#[test]
fn a_passphrase_never_shows_in_any_output() {
    let (_alice, sharer) = shared(&["--passphrase", "sesame-a-long-secret", "-vv"]);
    let bob = Home::new();
    let args = ["--passphrase", "sesame-a-long-secret", "-vv"];
    let ended = get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &args).ended(SOON);
    ended.assert_code(0);
    sharer.process.interrupt();
    for said in [ended, sharer.process.ended(SOON)] {
        assert!(!said.stdout.contains("sesame") && !said.stderr.contains("sesame"), "{said}");
    }
}

#[test]
fn guessing_is_slowed_down_and_the_right_one_still_gets_in_afterwards() {
    let (_alice, sharer) = shared(&["--passphrase", "correct horse"]);
    let bob = Home::new();
    for guess in 0..4 {
        let guess = format!("guess {guess}");
        get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &["--passphrase", &guess]).ended(SOON).assert_code(5);
    }
    // Whatever the back-off, it is no lock-out: a member waits, and gets in.
    let ended =
        get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &["--passphrase", "correct horse"]).ended(3 * SOON);
    ended.assert_code(0);
}

#[test]
fn only_peers_on_the_list_get_in() {
    let (member, stranger) = (Home::new(), Home::new());
    // The identity of a receiver, as it would send it to the sharer's owner: `share` shows it.
    sample::random_file(&member.path("mine/data.bin"), 10, 3);
    let identity = member.path("member.key");
    let identity = identity.to_str().expect("a path in UTF-8");
    let own = Sharer::start(&member, &member.path("mine"), &["--identity", identity]);
    let id = own.peer.clone();
    own.stop();

    let (alice, sharer) = shared(&["--allow", &id, "--name", "alice-the-sharer"]);
    assert_eq!(sharer.ready["access"], "allow");
    let refused = get(&stranger, "Quake", &[sharer.addr], &downloads(&stranger), &[]).ended(SOON);
    refused.assert_code(5);
    assert_tells_nothing(&list(&stranger, &sharer, &[]));

    let ended = get(&member, "Quake", &[sharer.addr], &downloads(&member), &["--identity", identity]).ended(SOON);
    ended.assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&member).join("Quake")));
}

#[test]
fn without_any_gate_the_first_line_says_so() {
    let alice = Home::new();
    sample::random_file(&alice.path("Quake/data.bin"), 10, 1);
    let path = alice.path("Quake");
    let share =
        alice.start(&["share", path.to_str().expect("a path in UTF-8"), "--no-multicast", "--listen", "127.0.0.1:0"]);
    share.says("\n", SOON);
    let said = share.stderr();
    let first = said.lines().next().unwrap_or_default();
    assert!(first.contains("anyone on this network"), "{said}");
}

#[test]
fn an_identity_that_others_can_read_is_refused_with_advice() {
    use std::os::unix::fs::PermissionsExt;
    let alice = Home::new();
    sample::random_file(&alice.path("Quake/data.bin"), 10, 1);
    let key = alice.path("alice.key");
    let key_text = key.to_str().expect("a path in UTF-8").to_owned();
    Sharer::start(&alice, &alice.path("Quake"), &["--identity", &key_text]).stop();
    let mode = fs::metadata(&key).expect("it was made").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let path = alice.path("Quake");
    let path = path.to_str().expect("a path in UTF-8");
    let ended =
        alice.run(&["share", path, "--identity", &key_text, "--json", "--no-multicast", "--listen", "127.0.0.1:0"]);
    assert_ne!(ended.code(), Some(0));
    assert!(ended.stderr.contains("alice.key") && ended.stderr.contains("chmod"), "{ended}");
}
