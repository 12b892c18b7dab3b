//! A trace as a story.

use std::fmt::Write as _;

use serde_json::Value;

/// What is told of a record; longer ones are cut.
const WIDTH: usize = 160;

/// Tells what happened in a trace, given as its lines: who came and went, what went wrong, what each was told, a line an event, with
/// its time in seconds and its host. Datagrams, segments and single messages are left out; of messages in a row it says how many.
#[must_use]
pub fn narrative(lines: &str) -> String {
    let mut story = String::new();
    let mut messages = 0_u64;
    for record in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |field: &str| record[field].as_str().unwrap_or_default();
        match (text("kind"), text("event")) {
            ("room", "Message") => messages += 1,
            ("node", "Service" | "OffersChanged") | ("room", "StateChanged") | ("sent" | "called", _) => {}
            (kind, _) if kind.starts_with("udp.") || kind.starts_with("tcp.") => {}
            (kind, _) => {
                if messages > 0 {
                    let _ = writeln!(story, "{:>19} messages", std::mem::take(&mut messages));
                }
                let at = record["t_us"].as_f64().unwrap_or_default() / 1e6;
                let what = match kind {
                    "node" | "room" => text("detail").to_owned(),
                    "host" => text("what").to_owned(),
                    _ => [kind, text("to"), text("state"), text("what"), text("detail")].join(" "),
                };
                let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
                let cut: String = what.chars().take(WIDTH).collect();
                let more = if cut.len() < what.len() { "…" } else { "" };
                let _ = writeln!(story, "{at:>9.3} s  {:8}  {cut}{more}", text("host"));
            }
        }
    }
    story
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_leaves_out_what_is_sent_and_counts_messages() {
        let lines = [
            r#"{"t_us":0,"seq":0,"host":"ann","kind":"host","life":0,"what":"started"}"#,
            r#"{"t_us":1000,"seq":1,"host":"ann","kind":"udp.send","to":"bob","id":0,"len":9,"hash":"00"}"#,
            r#"{"t_us":2000,"seq":2,"host":"ann","kind":"room","event":"Message","life":0,"detail":"Message(1)"}"#,
            r#"{"t_us":2000,"seq":3,"host":"ann","kind":"room","event":"Message","life":0,"detail":"Message(2)"}"#,
            r#"{"t_us":1500000,"seq":4,"host":"ann","kind":"partition","to":"hub"}"#,
        ];
        let told =
            "    0.000 s  ann       started\n                  2 messages\n    1.500 s  ann       partition hub\n";
        assert_eq!(narrative(&lines.join("\n")), told);
    }
}
