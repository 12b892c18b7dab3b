//! C10: no text names a file outside of its root, on any platform's rules; and no two paths of an item are one file.

use std::fmt::Write as _;
use std::path::{Component, Path};

use moorline_proto::*;
use proptest::prelude::*;

use crate::strategies::rel_path;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Text, and whether it is a path.
fn table() -> Vec<(String, bool)> {
    let text = |good: bool, list: &[&str]| {
        let entries = list.iter().map(|text| ((*text).to_owned(), good));
        entries.collect::<Vec<_>>()
    };
    let mut table = Vec::new();
    // Ways out.
    table.extend(text(false, &["", ".", "..", "../x", "a/..", "a/../../b", "a/./b", "./a", "..."]));
    table.extend(text(false, &["/", "/etc/passwd", "//host/share", "a//b", "a/", "~/..", "..\\x"]));
    table.extend(text(false, &["C:", "C:/x", "C:\\x", "c:x", "\\\\?\\C:\\x", "\\x", "a\\..\\b"]));
    table.extend(text(false, &["%SystemRoot%?", "a|b", "a<b", "a>b", "a\"b", "*", "what?"]));
    // Alternate streams, control characters.
    table.extend(text(false, &["a:b", "a::$DATA", "dir:$I30:$INDEX_ALLOCATION/x", ":"]));
    table.extend(text(false, &["a\0b", "a\nb", "\t", "a\x7f", "a\u{85}", "a\u{9f}"]));
    // What Windows drops.
    table.extend(text(false, &["a.", "a ", "a. ", ". .", " ", "a/b./c", "a/b /c", "x..", "..\u{20}"]));
    // Devices.
    table.extend(text(false, &["CON", "con", "CoN.txt", "prn", "AUX.", "aux.c", "nul", "NUL.tar.gz"]));
    table.extend(text(false, &["x/nul/y", "nul .txt", "NUL  ", "CONIN$", "conout$.log"]));
    table.extend(text(false, &["COM1", "com0", "com9.x", "LPT1", "lpt0.1", "com¹", "COM².log", "lpt³ .a"]));
    // Not devices.
    table.extend(text(true, &["com", "com10", "COM1x", "com¹²", "xcon", "con1", "console", "lpt", "nulx.c"]));
    table.extend(text(true, &["com４", "CON$", "a.con", "ＣＯＮ", "conin", "com/1"]));
    // Ordinary, though they may not look it.
    table.extend(text(true, &["a", "a/b/c", ".hidden", "..a", "a..b", "...a", " a", "-rf", "--", "~", "$HOME"]));
    table.extend(text(true, &["two words", "emoji 👩‍👩‍👧", "日本語/ファイル", "é", "e\u{301}", "a\u{a0}", "%2e%2e"]));
    table.extend(text(true, &["a;b", "a&b", "a'b", "a`b", "a!b", "#", "PROGRA~1", "a\u{202e}b", "＼", "∕"]));
    table
}

#[test]
fn every_line_of_the_table() {
    let mut vectors = String::new();
    for (text, good) in table() {
        let parsed = RelPath::parse(&text);
        assert_eq!(parsed.is_ok(), good, "{text:?}: {parsed:?}");
        match parsed {
            Ok(path) => writeln!(vectors, "{text:?} folds to {:?}", path.fold_key()),
            Err(error) => writeln!(vectors, "{text:?} is refused: {error}"),
        }
        .unwrap();
    }
    insta::assert_snapshot!("paths", vectors);
}

