//! Rooms on a network that carries in one direction only: the server on one host, people on others.

use std::time::{Duration, Instant};

use moorline_tests::{
    moorline::{Home, SOON},
    netns::{NetLab, permitted},
    signal::{RoomUser, SignalServer},
};

const ROOM: &str = "harbour";
/// Silence after which either side takes the other for dead.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(12);
/// How long the server keeps a session after it has noticed.
const RESUME_WINDOW: Duration = Duration::from_secs(4);
/// What a look at the clock, and a busy machine, add to it.
const GRACE: Duration = Duration::from_secs(2);
// The hosts: of the server, of somebody whom it does not hear, of somebody who does not hear it, and of a witness.
const SERVER: usize = 0;
const MUTE: usize = 1;
const DEAF: usize = 2;
const WITNESS: usize = 3;

/// The server, and three who know of each other.
struct Scene {
    lab: NetLab,
    _server: SignalServer,
    _homes: [Home; 4],
    mute: RoomUser,
    deaf: RoomUser,
    witness: RoomUser,
}

fn scene(deadline: &str) -> Option<Scene> {
    if !permitted() {
        return None;
    }
    let lab = NetLab::new(4);
    let listen = format!("{}:7350", lab.ipv4(SERVER));
    let homes = [SERVER, MUTE, DEAF, WITNESS].map(|host| Home::on(lab.namespace(host)));
    let resume_window = RESUME_WINDOW.as_secs().to_string();
    let server = SignalServer::start_at(&homes[SERVER], &listen, &["--resume-window", &resume_window]);
    let come = |host: usize, name: &str, deadline: &str| {
        let options = ["--identity", name, "--deadline", deadline];
        RoomUser::join(&homes[host], &[&server.url()], ROOM, name, &options)
    };
    let mute = come(MUTE, "mute", deadline);
    let deaf = come(DEAF, "deaf", deadline);
    let mut witness = come(WITNESS, "witness", "30");
    witness.say("all there");
    let mut scene = Scene { _server: server, _homes: homes, mute, deaf, witness, lab };
    scene.mute.hears("all there");
    scene.deaf.hears("all there");
    scene.witness.settles(SOON);
    Some(scene)
}

impl Scene {
    fn cut(&self) {
        self.lab.silence(MUTE, SERVER);
        self.lab.silence(SERVER, DEAF);
    }

    #[track_caller]
    fn mend(&self) {
        for (from, to) in [(MUTE, SERVER), (SERVER, DEAF)] {
            assert!(self.lab.unsilence(from, to) > 0, "nothing was kept from host {to}");
        }
    }
}

#[test]
fn network_that_drops_one_direction_for_a_moment_loses_nothing() {
    let Some(mut scene) = scene("30") else { return };
    scene.cut();
    for user in [&mut scene.mute, &mut scene.deaf, &mut scene.witness] {
        user.say("in the dark");
    }
    // Longer than a ping takes, shorter than anybody's patience.
    std::thread::sleep(Duration::from_secs(4));
    scene.mend();
    for user in [&mut scene.mute, &mut scene.deaf, &mut scene.witness] {
        user.until("both others", SOON, |seen| {
            seen.of("message").filter(|message| message["text"] == "in the dark").count() == 2
        });
        user.settles(SOON);
    }
    for (who, user) in [("mute", scene.mute), ("deaf", scene.deaf), ("witness", scene.witness)] {
        let seen = user.leave();
        seen.assert_never_lost();
        assert!(seen.outcomes().values().all(|outcome| *outcome == "acked"), "{who}\n{seen}");
        assert_eq!(seen.of("message").filter(|message| message["text"] == "in the dark").count(), 2, "{who}\n{seen}");
    }
}

#[test]
fn network_that_drops_one_direction_for_good_is_noticed_by_both_ends() {
    let Some(mut scene) = scene("8") else { return };
    scene.cut();
    let at = Instant::now();
    // Whoever hears nothing resets the connection, and the way there is open: the other end notices with it.
    for user in [&mut scene.deaf, &mut scene.mute] {
        let patience = (HEARTBEAT_TIMEOUT + GRACE).saturating_sub(at.elapsed());
        user.event("the loss", patience, |event| event["type"] == "lost");
    }
    let patience = (HEARTBEAT_TIMEOUT + RESUME_WINDOW + GRACE).saturating_sub(at.elapsed());
    scene.witness.until("both to be gone", patience, |seen| seen.count("participant_left") == 2);
    for (name, user) in [("mute", scene.mute), ("deaf", scene.deaf)] {
        let (ended, seen) = user.ended(SOON);
        ended.assert_code(4);
        assert_eq!((seen.count("lost"), seen.count("recovered"), seen.count("closed")), (1, 0, 1), "{name}\n{seen}");
    }
    scene.witness.say("alone");
    scene.witness.settles(SOON);
    let seen = scene.witness.leave();
    assert_eq!(
        (seen.departures_of("mute"), seen.departures_of("deaf")),
        (vec!["timed_out"], vec!["timed_out"]),
        "{seen}"
    );
    seen.assert_never_lost();
}

#[test]
fn network_that_is_mended_after_the_loss_brings_both_back_with_all_that_was_said() {
    let Some(mut scene) = scene("30") else { return };
    scene.cut();
    for user in [&mut scene.mute, &mut scene.deaf] {
        user.say("in the dark");
    }
    let at = Instant::now();
    for user in [&mut scene.mute, &mut scene.deaf] {
        let patience = (HEARTBEAT_TIMEOUT + GRACE).saturating_sub(at.elapsed());
        user.event("the loss", patience, |event| event["type"] == "lost");
    }
    scene.mend();
    for user in [&mut scene.mute, &mut scene.deaf] {
        user.named("recovered");
        user.say("in the light");
    }
    for name in ["mute", "deaf"] {
        scene.witness.until(&format!("both words of {name}"), SOON, |seen| seen.texts_from(name).len() >= 2);
    }
    scene.mute.settles(SOON);
    scene.deaf.settles(SOON);
    let witness = scene.witness.leave();
    witness.assert_never_lost();
    for (name, user) in [("mute", scene.mute), ("deaf", scene.deaf)] {
        assert_eq!(witness.texts_from(name), ["in the dark", "in the light"], "once each, in order");
        // Both were there before the witness, who saw neither go, nor come again.
        assert_eq!((witness.departures_of(name).len(), witness.arrivals_of(name)), (0, 0), "{name}\n{witness}");
        let seen = user.leave();
        seen.assert_each_loss_recovered();
        assert!(seen.outcomes().values().all(|outcome| *outcome == "acked"), "{name}\n{seen}");
    }
}
