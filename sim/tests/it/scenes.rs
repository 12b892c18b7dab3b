//! The simulations that several tests run.

use std::path::Path;
use std::time::Duration;

use moorline_runtime::node::NodeEvent;
use moorline_signaling::machine::{Event, State};
use moorline_signaling::{SendClass, SendOutcome};
use moorline_sim::{FetchState, Folder, Lab, LabConfig, LinkFaults, NodeSpec, ServerSpec, Trace, UserHost, UserSpec};

/// More simulated time than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes that do not repeat.
pub(crate) fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut out);
    out
}

/// A link on which everything goes wrong now and then.
pub(crate) fn chaos() -> LinkFaults {
    LinkFaults { loss: 0.02, duplicate: 0.05, corrupt: 0.01, jitter_ms: 8.0, latency_ms: 3.0, ..LinkFaults::default() }
}

pub(crate) fn fill(folder: &Folder) {
    folder.write("share/game/a.bin", &noise(1, (3 << 20) + 17)).unwrap();
    folder.write("share/game/deep/er/b.bin", &noise(2, 1 << 20)).unwrap();
    folder.write("share/game/c.txt", b"hello").unwrap();
    folder.write("share/game/empty", b"").unwrap();
}

pub(crate) fn assert_same(here: &Folder, there: &Folder) {
    for file in ["game/a.bin", "game/deep/er/b.bin", "game/c.txt", "game/empty"] {
        let (ours, theirs) = (here.read(format!("share/{file}")).unwrap(), there.read(format!("into/{file}")).unwrap());
        assert!(ours == theirs, "{file} differs");
    }
}

/// One shares, the other finds and fetches, and both say goodbye.
pub(crate) fn transfer(seed: u64, root: &Path, faults: LinkFaults) -> Trace {
    let mut lab = Lab::new(LabConfig::new(seed, root));
    let sharer = lab.node("ann", NodeSpec::sharing());
    let getter = lab.node("bob", NodeSpec::default());
    lab.set_link("ann", "bob", faults);
    fill(sharer.folder());
    getter.fetch("game");
    if let Err(error) = lab.run_until(PATIENCE, |_| getter.fetched("game")) {
        panic!("{error}: {:?}, {:#?}", getter.fetch_state("game"), getter.events());
    }
    assert_same(sharer.folder(), getter.folder());
    sharer.stop();
    let goodbye = |_: &Lab| {
        let is_goodbye = |event: &NodeEvent| matches!(event, NodeEvent::PeerDown { goodbye: true, .. });
        getter.with_events(|events| events.iter().any(|logged| is_goodbye(&logged.event)))
    };
    lab.run_until(PATIENCE, goodbye).expect("the goodbye is heard");
    getter.stop();
    lab.run_until(PATIENCE, |_| has_stopped(&getter) && has_stopped(&sharer)).expect("both stop");
    lab.finish()
}

/// Both nodes are killed in the middle of a transfer, one after the other, and come back.
pub(crate) fn restarts(seed: u64, root: &Path) -> Trace {
    let mut lab = Lab::new(LabConfig::new(seed, root));
    let sharer = lab.node("ann", NodeSpec::sharing());
    let getter = lab.node("bob", NodeSpec::default());
    lab.set_link("ann", "bob", LinkFaults { rate_kbit: Some(10_000), loss: 0.001, ..LinkFaults::default() });
    fill(sharer.folder());
    getter.fetch("game");
    for host in ["ann", "bob"] {
        wait(&mut lab, "it is under way", |_| matches!(getter.fetch_state("game"), Some(FetchState::Running(_))));
        lab.run_for(Duration::from_millis(1_200)).unwrap();
        assert!(!getter.fetched("game"), "{host} is killed in the middle");
        lab.crash(host);
        lab.run_for(Duration::from_millis(300)).unwrap();
        lab.bounce(host);
    }
    wait(&mut lab, "it is whole", |_| getter.fetched("game"));
    assert_same(sharer.folder(), getter.folder());
    assert_eq!((sharer.lives(), getter.lives()), (2, 2));
    lab.finish()
}

