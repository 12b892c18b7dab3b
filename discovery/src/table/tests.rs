use super::*;
use proptest::prelude::*;

const LIMITS: TableLimits = TableLimits { peers: 3, sightings_per_peer: 2 };

fn sighting(key: &str, name: &str, addr: &str, interface: &str) -> Sighting {
    let announcement =
        Announcement { id: Some(key.into()), tag: None, name: Some(name.into()), protocol: 1, port: 7400 };
    Sighting { key: key.into(), announcement, addrs: vec![addr.parse().unwrap()], interfaces: vec![interface.into()] }
}

fn table() -> Table {
    Table::new(Some("me".into()), LIMITS)
}

fn ann(interface: &str) -> Sighting {
    let addr = if interface == "eth0" { "10.0.0.1:7400" } else { "10.1.0.1:7400" };
    sighting("ann", "Ann", addr, interface)
}

#[test]
fn one_peer_on_two_interfaces_is_found_once_and_lost_once() {
    let mut table = table();
    assert!(matches!(&table.seen(1, "a", ann("eth0"))[..], [DiscoveryEvent::Found(f)] if f.addrs.len() == 1));
    let updated = table.seen(2, "a", ann("wlan0"));
    assert!(
        matches!(&updated[..], [DiscoveryEvent::Updated(f)] if f.addrs.len() == 2 && f.interfaces == ["eth0", "wlan0"])
    );
    assert!(matches!(table.gone(1, "a"), Some(DiscoveryEvent::Updated(f)) if f.interfaces == ["wlan0"]));
    assert_eq!(table.gone(2, "a"), Some(DiscoveryEvent::Lost { key: "ann".into() }));
    assert_eq!(table.gone(2, "a"), None);
}

#[test]
fn the_same_again_is_not_worth_an_event() {
    let mut table = table();
    table.seen(1, "a", ann("eth0"));
    assert_eq!(table.seen(1, "a", ann("eth0")), []);
}

#[test]
fn the_latest_sighting_speaks_for_the_peer() {
    let mut table = table();
    table.seen(2, "a", ann("wlan0"));
    let renamed = Sighting {
        announcement: Announcement { name: Some("Anna".into()), ..ann("eth0").announcement },
        ..ann("eth0")
    };
    let events = table.seen(1, "a", renamed);
    assert!(matches!(&events[..], [DiscoveryEvent::Updated(f)] if f.announcement.name.as_deref() == Some("Anna")));
}

#[test]
fn the_own_announcement_is_never_reported() {
    let mut table = table();
    assert_eq!(table.seen(1, "a", sighting("me", "Me", "10.0.0.9:1", "eth0")), []);
    assert_eq!(table.gone(1, "a"), None);
}

#[test]
fn an_instance_that_changes_hands_is_lost_and_found() {
    let mut table = table();
    table.seen(1, "a", ann("eth0"));
    let events = table.seen(1, "a", sighting("bob", "Bob", "10.0.0.2:7400", "eth0"));
    assert!(
        matches!(&events[..], [DiscoveryEvent::Lost { key }, DiscoveryEvent::Found(f)] if key == "ann" && f.key == "bob")
    );
    // Taken over by ourselves: lost all the same.
    let events = table.seen(1, "a", sighting("me", "Me", "10.0.0.2:7400", "eth0"));
    assert_eq!(events, [DiscoveryEvent::Lost { key: "bob".into() }]);
}

#[test]
fn when_a_source_goes_so_does_what_only_it_saw() {
    let mut table = table();
    table.seen(1, "a", ann("eth0"));
    table.seen(1, "b", sighting("bob", "Bob", "10.0.0.2:1", "eth0"));
    table.seen(2, "a", ann("wlan0"));
    let events = table.drop_source(1);
    assert!(events.iter().any(|e| matches!(e, DiscoveryEvent::Updated(f) if f.key == "ann")));
    assert!(events.contains(&DiscoveryEvent::Lost { key: "bob".into() }));
    assert_eq!(events.len(), 2);
}

#[test]
fn what_a_resync_does_not_list_is_gone() {
    let mut table = table();
    table.seen(1, "a", ann("eth0"));
    table.seen(1, "b", sighting("bob", "Bob", "10.0.0.2:1", "eth0"));
    table.seen(2, "c", sighting("cid", "Cid", "10.1.0.3:1", "wlan0"));
    table.begin_resync(1);
    table.seen(1, "a", ann("eth0"));
    assert_eq!(table.end_resync(1), [DiscoveryEvent::Lost { key: "bob".into() }]);
}

