//! The main phase: chunks from every source, verified, written and journalled.
//!
//! One loop owns all state: the [`Schedule`] decides, lanes read, writers write, and everything meets here as a message. The
//! loop itself neither reads nor writes nor waits for any one of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline_proto::PeerId;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};

use super::chunk_set::ChunkSet;
use super::error::DownloadError;
use super::event::DownloadEvent;
use super::lane::{FromLane, InOrder, Lane, LaneError, LastWord, Request};
use super::plan::{ChunkRef, Plan};
use super::pool::{Buffer, Pool};
use super::roster::Member;
use super::schedule::{LaneId, RequestId, Schedule, Verdict};
use super::session::{Answerer, ScopeGuard, Session, Stop};
use super::source::Source;
use super::store::{Store, WriteError};
use super::tally::Tally;
use super::writers::{Arrived, Writers, Written};
use crate::supervisor::Task;

/// Large files are flushed to the disk each time that this much was written.
const FLUSH_STEP: u64 = 64 << 20;

/// A source at work, as the loop sees it. Dropping it ends the lane.
struct LaneHandle {
    who: Answerer,
    source: Arc<dyn Source>,
    scope: ScopeGuard,
    requests: Sender<Request>,
    order: InOrder,
}

pub(super) struct Fetch<'s> {
    session: &'s mut Session,
    /// Of all lanes and writers.
    scope: ScopeGuard,
    plan: Arc<Plan>,
    pool: Pool,
    schedule: Schedule,
    lanes: BTreeMap<LaneId, LaneHandle>,
    from_lanes: Receiver<FromLane>,
    lane_sender: Sender<FromLane>,
    writers: Writers,
    results: Receiver<Written>,
    /// Chunks that the writers have.
    writing: usize,
    store: Arc<Store>,
    /// Bytes that were written since the last early flush began, and that flush.
    unflushed: u64,
    flushing: Option<Task<()>>,
    tally: Tally,
    began: Instant,
    tick_at: Instant,
    /// Whether there is news to be told as progress.
    news: bool,
}

impl<'s> Fetch<'s> {
    /// Prepares to fetch everything but the chunks `done`, which have `resumed` bytes.
    pub(super) fn new(
        session: &'s mut Session,
        plan: Arc<Plan>,
        store: Arc<Store>,
        done: ChunkSet,
        resumed: u64,
    ) -> Self {
        let config = Arc::clone(&session.config);
        let scope = ScopeGuard(session.scope.child("fetch"));
        let (buffers, lanes, jobs) = (config.buffers(), config.lanes(), config.writers.max(1));
        // A message a buffer, and the last words of the lanes at work and of those that are just ending.
        let (lane_sender, from_lanes) = mpsc::channel(buffers + 2 * lanes);
        let (result_sender, results) = mpsc::channel(buffers + jobs);
        let began = Instant::now();
        Self {
            tally: Tally::new(plan.head().bytes, resumed),
            schedule: Schedule::new(done, config.schedule()),
            writers: Writers::new(Arc::clone(&store), scope.0.clone(), jobs, result_sender),
            pool: Pool::new(buffers),
            lanes: BTreeMap::new(),
            writing: 0,
            unflushed: 0,
            flushing: None,
            store,
            tick_at: began,
            news: true,
            session,
            scope,
            plan,
            from_lanes,
            lane_sender,
            results,
            began,
        }
    }

    /// Fetches until all is there. On any other way out, everything that was started has been told to end.
    pub(super) async fn run(mut self) -> Result<Tally, Stop> {
        loop {
            let now = Instant::now();
            if self.schedule.is_complete() {
                break;
            }
            self.match_lanes(now);
            if self.writing == 0 && self.from_lanes.is_empty() {
                self.session.check_alone(now)?;
            }
            self.assign(now);
            self.tell_progress(now);
            let wake = self.next_wake(now);
            tokio::select! {
                biased;
                () = self.scope.0.cancelled() => return Err(Stop::Cancelled),
                Some(written) = self.results.recv() => self.settle(written)?,
                Some(message) = self.from_lanes.recv() => self.hear(message)?,
                () = self.session.background() => {}
                () = sleep_until(wake) => {}
            }
        }
        self.lanes.clear();
        self.scope.0.cancel();
        // What is still on its way here is in vain; the writers have nothing left. The files must be closed by now.
        self.scope.0.join().await;
        Ok(self.tally)
    }

