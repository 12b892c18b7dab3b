//! Servers restart, forget, are full, or send elsewhere.

use std::time::Duration;

use bytes::Bytes;
use moorline_signaling::machine::{Config, Event, Input, Phase, State, Transport};
use moorline_signaling::{CallError, CloseReason, Epoch, LossCause, SendClass, SendOutcome, Strategy};

use super::{
    check, closed_within, dials, events, join, joined, last_word, live_within, losses, recoveries, tale, with, world,
};
use crate::model::{Afterwards, Greeting, Keep};
use crate::wire::{self, Down, News, pb};
use crate::world::{DialMode, TokenMode, World};

/// A world whose machine was in the room of a server that will not resume its session, and is on its way back.
fn rejected(mut world: World, afterwards: Afterwards) -> World {
    join(&mut world);
    world.cluster.nodes[0].greeting = Greeting::Reject(pb::RejectReason::Gap);
    world.cluster.nodes[0].afterwards = afterwards;
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    world
}

#[test]
fn a_restart_that_keeps_the_log_is_a_fast_recovery() {
    let mut world = joined();
    let session = world.machine.session();
    world.restart(0, Keep::All);
    world.publish(4);
    assert!(live_within(&mut world, 1_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
    assert_eq!(world.machine.session(), session);
    assert_eq!(events(&world).filter(|e| matches!(e, Event::Message(_))).count(), 4);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_restart_that_loses_sessions_is_a_rejoin_that_loses_no_send() {
    let mut world = joined();
    world.send(SendClass::Reliable, 16, None);
    world.pass(Duration::from_millis(1));
    world.restart(0, Keep::Lineages);
    world.send(SendClass::Reliable, 16, None);
    assert!(live_within(&mut world, 2_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    assert_eq!(world.cluster.ledger.applied.len(), 2);
    assert_eq!(events(&world).filter(|e| matches!(e, Event::ResyncRequired { .. })).count(), 1);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_restart_that_loses_everything_says_so_of_what_was_in_flight() {
    let mut world = joined();
    let kept = world.send(SendClass::Latest("place".into()), 16, None);
    world.pass(Duration::from_secs(1));
    world.cluster.mute_acks = true;
    let in_flight = world.send(SendClass::Reliable, 16, None);
    let call = world.call(99, Duration::from_secs(20));
    world.pass(Duration::from_micros(500));
    world.restart(0, Keep::Nothing);
    world.pass(Duration::from_millis(2));
    let later = world.send(SendClass::Reliable, 16, None);
    world.cluster.mute_acks = false;
    assert!(live_within(&mut world, 2_000));
    world.pass(Duration::from_secs(1));
    check(&mut world);
    let outcome = |id| world.facts.sends.by_id(id).and_then(|send| send.outcome.clone());
    assert_eq!(outcome(kept), Some(SendOutcome::Acked));
    assert_eq!(outcome(in_flight), Some(SendOutcome::Unknown));
    assert_eq!(outcome(later), Some(SendOutcome::Acked));
    let lost =
        events(&world).any(|e| matches!(e, Event::CallOutcome { id, result: Err(CallError::Lost) } if *id == call));
    assert!(lost, "the call's answer is lost: {}", tale(&world));
    // What was announced before is announced to the server that has forgotten it.
    let lineage = world.machine.lineage();
    let known = world.cluster.announced(0, lineage.as_bytes()).expect("the lineage is known");
    assert!(known.contains_key("place"));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_log_that_overflowed_is_never_a_silent_hole() {
    let mut world = joined();
    world.cluster.terms.replay_capacity = 4;
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    world.pass(Duration::from_millis(1));
    world.publish(20);
    assert!(live_within(&mut world, 2_000));
    world.publish(1);
    world.pass(Duration::from_secs(1));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    let resync = events(&world).position(|e| matches!(e, Event::ResyncRequired { .. }));
    let message = events(&world).position(|e| matches!(e, Event::Message(_)));
    assert!(resync.is_some() && resync < message);
}

#[test]
fn a_rejected_resumption_leads_to_a_rejoin_at_once() {
    for reason in [
        pb::RejectReason::Expired,
        pb::RejectReason::UnknownSession,
        pb::RejectReason::Gap,
        pb::RejectReason::Fenced,
        pb::RejectReason::NodeChanged,
    ] {
        let mut world = joined();
        world.cluster.nodes[0].greeting = Greeting::Reject(reason);
        let epoch = world.newest_link().expect("there is a connection");
        world.reset(epoch);
        let lost = world.elapsed();
        assert!(live_within(&mut world, 1_000), "{reason:?}: {}", world.tell(30));
        assert!(world.elapsed() - lost < Duration::from_millis(400), "{reason:?}: no pause before the rejoin");
        check(&mut world);
        assert_eq!(recoveries(&world), [Strategy::Rejoin]);
        assert_eq!(dials(&world), 2, "over the same connection");
        if reason == pb::RejectReason::Gap {
            insta::assert_snapshot!(tale(&world));
        }
    }
}

#[test]
fn a_server_that_closes_after_its_rejection_is_asked_again_at_once() {
    for code in [1000, 1006, 4202] {
        let mut world = rejected(world(), Afterwards::Close(code));
        let lost = world.elapsed();
        assert!(live_within(&mut world, 1_000), "{code}: {}", world.tell(30));
        assert!(world.elapsed() - lost < Duration::from_millis(400), "{code}: no pause before the rejoin");
        check(&mut world);
        assert_eq!(recoveries(&world), [Strategy::Rejoin]);
        assert_eq!(dials(&world), 3);
        if code == 4202 {
            insta::assert_snapshot!(tale(&world));
        }
    }
}

#[test]
fn a_close_after_a_rejection_that_asks_for_something_else_is_obeyed() {
    let mut world = rejected(world(), Afterwards::Close(4300));
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate], "the node is left");
    let mut world = rejected(super::world(), Afterwards::Close(4001));
    assert!(closed_within(&mut world, 1_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Unrecoverable { code: 4001, .. })));
}

#[test]
fn silence_after_a_rejection_is_a_failed_attempt() {
    let mut world = rejected(world(), Afterwards::Silent);
    assert!(live_within(&mut world, 10_000), "{}", world.tell(30));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    assert_eq!(dials(&world), 3);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_rejection_that_comes_late_leaves_a_whole_attempt_for_the_new_session() {
    let mut world = rejected(world(), Afterwards::Wait);
    // Each hello is answered in time, and both together take longer than an attempt may.
    world.latency = Duration::from_millis(2_400);
    assert!(live_within(&mut world, 20_000), "{}", world.tell(30));
    check(&mut world);
    assert_eq!(dials(&world), 2, "{}", tale(&world));
    assert!(world.elapsed() > Duration::from_secs(11 + 14));
}

#[test]
fn a_second_rejection_is_a_failed_attempt() {
    let mut world = rejected(world(), Afterwards::Again);
    assert!(live_within(&mut world, 10_000), "{}", world.tell(30));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    assert_eq!(dials(&world), 3);
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_fault_after_a_rejection_is_one_of_a_new_session() {
    let full = Afterwards::Fault(pb::FaultCode::NodeFull, pb::FaultAction::Move, 0, 0);
    let mut world = rejected(world(), full);
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate], "the node is left");
    insta::assert_snapshot!(tale(&world));

    let expired = Afterwards::Fault(pb::FaultCode::TokenExpired, pb::FaultAction::Retry, 0, 0);
    let mut with_token = super::world();
    with_token.tokens = TokenMode::Fresh;
    let mut world = rejected(with_token, expired);
    assert!(live_within(&mut world, 400), "at once: {}", world.tell(30));
    check(&mut world);
    assert_eq!((recoveries(&world), dials(&world)), (vec![Strategy::Rejoin], 3));
    let shown: Vec<String> = world
        .written()
        .into_iter()
        .filter_map(|frame| match frame.body {
            Some(wire::Up::Hello(hello)) => Some(hello.auth_token),
            _ => None,
        })
        .collect();
    assert_eq!(shown, ["token-1", "token-1", "token-1", "token-2"]);
}

#[test]
fn a_node_that_is_to_be_left_is_not_asked_anew() {
    let mut world = joined();
    world.cluster.nodes[0].greeting = Greeting::NoReplayEnd;
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    let replays = |w: &World| matches!(w.state(), State::Recovering { phase: Phase::Replay, .. });
    assert!(world.until(Duration::from_secs(1), replays));
    world.say(&Down::GoAway(pb::GoAway { deadline_ms: 1_000, ..pb::GoAway::default() }));
    world.pass(Duration::from_millis(5));
    world.cluster.nodes[0].greeting = Greeting::Reject(pb::RejectReason::Gap);
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate], "{}", tale(&world));
    assert_eq!(dials(&world), 4, "join, resumption, its rejection, and another node");
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn each_hello_counts_as_an_attempt_and_a_close_in_between_does_not() {
    let exhausted = |world: &mut World| {
        assert!(closed_within(world, 20_000), "{}", tale(world));
        check(world);
        assert!(
            matches!(last_word(world), Some(CloseReason::AttemptsExhausted { attempts: 2, .. })),
            "{}",
            tale(world)
        );
    };
    let twice = || with(Config { max_attempts: Some(2), ..Config::new("room") }, 1);
    let mut world = rejected(twice(), Afterwards::Silent);
    exhausted(&mut world);
    assert_eq!(dials(&world), 2);
    let mut world = rejected(twice(), Afterwards::Close(4202));
    let opened = |world: &World| world.facts.connections.get(&Epoch(2)).is_some_and(|c| c.hellos == 1);
    assert!(world.until(Duration::from_secs(1), opened));
    world.dial = DialMode::Refuse;
    exhausted(&mut world);
    assert_eq!(dials(&world), 3);
}

#[test]
fn a_resumption_that_is_answered_with_something_else_is_a_rejoin() {
    type Lie = fn(&mut pb::Welcome, &mut pb::StreamPos);
    let lies: [(&str, Lie); 3] = [
        ("a new session", |welcome, _| (welcome.resumed, welcome.snapshot) = (false, Some(pb::Snapshot::default()))),
        ("another log", |_, head| head.log_id = vec![3; 16].into()),
        ("a log that has lost its end", |_, head| head.seq = 2),
    ];
    for (what, lie) in lies {
        let mut world = joined();
        world.publish(3);
        world.pass(Duration::from_millis(100));
        let session = world.machine.session();
        let welcome = world.facts.last_welcome().map(|(_, _, welcome)| welcome.clone()).expect("it was let in");
        let mut head = pb::StreamPos { seq: 3, ..welcome.head.clone().unwrap_or_default() };
        let mut welcome = pb::Welcome { resumed: true, lineage_known: true, snapshot: None, ..welcome };
        world.cluster.nodes[0].greeting = Greeting::Silent;
        let epoch = world.newest_link().expect("there is a connection");
        world.reset(epoch);
        let epoch = Epoch(2);
        let greeted = |w: &World| w.facts.connections.get(&epoch).is_some_and(|c| c.hello.is_some());
        assert!(world.until(Duration::from_secs(1), greeted), "{what}: {}", tale(&world));
        world.facts.faithful = false;
        world.heal();
        lie(&mut welcome, &mut head);
        welcome.head = Some(head);
        world.input(Input::Transport(epoch, Transport::Frame(wire::encode(&wire::down(0, Down::Welcome(welcome))))));
        assert!(
            matches!(world.state(), State::Recovering { strategy: Strategy::Rejoin, .. }),
            "{what}: {}",
            tale(&world)
        );
        assert!(live_within(&mut world, 2_000), "{what}: {}", tale(&world));
        assert_eq!(recoveries(&world), [Strategy::Rejoin], "{what}");
        assert_eq!(events(&world).filter(|e| matches!(e, Event::ResyncRequired { .. })).count(), 1, "{what}");
        assert_ne!(world.machine.session(), session, "{what}");
        check(&mut world);
    }
}

#[test]
fn a_full_node_is_left_for_another_one() {
    let mut world = world();
    let full = Greeting::Fault(pb::FaultCode::NodeFull, pb::FaultAction::Move, 100, 0);
    world.cluster.nodes[0].greeting = full;
    world.input(Input::Connect);
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(dials(&world), 2, "one refusal is enough");
    let node = events(&world).find_map(|e| match e {
        Event::Joined { node, .. } => Some(node.clone()),
        _ => None,
    });
    assert_eq!(node.as_deref(), Some("b"));
    insta::assert_snapshot!(tale(&world));
}

#[test]
fn a_full_node_while_recovering_is_left_for_another_one() {
    let mut world = joined();
    world.restart(0, Keep::Nothing);
    world.cluster.nodes[0].greeting = Greeting::Fault(pb::FaultCode::NodeFull, pb::FaultAction::Move, 0, 0);
    assert!(live_within(&mut world, 5_000), "{}", world.tell(30));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Migrate]);
    assert!(dials(&world) <= 4);
}

#[test]
fn an_ended_session_is_the_end_and_no_loss() {
    for (reason, wanted) in [
        (pb::EndReason::RoomClosed, "RoomClosed"),
        (pb::EndReason::IdentityReplaced, "Replaced"),
        (pb::EndReason::RemovedByServer, "Removed"),
        (pb::EndReason::TokenRanOut, "TokenRanOut"),
    ] {
        let mut world = joined();
        world.echo = true;
        let emits = world.cluster.end_sessions(reason);
        world.emit(emits);
        world.pass(Duration::from_secs(40));
        check(&mut world);
        assert_eq!(world.state(), State::Closed);
        assert!(losses(&world).is_empty());
        assert_eq!(dials(&world), 1);
        let word = format!("{:?}", last_word(&world));
        assert!(word.contains(wanted), "{word}");
    }
}

#[test]
fn a_final_close_code_is_final() {
    let mut world = joined();
    let epoch = world.newest_link().expect("there is a connection");
    world.close_from_server(epoch, 4001, true);
    assert!(closed_within(&mut world, 100));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::Unrecoverable { code: 4001, .. })));
    assert_eq!(dials(&world), 1);
}

