//! Rooms with foreign software on the other side: a client on Python's websockets, and protoc as a reader of our frames.

#[path = "interop/python.rs"]
mod python;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use moorline_tests::{
    moorline::{Home, SOON},
    netns::Talker,
    signal::{Direction, Message, Proxy, RoomUser, SignalServer, messages},
};
use python::Python;

const ROOM: &str = "harbour";

fn websockets() -> Option<Python> {
    python::with("websockets==17.4")
}

fn start(python: &Python, args: &[&str]) -> Talker {
    let [program, script] = python.line("room_client.py");
    Talker::start(Command::new(program).arg(script).args(args))
}

/// Two who come, are heard, and go: whatever was done to the server before, this must work.
#[track_caller]
fn assert_serves(home: &Home, server: &SignalServer) {
    let at = Instant::now();
    let mut ada = RoomUser::join(home, &[&server.url()], ROOM, "ada", &[]);
    let mut ben = RoomUser::join(home, &[&server.url()], ROOM, "ben", &[]);
    ada.say("still there?");
    ben.hears("still there?");
    ada.settles(SOON);
    ada.leave().assert_never_lost();
    ben.leave().assert_never_lost();
    assert!(at.elapsed() < SOON, "it took {:?}", at.elapsed());
}

#[test]
fn a_client_in_python_talks_with_ours() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &[]);
    let mut snake = start(&python, &["join", &server.url(), ROOM, "snake"]);
    let joined = snake.until("its welcome", SOON, |line| line.starts_with("JOINED "));
    assert_eq!(joined, "JOINED version=1 people=ada,snake");
    snake.until("the end of the replay", SOON, |line| line == "LIVE");
    ada.sees_arrive("snake");
    for number in 1..=50 {
        snake.tell(&format!("hiss {number}"));
        ada.say(&format!("line {number}"));
    }
    ada.hears("hiss 50");
    snake.says_all(&["MESSAGE ada: line 50", "ACKED 50"], SOON);
    let mut ben = RoomUser::join(&home, &[&server.url()], ROOM, "ben", &[]);
    snake.until("ben", SOON, |line| line == "ARRIVED ben");
    ben.say("good evening");
    snake.until("ben's word", SOON, |line| line == "MESSAGE ben: good evening");
    drop(ben.leave());
    // 1 is LEFT.
    snake.until("ben's leave", SOON, |line| line == "LEFT ben 1");
    ada.settles(SOON);

    let expected: Vec<String> = (1..=50).map(|number| format!("MESSAGE ada: line {number}")).collect();
    let heard: Vec<&String> = snake.heard().iter().filter(|line| line.starts_with("MESSAGE ada")).collect();
    assert_eq!(heard, expected.iter().collect::<Vec<_>>());
    let account = {
        assert!(snake.hang_up(SOON).success());
        assert_eq!(ada.sees_leave("snake", SOON), "left");
        ada.leave()
    };
    assert_eq!(account.texts_from("snake"), (1..=50).map(|number| format!("hiss {number}")).collect::<Vec<_>>());
}

#[test]
fn a_leave_in_python_ends_with_the_word_and_the_code_of_the_schema() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let [program, script] = python.line("room_client.py");
    let output = Command::new(program)
        .arg(script)
        .args(["join", &server.url(), ROOM, "snake"])
        .stdin(Stdio::null())
        .output()
        .expect("Python can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let account = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{account}");
    // 1 is CLIENT_LEFT.
    assert!(said.lines().any(|line| line == "ENDED 1"), "{account}");
    let code = said.lines().find_map(|line| line.strip_prefix("CLOSED ")).and_then(|code| code.parse::<u16>().ok());
    assert!(code.is_some_and(|code| (4000..4100).contains(&code)), "a code of the final band: {account}");
}

#[test]
fn what_is_said_twice_is_heard_once() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut ada = RoomUser::join(&home, &[&server.url()], ROOM, "ada", &[]);
    start(&python, &["twice", &server.url()]).until("its acknowledgement", SOON, |line| line == "ACKED 3");
    ada.hears("three");
    assert_eq!(ada.leave().texts_from("echo"), ["once", "two", "three"]);
}

/// What the server is told, its fault (code and action, as in the schema), and the band of its close code.
const ABUSES: [(&str, &str, std::ops::Range<u16>); 17] = [
    ("garbage", "code=1 action=4 ", 4000..4100),
    ("empty", "code=1 action=4 ", 4000..4100),
    ("text", "code=1 action=4 ", 4000..4100),
    ("oversized", "code=1 action=4 ", 4000..4100),
    ("far_too_large", "code=1 action=4 ", 4000..4100),
    ("early", "code=1 action=4 ", 4000..4100),
    ("version", "code=2 action=4 ", 4000..4100),
    ("long_name", "code=1 action=4 ", 4000..4100),
    ("no_room", "code=1 action=4 ", 4000..4100),
    ("bad_text", "code=1 action=4 ", 4000..4100),
    ("short_lineage", "code=1 action=4 ", 4000..4100),
    ("silent", "code=12 action=1 ", 4100..4200),
    ("gap", "code=1 action=2 ", 4200..4300),
    ("second_hello", "code=1 action=4 ", 4000..4100),
    ("text_later", "code=1 action=4 ", 4000..4100),
    ("garbage_later", "code=1 action=4 ", 4000..4100),
    ("oversized_later", "code=1 action=4 ", 4000..4100),
];

