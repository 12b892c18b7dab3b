//! Histories that broke an invariant once, as they were after shrinking. Unlike a seed, such a one means the same when the choice of random
//! histories changes.

use moorline_signaling::machine::{NetHint, Transport};
use moorline_signaling::{Epoch, machine::Input};

use crate::model::{Greeting, Keep};
use crate::ops::{Class, Ending, History, Op, RawInput};
use crate::wire::{Down, pb};
use crate::world::DialMode;

fn history(nodes: usize, ops: &[Op], ending: Ending) -> History {
    History {
        seed: 0,
        nodes,
        shared: true,
        forgetful: false,
        patient: false,
        mute: false,
        queue: 1024,
        budget: 10,
        attempts: None,
        connect: true,
        ops: ops.to_vec(),
        ending,
    }
}

fn holds(history: &History) {
    let world = history.play();
    if let Some(broken) = &world.broken {
        panic!("{broken}\n{}\n{history:?}", world.tell(60));
    }
}

fn reliable() -> Op {
    Op::Send(Class::Reliable, 8, None)
}

fn latest() -> Op {
    Op::Send(Class::Latest(0), 8, None)
}

#[test]
fn offline_while_the_application_is_asked() {
    holds(&history(1, &[Op::Net(NetHint::Offline), Op::Pass(0)], Ending::Heal));
}

#[test]
fn a_value_that_expired_before_the_first_connection() {
    holds(&history(1, &[Op::Send(Class::Latest(0), 8, Some(0)), reliable()], Ending::Heal));
}

#[test]
fn a_value_that_was_refused_before_a_rejoin() {
    let fault = Op::Fault(pb::FaultCode::NodeFull, pb::FaultAction::JoinAnew, 0, 0);
    holds(&history(1, &[Op::Refuse(1), latest(), Op::Pass(5), fault], Ending::Heal));
}

#[test]
fn an_application_that_is_behind_where_no_deadline_ends_anything() {
    let patient = |ops: &[Op]| History { patient: true, ..history(1, ops, Ending::Heal) };
    holds(&patient(&[Op::Busy(true), Op::Pass(4)]));
    holds(&patient(&[Op::Pass(4), Op::Busy(true), Op::Reset, Op::Pass(50)]));
}

#[test]
fn an_application_that_reads_again_after_the_window() {
    holds(&history(1, &[Op::Pass(4), Op::Busy(true), Op::Suspend(11_999, false)], Ending::Heal));
}

#[test]
fn a_loss_in_every_phase_of_a_migration() {
    let away = Op::GoAway(0, 0, 0, None);
    holds(&history(1, &[Op::Pass(3), away.clone(), Op::End(1000, false), Op::Pass(1)], Ending::Heal));
    for pass in [1, 2, 3, 4, 5, 6, 8, 5_001, 7_001] {
        for end in [Op::Reset, Op::End(1000, true), Op::Restart(0, Keep::Nothing)] {
            for mute in [false, true] {
                let ops = [
                    Op::Pass(50),
                    Op::MuteAcks(mute),
                    reliable(),
                    away.clone(),
                    Op::Pass(pass),
                    end.clone(),
                    reliable(),
                ];
                holds(&history(2, &ops, Ending::Heal));
            }
        }
    }
}

#[test]
fn a_migration_that_fails_at_the_moment_of_the_loss() {
    let ops =
        [Op::Pass(4), Op::Dial(DialMode::Refuse), Op::GoAway(2, 0, 0, None), Op::Suspend(12_000, false), Op::Pass(1)];
    holds(&history(2, &ops, Ending::Heal));
}

#[test]
fn silence_after_a_migration_that_was_let_in_and_given_up() {
    let ops =
        [Op::Pass(3), Op::MuteAcks(true), Op::Latency(122), Op::GoAway(0, 0, 0, None), reliable(), Op::Deadline(1)];
    holds(&history(2, &ops, Ending::Silence));
}

#[test]
fn nodes_that_share_no_memory() {
    let apart = |ops: &[Op]| History { shared: false, ..history(2, ops, Ending::Heal) };
    let fault = Op::Fault(pb::FaultCode::NodeFull, pb::FaultAction::JoinAnew, 0, 0);
    holds(&apart(&[
        Op::Pass(3),
        Op::End(4300, false),
        Op::Pass(1),
        reliable(),
        Op::Pass(21),
        latest(),
        fault,
        reliable(),
    ]));
    let ops = [
        Op::Pass(4),
        Op::NodeUp(0, false),
        Op::MuteAcks(true),
        Op::Suspend(11_999, false),
        Op::Pass(0),
        Op::Burst(33),
        Op::Pass(3000),
        Op::End(4200, false),
    ];
    holds(&apart(&ops));
}

#[test]
fn a_newer_value_whose_fate_is_not_known() {
    holds(&history(1, &[latest(), Op::Pass(6), Op::Restart(0, Keep::Nothing), latest()], Ending::Heal));
}

#[test]
fn a_token_that_comes_late_and_was_refused() {
    let ops = [
        Op::AppDelay(668),
        Op::GoodToken(1),
        Op::Pass(672),
        Op::Greet(0, Greeting::Close(1000)),
        Op::Suspend(5000, true),
        Op::Pass(1060),
    ];
    holds(&history(1, &ops, Ending::Heal));
}

#[test]
fn a_token_that_is_refused_in_a_session() {
    let fault = Op::Fault(pb::FaultCode::TokenExpired, pb::FaultAction::Retry, 0, 0);
    let ops = [Op::Tokens(crate::world::TokenMode::Fresh), Op::Pass(4), fault, Op::Pass(18), Op::Reset];
    holds(&history(1, &ops, Ending::Heal));
}

#[test]
fn a_welcome_of_a_forgetful_server_that_got_lost() {
    let ops = [
        Op::Pass(3),
        reliable(),
        Op::Down(false),
        Op::Pass(2),
        Op::Heal,
        Op::Restart(0, Keep::Nothing),
        Op::Dial(DialMode::AcceptThenReset),
        Op::Pass(1575),
    ];
    holds(&history(1, &ops, Ending::Heal));
}

#[test]
fn a_first_join_that_is_let_in_and_turned_away() {
    for code in [401, 403, 500, 1000] {
        let mut world = crate::stories::world();
        world.cluster.nodes[0].greeting = Greeting::NoReplayEnd;
        world.input(Input::Connect);
        world.pass(std::time::Duration::from_millis(10));
        world.input(Input::Transport(Epoch(1), Transport::Closed { code, clean: false }));
        world.heal();
        assert!(crate::stories::live_within(&mut world, 10_000), "{code}: {}", world.tell(40));
        crate::stories::check(&mut world);
    }
}

#[test]
fn an_acknowledgement_of_what_was_never_sent() {
    let fault = pb::Fault { code: 3, retry_after_ms: 1001, ..pb::Fault::default() };
    for body in [Down::SessionEnded(pb::SessionEnded { reason: 0 }), Down::Fault(fault), Down::AckOnly(pb::AckOnly {})]
    {
        let frame = pb::ServerFrame { seq: 0, ack: 1, body: Some(body) };
        holds(&history(1, &[Op::Pass(4), Op::Raw(RawInput::Frame(0, Box::new(frame)))], Ending::Heal));
    }
}