#[test]
fn an_unknown_action_counts_as_a_rejoin() {
    let mut world = joined();
    world.fault(pb::FaultCode::Internal, pb::FaultAction::Unspecified, 0, 0);
    assert!(live_within(&mut world, 5_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Rejoin]);
    assert!(matches!(losses(&world)[..], [LossCause::Fault(_)]));
}

#[test]
fn a_server_of_another_version_is_the_end_and_says_so() {
    let mut world = joined();
    world.fault(pb::FaultCode::Version, pb::FaultAction::End, 0, 0);
    assert!(closed_within(&mut world, 1_000));
    check(&mut world);
    assert!(matches!(last_word(&world), Some(CloseReason::ProtocolError(_))), "{}", tale(&world));
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let mut world = joined();
    world.fault(pb::FaultCode::RateLimited, pb::FaultAction::Retry, 3_000, 500);
    world.pass(Duration::from_millis(2_900));
    assert_eq!(dials(&world), 1, "not before it said so: {}", tale(&world));
    assert!(live_within(&mut world, 2_000));
    check(&mut world);
}

#[test]
fn a_welcome_that_got_lost_does_not_cost_the_session() {
    let mut world = joined();
    let session = world.machine.session();
    let epoch = world.newest_link().expect("there is a connection");
    world.reset(epoch);
    // The hello arrives, and its answer does not.
    let hello = |w: &World| w.facts.open().any(|(_, c)| c.hello.is_some());
    assert!(world.until(Duration::from_secs(1), hello));
    world.down = false;
    world.pass(Duration::from_millis(50));
    let epoch = world.newest_link().expect("there is a connection");
    world.down = true;
    world.reset(epoch);
    assert!(live_within(&mut world, 2_000));
    check(&mut world);
    assert_eq!(recoveries(&world), [Strategy::Fast]);
    assert_eq!(world.machine.session(), session);
}