    /// One lane for each source, as many as may be; none for a source that left.
    fn match_lanes(&mut self, now: Instant) {
        let roster = &self.session.roster;
        let gone: Vec<LaneId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !roster.has(&lane.who.peer, lane.who.serial))
            .map(|(id, _)| *id)
            .collect();
        gone.into_iter().for_each(|id| drop(self.end_lane(id)));
        let free = self.session.config.lanes().saturating_sub(self.lanes.len());
        if free == 0 {
            return;
        }
        let busy = |member: &&Member| !self.lanes.values().any(|lane| lane.who.peer == member.peer);
        let next: Vec<Member> = self.session.roster.ready(now).into_iter().filter(busy).take(free).cloned().collect();
        next.into_iter().for_each(|member| self.start_lane(&member, now));
    }

    fn start_lane(&mut self, member: &Member, now: Instant) {
        // No room for its last word: lanes that are ending will make some.
        let Ok(last) = self.lane_sender.clone().try_reserve_owned() else { return };
        self.tally.introduce(member.peer, &member.label);
        let config = &self.session.config;
        let id = self.schedule.add_lane(now.duration_since(self.began));
        let scope = self.scope.0.child("source");
        let (requests, receiver) = mpsc::channel(config.pipeline.max(1));
        let lane = Lane {
            id,
            pool: self.pool.clone(),
            requests: receiver,
            out: self.lane_sender.clone(),
            stall_timeout: config.stall_timeout,
            stall_bytes: config.stall_bytes,
        };
        scope.spawn("lane", lane.run(scope.clone(), LastWord::new(id, last))).detach();
        let who = Answerer { peer: member.peer, serial: member.serial };
        self.lanes.insert(
            id,
            LaneHandle {
                who,
                source: Arc::clone(&member.source),
                scope: ScopeGuard(scope),
                requests,
                order: InOrder::default(),
            },
        );
    }

    fn end_lane(&mut self, id: LaneId) -> Option<LaneHandle> {
        self.schedule.remove_lane(id);
        self.lanes.remove(&id)
    }

    fn assign(&mut self, now: Instant) {
        let item = self.session.config.item;
        while let Some(what) = self.schedule.assign(now.duration_since(self.began)) {
            let Some(lane) = self.lanes.get_mut(&what.lane) else {
                self.schedule.remove_lane(what.lane);
                continue;
            };
            let (scope, source) = (&lane.scope.0, Arc::clone(&lane.source));
            let request = Request::make(scope, source, Arc::clone(&self.plan), item, what, &mut lane.order);
            // Has room for as many as the schedule lets a lane have. A lane that ended says so in a moment.
            if lane.requests.try_send(request).is_err() {
                tracing::debug!(lane = what.lane.0, "a request was made of a lane that ended");
            }
        }
    }

    fn hear(&mut self, message: FromLane) -> Result<(), Stop> {
        match message {
            FromLane::Chunk { lane, request, chunk, buffer } => self.arrived(lane, request, chunk, buffer),
            FromLane::Ended { lane, error } => {
                // None: it was ended from here, and went by itself at the same time.
                if let Some(handle) = self.end_lane(lane) {
                    match error {
                        LaneError::Source(error) => self.session.failed(handle.who, error),
                        LaneError::Local(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }

    fn arrived(&mut self, lane: LaneId, request: RequestId, chunk: ChunkRef, buffer: Buffer) {
        let now = self.began.elapsed();
        match self.schedule.received(lane, request, chunk.index, chunk.len(), now) {
            Verdict::Discard => self.tally.wasted(chunk.len()),
            Verdict::Write => {
                let Some(handle) = self.lanes.get(&lane) else { return };
                self.writing += 1;
                self.writers.submit(Arrived { chunk, buffer, from: handle.who });
            }
        }
    }

    fn settle(&mut self, written: Written) -> Result<(), Stop> {
        self.writing = self.writing.saturating_sub(1);
        let Written::Done { arrived, result } = written else {
            return Err(Stop::Failed(DownloadError::Internal("a job that writes chunks died".into())));
        };
        let (index, bytes, from) = (arrived.chunk.index, arrived.chunk.len(), arrived.from);
        match result {
            Ok(()) => {
                self.schedule.written(index);
                self.tally.good(from.peer, bytes);
                self.session.roster.succeeded(&from.peer, from.serial);
                self.news = true;
                self.flush_early(bytes);
            }
            Err(WriteError::BadContent(why)) => {
                self.schedule.rejected(index);
                self.tally.wasted(bytes);
                self.session.condemn(from, why);
            }
            Err(WriteError::Local(error)) => return Err(self.local_error(error).into()),
        }
        Ok(())
    }

    /// Has the disk begin with what is to be flushed at the end anyway, so that the end need not wait for all of it.
    fn flush_early(&mut self, bytes: u64) {
        self.unflushed += bytes;
        if self.session.config.flush
            && self.unflushed >= FLUSH_STEP
            && self.flushing.as_ref().is_none_or(Task::is_finished)
        {
            self.unflushed = 0;
            let store = Arc::clone(&self.store);
            self.flushing = Some(self.scope.0.spawn_blocking("flush", move || store.flush_large()));
        }
    }

    /// A full disk is told with what would be needed.
    fn local_error(&self, error: DownloadError) -> DownloadError {
        let DownloadError::NoSpace { path, .. } = error else { return error };
        let config = &self.session.config;
        let free = config.disk.free_bytes(&config.into).ok().flatten().unwrap_or(0);
        DownloadError::NoSpace { path, need: self.tally.left().saturating_add(config.space_reserve), free }
    }

    fn tell_progress(&mut self, now: Instant) {
        if now < self.tick_at {
            return;
        }
        self.tick_at = now + self.session.config.progress_interval.max(Duration::from_millis(1));
        if std::mem::take(&mut self.news) {
            let rates: BTreeMap<PeerId, f64> =
                self.lanes.iter().map(|(id, lane)| (lane.who.peer, self.schedule.rate(*id).unwrap_or(0.0))).collect();
            let progress = self.tally.progress(now.duration_since(self.began), &rates);
            self.session.outbox.state(DownloadEvent::Progress(progress));
        }
    }

    /// With sources at work, there is always a tick: slow ones are looked at even if nothing happens. Else only what being
    /// alone asks for.
    fn next_wake(&self, now: Instant) -> Instant {
        let far = now + Duration::from_secs(3600);
        let tick = if self.lanes.is_empty() && !self.news { far } else { self.tick_at };
        self.session.next_wake(now).map_or(tick, |wake| wake.min(tick))
    }
}
