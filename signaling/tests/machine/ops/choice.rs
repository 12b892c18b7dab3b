//! Which operations a random history holds, and how often.

use moorline_signaling::machine::{MediaHealth, NetHint};
use proptest::bool::weighted;
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use super::raw::any_raw;
use super::{Class, Ending, History, Op};
use crate::model::{Afterwards, Greeting, Keep};
use crate::wire::pb;
use crate::world::{CredsMode, DialMode, TokenMode};

/// Histories in which servers keep to the protocol; whatever else may happen does.
pub(crate) fn faithful() -> impl Strategy<Value = History> {
    let op = prop_oneof![8 => user(), 6 => time(), 4 => network(), 4 => servers(), 1 => application()];
    history(op.boxed(), 0.0)
}

/// Histories in which anything goes.
pub(crate) fn raw() -> impl Strategy<Value = History> {
    let op = prop_oneof![
        4 => user(), 4 => time(), 2 => network(), 2 => servers(), 1 => application(), 12 => any_raw().prop_map(Op::Raw)
    ];
    history(op.boxed(), 0.5)
}

fn history(op: BoxedStrategy<Op>, mute: f64) -> impl Strategy<Value = History> {
    let ending = prop_oneof![4 => Just(Ending::Heal), 2 => Just(Ending::Silence), 2 => Just(Ending::Close)];
    let queue = prop_oneof![6 => Just(1024usize), 2 => 1..12usize];
    let flags = (weighted(0.8), weighted(0.3), weighted(0.1), weighted(mute));
    let budget = prop_oneof![8 => Just(10u32), 1 => 0..4u32];
    let limits = (queue, budget, prop::option::weighted(0.1, 1..6u32));
    let world = (any::<u64>(), 1..4usize, flags, limits);
    let ops = prop::collection::vec(op, 0..40);
    (world, weighted(0.95), ops, ending).prop_map(|(world, connect, ops, ending)| {
        let (seed, nodes, (shared, forgetful, patient, mute), (queue, budget, attempts)) = world;
        History { seed, nodes, shared, forgetful, patient, mute, queue, budget, attempts, connect, ops, ending }
    })
}

fn user() -> impl Strategy<Value = Op> {
    let class = prop_oneof![
        4 => Just(Class::Reliable), 2 => (0..3u8).prop_map(Class::Latest), 1 => Just(Class::Ephemeral), 1 => Just(Class::Bound)
    ];
    let len = prop_oneof![9 => 8..64u32, 1 => 8..70_000u32];
    prop_oneof![
        10 => (class, len, prop::option::weighted(0.3, 0..5_000u32)).prop_map(|(c, len, ttl)| Op::Send(c, len, ttl)),
        2 => (2..60u32).prop_map(Op::Burst),
        1 => Just(Op::Update),
        2 => (prop_oneof![Just(99u64), Just(7)], 1..20_000u32).prop_map(|(to, timeout)| Op::Call(to, timeout)),
        1 => Just(Op::CancelCall),
        1 => Just(Op::Reply),
        1 => weighted(0.3).prop_map(|close| if close { Op::Close } else { Op::Ping }),
        2 => prop_oneof![
            Just(NetHint::Offline), Just(NetHint::Online), Just(NetHint::PathChanged), Just(NetHint::RetryNow)
        ].prop_map(Op::Net),
        1 => prop_oneof![Just(MediaHealth::Healthy), Just(MediaHealth::Broken), Just(MediaHealth::NeverConnected)]
            .prop_map(Op::Media),
        1 => any::<bool>().prop_map(Op::Busy),
    ]
}

fn application() -> impl Strategy<Value = Op> {
    prop_oneof![
        prop_oneof![
            2 => Just(TokenMode::Fresh), 1 => Just(TokenMode::Stale), 1 => Just(TokenMode::None), 1 => Just(TokenMode::Hang),
            1 => Just(TokenMode::Fail { fatal: false })
        ].prop_map(Op::Tokens),
        prop_oneof![
            3 => Just(CredsMode::Good), 1 => Just(CredsMode::Turns), 1 => Just(CredsMode::First), 1 => Just(CredsMode::Hang),
            1 => Just(CredsMode::Fail { fatal: false })
        ].prop_map(Op::Creds),
        (0..3_000u32).prop_map(Op::AppDelay),
    ]
}