/// Feeds deliveries to a machine until it takes no more; returns how many it took.
fn taken(world: &mut World, most: u64, mut news: impl FnMut(u64) -> News) -> u64 {
    world.facts.faithful = false;
    let epoch = world.newest_link().expect("there is a connection");
    for n in 0..most {
        let deliver = Down::Deliver(pb::Deliver { event: Some(news(n)) });
        let frame = Transport::Frame(wire::encode(&wire::down(0, deliver)));
        world.input(Input::Transport(epoch, frame));
        if !losses(world).is_empty() {
            return n;
        }
    }
    most
}

#[test]
fn a_room_does_not_grow_without_bound() {
    let mut config = Config::new("room");
    config.bounds.participants = 10;
    let mut world = with(config, 1);
    join(&mut world);
    let more = |n| News::ParticipantJoined(pb::Participant { id: 1_000 + n, ..pb::Participant::default() });
    assert_eq!(taken(&mut world, 100, more), 8, "two were there");
    assert!(matches!(losses(&world)[..], [LossCause::Protocol(_)]));
    assert_eq!(world.machine.participants().count(), 10);

    let mut world = joined();
    let value = |n| {
        let entry = pb::StateEntry { key: format!("k{n}"), rev: 1, payload: Bytes::from_static(b"v") };
        News::StateChanged(pb::StateChanged { from: 99, entry: Some(entry) })
    };
    assert_eq!(taken(&mut world, 100, value), 64);

    let mut world = joined();
    let change = |n| {
        let entry = pb::StateEntry { key: "k".into(), rev: 1 + n, payload: Bytes::from_static(b"v") };
        News::StateChanged(pb::StateChanged { from: 99, entry: Some(entry) })
    };
    assert_eq!(taken(&mut world, 100, change), 100, "the same one again is no growth");
}

