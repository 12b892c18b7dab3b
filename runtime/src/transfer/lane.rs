//! One source at work: reads the answers to its requests one after another, chunk by chunk, and passes the chunks on.
//!
//! Requests are made ahead, so the peer always has the next one; their answers are read in turn, so that a lane holds one
//! buffer, and the rate and the silence of a peer can be told. Time in which *we* are slow, and do not read, does not count
//! against the peer.

use std::sync::Arc;
use std::time::Duration;

use moorline_transport::BulkTurn;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::DownloadError;
use super::plan::{ChunkRef, Plan};
use super::pool::{Buffer, Pool};
use super::schedule::{Assignment, LaneId, RequestId};
use super::source::{ChunkStream, Source, SourceError};
use crate::supervisor::{Scope, Task, TaskError};

/// What a lane tells the download.
pub(super) enum FromLane {
    /// A chunk is off the wire.
    Chunk { lane: LaneId, request: RequestId, chunk: ChunkRef, buffer: Buffer },
    /// The lane ended by itself. Its last word.
    Ended { lane: LaneId, error: LaneError },
}

/// Why a lane ended.
#[derive(Debug)]
pub(super) enum LaneError {
    Source(SourceError),
    Local(DownloadError),
}

impl From<SourceError> for LaneError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<TaskError> for LaneError {
    fn from(error: TaskError) -> Self {
        Self::Local(DownloadError::Internal(error.to_string()))
    }
}

/// A request that was made. Dropping it ends it.
pub(super) struct Request {
    id: RequestId,
    /// Ends when the request goes out.
    turn: oneshot::Receiver<()>,
    answer: Task<Result<Answer, LaneError>>,
}

struct Answer {
    chunks: Vec<ChunkRef>,
    stream: Box<dyn ChunkStream>,
    _turn: Option<BulkTurn>,
}

/// The order in which the requests of one lane are made, which is the order in which they are read: a request never takes the turn
/// of one before it.
#[derive(Default)]
pub(super) struct InOrder(Option<oneshot::Receiver<()>>);

impl Request {
    /// Asks `source` for what was assigned, when it is this request's turn.
    pub(super) fn make(
        scope: &Scope,
        source: Arc<dyn Source>,
        plan: Arc<Plan>,
        item: moorline_proto::ItemId,
        what: Assignment,
        order: &mut InOrder,
    ) -> Self {
        let inner = scope.clone();
        let (taken, next) = oneshot::channel();
        let (goes, turn) = oneshot::channel();
        let before = order.0.replace(next);
        let answer = scope.spawn("request", async move {
            let chunks = match plan.kept(what.first, what.count) {
                Some(chunks) => Ok(chunks),
                None => match inner.spawn_blocking("page", move || plan.load(what.first, what.count)).await {
                    Ok(loaded) => loaded.map_err(LaneError::Local),
                    Err(error) => Err(error.into()),
                },
            };
            // Also when there is nothing to ask for: who comes after must not overtake who came before.
            if let Some(before) = before {
                // An error: the one before was given up.
                let _ = before.await;
            }
            let chunks = chunks?;
            let turn = source.turn().await;
            // Errors: nobody comes after, or nobody waits for the answer any more.
            let _ = (taken.send(()), goes.send(()));
            let stream = source.chunks(item, what.first, what.count).await?;
            Ok(Answer { chunks, stream, _turn: turn })
        });
        Self { id: what.request, turn, answer }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// The reading side of one source.
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) pool: Pool,
    pub(super) requests: Receiver<Request>,
    pub(super) out: Sender<FromLane>,
    pub(super) stall_timeout: Duration,
    pub(super) stall_bytes: usize,
}

impl Lane {
    /// Works until the first error, or until the scope is cancelled.
    pub(super) async fn run(self, scope: Scope, mut last_word: LastWord) {
        tokio::select! {
            biased;
            // The download ended the lane: it knows.
            () = scope.cancelled() => last_word.permit = None,
            error = self.work() => last_word.say(error),
        }
    }

    async fn work(mut self) -> LaneError {
        loop {
            // Never closed while the lane runs: the download cancels the lane before it drops the sender.
            let Some(request) = self.requests.recv().await else { std::future::pending().await };
            if let Err(error) = self.serve(request).await {
                return error;
            }
        }
    }

    async fn serve(&self, mut request: Request) -> Result<(), LaneError> {
        // Its turn is this side's own matter; an error means that there will be none, which the answer tells.
        let _ = (&mut request.turn).await;
        let answer = timeout(self.stall_timeout, &mut request.answer).await;
        let answer = answer.map_err(|_| SourceError::Stalled(self.stall_timeout))???;
        let Answer { chunks, mut stream, _turn } = answer;
        let expected: u64 = chunks.iter().map(ChunkRef::len).sum();
        if stream.bytes() != expected {
            let said = stream.bytes();
            return Err(
                SourceError::Protocol(format!("it announces {said} bytes for chunks that have {expected}")).into()
            );
        }
        for chunk in chunks {
            let mut buffer = self.pool.acquire(usize::try_from(chunk.len()).unwrap_or(usize::MAX)).await;
            for piece in buffer.bytes_mut().chunks_mut(self.stall_bytes.max(1)) {
                let read = timeout(self.stall_timeout, stream.read(piece)).await;
                read.map_err(|_| SourceError::Stalled(self.stall_timeout))??;
            }
            let message = FromLane::Chunk { lane: self.id, request: request.id, chunk, buffer };
            // A closed channel means that the download is over, and with it this lane.
            if self.out.send(message).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}

/// Tells the end of a lane, however it came about. It has a place in the channel, so it never waits.
pub(super) struct LastWord {
    lane: LaneId,
    permit: Option<OwnedPermit<FromLane>>,
}

impl LastWord {
    pub(super) fn new(lane: LaneId, permit: OwnedPermit<FromLane>) -> Self {
        Self { lane, permit: Some(permit) }
    }

    fn say(&mut self, error: LaneError) {
        if let Some(permit) = self.permit.take() {
            permit.send(FromLane::Ended { lane: self.lane, error });
        }
    }
}

impl Drop for LastWord {
    fn drop(&mut self) {
        // Only a panic, a lane that could not be started, or an abort of the whole download leaves it unsaid.
        self.say(LaneError::Local(DownloadError::Internal("the task that reads from a source died".into())));
    }
}