fn network() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Reset),
        3 => (
            prop_oneof![Just(1000u16), Just(1001), Just(1006), Just(1011), Just(4000), Just(4100), Just(4200), Just(4300)],
            any::<bool>()
        ).prop_map(|(code, clean)| Op::End(code, clean)),
        3 => prop_oneof![
            4 => Just(DialMode::Accept), 2 => Just(DialMode::Refuse), 1 => Just(DialMode::Hang),
            1 => prop_oneof![Just(401u16), Just(503)].prop_map(DialMode::Http), 1 => Just(DialMode::AcceptThenReset)
        ].prop_map(Op::Dial),
        2 => (0..400u32).prop_map(Op::Latency),
        2 => any::<bool>().prop_map(Op::Up),
        2 => any::<bool>().prop_map(Op::Down),
        1 => any::<bool>().prop_map(Op::Late),
        1 => any::<bool>().prop_map(Op::Echo),
        3 => Just(Op::Heal),
    ]
}

fn servers() -> impl Strategy<Value = Op> {
    use pb::{FaultAction as Action, FaultCode as Code};
    let node = || 0..3usize;
    let wait = || prop_oneof![Just(0u32), 0..4_000u32];
    let action =
        || prop_oneof![Just(Action::Retry), Just(Action::JoinAnew), Just(Action::Move), Just(Action::Unspecified)];
    let code = || {
        prop_oneof![
            Just(Code::NodeFull),
            Just(Code::NodeDraining),
            Just(Code::RateLimited),
            Just(Code::Internal),
            Just(Code::SlowConsumer)
        ]
    };
    let greeting = prop_oneof![
        3 => Just(Greeting::Proper),
        1 => Just(Greeting::Silent),
        1 => prop_oneof![Just(1000u16), Just(4100), Just(4300)].prop_map(Greeting::Close),
        2 => (code(), action(), wait(), wait()).prop_map(|(c, a, w, s)| Greeting::Fault(c, a, w, s)),
        2 => prop_oneof![
            Just(pb::RejectReason::Gap), Just(pb::RejectReason::Expired), Just(pb::RejectReason::UnknownSession)
        ].prop_map(Greeting::Reject),
        1 => prop_oneof![Just(Greeting::NoReplayEnd), Just(Greeting::Early), Just(Greeting::Garbage)],
    ];
    let afterwards = prop_oneof![
        2 => Just(Afterwards::Wait),
        2 => prop_oneof![Just(1000u16), Just(4100), Just(4202), Just(4300)].prop_map(Afterwards::Close),
        1 => Just(Afterwards::Silent),
        2 => (code(), action(), wait(), wait()).prop_map(|(c, a, w, s)| Afterwards::Fault(c, a, w, s)),
        1 => Just(Afterwards::Again),
    ];
    prop_oneof![
        2 => (node(), weighted(0.7)).prop_map(|(node, up)| Op::NodeUp(node, up)),
        3 => (node(), prop_oneof![Just(Keep::All), Just(Keep::Lineages), Just(Keep::Nothing)])
            .prop_map(|(node, keep)| Op::Restart(node, keep)),
        2 => (node(), greeting).prop_map(|(node, greeting)| Op::Greet(node, greeting)),
        2 => (node(), afterwards).prop_map(|(node, afterwards)| Op::Afterwards(node, afterwards)),
        2 => (node(), wait(), wait(), prop::option::of(node())).prop_map(|(n, d, s, t)| Op::GoAway(n, d, s, t)),
        6 => (1..20u32).prop_map(Op::Publish),
        1 => (200..400u32).prop_map(Op::Publish),
        1 => Just(Op::Ping),
        1 => (1..9u64).prop_map(Op::CallClient),
        1 => (code(), action(), wait(), wait()).prop_map(|(c, a, w, s)| Op::Fault(c, a, w, s)),
        1 => weighted(0.2).prop_map(|end| {
            if end { Op::EndSessions(pb::EndReason::RoomClosed) } else { Op::Publish(3) }
        }),
        1 => (0..10_000u32).prop_map(Op::TokenExpiring),
        1 => (0..4u32).prop_map(Op::GoodToken),
        1 => any::<bool>().prop_map(Op::MuteAcks),
        1 => (1..4u32).prop_map(Op::Refuse),
        1 => prop_oneof![Just(4usize), Just(64)].prop_map(Op::Capacity),
        1 => (1..40u32).prop_map(Op::Inflight),
    ]
}

fn time() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..50u32).prop_map(Op::Pass),
        4 => (50..3_000u32).prop_map(Op::Pass),
        2 => (3_000..45_000u32).prop_map(Op::Pass),
        3 => (1..6u32).prop_map(Op::Deadline),
        1 => (0..60_000u32, any::<bool>()).prop_map(|(ms, told)| Op::Suspend(ms, told)),
    ]
}
