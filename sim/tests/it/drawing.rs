//! Whole simulations as pages. They stay in the target folder, for people to look at.

use std::fs;
use std::path::Path;
use std::time::Duration;

use moorline_sim::{Drawing, LinkFaults, Trace, Violation, on_fresh_thread};
use serde_json::Value;

use crate::scenes;

/// Writes the page, and answers what its script will read.
fn drawn(drawing: &Drawing, name: &str, trace: &Trace) -> Value {
    let page = drawing.page(trace);
    assert!(page == drawing.page_of_lines(&trace.text()), "a trace and its lines give the same page");
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("drawing-{name}.html")), &page).unwrap();
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn list<'a>(data: &'a Value, of: &str) -> &'a Vec<Value> {
    data[of].as_array().unwrap()
}

#[test]
fn a_room_with_crash_and_cut_shows_both_and_the_epochs_that_they_cost() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(3, || scenes::rooms(3, root.path()));
    let mut drawing = Drawing::new("a room with crash and cut");
    let text = "ann took 20 s to see that she was cut off".to_owned();
    let noticed = r#""event":"ConnectionLost""#;
    let text_of_trace = trace.text();
    let last = text_of_trace.lines().rfind(|line| line.contains(noticed)).expect("a loss");
    let at_us = serde_json::from_str::<Value>(last).unwrap()["t_us"].as_u64().unwrap();
    let at = Duration::from_micros(at_us);
    drawing.violations.push(Violation { invariant: "made up", at, host: "ann".to_owned(), text });
    let data = drawn(&drawing, "rooms", &trace);

    assert_eq!(data["hosts"], serde_json::json!(["ann", "hub", "bob"]), "who talks with both is in the middle");
    let faults = list(&data, "faults").iter().map(|fault| fault["what"].as_str().unwrap());
    assert_eq!(faults.collect::<Vec<_>>(), ["crash", "partition"]);
    let live = list(&data, "stays").iter().filter(|stay| stay["host"] == 0 && stay["state"] == "live");
    let epochs: Vec<u64> = live.map(|stay| stay["epoch"].as_u64().expect("a connection has a number")).collect();
    assert!(epochs.len() == 3 && epochs.is_sorted_by(|one, next| one < next), "{epochs:?}");
    let arrows = list(&data, "arrows");
    let of =
        |kind: &str, fate: &str| arrows.iter().filter(|arrow| arrow["kind"] == kind && arrow["fate"] == fate).count();
    assert!(of("connect", "arrived") >= 4 && of("close", "arrived") >= 2, "each came, and each lost its server");
    assert!(of("stream", "arrived") > 40, "{}", of("stream", "arrived"));
    let cut = arrows.iter().filter(|arrow| arrow["cause"] == "cut").count();
    assert!(cut > 0, "what ann said into the dark was lost");
}

#[test]
fn a_transfer_in_chaos_shows_every_datagram_and_what_became_of_it() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(9, || scenes::transfer(9, root.path(), scenes::chaos()));
    let text = trace.text();
    let data = drawn(&Drawing::new("a transfer in chaos"), "chaos", &trace);
    let count = |what: &str| text.matches(what).count() as u64;

    let (figures, arrows) = (&data["figures"], list(&data, "arrows"));
    assert!((500..=2_000).contains(&arrows.len()), "{} arrows", arrows.len());
    let drawn: u64 = arrows.iter().map(|arrow| arrow["count"].as_u64().unwrap()).sum();
    assert_eq!(figures["sent"], drawn);
    assert_eq!(drawn, count(r#""kind":"udp.send""#) + count(r#""fate":"twice""#));
    assert!(figures["twice"].as_u64().unwrap() > 50 && figures["damaged"].as_u64().unwrap() > 10, "{figures}");
    assert!(figures["lost"].as_u64().unwrap() >= count(r#""fate":"loss""#), "{figures}");
    let handshakes = arrows.iter().filter(|arrow| arrow["kind"] == "handshake").count();
    assert!(handshakes > 2, "the beginning can be told from the rest");
    assert_eq!(list(&data, "faults").len(), 1, "both directions are bad in the same way");
    assert!(list(&data, "stays").iter().any(|stay| stay["state"] == "fetching"));
}

#[test]
fn a_transfer_with_crashes_shows_who_was_down() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(9, || scenes::restarts(9, root.path()));
    let data = drawn(&Drawing::new("a transfer with crashes of both"), "restarts", &trace);
    let down = |lane: u64| list(&data, "faults").iter().filter(|f| f["what"] == "crash" && f["host"] == lane).count();
    assert_eq!((down(0), down(1)), (1, 1));
    let unheard = list(&data, "arrows").iter().filter(|arrow| arrow["cause"] == "host down");
    assert!(unheard.count() > 0, "who talks to a host that is down is not heard");
}

#[test]
fn a_clean_link_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let trace = on_fresh_thread(1, || scenes::transfer(1, root.path(), LinkFaults::default()));
    let data = drawn(&Drawing::new("a clean transfer"), "clean", &trace);
    // What is said after the other has stopped finds nobody, and QUIC tries how large a datagram may be.
    let lost = list(&data, "arrows")
        .iter()
        .filter(|arrow| arrow["fate"] == "lost" && arrow["cause"] != "host down" && arrow["cause"] != "mtu");
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&Value>::new());
    assert_eq!((&data["figures"]["twice"], &data["figures"]["damaged"]), (&0.into(), &0.into()));
    assert!(list(&data, "faults").is_empty(), "a clean link is no fault");
}
