use super::*;

const MANY: usize = 100_000;
const NOW: Duration = Duration::from_secs(1);

fn link(faults: LinkFaults) -> Link {
    let mut link = Link::new([7; 32]);
    link.set_faults(faults);
    link
}

/// Sends `MANY` datagrams of 1,000 bytes, far enough apart for any queue.
fn fates(faults: LinkFaults) -> Vec<Result<Copies, LossCause>> {
    let mut link = link(faults);
    (0..MANY).map(|at| link.send(NOW * at as u32, 1000)).collect()
}

fn share(fates: &[Result<Copies, LossCause>], counts: impl Fn(&Result<Copies, LossCause>) -> bool) -> f64 {
    fates.iter().filter(|fate| counts(fate)).count() as f64 / fates.len() as f64
}

fn near(measured: f64, expected: f64) -> bool {
    // Four times the deviation that chance has.
    (measured - expected).abs() < 4.0 * (expected * (1.0 - expected) / MANY as f64).sqrt()
}

#[test]
fn a_clean_link_touches_nothing() {
    let clean = Copies { first: OneCopy { delay: Duration::ZERO, flipped: None }, second: None };
    assert!(fates(LinkFaults::default()).iter().all(|fate| fate.as_ref() == Ok(&clean)));
}

#[test]
fn losses_duplicates_and_damage_come_as_often_as_they_should() {
    let fates = fates(LinkFaults { loss: 0.02, duplicate: 0.1, corrupt: 0.01, ..LinkFaults::default() });
    let lost = share(&fates, |fate| *fate == Err(LossCause::Loss));
    assert!(near(lost, 0.02), "{lost}");
    let twice = share(&fates, |fate| fate.as_ref().is_ok_and(|copies| copies.second.is_some()));
    assert!(near(twice, 0.1 * 0.98), "{twice}");
    let damaged = share(&fates, |fate| fate.as_ref().is_ok_and(|copies| copies.first.flipped.is_some()));
    assert!(near(damaged, 0.01 * 0.98), "{damaged}");
    let places: std::collections::BTreeSet<_> =
        fates.iter().flatten().filter_map(|copies| copies.first.flipped).collect();
    assert!(places.iter().all(|bit| *bit < 8000) && places.len() > 800, "{} places", places.len());
}

#[test]
fn bursts_are_as_long_and_as_many_as_they_should_be() {
    let burst = BurstLoss { enter: 0.01, leave: 0.2, loss: 1.0 };
    let fates = fates(LinkFaults { burst: Some(burst), ..LinkFaults::default() });
    let lost: Vec<bool> = fates.iter().map(|fate| *fate == Err(LossCause::Burst)).collect();
    let share = lost.iter().filter(|lost| **lost).count() as f64 / MANY as f64;
    // The bad state has enter / (enter + leave) of all datagrams.
    assert!((share - 0.01 / 0.21).abs() < 0.006, "{share}");
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
    let mean = share * MANY as f64 / bursts;
    assert!((mean - 5.0).abs() < 0.5, "bursts of {mean}");
}

#[test]
fn jitter_and_latency_stay_in_their_range_and_let_datagrams_overtake() {
    let fates = fates(LinkFaults { jitter_ms: 8.0, latency_ms: 10.0, ..LinkFaults::default() });
    let delays: Vec<Duration> = fates.iter().flatten().map(|copies| copies.first.delay).collect();
    let (min, max) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*min >= Duration::from_millis(10) && *min < Duration::from_micros(10_010), "{min:?}");
    assert!(*max < Duration::from_millis(18) && *max > Duration::from_micros(17_990), "{max:?}");
    assert!(delays.windows(2).any(|pair| pair[1] < pair[0]));
}

#[test]
fn a_slow_link_takes_its_time_and_its_queue_overflows() {
    // 972 bytes of payload are 8,000 bits: 8 ms at 1,000 kbit/s. The queue holds 4 KiB: four more, and a bit.
    let mut link = link(LinkFaults { rate_kbit: Some(1000), queue_kib: 4, ..LinkFaults::default() });
    let delays: Vec<_> = (0..8).map(|_| link.send(NOW, 972).map(|copies| copies.first.delay.as_millis())).collect();
    let full = Err(LossCause::Queue);
    assert_eq!(delays, [Ok(8), Ok(16), Ok(24), Ok(32), Ok(40), full, full, full]);
    let later = link.send(NOW + Duration::from_millis(16), 972).unwrap();
    assert_eq!(later.first.delay.as_millis(), 32, "two have left");
    let idle = link.send(NOW * 2, 972).unwrap();
    assert_eq!(idle.first.delay.as_millis(), 8);
}

#[test]
fn what_is_larger_than_the_link_takes_is_lost() {
    let mut link = link(LinkFaults { mtu: 1300, ..LinkFaults::default() });
    assert!(link.send(NOW, 1272).is_ok());
    assert_eq!(link.send(NOW, 1273), Err(LossCause::Mtu));
}

#[test]
fn taking_one_fault_away_leaves_the_others_where_they_were() {
    let all = LinkFaults { loss: 0.02, duplicate: 0.1, corrupt: 0.05, jitter_ms: 5.0, ..LinkFaults::default() };
    let (with, without) = (fates(all.clone()), fates(LinkFaults { loss: 0.0, ..all }));
    let mut compared = 0;
    for (with, without) in with.iter().zip(&without).filter(|(with, _)| with.is_ok()) {
        assert_eq!(with, without);
        compared += 1;
    }
    assert!(compared > MANY * 9 / 10);
}

#[test]
fn the_settings_read_from_a_file_and_unknown_ones_are_refused() {
    let faults: LinkFaults =
        serde_json::from_str(r#"{"loss":0.5,"burst":{"enter":0.1,"leave":0.5,"loss":1}}"#).unwrap();
    assert_eq!((faults.loss, faults.mtu), (0.5, 1500));
    let again: LinkFaults = serde_json::from_str(&serde_json::to_string(&faults).unwrap()).unwrap();
    assert_eq!(again, faults);
    assert!(serde_json::from_str::<LinkFaults>(r#"{"los":0.5}"#).is_err());
}

#[test]
fn faults_are_told_in_words_and_a_clean_link_in_one() {
    assert_eq!(LinkFaults::default().to_string(), "clean");
    let bad = LinkFaults { loss: 0.02, duplicate: 0.05, jitter_ms: 8.0, mtu: 1300, ..LinkFaults::default() };
    assert_eq!(bad.to_string(), "loss 2 %, twice 5 %, jitter 8 ms, MTU 1300");
}
