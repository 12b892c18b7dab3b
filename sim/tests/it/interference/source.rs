//! The points of the source are the known ones, and each has its own name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use moorline_sim::{Runs, known_points};

/// Tasks that no simulated host runs: rooms joined by a node, what watches and flushes real disks, pictures.
const NOT_SIMULATED: [&str; 5] = ["client", "events", "flush", "library-watch", "thumbnail"];

fn known() -> BTreeSet<String> {
    [Runs::Node, Runs::Server, Runs::User].into_iter().flat_map(known_points).collect()
}

/// The text between each `before` and the quote after it, in all sources of the crates under test but their tests, with where it stands.
fn quoted_after(before: &[&str]) -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut folders: Vec<_> = ["runtime/src", "signaling/src", "transport/src"].map(|folder| root.join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            if path.ends_with("tests.rs") || path.iter().any(|part| part == "tests") {
                continue;
            }
            for (at, end) in
                before.iter().flat_map(|before| code.match_indices(before)).map(|(at, found)| (at, at + found.len()))
            {
                let line = code[..at].rsplit('\n').next().unwrap_or_default();
                let name = code[end..].trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                if let Some(name) = name.filter(|_| !line.trim_start().starts_with("//")) {
                    found.entry(name.to_owned()).or_default().push(path.display().to_string());
                }
            }
        }
    }
    found
}

#[test]
fn each_place_in_the_source_is_known_and_has_a_name_of_its_own() {
    let places = quoted_after(&["sim_point!(", "sim_point!(await "]);
    for (name, at) in &places {
        assert_eq!(at.len(), 1, "{name} is in {at:?}");
    }
    let tasks = |point: &String| point.starts_with("task.");
    let known: BTreeSet<String> = known().into_iter().filter(|point| !tasks(point)).collect();
    assert_eq!(places.into_keys().collect::<BTreeSet<_>>(), known);
}

#[test]
fn each_task_of_the_source_is_known() {
    let spawns = [
        ".spawn(",
        ".spawn_anew(",
        ".spawn_blocking(",
        ".blocking(",
        ".checking(",
        ".ask(",
        ".on_shutdown(",
        "task(",
        "sim_point::task(",
    ];
    let tasks: BTreeSet<String> = quoted_after(&spawns).into_keys().collect();
    let simulated = tasks.iter().filter(|task| !NOT_SIMULATED.contains(&&***task));
    let known = known();
    for task in simulated {
        assert!(known.contains(&format!("task.{task}.start")), "{task}");
    }
    let is_there = |point: &String| tasks.iter().any(|task| point.starts_with(&format!("task.{task}.")));
    let gone: Vec<_> = known.iter().filter(|point| point.starts_with("task.") && !is_there(point)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}
