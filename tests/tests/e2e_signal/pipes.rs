//! The program between other programs, and under Ctrl-C.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use moorline_tests::{
    moorline::{Home, SOON},
    signal::{RoomUser, SignalServer, Transcript, reserved_address},
};
use socket2::{Domain, Socket, Type};

use crate::{ROOM, join, numbered};

#[test]
fn a_pipe_is_delivered_to_its_end_and_then_the_program_leaves() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut ben = join(&home, &server.url(), "ben");
    // Everything is in the pipe, and its other end closed, before the room is entered.
    let mut pipe = RoomUser::start(&home, &[&server.url()], ROOM, "pipe", &[]);
    pipe.say("a");
    pipe.say_without_enter("b");
    pipe.hang_up();
    let (ended, seen) = pipe.ended(SOON);
    ended.assert_code(0);
    assert!(ended.took < SOON, "it took {:?}", ended.took);
    assert_eq!(seen.outcomes().into_iter().collect::<Vec<_>>(), [(1, "acked"), (2, "acked")], "{seen}");
    assert_eq!(ben.sees_leave("pipe", SOON), "left");
    assert_eq!(ben.leave().texts_from("pipe"), ["a", "b"]);
}

#[test]
fn a_long_pipe_is_delivered_whole() {
    const LINES: usize = 5000;
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut ben = join(&home, &server.url(), "ben");
    let mut pipe = RoomUser::start(&home, &[&server.url()], ROOM, "pipe", &[]);
    numbered("line", LINES).iter().for_each(|line| {
        pipe.say(line);
    });
    pipe.hang_up();
    let (ended, seen) = pipe.ended(SOON);
    ended.assert_code(0);
    let outcomes = seen.outcomes();
    assert_eq!(outcomes.len(), LINES);
    assert!(outcomes.values().all(|outcome| *outcome == "acked"), "{seen}");
    assert_eq!(ben.sees_leave("pipe", SOON), "left");
    assert_eq!(ben.leave().texts_from("pipe"), numbered("line", LINES));
}

#[test]
fn a_pipe_whose_lines_fail_says_which_and_ends_with_a_code_of_its_own() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    for json in [&["--json"][..], &[]] {
        let mut pipe = home.start_typing(&[&["room", &server.url(), ROOM, "--name", "pipe"], json].concat());
        pipe.type_in("hello\n/to nobody hi\n");
        pipe.type_in(&format!("{}\n/dance\n/call nobody echo\n", "x".repeat(64 * 1024 + 1)));
        pipe.type_in("goodbye\n");
        pipe.end_input();
        let ended = pipe.ended(SOON);
        ended.assert_code(8);
        let told: Vec<usize> = (1..=6).filter(|line| ended.stderr.contains(&format!("line {line}: "))).collect();
        assert_eq!(told, [2, 3, 4, 5], "{ended}");
    }
}

#[test]
fn the_end_of_a_pipe_waits_for_a_recovery_as_long_as_its_deadline() {
    let home = Home::new();
    let server = SignalServer::start_at(&home, &reserved_address(), &[]);
    let url = server.url();
    let mut pipe = RoomUser::join(&home, &[&url], ROOM, "pipe", &["--deadline", "20"]);
    let mut hasty = RoomUser::join(&home, &[&url], ROOM, "hasty", &["--deadline", "2"]);
    let at = server.kill();
    for user in [&mut pipe, &mut hasty] {
        user.named("lost");
        user.say("is anybody there?");
        user.hang_up();
    }
    let (ended, _) = hasty.ended(SOON);
    // That the room is gone counts less than that a line may be lost.
    ended.assert_code(8);
    // The clock on the wall is what is awaited: nothing may happen before the server is back.
    std::thread::sleep(Duration::from_millis(6500));
    let server = SignalServer::start_at(&home, &at.to_string(), &[]);
    let (ended, seen) = pipe.ended(SOON);
    ended.assert_code(0);
    assert_eq!(seen.outcomes().into_values().collect::<Vec<_>>(), ["acked"], "{seen}");
    server.stop();
}

#[test]
fn whoever_only_listens_stays_although_stdin_has_ended() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let talks = home.run(&["room", &server.url(), ROOM, "--name", "talks", "--json"]);
    talks.assert_code(0);
    let mut service = home.start(&["room", &server.url(), ROOM, "--name", "service", "--listen-only", "--json"]);
    service.named("joined");
    let mut ben = join(&home, &server.url(), "ben");
    ben.say("anybody?");
    service.event("the message", SOON, |event| event["type"] == "message" && event["text"] == "anybody?");
    service.interrupt();
    service.ended(SOON).assert_code(0);
    assert_eq!(ben.sees_leave("service", SOON), "left");
}

#[test]
fn people_see_lines_of_text_without_tricks() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut reader = home.start_typing(&["room", &server.url(), ROOM, "--name", "reader"]);
    let mut ada = join(&home, &server.url(), "ada");
    let reader_is_there = |seen: &Transcript| {
        seen.arrivals_of("reader") == 1
            || seen.of("joined").any(|joined| joined["participants"].to_string().contains("reader"))
    };
    ada.until("the reader", SOON, reader_is_there);
    // A colour, a return to the start of the line, and text that runs backwards.
    ada.say("\u{1b}[31mred\rfaked \u{202e}sdrawkcab");
    let line = loop {
        let line = reader.line(SOON);
        if line.contains("ada: ") {
            break line;
        }
    };
    assert!(line.contains("red") && line.contains("faked"), "{line:?}");
    assert!(!line.contains(['\u{1b}', '\r', '\u{202e}']), "{line:?}");
}

#[test]
fn ctrl_c_says_goodbye() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let ada = join(&home, &server.url(), "ada");
    let mut ben = join(&home, &server.url(), "ben");
    let at = Instant::now();
    ada.interrupt();
    assert_eq!(ben.sees_leave("ada", SOON), "left");
    let (ended, seen) = ada.ended(SOON);
    ended.assert_code(0);
    assert!(at.elapsed() < Duration::from_secs(5), "it took {:?}", at.elapsed());
    assert_eq!(seen.count("closed"), 1, "{seen}");
    assert_eq!(ben.leave().departures_of("ada"), ["left"]);
}

#[test]
fn a_server_that_cannot_be_reached_is_said_so() {
    let home = Home::new();
    // Bound, so that nobody else can listen there, and not listening.
    let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    nobody.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port on the loopback");
    let addr = nobody.local_addr().ok().and_then(|addr| addr.as_socket()).expect("a bound socket has an address");
    let url = format!("ws://{addr}");
    let at = Instant::now();
    let ended = home.run(&["room", &url, ROOM, "--json", "--deadline", "2"]);
    ended.assert_code(4);
    assert!(at.elapsed() >= Duration::from_secs(1) && at.elapsed() < SOON, "{:?}", at.elapsed());
}

#[test]
fn two_servers_at_one_address_are_refused_with_a_hint() {
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let ended = home.run(&["signal", "--listen", &server.addr.to_string(), "--json"]);
    ended.assert_code(4);
    assert!(ended.stdout.contains("hint") || ended.stderr.contains("--listen"), "{ended}");
}
