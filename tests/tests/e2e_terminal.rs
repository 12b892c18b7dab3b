//! What a person at a terminal sees.

use std::time::Duration;

use moorline_tests::{
    moorline::Home,
    sample::{self, MIB},
    scene::{Sharer, downloads},
    terminal::{Shown, Terminal},
    tree::{assert_same, tree},
};

/// Enough for several looks at the progress, on any machine.
const LARGE: u64 = 600 * MIB;
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_bar_shows_rate_and_time_left_on_a_terminal_of_the_usual_width() {
    let shown = fetch_on_a_terminal(80, &[]);
    let bars: Vec<&str> = bars(&shown).collect();
    let telling = bars.iter().find(|bar| rate(bar).is_some() && time_left(bar).is_some());
    assert!(telling.is_some(), "no bar has both: {bars:#?}");
    // It moves.
    let percents: Vec<&str> = bars.iter().filter_map(|bar| bar.split(']').nth(1)?.split('%').next()).collect();
    assert!(percents.iter().any(|percent| *percent != percents[0]), "{percents:?}");
}

#[test]
fn a_wide_terminal_shows_sizes_and_sources_too() {
    let shown = fetch_on_a_terminal(120, &[]);
    let whole = |bar: &&str| bar.contains("MiB of 600 MiB") && bar.contains("1 source") && time_left(bar).is_some();
    assert!(bars(&shown).any(|bar| whole(&bar)), "no bar tells everything: {:#?}", bars(&shown).collect::<Vec<_>>());
}

#[test]
fn there_is_no_bar_where_none_is_wanted() {
    for option in ["--quiet", "--json"] {
        let shown = fetch_on_a_terminal(120, &[option]);
        assert_eq!(bars(&shown).next(), None, "{option}: {}", shown.raw);
    }
}

#[track_caller]
fn fetch_on_a_terminal(columns: u16, options: &[&str]) -> Shown {
    let (alice, bob) = (Home::new(), Home::new());
    sample::random_file(&alice.path("Quake/data.bin"), LARGE, 1);
    let sharer = Sharer::start(&alice, &alice.path("Quake"), &[]);
    let (peer, into) = (sharer.addr.to_string(), downloads(&bob));
    let into = into.to_str().expect("a path in UTF-8");
    let common = ["get", "Quake", "--into", into, "--peer", &peer, "--no-multicast", "--no-remembered"];
    let shown = Terminal::start(&bob, columns, &[&common[..], options].concat()).ended(LONG);
    assert!(shown.status.success(), "{:?}: {}", shown.status, shown.raw);
    assert_same(&tree(&alice.path("Quake")), &tree(&downloads(&bob).join("Quake")));
    shown
}

/// Every state of the bar.
fn bars(shown: &Shown) -> impl Iterator<Item = &str> {
    shown.texts().filter(|text| text.contains('[') && text.contains(" % "))
}

/// `94.0 MiB/s`: the number.
fn rate(bar: &str) -> Option<f64> {
    let before = bar.split("iB/s").next().filter(|before| before.len() < bar.len())?;
    before.split_whitespace().rev().nth(1)?.parse().ok().filter(|rate| *rate > 0.0)
}

/// `0:08 left`: the time.
fn time_left(bar: &str) -> Option<&str> {
    let time = bar.split(" left").next().filter(|before| before.len() < bar.len())?.split_whitespace().last()?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (time.contains(':') && time.split(':').all(digits)).then_some(time)
}
