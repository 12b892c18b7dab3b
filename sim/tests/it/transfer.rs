use moorline_sim::{LinkFaults, on_fresh_thread};

use crate::scenes;

#[test]
fn what_one_node_shares_another_finds_and_fetches() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(1, || scenes::transfer(1, root.path(), LinkFaults::default()));
    let text = trace.text();
    assert!(text.contains(r#""kind":"udp.recv""#) && text.contains("Finished"), "the trace tells of it");
    assert!(!text.contains(root.path().to_str().unwrap()), "the trace does not tell where the folders are");
}

#[test]
fn a_link_that_loses_doubles_damages_and_reorders_changes_nothing_but_the_time() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(2, || scenes::transfer(2, root.path(), scenes::chaos()));
    let text = trace.text();
    assert!(text.contains(r#""fate":"loss""#) && text.contains(r#""fate":"twice""#));
}
