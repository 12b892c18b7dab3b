//! The page that a simulation leaves, in a real browser: its script runs without an error, and draws what is in the trace.

#[path = "interop/chromium.rs"]
mod chromium;

use std::{path::Path, time::Duration};

use chromium::{Browser, Shot};
use moorline_signaling::SendClass;
use moorline_sim::{
    Drawing, FetchState, Lab, LabConfig, LinkFaults, NodeSpec, ServerSpec, Trace, UserSpec, Violation, on_fresh_thread,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Two talk in a room whose server crashes and from which one is cut off, while two others move a folder over a bad link and one of
/// them crashes.
fn busy(root: &Path) -> Trace {
    on_fresh_thread(3, || {
        let mut lab = Lab::new(LabConfig::new(3, root));
        let hub = lab.server("hub", ServerSpec::default());
        let ann = lab.user("ann", UserSpec::joining(hub.url(), "den"));
        lab.user("bob", UserSpec::joining(hub.url(), "den"));
        let sharer = lab.node("cem", NodeSpec::sharing());
        let getter = lab.node("dot", NodeSpec::default());
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        sharer.folder().write("share/game/big.bin", &bytes[..4 << 20]).unwrap();
        let bad = LinkFaults {
            loss: 0.02,
            duplicate: 0.02,
            corrupt: 0.01,
            jitter_ms: 4.0,
            latency_ms: 4.0,
            ..LinkFaults::default()
        };
        lab.set_link("cem", "dot", LinkFaults { rate_kbit: Some(20_000), ..bad });
        getter.fetch("game");
        let is_running = |_: &Lab| matches!(getter.fetch_state("game"), Some(FetchState::Running(_)));
        lab.run_until(PATIENCE, is_running).unwrap();
        ann.send(SendClass::Reliable, "hello");
        lab.run_for(Duration::from_millis(300)).unwrap();
        lab.crash("hub");
        lab.run_for(Duration::from_millis(200)).unwrap();
        lab.bounce("hub");
        lab.crash("dot");
        lab.run_for(Duration::from_millis(100)).unwrap();
        lab.bounce("dot");
        lab.run_for(Duration::from_millis(400)).unwrap();
        lab.partition("ann", "hub");
        ann.send(SendClass::Reliable, "into the dark");
        lab.run_until(PATIENCE, |_| getter.fetched("game")).unwrap();
        lab.heal("ann", "hub");
        lab.run_for(Duration::from_secs(5)).unwrap();
        lab.finish()
    })
}

fn drawing(trace: &Trace) -> Drawing {
    let text = trace.text();
    let crash = text.lines().find(|line| line.contains(r#""kind":"crash""#)).expect("there is a crash");
    let at_us = serde_json::from_str::<serde_json::Value>(crash).unwrap()["t_us"].as_u64().unwrap();
    let mut drawing = Drawing::new("two rooms and a transfer at once under chaos");
    drawing.repro = "cargo xtask sim replay scenario.toml".into();
    let violation = |invariant, after_us: u64, host: &str, text: &str| Violation {
        invariant,
        at: Duration::from_micros(at_us + after_us),
        host: host.into(),
        text: text.into(),
    };
    drawing.violations = vec![
        violation("C4 each request ends once", 220_000, "dot", "request 7 ended twice: Finished, then Cancelled"),
        violation("C9 bounded silence", 900_000, "", "nobody has heard of the room for 2 s"),
    ];
    drawing
}

#[test]
fn browser_draws_a_busy_simulation_without_an_error_in_light_and_dark() {
    let Some(browser) = Browser::find() else { return };
    let root = tempfile::tempdir().expect("the temporary folder is writable");
    let trace = busy(root.path());
    let page = browser.page("busy", &drawing(&trace).page(&trace));

    let dom = page.dom("");
    assert_eq!(dom.status("errors"), 0, "{}", dom.text());
    let arrows = dom.status("arrows");
    assert!((500..=2_000).contains(&arrows), "{arrows} arrows");
    assert_eq!(dom.status("placed"), arrows, "each arrow has a place");
    assert_eq!((dom.status("hosts"), dom.status("violations")), (5, 2));
    assert!(dom.status("drawn") > 5 && dom.status("lost") > 50 && dom.status("faults") >= 4, "{}", dom.text());
    assert!(dom.status("rows") >= 300, "the table has rows");

    let light = page.shot("light", "theme=light");
    let dark = page.shot("dark", "theme=dark");
    let whole = page.shot("whole", "theme=light&fit");
    for (name, shot) in [("light", &light), ("dark", &dark), ("whole", &whole)] {
        let colours = shot.colours(Shot::LANES);
        assert!(colours >= 12, "{name}: {colours} colours in the lanes");
    }
    assert!(light.brightness(Shot::LANES) > 150 && dark.brightness(Shot::LANES) < 100, "light is light, dark is dark");
}

#[test]
fn browser_draws_nothing_of_an_empty_trace_and_no_error() {
    let Some(browser) = Browser::find() else { return };
    let page = browser.page("empty", &Drawing::new("nothing").page_of_lines(""));
    let dom = page.dom("");
    assert_eq!((dom.status("errors"), dom.status("arrows"), dom.status("hosts")), (0, 0, 0));
    // What would make the other test pass although nothing is drawn would be seen here.
    let colours = page.shot("light", "theme=light").colours(Shot::LANES);
    assert!(colours < 6, "{colours} colours where nothing is");
}

#[test]
fn browser_draws_only_what_the_filter_in_the_address_lets_through() {
    let Some(browser) = Browser::find() else { return };
    let line = |t: u64, host: &str, rest: &str| format!("{{\"t_us\":{t},\"seq\":0,\"host\":\"{host}\",{rest}}}\n");
    let send = |id: u64, fate: &str| {
        let fate = if fate.is_empty() { String::new() } else { format!(r#","fate":"{fate}""#) };
        line(id * 1_000, "ann", &format!(r#""kind":"udp.send","to":"bob","id":{id},"len":9,"hash":"aa"{fate}"#))
    };
    let lines = send(1, "loss") + &send(2, "") + &line(9_000, "bob", r#""kind":"crash""#);
    let page = browser.page("filter", &Drawing::new("two").page_of_lines(&lines));
    assert_eq!(page.dom("").status("rows"), 3);
    let dom = page.dom("filter=lost");
    assert_eq!((dom.status("errors"), dom.status("drawn")), (0, 2), "both were lost: {}", dom.text());
    assert_eq!(page.dom("filter=lost+-down").status("drawn"), 1);
}
