use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const CHUNK: u64 = moorline_proto::CHUNK_SIZE;

fn config() -> ScheduleConfig {
    ScheduleConfig {
        pipeline: 2,
        max_batch: 4,
        first_batch: 2,
        batch_time: Duration::from_secs(1),
        max_copies: 2,
        steal_after: Duration::from_millis(250),
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn schedule(chunks: u64) -> Schedule {
    Schedule::new(ChunkSet::new(chunks), config())
}

/// Assigns all there is to assign.
fn drain(schedule: &mut Schedule, now: Duration) -> Vec<Assignment> {
    std::iter::from_fn(|| schedule.assign(now)).take(1000).collect()
}

fn deliver(schedule: &mut Schedule, what: Assignment, each: Duration, mut now: Duration) -> Duration {
    for chunk in what.first..what.first + u64::from(what.count) {
        now += each;
        if schedule.received(what.lane, what.request, chunk, CHUNK, now) == Verdict::Write {
            schedule.written(chunk);
        }
    }
    now
}

#[test]
fn every_lane_gets_a_first_request_before_any_gets_a_second() {
    let mut schedule = schedule(100);
    let (a, b) = (schedule.add_lane(ms(0)), schedule.add_lane(ms(0)));
    let lanes: Vec<_> = drain(&mut schedule, ms(0)).iter().map(|what| (what.lane, what.first, what.count)).collect();
    assert_eq!(lanes, [(a, 0, 2), (b, 2, 2), (a, 4, 2), (b, 6, 2)]);
}

#[test]
fn a_batch_is_a_second_of_work_and_never_more_than_allowed() {
    let mut schedule = schedule(100);
    let (fast, slow) = (schedule.add_lane(ms(0)), schedule.add_lane(ms(0)));
    let first = drain(&mut schedule, ms(0));
    for what in first.iter().filter(|what| what.lane == fast) {
        deliver(&mut schedule, *what, ms(100), ms(0));
    }
    for what in first.iter().filter(|what| what.lane == slow) {
        deliver(&mut schedule, *what, ms(900), ms(0));
    }
    let next = drain(&mut schedule, ms(4000));
    let batch = |lane| next.iter().find(|what| what.lane == lane).map(|what| what.count);
    assert_eq!((batch(fast), batch(slow)), (Some(4), Some(1)));
}

#[test]
fn what_a_lane_held_goes_to_another_when_it_ends() {
    let mut schedule = schedule(4);
    let gone = schedule.add_lane(ms(0));
    drain(&mut schedule, ms(0));
    let other = schedule.add_lane(ms(0));
    assert_eq!(schedule.assign(ms(0)), None, "all is held, and nobody is slow yet");
    schedule.remove_lane(gone);
    let mut now = ms(0);
    for what in drain(&mut schedule, now) {
        assert_eq!(what.lane, other);
        now = deliver(&mut schedule, what, ms(1), now);
    }
    assert!(schedule.is_complete());
}

#[test]
fn an_idle_lane_takes_the_far_half_of_what_the_slowest_still_has() {
    let mut schedule = schedule(5);
    let slow = schedule.add_lane(ms(0));
    assert_eq!(drain(&mut schedule, ms(0)).len(), 2, "chunks 0 to 3");
    let fast = schedule.add_lane(ms(0));
    let own = schedule.assign(ms(0)).expect("chunk 4");
    deliver(&mut schedule, own, ms(30), ms(0));
    assert_eq!(schedule.assign(ms(249)), None, "not slow yet");
    let stolen = schedule.assign(ms(300)).expect("the slow lane's work");
    assert_eq!((stolen.lane, stolen.first, stolen.count), (fast, 2, 2));
    deliver(&mut schedule, stolen, ms(1), ms(300));
    // Now the slow one delivers late what the fast one has: it is not written twice.
    for (request, chunk) in [(0, 0), (0, 1)] {
        assert_eq!(schedule.received(slow, RequestId(request), chunk, CHUNK, ms(400)), Verdict::Write);
        schedule.written(chunk);
    }
    assert_eq!(schedule.received(slow, RequestId(1), 2, CHUNK, ms(400)), Verdict::Discard);
    assert!(schedule.is_complete());
}

#[test]
fn a_copy_that_is_being_written_is_the_only_one_unless_it_is_rejected() {
    let mut schedule = schedule(1);
    let a = schedule.add_lane(ms(0));
    let first = schedule.assign(ms(0)).expect("the chunk");
    let b = schedule.add_lane(ms(0));
    let second = schedule.assign(ms(1000)).expect("its copy");
    assert_eq!((first.lane, second.lane), (a, b));
    assert_eq!(schedule.received(b, second.request, 0, CHUNK, ms(1001)), Verdict::Write);
    assert_eq!(schedule.received(a, first.request, 0, CHUNK, ms(1002)), Verdict::Discard);
    assert_eq!(schedule.assign(ms(9000)), None, "somebody writes it");
    schedule.rejected(0);
    schedule.remove_lane(b);
    let again = schedule.assign(ms(9000)).expect("it is wanted again");
    assert_eq!((again.lane, again.first), (a, 0));
}

#[test]
fn a_chunk_out_of_turn_or_of_an_unknown_request_is_not_written() {
    let mut schedule = schedule(4);
    let lane = schedule.add_lane(ms(0));
    let what = schedule.assign(ms(0)).expect("work");
    assert_eq!(schedule.received(lane, what.request, 1, CHUNK, ms(1)), Verdict::Discard);
    assert_eq!(schedule.received(lane, RequestId(77), 0, CHUNK, ms(1)), Verdict::Discard);
    assert_eq!(schedule.received(LaneId(77), what.request, 0, CHUNK, ms(1)), Verdict::Discard);
    assert_eq!(schedule.received(lane, what.request, 0, CHUNK, ms(1)), Verdict::Write);
}

#[derive(Debug, Clone)]
enum Op {
    AddLane,
    /// Of the n-th lane.
    RemoveLane(usize),
    /// The n-th request delivers its next chunk.
    Deliver(usize),
    /// The n-th chunk that is being written is good, or not.
    Settle(usize, bool),
    Wait(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::AddLane),
        1 => any::<usize>().prop_map(Op::RemoveLane),
        12 => any::<usize>().prop_map(Op::Deliver),
        10 => (any::<usize>(), prop::bool::weighted(0.85)).prop_map(|(n, good)| Op::Settle(n, good)),
        3 => any::<u16>().prop_map(Op::Wait),
    ]
}

/// Drives a schedule as the download does, with peers that do anything, and checks what must hold after every step.
struct Model {
    schedule: Schedule,
    lanes: Vec<LaneId>,
    requests: BTreeMap<RequestId, (Assignment, u64)>,
    writing: BTreeSet<u64>,
    written: BTreeSet<u64>,
    now: Duration,
    total: u64,
}

impl Model {
    fn new(total: u64, resumed: &BTreeSet<u64>) -> Self {
        let mut done = ChunkSet::new(total);
        let written: BTreeSet<u64> = resumed.iter().copied().filter(|chunk| done.insert(*chunk)).collect();
        Self {
            schedule: Schedule::new(done, config()),
            lanes: Vec::new(),
            requests: BTreeMap::new(),
            writing: BTreeSet::new(),
            written,
            now: Duration::ZERO,
            total,
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::AddLane if self.lanes.len() < 5 => self.lanes.push(self.schedule.add_lane(self.now)),
            Op::AddLane => {}
            Op::RemoveLane(n) => {
                if !self.lanes.is_empty() {
                    let lane = self.lanes.remove(n % self.lanes.len());
                    self.schedule.remove_lane(lane);
                    self.requests.retain(|_, (what, _)| what.lane != lane);
                }
            }
            Op::Deliver(n) => {
                if let Some(id) = self.requests.keys().nth(n % self.requests.len().max(1)).copied() {
                    self.deliver(id);
                }
            }
            Op::Settle(n, good) => {
                if let Some(chunk) = self.writing.iter().nth(n % self.writing.len().max(1)).copied() {
                    self.writing.remove(&chunk);
                    if *good {
                        self.schedule.written(chunk);
                        assert!(self.written.insert(chunk), "chunk {chunk} was written twice");
                    } else {
                        self.schedule.rejected(chunk);
                    }
                }
            }
            Op::Wait(ms) => self.now += Duration::from_millis(u64::from(*ms)),
        }
        self.assign();
        self.check();
    }

    fn deliver(&mut self, id: RequestId) {
        let (what, next) = self.requests[&id];
        if self.schedule.received(what.lane, id, next, CHUNK, self.now) == Verdict::Write {
            assert!(!self.written.contains(&next), "chunk {next} is written already");
            assert!(self.writing.insert(next), "chunk {next} is being written already");
        }
        if next + 1 == what.first + u64::from(what.count) {
            self.requests.remove(&id);
        } else {
            self.requests.insert(id, (what, next + 1));
        }
    }

    fn assign(&mut self) {
        for _ in 0..100 {
            let Some(what) = self.schedule.assign(self.now) else { return };
            assert!(self.lanes.contains(&what.lane) && what.count >= 1 && what.count <= config().max_batch);
            for chunk in what.first..what.first + u64::from(what.count) {
                assert!(chunk < self.total && !self.written.contains(&chunk) && !self.writing.contains(&chunk));
            }
            assert!(self.requests.insert(what.request, (what, what.first)).is_none());
        }
        panic!("the schedule never stops to hand out");
    }

    fn check(&self) {
        for lane in &self.lanes {
            let requests = self.requests.values().filter(|(what, _)| what.lane == *lane).count();
            assert!(requests <= config().pipeline);
        }
        let bound = self.lanes.len() * config().pipeline * config().max_batch as usize + self.writing.len();
        assert!(self.schedule.work.held() <= bound);
        assert!(self.schedule.work.copies() <= config().max_copies);
        assert_eq!(self.schedule.is_complete(), self.written.len() as u64 == self.total);
        assert_eq!(self.schedule.work.done().iter().collect::<BTreeSet<_>>(), self.written);
    }

    /// With one honest lane, everything comes to an end.
    fn finish(mut self) {
        for _ in 0..self.lanes.len() {
            self.step(&Op::RemoveLane(0));
        }
        self.step(&Op::AddLane);
        for _ in 0..10 * self.total + 10 {
            self.step(&Op::Deliver(0));
            self.step(&Op::Settle(0, true));
        }
        assert!(
            self.schedule.is_complete(),
            "lost: {:?}",
            (0..self.total).filter(|c| !self.written.contains(c)).collect::<Vec<_>>()
        );
    }
}

proptest! {
    #[test]
    fn each_chunk_is_written_once_and_none_is_lost(
        total in 0..60_u64,
        resumed in prop::collection::btree_set(0..60_u64, 0..20),
        ops in prop::collection::vec(op(), 0..300),
    ) {
        let mut model = Model::new(total, &resumed);
        for op in &ops {
            model.step(op);
        }
        model.finish();
    }
}
