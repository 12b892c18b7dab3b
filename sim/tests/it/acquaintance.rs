//! How two nodes come to a connection.

use std::time::Duration;

use moorline_runtime::node::NodeEvent;
use moorline_sim::{Lab, LabConfig, NodeHost, NodeSpec, on_fresh_thread};

fn comings_and_goings(node: &NodeHost) -> (usize, usize) {
    node.with_events(|events| {
        let count = |is: fn(&NodeEvent) -> bool| events.iter().filter(|logged| is(&logged.event)).count();
        let up = count(|event| matches!(event, NodeEvent::PeerUp(_)));
        (up, count(|event| matches!(event, NodeEvent::PeerDown { .. })))
    })
}

/// Each was told where the other is, so that neither leaves the first step to the other; on equal ways their dials cross.
#[test]
fn two_who_dial_each_other_at_the_same_moment_stay_connected() {
    for seed in 0..8 {
        let root = tempfile::tempdir().unwrap();
        on_fresh_thread(seed, || {
            let mut lab = Lab::new(LabConfig::new(seed, root.path()));
            let ann = lab.node("ann", NodeSpec::default().knowing("bob"));
            let bob = lab.node("bob", NodeSpec::default().knowing("ann"));
            lab.run_for(Duration::from_secs(3)).unwrap();
            let seen = [comings_and_goings(&ann), comings_and_goings(&bob)];
            assert_eq!((ann.peers().len(), bob.peers().len()), (1, 1), "seed {seed}: {seen:?}");
            // One flap each is allowed: the goodbye of the connection that is given up may overtake the welcome of the other one.
            assert!(seen.iter().all(|(_, down)| *down <= 1), "seed {seed}: {seen:?}");
        });
    }
}