#[test]
fn the_fourth_of_three_peers_is_left_out_until_there_is_room() {
    let mut table = table();
    for key in ["ann", "bob", "cid"] {
        assert_eq!(table.seen(1, key, sighting(key, key, "10.0.0.1:1", "eth0")).len(), 1);
    }
    assert!(!table.is_full());
    assert_eq!(table.seen(1, "dan", sighting("dan", "dan", "10.0.0.1:1", "eth0")), []);
    assert!(table.is_full() && !table.wants_resync());
    // Those who are in are still followed.
    assert_eq!(table.seen(1, "ann", sighting("ann", "Anna", "10.0.0.1:1", "eth0")).len(), 1);
    table.gone(1, "bob");
    assert!(table.wants_resync());
    table.begin_resync(1);
    assert!(!table.wants_resync());
    assert!(matches!(
        &table.seen(1, "dan", sighting("dan", "dan", "10.0.0.1:1", "eth0"))[..],
        [DiscoveryEvent::Found(_)]
    ));
}

#[test]
fn the_third_of_two_sightings_of_a_peer_is_left_out() {
    let mut table = table();
    assert_eq!(table.seen(1, "a", ann("eth0")).len(), 1);
    assert_eq!(table.seen(1, "b", ann("wlan0")).len(), 1);
    assert_eq!(table.seen(1, "c", sighting("ann", "Ann", "10.9.9.9:1", "eth9")), []);
    assert_eq!(table.spots_of("ann"), [(1, "a".to_owned()), (1, "b".to_owned())]);
    assert_eq!(table.spots_of("nobody"), []);
}

#[derive(Clone, Debug)]
enum Step {
    Seen { source: u64, handle: u8, key: u8, addr: u8 },
    Gone { source: u64, handle: u8 },
    Drop { source: u64 },
    Begin { source: u64 },
    End { source: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let source = 0..3_u64;
    let step = prop_oneof![
        6 => (source.clone(), 0..4_u8, 0..5_u8, 0..3_u8).prop_map(|(source, handle, key, addr)| Step::Seen { source, handle, key, addr }),
        3 => (source.clone(), 0..4_u8).prop_map(|(source, handle)| Step::Gone { source, handle }),
        1 => source.clone().prop_map(|source| Step::Drop { source }),
        1 => source.clone().prop_map(|source| Step::Begin { source }),
        1 => source.prop_map(|source| Step::End { source }),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever the sources say: the events for a key alternate properly, what was told is what is known, and the bounds hold.
    #[test]
    fn events_tell_a_consistent_story(steps in steps()) {
        let mut table = Table::new(Some("k0".into()), LIMITS);
        let mut known: BTreeMap<String, Found> = BTreeMap::new();
        for step in steps {
            let events: Vec<DiscoveryEvent> = match step {
                Step::Seen { source, handle, key, addr } => {
                    table.seen(source, &format!("h{handle}"), sighting(&format!("k{key}"), "n", &format!("10.0.0.{addr}:1"), &format!("if{source}")))
                }
                Step::Gone { source, handle } => table.gone(source, &format!("h{handle}")).into_iter().collect(),
                Step::Drop { source } => table.drop_source(source),
                Step::Begin { source } => { table.begin_resync(source); vec![] }
                Step::End { source } => table.end_resync(source),
            };
            for event in events {
                match event {
                    DiscoveryEvent::Found(found) => {
                        prop_assert_ne!(&found.key, "k0");
                        prop_assert_eq!(known.insert(found.key.clone(), found), None);
                    }
                    DiscoveryEvent::Updated(found) => {
                        let before = known.insert(found.key.clone(), found.clone());
                        prop_assert!(before.is_some_and(|before| before != found));
                    }
                    DiscoveryEvent::Lost { key } => prop_assert!(known.remove(&key).is_some()),
                }
            }
            prop_assert!(table.peers.len() <= LIMITS.peers);
            prop_assert!(table.peers.values().all(|peer| (1..=LIMITS.sightings_per_peer).contains(&peer.sightings.len())));
            prop_assert_eq!(table.spots.len(), table.peers.values().map(|peer| peer.sightings.len()).sum::<usize>());
            prop_assert_eq!(table.peers.values().map(|peer| &peer.told).collect::<Vec<_>>(), known.values().collect::<Vec<_>>());
        }
        for source in 0..3 {
            table.drop_source(source);
        }
        prop_assert!(table.peers.is_empty() && table.spots.is_empty());
    }
}
