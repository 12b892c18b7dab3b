//! The stage that verifies and writes: a few blocking jobs that take chunks off one queue and end when it is empty, so that
//! no thread is held while the network is what is slow.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_sim_point::sim_point;
use tokio::sync::mpsc::Sender;

use super::plan::ChunkRef;
use super::pool::Buffer;
use super::session::Answerer;
use super::store::{Store, WriteError};
use crate::supervisor::Scope;

/// A chunk that came off the wire.
pub(super) struct Arrived {
    pub(super) chunk: ChunkRef,
    pub(super) buffer: Buffer,
    pub(super) from: Answerer,
}

/// What became of a chunk.
pub(super) enum Written {
    /// `result` tells. The buffer goes back to the pool when the chunk is dropped, which keeps the number of unread results
    /// below the number of buffers.
    Done { arrived: Arrived, result: Result<(), WriteError> },
    /// A job died with a chunk in its hands: it panicked, or never ran.
    Lost,
}

/// Hands chunks to jobs. Dropping it drops what is queued; what is being written is written.
pub(super) struct Writers {
    shared: Arc<Shared>,
    scope: Scope,
    limit: usize,
}

struct Shared {
    store: Arc<Store>,
    queue: Mutex<Queue>,
    results: Sender<Written>,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Arrived>,
    jobs: usize,
}

impl Writers {
    /// At most `limit` jobs at once. `results` must have room for one message a buffer and one a job.
    pub(super) fn new(store: Arc<Store>, scope: Scope, limit: usize, results: Sender<Written>) -> Self {
        let shared = Arc::new(Shared { store, queue: Mutex::default(), results });
        Self { shared, scope, limit: limit.max(1) }
    }

    pub(super) fn submit(&self, arrived: Arrived) {
        let mut queue = self.shared.lock();
        queue.chunks.push_back(arrived);
        if queue.jobs >= self.limit {
            return;
        }
        queue.jobs += 1;
        drop(queue);
        let job = Job { shared: Arc::clone(&self.shared), ended: false };
        self.scope.spawn_blocking("write", move || job.run()).detach();
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        // Outside of the lock: a buffer that is freed takes the pool's.
        let queued = std::mem::take(&mut self.shared.lock().chunks);
        drop(queued);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Job {
    shared: Arc<Shared>,
    ended: bool,
}

impl Job {
    fn run(mut self) {
        while let Some(arrived) = self.next() {
            sim_point!("transfer.write");
            let result = self.shared.store.write(&arrived.chunk, arrived.buffer.bytes());
            if self.shared.results.try_send(Written::Done { arrived, result }).is_err() {
                tracing::debug!("a chunk was written after its download had ended");
            }
        }
        self.ended = true;
    }

    /// The next chunk. With the last one the job is off the books, in one step with the look at the queue: no chunk can be
    /// queued in between and be left there.
    fn next(&self) -> Option<Arrived> {
        let mut queue = self.shared.lock();
        let next = queue.chunks.pop_front();
        if next.is_none() {
            queue.jobs -= 1;
        }
        next
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.lock().jobs -= 1;
            drop(self.shared.results.try_send(Written::Lost));
        }
    }
}