#[test]
fn the_limits_themselves_pass_and_one_more_does_not() {
    let component = "c".repeat(MAX_COMPONENT_BYTES);
    path(&component);
    assert_eq!(RelPath::parse(&format!("{component}c")), Err(RelPathError::ComponentTooLong { bytes: 256 }));
    // Of two-byte letters there are half as many.
    path(&"é".repeat(127));
    assert!(RelPath::parse(&"é".repeat(128)).is_err());

    let deep = vec!["d"; MAX_PATH_COMPONENTS].join("/");
    path(&deep);
    let deeper = RelPath::parse(&format!("{deep}/d"));
    assert!(matches!(deeper, Err(RelPathError::TooDeep(_))));

    let long = [component.as_str(); 8].join("/");
    assert_eq!(long.len(), MAX_PATH_BYTES - 1);
    let long = format!("{}/{}", &long[..MAX_PATH_BYTES - 3], "ll");
    assert_eq!(path(&long).as_str().len(), MAX_PATH_BYTES);
    assert_eq!(RelPath::parse(&format!("{long}l")), Err(RelPathError::TooLong { bytes: 2049 }));
}

#[test]
fn messages_quote_hostile_text_with_escapes() {
    for hostile in ["\x1b[2J", "a/\u{9b}31m", "\0"] {
        let error = RelPath::parse(hostile).unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn parts_of_a_path() {
    let deep = path("a/b/c.txt");
    assert_eq!(deep.components().collect::<Vec<_>>(), ["a", "b", "c.txt"]);
    assert_eq!(deep.file_name(), "c.txt");
    assert_eq!(deep.parent(), Some(path("a/b")));
    assert_eq!(path("a").parent(), None);
    assert!(deep.starts_with(&path("a/b")) && deep.starts_with(&deep));
    assert!(!path("ab").starts_with(&path("a")));
}

#[test]
fn a_folder_comes_before_what_is_in_it_and_keeps_it_together() {
    let sorted = ["a", "a/b", "a/b/c", "a/b.c", "a b", "a-", "a.x", "aa", "b"];
    for (index, left) in sorted.iter().enumerate() {
        for (other, right) in sorted.iter().enumerate() {
            assert_eq!(path(left).cmp(&path(right)), index.cmp(&other), "{left} {right}");
        }
    }
}

/// Names that some file system takes for one, and names that none does.
#[test]
fn names_that_may_be_one_file_fold_alike() {
    for (left, right) in [
        ("README", "readme"),
        ("É", "e\u{301}"),
        ("Ångström", "A\u{30a}NGSTRO\u{308}M"),
        ("\u{212b}", "å"), // the Ångström sign
        ("\u{212a}", "k"), // the Kelvin sign
        ("ΣΑΣ", "σας"),    // final sigma
        ("straße", "STRASSE"),
        ("ẞ", "ß"),
        ("ﬁle", "FILE"),  // a ligature
        ("\u{17f}", "S"), // long s
        ("µ", "μ"),       // micro sign, mu
        ("İ", "i\u{307}"),
        ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
        ("α\u{345}\u{301}", "Α\u{301}Ι"), // an iota that is a mark until it is folded
        ("q\u{323}\u{307}", "Q\u{307}\u{323}"), // marks in another order
    ] {
        assert_eq!(path(left).fold_key(), path(right).fold_key(), "{left} {right}");
    }
    for (left, right) in [("ı", "i"), ("é", "e"), ("ａ", "a"), ("x²", "x2"), ("a/b", "a∕b")] {
        assert_ne!(path(left).fold_key(), path(right).fold_key(), "{left} {right}");
    }
}

/// Inserts files, but folders where the name ends in `/`.
fn insert_all(texts: &[&str]) -> Result<PathSet, PathCollision> {
    let mut set = PathSet::new();
    for text in texts {
        match text.strip_suffix('/') {
            Some(dir) => set.insert_dir(&path(dir))?,
            None => set.insert_file(&path(text))?,
        }
    }
    Ok(set)
}

#[test]
fn collisions_are_found_in_any_order() {
    let spelling: &[&[&str]] = &[
        &["a", "A"],
        &["é", "e\u{301}"],
        &["a/x", "A/y"],
        &["a/b/c/x", "a/B/c/y"],
        &["a/", "A/"],
        &["a/b", "A"],
        &["Maps/", "maps/one"],
        &["straße/1", "STRASSE/2"],
    ];
    let kind: &[&[&str]] = &[&["a", "a/b"], &["a", "a/"], &["x/a", "x/a/b/c/d"]];
    let duplicate: &[&[&str]] = &[&["a", "a"], &["a/b", "c", "a/b"]];
    for (list, expected) in [(spelling, "spelling"), (kind, "kind"), (duplicate, "duplicate")] {
        for texts in list {
            let mut reversed = texts.to_vec();
            reversed.reverse();
            for order in [texts.to_vec(), reversed] {
                let found = match insert_all(&order).map(drop) {
                    Err(PathCollision::Spelling(_)) => "spelling",
                    Err(PathCollision::FileAndFolder(_)) => "kind",
                    Err(PathCollision::Duplicate(_)) => "duplicate",
                    other => panic!("{order:?}: {other:?}"),
                };
                assert_eq!(found, expected, "{order:?}");
            }
        }
    }
}

#[test]
fn neighbours_are_no_collisions() {
    let set = insert_all(&["a/b", "a/c", "a/", "a/", "ab", "b/a/", "b/", "a.b", "ı", "i"]).unwrap();
    assert_eq!(set.len(), 9); // a, a/b, a/c, ab, b, b/a, a.b, ı, i
    assert!(!set.is_empty() && PathSet::default().is_empty());
}

#[test]
fn a_full_set_says_so() {
    let mut set = PathSet::with_limit(3);
    set.insert_file(&path("a/b")).unwrap();
    set.insert_file(&path("a/c")).unwrap();
    set.insert_dir(&path("a")).unwrap(); // known: needs no room
    let full = set.insert_file(&path("a/d"));
    assert!(matches!(full, Err(PathCollision::Full { max: 3, .. })));
    assert_eq!(set.len(), 3);
}

proptest! {
    #[test]
    fn any_text_is_refused_or_stays_below_the_root(text in any_text()) {
        let Ok(path) = RelPath::parse(&text) else { return Ok(()) };
        prop_assert_eq!(path.as_str(), &text);
        let joined = path.join_under(Path::new("/root"));
        let below = joined.strip_prefix("/root").expect("below the root");
        let components: Vec<_> = below.components().collect();
        prop_assert!(components.iter().all(|part| matches!(part, Component::Normal(_))));
        prop_assert_eq!(components.len(), path.components().count());
        prop_assert!(!components.is_empty());
    }

    #[test]
    fn paths_round_trip(path in rel_path()) {
        prop_assert_eq!(RelPath::parse(path.as_str()), Ok(path.clone()));
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn folding_ignores_case_and_form(path in rel_path()) {
        use unicode_normalization::UnicodeNormalization as _;
        let key = path.fold_key();
        let variants = [
            path.as_str().nfc().collect::<String>(),
            path.as_str().nfd().collect(),
            path.as_str().replace('ı', "").to_uppercase(),
            path.as_str().to_lowercase(),
            key.clone(),
        ];
        for variant in variants {
            // Upper case may be longer than a path may be, or spell a device; and ı has been looked at elsewhere.
            if let (Ok(other), false) = (RelPath::parse(&variant), path.as_str().contains('ı')) {
                prop_assert_eq!(other.fold_key(), key.clone(), "{:?}", variant);
            }
        }
    }

    #[test]
    fn the_order_is_that_of_component_lists(left in rel_path(), right in rel_path()) {
        let lists = |path: &RelPath| path.components().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(left.cmp(&right), lists(&left).cmp(&lists(&right)));
        prop_assert_eq!(left == right, left.as_str() == right.as_str());
    }
}

/// Text from the parts that attacks are made of.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("C:".to_owned()),
        Just(".".to_owned()),
        Just(" ".to_owned()),
        Just("nul".to_owned()),
        "[a-z]{1,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}
