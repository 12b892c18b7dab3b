//! All that is wrong at once: instead of stopping at the first failure, a survey sorts failures by kind and shrinks one of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::ops::History;

/// What was found of one kind.
#[derive(Debug)]
struct Kind {
    count: u32,
    smallest: String,
    why: String,
}

/// Plays `count` histories; `judge` says what is wrong with one. The text is empty if nothing is.
pub(crate) fn survey(
    runner: &mut TestRunner,
    histories: &impl Strategy<Value = History>,
    count: u32,
    judge: impl Fn(&History) -> Result<(), String>,
) -> String {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for _ in 0..count {
        let Ok(mut tree) = histories.new_tree(runner) else { continue };
        let Err(why) = judge(&tree.current()) else { continue };
        let kind = kind(&why);
        if let Some(known) = kinds.get_mut(&kind) {
            known.count += 1;
            continue;
        }
        let mut found = Kind { count: 1, smallest: format!("{:?}", tree.current()), why };
        // As a runner does: simpler while it fails in the same way, one step back where it does not.
        for _ in 0..3_000 {
            let fails = judge(&tree.current()).err().filter(|why| self::kind(why) == kind);
            let more = match fails {
                Some(why) => {
                    found = Kind { count: 1, smallest: format!("{:?}", tree.current()), why };
                    tree.simplify()
                }
                None => tree.complicate(),
            };
            if !more {
                break;
            }
        }
        kinds.insert(kind, found);
    }
    let mut text = String::new();
    for (kind, found) in kinds {
        let _ = writeln!(text, "=== {} x {kind}\n{}\n{}\n", found.count, found.smallest, found.why);
    }
    text
}

/// The first line without its numbers.
fn kind(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    let (number, words) = line.split_once(": ").unwrap_or((line, ""));
    let words: String = words.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
    format!("{number}: {words}")
}