fn has_stopped(node: &moorline_sim::NodeHost) -> bool {
    node.with_events(|events| matches!(events.last().map(|last| &last.event), Some(NodeEvent::Stopped { .. })))
}

/// Two talk in a room; the server is killed and comes back; the network is cut and heals.
pub(crate) fn rooms(seed: u64, root: &Path) -> Trace {
    let mut lab = Lab::new(LabConfig::new(seed, root));
    let server = lab.server("hub", ServerSpec::default());
    let ann = lab.user("ann", UserSpec::joining(server.url(), "den"));
    let bob = lab.user("bob", UserSpec::joining(server.url(), "den"));
    wait(&mut lab, "both are in", |_| both_see_two(&ann) && both_see_two(&bob));
    talk(&mut lab, &ann, &bob, "before");

    lab.crash("hub");
    wait(&mut lab, "the loss is noticed", |_| losses(&ann) == 1 && losses(&bob) == 1);
    lab.run_for(Duration::from_secs(1)).unwrap();
    lab.bounce("hub");
    wait(&mut lab, "both are back", |_| live(&ann) && live(&bob) && both_see_two(&ann) && both_see_two(&bob));
    talk(&mut lab, &ann, &bob, "after the crash");

    lab.partition("ann", "hub");
    wait(&mut lab, "the silence is noticed", |_| losses(&ann) == 2);
    assert_eq!(losses(&bob), 1, "the other way is open");
    let waiting = ann.send(SendClass::Reliable, "into the dark");
    lab.run_for(Duration::from_secs(2)).unwrap();
    lab.heal("ann", "hub");
    wait(&mut lab, "the other one is back", |_| live(&ann));
    wait(&mut lab, "what waited is sent", |_| ann.outcome(waiting) == Some(SendOutcome::Acked));
    talk(&mut lab, &ann, &bob, "after the cut");

    ann.close();
    wait(&mut lab, "she is gone", |_| saw_leave(&bob));
    bob.close();
    wait(&mut lab, "both are done", |_| closed(&ann) && closed(&bob));
    server.stop();
    lab.run_for(Duration::from_secs(1)).unwrap();
    assert!(!lab.is_running("hub"));
    lab.finish()
}

pub(crate) fn wait(lab: &mut Lab, what: &str, done: impl FnMut(&Lab) -> bool) {
    lab.run_until(PATIENCE, done).unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// A message each way arrives, once.
pub(crate) fn talk(lab: &mut Lab, a: &UserHost, b: &UserHost, what: &str) {
    for (from, to) in [(a, b), (b, a)] {
        let text = format!("{what}, from {}", from.name());
        let sent = from.send(SendClass::Reliable, text.clone());
        wait(lab, &text, |_| times_heard(to, &text) == 1 && from.outcome(sent) == Some(SendOutcome::Acked));
    }
}

fn times_heard(user: &UserHost, text: &str) -> usize {
    user.messages().iter().filter(|payload| *payload == text.as_bytes()).count()
}

fn both_see_two(user: &UserHost) -> bool {
    let mut seen = 0_usize;
    user.with_events(|events| {
        for logged in events {
            match &logged.event {
                Event::Joined { participants, .. } | Event::ResyncRequired { participants, .. } => {
                    seen = participants.len();
                }
                Event::ParticipantJoined(_) => seen += 1,
                Event::ParticipantLeft { .. } => seen -= 1,
                _ => {}
            }
        }
    });
    seen == 2
}

fn losses(user: &UserHost) -> usize {
    user.with_events(|events| events.iter().filter(|l| matches!(l.event, Event::ConnectionLost { .. })).count())
}

fn live(user: &UserHost) -> bool {
    matches!(user.client_state(), Some(State::Live { .. }))
}

fn closed(user: &UserHost) -> bool {
    user.with_events(|events| matches!(events.last().map(|l| &l.event), Some(Event::Closed { .. })))
}

fn saw_leave(user: &UserHost) -> bool {
    user.with_events(|events| matches!(events.last().map(|l| &l.event), Some(Event::ParticipantLeft { .. })))
}
