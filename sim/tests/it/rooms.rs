use std::time::SystemTime;

use moorline_sim::audit::Question;
use moorline_sim::{audit, on_fresh_thread};

use crate::scenes;

#[test]
fn a_room_survives_the_crash_of_its_server_and_a_cut() {
    let root = tempfile::tempdir().unwrap();
    on_fresh_thread(3, || scenes::rooms(3, root.path()));
}

#[test]
fn nobody_asks_the_system_for_randomness_or_the_time_of_day_who_was_not_to() {
    let root = tempfile::tempdir().unwrap();
    let audit = on_fresh_thread(4, || {
        assert!(audit::is_interposed());
        scenes::rooms(4, root.path());
        scenes::transfer(4, root.path(), scenes::chaos());
        audit::so_far()
    });
    for call in &audit.calls {
        println!("{}: {}", call.question, call.expected.unwrap_or("unexpected"));
    }
    assert!(!audit.calls.is_empty() && audit.more == 0, "WebSocket asks");
    let unexpected: Vec<_> = audit.unexpected().collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[test]
fn who_asks_for_the_time_of_day_is_written_down() {
    let audit = on_fresh_thread(5, || {
        let _now = SystemTime::now();
        audit::so_far()
    });
    let asked: Vec<_> = audit.unexpected().filter(|call| call.question == Question::TimeOfDay).collect();
    assert_eq!(asked.len(), 1, "{audit:#?}");
    assert!(asked[0].by.iter().any(|function| function.contains("who_asks_for_the_time")), "{asked:#?}");
}
