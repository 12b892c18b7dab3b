//! People who stand still: they read nothing, and they say nothing.

use std::time::Duration;

use moorline_tests::{
    moorline::{Home, SOON},
    proc,
    sample::MIB,
    signal::SignalServer,
};

use crate::{join, numbered};

#[test]
fn somebody_who_does_not_read_holds_nobody_up_and_is_told_of_the_gap() {
    // More than the 4 MiB that a server keeps for one who does not acknowledge.
    const LINES: usize = 3000;
    let home = Home::new();
    // Long enough for all of it to be said while he stands still.
    let server = SignalServer::start(&home, &["--resume-window", "60"]);
    let [mut ada, mut ben, mut carl] = ["ada", "ben", "carl"].map(|name| join(&home, &server.url(), name));
    ada.until("both others", SOON, |seen| seen.count("participant_joined") == 2);
    ben.freeze();
    let padding = "x".repeat(2000);
    let lines: Vec<String> = numbered("line", LINES).iter().map(|line| format!("{line} {padding}")).collect();
    for line in &lines {
        ada.say(line);
    }
    ada.settles(SOON);
    carl.until("every line", SOON, |seen| seen.count("message") == LINES);
    assert_eq!(carl.transcript().texts_from("ada"), lines);
    let peak = proc::peak_memory(server.process.pid()).expect("it runs");
    assert!(peak < 64 * MIB, "the server needed {peak} bytes for one who does not read");

    ben.thaw();
    ben.named("lost");
    ben.named("resync");
    ben.named("recovered");
    ada.say("are you back?");
    ben.hears("are you back?");
    let (ada, ben) = (ada.leave(), ben.leave());
    assert!(ada.outcomes().values().all(|outcome| *outcome == "acked"), "{ada}");
    assert_eq!((ada.departures_of("ben").len(), ada.arrivals_of("ben")), (0, 1), "he was never away\n{ada}");
    // What he did hear is a beginning of what was said, and then there is a word of the gap.
    let mut heard = ben.texts_from("ada");
    assert_eq!(heard.pop(), Some("are you back?"));
    assert!(heard.len() < LINES, "there was no gap to tell of");
    assert_eq!(heard, lines[..heard.len()]);
    ben.assert_each_loss_recovered();
}

#[test]
fn somebody_who_stands_still_for_too_long_is_given_up_and_comes_back_anew() {
    const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(12);
    let home = Home::new();
    let server = SignalServer::start(&home, &["--resume-window", "1"]);
    let mut ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    ada.sees_arrive("ben");
    ben.freeze();
    let reason = ada.sees_leave("ben", HEARTBEAT_TIMEOUT + Duration::from_secs(10));
    assert_eq!(reason, "timed_out");
    ben.thaw();
    ben.named("lost");
    ada.sees_arrive("ben");
    ben.named("recovered");
    ben.say("I must have dozed off");
    ada.hears("I must have dozed off");
    ben.settles(SOON);
    let (ben, ada) = (ben.leave(), ada.leave());
    assert_eq!((ada.arrivals_of("ben"), ada.departures_of("ben")[0]), (2, "timed_out"), "{ada}");
    ben.assert_each_loss_recovered();
    ada.assert_never_lost();
}