#[test]
fn each_misbehaviour_ends_with_a_fault_and_a_code_and_harms_nobody_else() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut witness = RoomUser::join(&home, &[&server.url()], ROOM, "witness", &[]);
    let mut wrong = Vec::new();
    // Side by side: one of them waits for a deadline of the server.
    let abusers: Vec<Talker> =
        ABUSES.iter().map(|(case, ..)| start(&python, &["abuse", &server.url(), case])).collect();
    for ((case, fault, band), mut abuser) in ABUSES.into_iter().zip(abusers) {
        let closed = abuser.until(&format!("its end of {case}"), 3 * SOON, |line| line.starts_with("CLOSED "));
        let code: Option<u16> = closed.strip_prefix("CLOSED ").and_then(|code| code.parse().ok());
        let said: Vec<&String> = abuser.heard().iter().filter(|line| line.starts_with("FAULT ")).collect();
        let right = said.len() == 1 && said[0].contains(fault) && code.is_some_and(|code| band.contains(&code));
        if !right {
            wrong.push(format!("{case}: expected {fault}and a code in {band:?}: {}", abuser.account()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_serves(&home, &server);
    witness.say("that was a night");
    witness.settles(SOON);
    let witness = witness.leave();
    witness.assert_never_lost();
    assert_eq!(witness.texts_from("gap"), Vec::<&str>::new(), "{witness}");
}

#[test]
fn those_who_break_websocket_itself_are_cut_off_and_harm_nobody_else() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &["--resume-window", "1"]);
    let mut witness = RoomUser::join(&home, &[&server.url()], ROOM, "witness", &[]);
    for verb in ["unmasked", "broken_opcode"] {
        let mut abuser = start(&python, &[verb, &server.url()]);
        let closed = abuser.until(verb, SOON, |line| line.starts_with("CLOSED "));
        // As after any other frame that is none.
        assert_eq!(closed, "CLOSED 4000", "{verb}");
    }
    start(&python, &["after_close", &server.url()]).until("after_close", SOON, |line| line == "GONE");
    // What came after the close does not count.
    witness.sees_leave("undead", SOON);
    let mut answers = start(&python, &["http", &server.url()]);
    answers.until("the end of its requests", SOON, |line| line == "GONE");
    let status = |name: &str| {
        let line = answers.heard().iter().find_map(|line| line.strip_prefix(&format!("HTTP {name} ")));
        line.and_then(|line| line.split(' ').nth(1))
            .unwrap_or_else(|| panic!("no answer to {name}: {}", answers.account()))
    };
    assert_eq!(["health", "plain", "post", "huge", "old"].map(status), ["200", "426", "405", "431", "426"]);
    assert_serves(&home, &server);
    let witness = witness.leave();
    assert_eq!(witness.texts_from("undead"), ["alive"]);
    witness.assert_never_lost();
}

#[test]
fn requests_that_never_end_are_ended_and_keep_nobody_out() {
    let Some(python) = websockets() else { return };
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let mut slow = start(&python, &["slowloris", &server.url(), "200"]);
    slow.until("its connections", SOON, |line| line == "READY");
    assert_serves(&home, &server);
    let gone = slow.until("their end", 2 * SOON, |line| line.starts_with("GONE "));
    let seconds: f32 = gone.split("seconds=").nth(1).and_then(|text| text.parse().ok()).expect("a number");
    // A request has five seconds, and the client gives up after thirty.
    assert!(gone.contains("left=0 ") && seconds < 20.0, "{gone}");
}

fn protoc(mode: &str, frame: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/schema");
    let mut child = Command::new("protoc")
        .arg(format!("--proto_path={}", schema.display()))
        .arg(format!("{mode}=moorline.signal.v1.{frame}"))
        .arg("moorline/signal/v1/room.proto")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    child.stdin.take().expect("a pipe").write_all(input).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn has_protoc() -> bool {
    let there = Command::new("protoc").arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "protoc is needed in CI");
    if !there {
        eprintln!("notice: nothing was tested, since there is no protoc");
    }
    there
}

/// What protoc reads in a frame; nothing may be left over that the schema does not know.
#[track_caller]
fn read_by_protoc(frame: &str, bytes: &[u8]) -> String {
    let text =
        protoc("--decode", frame, bytes).unwrap_or_else(|error| panic!("protoc cannot read {bytes:02x?}: {error}"));
    let text = String::from_utf8_lossy(&text).into_owned();
    let unknown = text.lines().find(|line| line.trim_start().starts_with(|first: char| first.is_ascii_digit()));
    assert_eq!(unknown, None, "a field that the schema does not have: {text}");
    text
}

/// What somebody in a room and its server said to each other on two connections, in frames, and as protoc reads them. What protoc
/// makes of what it read is what was said: of our clients to the byte, of our server up to the order of the fields, since it puts what
/// many are told behind what one is told.
#[track_caller]
fn read_frames(proxy: &Proxy, direction: Direction, frame: &str) -> [Vec<String>; 2] {
    let frames: Vec<Vec<String>> = proxy
        .recorded(direction)
        .iter()
        .map(|bytes| {
            let binary = messages(bytes).into_iter().filter(|message| message.opcode == 2);
            binary
                .map(|Message { payload, .. }| {
                    let text = read_by_protoc(frame, &payload);
                    let again =
                        protoc("--encode", frame, text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
                    match direction {
                        Direction::ToServer => assert_eq!(again, payload, "{text}"),
                        Direction::ToClient => {
                            assert_eq!((again.len(), read_by_protoc(frame, &again)), (payload.len(), text.clone()));
                        }
                    }
                    text
                })
                .collect()
        })
        .collect();
    frames.try_into().unwrap_or_else(|frames: Vec<_>| panic!("{} connections", frames.len()))
}

#[track_caller]
fn assert_said(frames: &[String], words: &str) {
    assert!(frames.iter().any(|frame| frame.contains(words)), "{words} is in none of {frames:#?}");
}

#[test]
fn protoc_reads_what_we_say() {
    if !has_protoc() {
        return;
    }
    let home = Home::new();
    let server = SignalServer::start(&home, &[]);
    let proxy = Proxy::to(server.addr);
    let mut ben = RoomUser::join(&home, &[&server.url()], ROOM, "ben", &[]);
    let options = ["--identity", "ada", "--metadata", "seat 7", "--attribute", "colour=blue"];
    let mut ada = RoomUser::join(&home, &[&proxy.url()], ROOM, "ada", &options);
    ada.say("hello protoc");
    ada.say("/set camera on");
    ada.say("/call ben echo there?");
    ada.named("call_result");
    // Two connections: the second one says how it came to be.
    assert_eq!(proxy.reset(), 1);
    ada.named("recovered");
    ada.say("back again");
    ben.hears("back again");
    ben.say("welcome back");
    ada.hears("welcome back");
    ada.settles(SOON);
    drop(ada.leave());
    ben.sees_leave("ada", SOON);

    let [first, second] = read_frames(&proxy, Direction::ToServer, "ClientFrame");
    for (connection, hello) in [&first[0], &second[0]].into_iter().enumerate() {
        let expected = [
            "hello {",
            "proto_versions: 1",
            "room: \"harbour\"",
            "name: \"ada\"",
            "metadata: \"seat 7\"",
            "value: \"blue\"",
        ];
        for words in expected {
            assert!(hello.contains(words), "connection {connection}: {words} is not in {hello}");
        }
        assert_eq!(hello.contains("recovery {"), connection == 1, "{hello}");
    }
    for words in ["plan: FAST", "attempt: 1", "resume_token: ", "last_seen {", "first_unacked: ", "announced {"] {
        assert!(second[0].contains(words), "{words} is not in {}", second[0]);
    }
    for (frames, words) in [
        (&first, "payload: \"hello protoc\""),
        (&first, "state_update {"),
        (&first, "call {"),
        (&second, "payload: \"back again\""),
        (&second, "leave {"),
    ] {
        assert_said(frames, words);
    }

    let [first, second] = read_frames(&proxy, Direction::ToClient, "ServerFrame");
    // Nothing comes before the answer to Hello.
    for (connection, welcome) in [&first[0], &second[0]].into_iter().enumerate() {
        for words in ["welcome {", "session_id: ", "resume_token: ", "head {", "proto_version: 1"] {
            assert!(welcome.contains(words), "connection {connection}: {words} is not in {welcome}");
        }
        assert_eq!(welcome.contains("resumed: true"), connection == 1, "{welcome}");
        assert_eq!(welcome.contains("snapshot {"), connection == 0, "{welcome}");
    }
    for (frames, words) in [
        (&first, "replay_end {"),
        (&first, "deliver {"),
        (&first, "payload: \"there?\""),
        (&second, "replay_end {"),
        (&second, "payload: \"welcome back\""),
        (&second, "session_ended {"),
    ] {
        assert_said(frames, words);
    }
}

#[test]
fn protoc_reads_every_vector_of_the_schema() {
    if !has_protoc() {
        return;
    }
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/it/snapshots");
    for (file, frame, least) in [("client", "ClientFrame", 16), ("server", "ServerFrame", 22)] {
        let path = snapshots.join(format!("it__room_frames_stay__{file}.snap"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let vectors: Vec<Vec<u8>> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  frame "))
            .map(|hex| {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
                (0..hex.len()).step_by(2).map(byte).collect()
            })
            .collect();
        assert!(vectors.len() >= least, "{} vectors in {}", vectors.len(), path.display());
        for vector in vectors {
            let text = read_by_protoc(frame, &vector);
            // Protoc writes an empty value of a map down, and prost does not: the bytes may differ, what they say may not.
            let bytes = protoc("--encode", frame, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(read_by_protoc(frame, &bytes), text);
        }
    }
}
