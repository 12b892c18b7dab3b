//! Rooms between real processes on the loopback: a server, people who talk, and all that can come between them.

#[path = "e2e_signal/access.rs"]
mod access;
#[path = "e2e_signal/crash.rs"]
mod crash;
#[path = "e2e_signal/meetings.rs"]
mod meetings;
#[path = "e2e_signal/moves.rs"]
mod moves;
#[path = "e2e_signal/pipes.rs"]
mod pipes;
#[path = "e2e_signal/silence.rs"]
mod silence;
#[path = "e2e_signal/still.rs"]
mod still;
#[path = "e2e_signal/talk.rs"]
mod talk;
#[path = "e2e_signal/torn.rs"]
mod torn;

use moorline_tests::{moorline::Home, signal::RoomUser};

const ROOM: &str = "harbour";

/// Somebody who comes to the usual room as themselves.
#[track_caller]
fn join(home: &Home, url: &str, name: &str) -> RoomUser {
    RoomUser::join(home, &[url], ROOM, name, &["--identity", name])
}

/// `prefix 1` to `prefix count`.
fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{prefix} {number}")).collect()
}
