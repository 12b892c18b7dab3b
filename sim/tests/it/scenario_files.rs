//! Scenario files say what they mean, and nothing else.

use moorline_sim::{Scenario, named_scenarios, swarm};

const GOOD: &str = r#"version = 1
name = "good"
seed = 1
heal_at_ms = 1000
duration_ms = 2000

[[hosts]]
kind = "node"
name = "ann"
share = [{ name = "song", files = { "a.ogg" = 10 } }]

[[hosts]]
kind = "server"
name = "hub"

[[hosts]]
kind = "user"
name = "bob"
servers = ["hub"]
room = "den"

[[workload]]
at_ms = 10
work = "send"
host = "bob"

[[plan]]
at_ms = 100
fault = "crash"
host = "ann"
for_ms = 50
"#;

fn refusal(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    Scenario::parse(&GOOD.replace(from, to)).expect_err(to).to_string()
}

#[test]
fn a_file_that_was_written_reads_as_the_same_scenario() {
    let good = Scenario::parse(GOOD).unwrap();
    let random = (0..300).map(swarm);
    for scenario in named_scenarios().into_iter().chain(random).chain([good]) {
        let text = scenario.to_toml();
        let again = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again, scenario, "{text}");
        assert_eq!(again.to_toml(), text);
    }
}

#[test]
fn named_scenarios_have_names_of_their_own_and_prove_something() {
    let mut names: Vec<_> = named_scenarios()
        .into_iter()
        .map(|scenario| {
            assert!(!scenario.proves.is_empty(), "{}", scenario.name);
            scenario.name
        })
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_field_that_is_not_known_is_refused_with_its_line() {
    let refusals = [
        refusal("seed = 1", "seed = 1\ncolour = 3"),
        refusal("room = \"den\"", "room = \"den\"\nfloor = 3"),
        refusal("host = \"bob\"", "host = \"bob\"\nloud = true"),
        refusal("for_ms = 50", "for_ms = 50\nloud = true"),
        refusal("fault = \"crash\"", "fault = \"explode\""),
        refusal("seed = 1", ""),
    ];
    insta::assert_snapshot!(refusals.join("\n\n"));
}

#[test]
fn what_is_wrong_inside_of_a_host_is_refused_with_the_line_of_the_field() {
    let refusals = [
        refusal("kind = \"user\"", "kind = \"robot\""),
        refusal("kind = \"user\"\n", ""),
        refusal("room = \"den\"", "room = 5"),
        refusal("room = \"den\"", "room = \"den\"\nrenews = \"often\""),
        refusal("room = \"den\"", "shoes = \"brown\""),
        refusal("servers = [\"hub\"]", ""),
        refusal("name = \"hub\"", "name = \"hub\"\nresume_window_ms = -1"),
        refusal("files = { \"a.ogg\" = 10 }", "files = { \"a.ogg\" = \"ten\" }"),
        refusal("files = { \"a.ogg\" = 10 } }]", "files = { \"a.ogg\" = 10 } }]\nknows = [\"eve\"]"),
        refusal("kind = \"server\"", "kind = \"server\"\ntokens = true"),
    ];
    insta::assert_snapshot!(refusals.join("\n\n"));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line_and_advice() {
    let refusals = [
        refusal("version = 1", "version = 2"),
        refusal("seed = 1", "seed = -1"),
        refusal("duration_ms = 2000", "duration_ms = 1000"),
        refusal("\nat_ms = 100\n", "\nat_ms = 1000\n"),
        refusal("at_ms = 10\n", "at_ms = 1001\n"),
        refusal("fault = \"crash\"\nhost = \"ann\"", "fault = \"crash\"\nhost = \"eve\""),
        refusal("work = \"send\"\nhost = \"bob\"", "work = \"send\"\nhost = \"ann\""),
        refusal("servers = [\"hub\"]", "servers = [\"ann\"]"),
        refusal("name = \"bob\"", "name = \"ann\""),
        refusal("name = \"bob\"", "name = \"Bob\""),
        refusal("\"a.ogg\"", "\"../a.ogg\""),
        refusal("seed = 1", "seed = 1\nexcept = [\"everything\"]"),
        refusal("seed = 1", "seed = 1\nyields = 1.0"),
        refusal("fault = \"crash\"", "fault = \"stop_at\"\npoint = \"client.hello\""),
        refusal("fault = \"crash\"\nhost = \"ann\"", "fault = \"crash_at\"\nhost = \"bob\"\npoint = \"somewhere\""),
        refusal("fault = \"crash\"", "fault = \"crash_at\"\npoint = \"transfer.write\"\nnth = 0"),
        refusal("[[workload]]", "[[links]]\nfrom = \"ann\"\nto = \"hub\"\nfaults = { loss = 1.5 }\n\n[[workload]]"),
        refusal("[[workload]]", "[[links]]\nfrom = \"ann\"\nto = \"ann\"\nfaults = { loss = 0.5 }\n\n[[workload]]"),
        refusal("[[workload]]", "[[links]]\nfrom = \"ann\"\nto = \"hub\"\nfaults = { mtu = 500 }\n\n[[workload]]"),
        refusal("[[plan]]", "[[workload]]\nat_ms = 1\nwork = \"fetch\"\nhost = \"ann\"\nitem = \"sonng\"\n\n[[plan]]"),
        refusal("work = \"send\"", "work = \"send\"\ncount = 1000000000000"),
    ];
    insta::assert_snapshot!(refusals.join("\n\n"));
}
