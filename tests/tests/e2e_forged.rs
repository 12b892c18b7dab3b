//! Items that no honest program could make: they are refused for what is wrong with them, with who offered them, and nothing
//! is written anywhere but below the target folder.

use moorline_tests::{
    hostile::Forger,
    moorline::{Ended, Home, SOON},
    scene::{downloads, get},
    tree::tree,
};

#[test]
fn a_forged_item_without_a_flaw_would_arrive() {
    // The counterpart of the others: what is refused there is refused for its names alone.
    let bob = Home::new();
    let forger = Forger::start("gift", &["one.txt", "two.txt"]);
    get(&bob, "gift", &[forger.addr], &downloads(&bob), &["--no-wait"]).ended(SOON).assert_code(0);
    assert!(downloads(&bob).join("gift/two.txt").exists());
}

#[test]
fn a_path_that_leads_out_of_the_item_is_refused_with_who_offers_it() {
    for path in ["../escaped.txt", "fine/../../escaped.txt", "..", "./x", "a//b"] {
        refused(&[path], path);
    }
}

#[test]
fn an_absolute_path_is_refused_with_who_offers_it() {
    let elsewhere = Home::new();
    let absolute = elsewhere.path("escaped.txt");
    let absolute = absolute.to_str().expect("a path in UTF-8");
    refused(&[absolute], absolute);
    assert!(tree(&elsewhere.path("")).keys().all(|path| !path.contains("escaped")));
    refused(&["C:\\escaped.txt"], r"C:\\escaped.txt");
    refused(&["\\\\server\\share\\escaped.txt"], r"\\\\server\\share\\escaped.txt");
}

#[test]
fn a_name_that_some_platform_reserves_is_refused_with_who_offers_it() {
    for path in ["aux.txt", "deep/CON", "com1.txt", "stream.txt:hidden", "trailing dot.", "trailing space ", "what?"] {
        refused(&[path], path);
    }
}

#[test]
fn names_that_cannot_be_together_are_refused_with_who_offers_them() {
    refused(&["Same.txt", "same.txt"], "ame.txt");
    refused(&["file", "file/below.txt"], "file");
    // Too long to be quoted.
    refused(&[&"x".repeat(256)], "256 bytes");
}

#[test]
fn an_item_whose_own_name_is_a_path_stays_where_it_belongs() {
    let elsewhere = Home::new();
    let absolute = elsewhere.path("gift");
    for name in ["../gift", absolute.to_str().expect("a path in UTF-8"), ".."] {
        let bob = Home::new();
        let forger = Forger::start(name, &["escaped.txt"]);
        let id = forger.item.to_string();
        let ended = get(&bob, &id, &[forger.addr], &downloads(&bob), &["--no-wait"]).ended(SOON);
        // It gets a name of its own.
        ended.assert_code(0);
        assert_nothing_outside(&bob, &ended);
        assert!(!absolute.exists(), "{name}: {ended}");
    }
}

/// An item with these files is refused as bad content, with the name of the peer and what is `told` of the path.
#[track_caller]
fn refused(files: &[&str], told: &str) {
    let bob = Home::new();
    let forger = Forger::start("gift", files);
    let ended = get(&bob, "gift", &[forger.addr], &downloads(&bob), &["--no-wait"]).ended(SOON);
    ended.assert_code(6);
    let failed = ended.only("failed");
    assert_eq!(failed["code"], 6, "{failed}");
    let last = ended.stderr.lines().find(|line| line.starts_with("error:")).unwrap_or_default();
    for said in [failed["reason"].as_str().unwrap_or_default(), last] {
        assert!(said.contains("mallory") && said.contains(told), "{told:?} or the peer is not named in {said:?}");
    }
    assert_nothing_outside(&bob, &ended);
    let left = tree(&downloads(&bob));
    assert!(left.keys().all(|path| path.is_empty()), "{files:?}: {left:?}\n{ended}");
}

/// Of all that the program may write, only its own state is outside of the target folder.
#[track_caller]
fn assert_nothing_outside(bob: &Home, ended: &Ended) {
    let outside =
        tree(&bob.path("")).into_keys().find(|path| !path.starts_with("downloads") && !path.starts_with("home/"));
    assert_eq!(outside, None, "{ended}");
}