#[test]
fn what_is_over_the_limits_is_no_word_of_a_server() {
    let long = || "x".repeat(257);
    let who = || pb::Participant { id: 7, ..pb::Participant::default() };
    let heavy = Bytes::from(vec![0; (64 << 10) + 1]);
    let message =
        |payload: Bytes, topic: String| News::Message(pb::Message { from: 99, class: 1, payload, topic, dedupe_id: 1 });
    let attributes = (0..17).map(|n| (n.to_string(), "x".repeat(250))).collect();
    let states = (0..65).map(|n| pb::StateEntry { key: n.to_string(), ..pb::StateEntry::default() }).collect();
    let entry = |key: String, payload: Bytes| {
        let entry = Some(pb::StateEntry { key, rev: 1, payload });
        News::StateChanged(pb::StateChanged { from: 99, entry })
    };
    for (what, news) in [
        ("payload", message(heavy.clone(), String::new())),
        ("topic", message(Bytes::new(), long())),
        ("name", News::ParticipantJoined(pb::Participant { name: long(), ..who() })),
        ("identity", News::ParticipantUpdated(pb::Participant { identity: long(), ..who() })),
        ("metadata", News::ParticipantJoined(pb::Participant { metadata: "x".repeat(4097), ..who() })),
        ("attributes", News::ParticipantJoined(pb::Participant { attributes, ..who() })),
        ("values", News::ParticipantJoined(pb::Participant { states, ..who() })),
        ("key", entry(long(), Bytes::from_static(b"v"))),
        ("value", entry("k".into(), heavy.clone())),
        ("method", News::CallRequest(pb::CallRequest { method: long(), ..pb::CallRequest::default() })),
        ("answer", News::CallReply(pb::CallReply { payload: heavy, ..pb::CallReply::default() })),
    ] {
        let mut world = joined();
        assert_eq!(taken(&mut world, 1, |_| news.clone()), 0, "{what}");
        assert!(matches!(losses(&world)[..], [LossCause::Protocol(_)]), "{what}");
        assert!(live_within(&mut world, 5_000), "{what}: {}", tale(&world));
    }
}
