use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

fn line(t_us: u64, host: &str, rest: &str) -> String {
    format!(r#"{{"t_us":{t_us},"seq":0,"host":"{host}",{rest}}}"#)
}

/// `count` datagrams from ann to bob, a millisecond apart.
fn talk(count: u64) -> String {
    let mut lines = vec![
        line(0, "ann", r#""kind":"host","life":0,"what":"started""#),
        line(0, "bob", r#""kind":"host","life":0,"what":"started""#),
    ];
    for id in 0..count {
        let at = 1_000 * (id + 1);
        lines.push(line(at, "ann", &format!(r#""kind":"udp.send","to":"bob","id":{id},"len":9,"hash":"aa""#)));
        lines.push(line(at + 900, "bob", &format!(r#""kind":"udp.recv","from":"ann","id":{id},"len":9,"hash":"aa""#)));
    }
    lines.join("\n") + "\n"
}

/// The data in a page, as its script reads it.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn violation(text: &str) -> Violation {
    Violation { invariant: "C4", at: Duration::from_millis(9), host: "bob".into(), text: text.into() }
}

#[test]
fn the_same_trace_gives_the_same_page_and_another_gives_another() {
    let drawing = Drawing::new("twice");
    assert_eq!(drawing.page_of_lines(&talk(30)), drawing.page_of_lines(&talk(30)));
    assert_ne!(drawing.page_of_lines(&talk(30)), drawing.page_of_lines(&talk(31)));
}

#[test]
fn a_page_names_hosts_arrows_and_violations() {
    let mut drawing = Drawing::new("three");
    drawing.violations =
        vec![violation("late"), Violation { at: Duration::from_millis(2), host: String::new(), ..violation("early") }];
    let data = data(&drawing.page_of_lines(&talk(3)));
    assert_eq!(data["hosts"], serde_json::json!(["ann", "bob"]));
    let arrows = data["arrows"].as_array().unwrap();
    assert_eq!(arrows.len(), 3);
    let first = serde_json::json!({
        "kind": "datagram", "fate": "arrived", "from": 0, "to": 1, "sent": [1_000, 1_000], "ended": [1_900, 1_900],
        "count": 1, "bytes": 9, "id": 0,
    });
    assert_eq!(arrows[0], first);
    let texts: Vec<_> = data["violations"].as_array().unwrap().iter().map(|one| (&one["text"], &one["host"])).collect();
    assert_eq!(texts, [(&"early".into(), &serde_json::Value::Null), (&"late".into(), &1.into())]);
    assert_eq!(data["end_us"], 9_000, "the page reaches to the last violation");
}

#[test]
fn beyond_the_limit_arrows_are_joined_and_the_figures_still_count_them_all() {
    let drawing = Drawing { max_arrows: 50, ..Drawing::new("many") };
    let data = data(&drawing.page_of_lines(&talk(1_000)));
    assert!(data["arrows"].as_array().unwrap().len() <= 50);
    assert_eq!(data["figures"]["sent"], 1_000);
    let counts = data["arrows"].as_array().unwrap().iter().map(|arrow| arrow["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 1_000);
}

#[test]
fn nothing_in_a_trace_or_a_title_gets_out_of_its_place() {
    let evil = "</script><script>alert(1)</script><!-- {{script}} & \" \u{2028}";
    let mut drawing = Drawing::new(evil);
    drawing.repro = evil.into();
    drawing.violations = vec![violation(evil)];
    let quoted = serde_json::to_string(evil).unwrap();
    let lines = line(5, "ann", &format!(r#""kind":"room","event":"Message","detail":{quoted}"#));
    let page = drawing.page_of_lines(&lines);
    let plain = Drawing::new("plain").page_of_lines(&talk(1));
    for (what, count) in [("<script", 2), ("</script", 2), ("<!--", 0)] {
        assert_eq!(page.matches(what).count(), count, "{what}");
        assert_eq!(plain.matches(what).count(), count, "{what} in the page itself");
    }
    let data = data(&page);
    assert_eq!(data["marks"][0]["detail"], evil);
    assert_eq!(data["violations"][0]["text"], evil);
    assert_eq!(page.matches("alert(1)").count(), 5, "title and heading, repro, mark, violation");
}

#[test]
fn a_page_loads_nothing() {
    let page = Drawing::new("alone").page_of_lines(&talk(1));
    for what in ["http:", "https:", "src=", "url(", "@import", "import(", "fetch(", "XMLHttp", "<link", "<img"] {
        assert!(!page.contains(what), "{what}");
    }
    assert!(page.contains("default-src 'none'"), "and may not");
}

#[test]
fn what_is_no_record_is_left_out_and_counted() {
    let lines = format!("{}garbage\n{{\"t_us\":1}}\n", talk(1));
    assert_eq!(data(&Drawing::new("torn").page_of_lines(&lines))["figures"]["missing"], 2);
    let empty = data(&Drawing::new("empty").page_of_lines(""));
    assert_eq!((&empty["hosts"], &empty["end_us"]), (&serde_json::json!([]), &0.into()));
}

#[test]
fn every_element_that_the_script_asks_for_is_in_the_page() {
    let page = Drawing::new("whole").page_of_lines("");
    let asked: BTreeSet<&str> =
        page.split("$(\"").skip(1).filter_map(|rest| rest.split_once("\")")).map(|(id, _)| id).collect();
    assert!(asked.len() > 15, "{asked:?}");
    for id in asked {
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
}
