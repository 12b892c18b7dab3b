//! The model servers do what the protocol says, seen without any machine: a check that failed because of them would prove nothing.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_signaling::{Epoch, SendId};

use crate::model::{Cluster, Emit, Keep};
use crate::wire::{self, Down, Up, pb};

const LINEAGE: &[u8] = &[7; 16];

struct Client {
    cluster: Cluster,
    now: Instant,
}

impl Client {
    fn new() -> Self {
        Self { cluster: Cluster::new(2), now: Instant::now() }
    }

    fn hello(&mut self, epoch: u64, node: usize, recovery: Option<pb::RecoveryInfo>) -> Vec<Down> {
        self.cluster.accept(self.now, Epoch(epoch), node);
        let session_id = recovery.as_ref().map(|r| r.previous_session_id.clone()).unwrap_or_default();
        let lineage_id = Bytes::from_static(LINEAGE);
        self.say(epoch, 0, Up::Hello(pb::Hello { lineage_id, session_id, recovery, ..pb::Hello::default() }))
    }

    fn say(&mut self, epoch: u64, seq: u64, body: Up) -> Vec<Down> {
        let frame = pb::ClientFrame { seq, ack: 0, body: Some(body) };
        bodies(self.cluster.frame(self.now, Epoch(epoch), &frame))
    }

    fn publish(&mut self, epoch: u64, seq: u64) -> Vec<Down> {
        let publish = pb::Publish {
            dedupe_id: seq,
            class: pb::SendClass::Reliable.into(),
            payload: wire::marked(SendId(seq), 8),
            ..pb::Publish::default()
        };
        self.say(epoch, seq, Up::Publish(publish))
    }
}

fn bodies(emits: Vec<Emit>) -> Vec<Down> {
    let body = |emit| match emit {
        Emit::Frame(_, frame) => frame.body,
        Emit::Close(..) => None,
    };
    emits.into_iter().filter_map(body).collect()
}

fn welcome(bodies: &[Down]) -> pb::Welcome {
    match bodies {
        [Down::Welcome(welcome), ..] => welcome.clone(),
        other => panic!("not let in: {other:?}"),
    }
}

fn back(welcome: &pb::Welcome, plan: pb::Plan) -> pb::RecoveryInfo {
    pb::RecoveryInfo {
        plan: plan.into(),
        attempt: 1,
        previous_session_id: welcome.session_id.clone(),
        resume_token: welcome.resume_token.clone(),
        last_seen: welcome.head.clone(),
        first_unacked: 1,
        ..pb::RecoveryInfo::default()
    }
}

fn news(bodies: &[Down]) -> usize {
    bodies.iter().filter(|body| matches!(body, Down::Deliver(_))).count()
}

#[test]
fn a_session_is_resumed_with_what_was_missed_and_its_token_is_used_up() {
    let mut client = Client::new();
    let first = welcome(&client.hello(1, 0, None));
    client.cluster.lost(client.now, Epoch(1));
    client.cluster.publish(client.now, 3);
    let again = client.hello(2, 0, Some(back(&first, pb::Plan::Fast)));
    assert!(welcome(&again).resumed);
    assert_eq!(news(&again), 3);
    assert!(matches!(again.last(), Some(Down::ReplayEnd(_))));
    // Until the client shows that it has the new token the old one is good, and not after that.
    assert!(welcome(&client.hello(3, 0, Some(back(&first, pb::Plan::Fast)))).resumed);
    client.say(3, 0, Up::Ping(pb::Ping { nonce: 1 }));
    let refused = client.hello(4, 0, Some(back(&first, pb::Plan::Fast)));
    assert!(matches!(&refused[..], [Down::ResumeReject(reject)] if reject.reason() == pb::RejectReason::Fenced));
}

#[test]
fn who_was_rejected_is_let_in_by_a_second_hello_and_rejected_once_only() {
    let mut client = Client::new();
    let first = welcome(&client.hello(1, 0, None));
    client.cluster.restart(client.now, 0, Keep::Lineages);
    for plan in [pb::Plan::Rejoin, pb::Plan::Fast] {
        let epoch = 2 + plan as u64;
        let answer = client.hello(epoch, 0, Some(back(&first, pb::Plan::Fast)));
        assert!(matches!(&answer[..], [Down::ResumeReject(_)]));
        let recovery = back(&first, plan);
        let again = Up::Hello(pb::Hello {
            lineage_id: Bytes::from_static(LINEAGE),
            session_id: recovery.previous_session_id.clone(),
            recovery: Some(recovery),
            ..pb::Hello::default()
        });
        let answer = client.say(epoch, 0, again);
        match plan {
            pb::Plan::Fast => {
                assert!(matches!(&answer[..], [Down::Fault(fault)] if fault.code() == pb::FaultCode::Protocol));
            }
            _ => assert!(!welcome(&answer).resumed),
        }
    }
}

#[test]
fn a_session_ends_with_its_window_and_a_log_with_its_bound() {
    let mut client = Client::new();
    let first = welcome(&client.hello(1, 0, None));
    client.cluster.lost(client.now, Epoch(1));
    client.cluster.terms.replay_capacity = 2;
    client.cluster.publish(client.now, 3);
    let gap = client.hello(2, 0, Some(back(&first, pb::Plan::Fast)));
    assert!(matches!(&gap[..], [Down::ResumeReject(reject)] if reject.reason() == pb::RejectReason::Gap));
    client.now += Duration::from_secs(11);
    let gone = client.hello(3, 0, Some(back(&first, pb::Plan::Fast)));
    assert!(matches!(&gone[..], [Down::ResumeReject(reject)] if reject.reason() == pb::RejectReason::UnknownSession));
}

#[test]
fn a_frame_that_comes_again_is_applied_once_and_a_hole_is_noticed() {
    let mut client = Client::new();
    let first = welcome(&client.hello(1, 0, None));
    client.publish(1, 1);
    client.publish(1, 1);
    assert_eq!(client.cluster.ledger.applied.len(), 1);
    let rejoined = welcome(&client.hello(2, 0, Some(back(&first, pb::Plan::Rejoin))));
    assert!(rejoined.lineage_known && rejoined.client_seq_seen == 1);
    client.publish(2, 1);
    client.publish(2, 2);
    assert_eq!(client.cluster.ledger.applied.len(), 2);
    client.publish(2, 4);
    assert_eq!(client.cluster.ledger.holes.len(), 1);
}

#[test]
fn an_older_connection_is_not_heard_any_more() {
    let mut client = Client::new();
    let first = welcome(&client.hello(1, 0, None));
    client.hello(2, 0, Some(back(&first, pb::Plan::Fast)));
    client.publish(1, 1);
    assert!(client.cluster.ledger.applied.is_empty());
    assert_eq!(client.cluster.ledger.fenced, 1);
}

#[test]
fn a_restart_keeps_what_it_is_told_to_keep() {
    for (keep, resumed, known) in
        [(Keep::All, true, true), (Keep::Lineages, false, true), (Keep::Nothing, false, false)]
    {
        let mut client = Client::new();
        let first = welcome(&client.hello(1, 0, None));
        client.publish(1, 1);
        client.cluster.restart(client.now, 0, keep);
        let fast = client.hello(2, 0, Some(back(&first, pb::Plan::Fast)));
        assert_eq!(matches!(&fast[..], [Down::Welcome(_), ..]), resumed, "{keep:?}");
        if !resumed {
            let rejoined = welcome(&client.hello(3, 0, Some(back(&first, pb::Plan::Rejoin))));
            assert_eq!(rejoined.lineage_known, known, "{keep:?}");
        }
    }
}
