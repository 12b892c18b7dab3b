//! The table in `signaling/INVARIANTS.md` names a test for every promise, and each of those tests exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All promises: measured defects of others, invariants, duties of a server.
fn promises() -> impl Iterator<Item = String> {
    [('D', 13), ('I', 31), ('S', 11)].into_iter().flat_map(|(kind, last)| (1..=last).map(move |n| format!("{kind}{n}")))
}

#[test]
fn every_promise_names_tests_that_exist() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_dir.parent().expect("the crate is in the workspace");
    let table = fs::read_to_string(crate_dir.join("INVARIANTS.md")).expect("INVARIANTS.md is there");
    let rows = rows(&table);
    let mut wrong = Vec::new();
    for id in promises() {
        let Some(tests) = rows.get(id.as_str()) else {
            wrong.push(format!("{id}: no row"));
            continue;
        };
        if tests.is_empty() {
            wrong.push(format!("{id}: no test"));
        }
        wrong.extend(tests.iter().filter_map(|test| missing(root, test)).map(|why| format!("{id}: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tests of each row: what stands in backquotes in its last column.
fn rows(table: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let columns: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, .., tests] = columns[..] else { continue };
        rows.insert(id, tests.split('`').skip(1).step_by(2).collect());
    }
    rows
}

/// What is wrong with `path::name`, if anything is.
fn missing(root: &Path, test: &str) -> Option<String> {
    let Some((path, name)) = test.split_once("::") else { return Some(format!("{test} is not path::name")) };
    let Ok(source) = fs::read_to_string(root.join(path)) else { return Some(format!("there is no file {path}")) };
    // The function stands behind an attribute that makes it a test, or inside proptest!.
    let Some(at) = source.find(&format!("fn {name}(")) else { return Some(format!("{path} has no test {name}")) };
    let before = &source[..at];
    let item = before.rfind("\n}\n").unwrap_or_default().max(before.rfind("\n    }\n").unwrap_or_default());
    (!before[item..].contains("test]") && !before[item..].contains("test("))
        .then(|| format!("{name} in {path} is no test"))
}
