//! The example of a program of one's own holds, and shows when the program does not.

use moorline_sim::on_fresh_thread;

#[path = "../../examples/own_app.rs"]
mod example;

#[test]
fn the_bot_of_the_example_answers_whatever_happens_and_twice_in_the_same_way() {
    let play = |seed: u64| {
        let root = tempfile::tempdir().unwrap();
        on_fresh_thread(seed, || example::scenario(seed, root.path()).map(|trace| trace.fingerprint()))
    };
    for seed in 0..4 {
        let (one, other) = (play(seed).unwrap(), play(seed).unwrap());
        assert_eq!(one, other, "seed {seed}");
    }
}
