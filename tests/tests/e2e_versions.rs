//! Peers of another version of the protocol: both versions are told, and what to do; whoever speaks ours is not held up.

use moorline_proto::{VERSIONS, VersionRange};
use moorline_tests::{
    hostile::Foreigner,
    moorline::{Home, SOON},
    sample,
    scene::{BY_ADDRESS, Sharer, downloads, get},
    tree::{assert_same, tree},
};
use moorline_transport::DialError;

/// Versions of some later program.
const LATER: VersionRange = VersionRange { min: VERSIONS.max + 6, max: VERSIONS.max + 8 };

#[test]
fn get_names_both_versions_and_says_what_to_do() {
    let bob = Home::new();
    let foreigner = Foreigner::start(LATER);
    let ended = get(&bob, "Quake", &[foreigner.addr], &downloads(&bob), &[]).ended(SOON);
    ended.assert_code(4);
    let error = ended.only("error");
    assert_tells_both(error["message"].as_str().unwrap_or_default());
    assert!(error["message"].to_string().contains(&foreigner.addr.to_string()), "{error}");
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("same version") && !hint.contains("firewall"), "{error}");
    assert!(ended.stderr.contains(hint), "people are told the same\n{ended}");
}

#[test]
fn list_names_both_versions_and_shows_the_others() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let foreigner = Foreigner::start(LATER);
    let (one, other) = (sharer.addr.to_string(), foreigner.addr.to_string());
    let ended = bob.run(&[&["list", "--peer", &one, "--peer", &other], &BY_ADDRESS[..]].concat());
    ended.assert_code(0);
    assert_eq!(ended.only("offer")["name"], "Quake", "{ended}");
    let refused = ended.only("peer_refused");
    assert_tells_both(refused["reason"].as_str().unwrap_or_default());
    // For people it is a line of its own, and no question of access.
    let line = ended.stderr.lines().find(|line| line.contains(&other)).unwrap_or_else(|| panic!("no line\n{ended}"));
    assert_tells_both(line);
    assert!(!line.contains("access"), "{ended}");
}

#[test]
fn share_tells_a_caller_of_another_version_its_own_and_serves_the_others() {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), 1000, 1);
    let mut sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let refused = Foreigner::start(LATER).call(sharer.addr).expect_err("they have no version in common");
    assert_eq!(refused.cause(), Some(&DialError::VersionMismatch { ours: LATER, theirs: VERSIONS }), "{refused}");
    assert!(sharer.process.runs(), "{}", sharer.process.account());
    // The counterpart: who speaks ours as well gets in.
    let both = VersionRange { min: VERSIONS.min, max: LATER.max };
    assert_eq!(Foreigner::start(both).call(sharer.addr).map(|connection| connection.peer().version), Ok(VERSIONS.max));
    get(&bob, "Quake", &[sharer.addr], &downloads(&bob), &[]).ended(SOON).assert_code(0);
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
}

/// Which version each side speaks, and who has to do something.
#[track_caller]
fn assert_tells_both(said: &str) {
    for part in [format!("speaks protocol {LATER},"), format!("this program {VERSIONS}:"), "needs an update".to_owned()]
    {
        assert!(said.contains(&part), "{part:?} is not in {said:?}");
    }
}
