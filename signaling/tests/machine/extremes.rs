//! What no sane application or server asks for: no panic, and no other harm.

use std::time::{Duration, Instant};

use moorline_signaling::machine::{Config, Event, Input, Machine, NetHint, Outgoing, Output, State, Transport};
use moorline_signaling::{CallId, Epoch, LossCause, ParticipantId, SendClass, SendId};

use crate::stories::{check, joined, losses};
use crate::wire::{self, Down, News, pb};
use crate::world::{World, seed_bytes};

fn drain(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

fn patient() -> Config {
    const EVER: Duration = Duration::MAX;
    let mut config = Config::new("room");
    let timers = &mut config.timers;
    for wait in [
        &mut timers.credentials,
        &mut timers.dial,
        &mut timers.hello,
        &mut timers.attempt,
        &mut timers.heartbeat_interval,
        &mut timers.heartbeat_timeout,
        &mut timers.probe_timeout,
        &mut timers.fast_window,
        &mut timers.migrate,
        &mut timers.leave,
        &mut timers.stable,
        &mut timers.ack,
        &mut timers.ack_delay,
    ] {
        *wait = EVER;
    }
    timers.deadline = Some(EVER);
    let backoff = &mut config.backoff;
    (backoff.rejoin_base, backoff.rejoin_cap, backoff.first, backoff.hint_interval) = (EVER, EVER, EVER, EVER);
    (backoff.fast_base, backoff.fast_cap) = (EVER, EVER);
    config.bounds.send_ttl = EVER;
    config.rejoin_budget.1 = EVER;
    config.offline_counts = false;
    config
}

#[test]
fn the_longest_waits_are_no_panic() {
    for seed in 0..20 {
        let now = Instant::now();
        let mut machine = Machine::new(patient(), seed_bytes(seed));
        let body = |payload: &'static [u8]| Outgoing { payload: payload.into(), ..Outgoing::default() };
        machine.handle(now, Input::Connect);
        for (id, ttl) in [(1, None), (2, Some(Duration::MAX))] {
            machine.handle(now, Input::Send { id: SendId(id), class: SendClass::Reliable, body: body(b"x"), ttl });
        }
        machine.handle(
            now,
            Input::Call {
                id: CallId(3),
                to: ParticipantId(2),
                method: "m".into(),
                payload: bytes::Bytes::new(),
                timeout: Duration::MAX,
            },
        );
        machine.handle(now, Input::Net(NetHint::Offline));
        machine.handle(now, Input::TokenReady(String::new()));
        machine.handle(now, Input::CredsReady { node: "a".into(), url: "ws://a".into() });
        machine.handle(now + Duration::from_secs(1), Input::Net(NetHint::Online));
        machine.handle(now + Duration::from_secs(2), Input::Net(NetHint::RetryNow));
        drain(&mut machine);
        assert!(matches!(machine.state(), State::Connecting { .. }));
        assert!(machine.poll_deadline().is_some());
    }
}

#[test]
fn a_call_may_wait_for_ever() {
    let mut world = joined();
    world.call(99, Duration::MAX);
    world.pass(Duration::from_secs(1));
    check(&mut world);
    let ended = |output: &Output| matches!(output, Output::App(Event::CallOutcome { result: Ok(_), .. }));
    assert!(world.outputs().iter().any(ended));
}

#[test]
fn a_log_at_its_end_is_none() {
    // Of all numbers that a server may name, the highest leave none to go on with.
    for seq in [u64::MAX, u64::MAX - 1] {
        let mut world = joined();
        world.facts.faithful = false;
        let home = world.facts.last_welcome().map(|(_, _, welcome)| welcome.clone()).expect("it was let in");
        world.cluster.nodes.iter_mut().for_each(|node| node.greeting = crate::model::Greeting::Silent);
        let epoch = world.newest_link().expect("there is a connection");
        world.close_from_server(epoch, 4200, true);
        let epoch = Epoch(2);
        let greeted = |w: &World| w.facts.connections.get(&epoch).is_some_and(|c| c.hello.is_some());
        assert!(world.until(Duration::from_secs(5), greeted));
        let mut welcome = home;
        welcome.session_id = vec![9; 16].into();
        welcome.resumed = false;
        welcome.head = Some(pb::StreamPos { log_id: vec![9; 16].into(), seq });
        say(&mut world, epoch, 0, Down::Welcome(welcome));
        say(&mut world, epoch, 0, Down::ReplayEnd(pb::ReplayEnd { upto: seq }));
        let left = News::ParticipantLeft(pb::ParticipantLeft { id: 5, reason: 1 });
        for seq in [u64::MAX, 0, u64::MAX] {
            say(&mut world, epoch, seq, Down::Deliver(pb::Deliver { event: Some(left.clone()) }));
        }
        assert!(matches!(world.state(), State::Recovering { .. }), "{seq}: {}", world.tell(20));
        assert!(!losses(&world).iter().any(|cause| matches!(cause, LossCause::Silence(_))));
    }
}

fn say(world: &mut World, epoch: Epoch, seq: u64, body: Down) {
    let frame = pb::ServerFrame { seq, ack: 0, body: Some(body) };
    world.input(Input::Transport(epoch, Transport::Frame(wire::encode(&frame))));
}
