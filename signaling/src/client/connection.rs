use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream, StreamExt};
use moorline_sim_point::sim_point;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::{CancellationToken, PollSender};
use tokio_util::task::TaskTracker;

use crate::machine::Transport;

use super::dial::{Dialer, Socket, closed_without_code, end_of};
use super::outbox::{Outbox, OutboxReader, Refused, outbox};

/// Longest goodbye of a connection that is given up.
const GOODBYE: Duration = Duration::from_millis(100);

/// Reports that wait for the client's task. Few: one of them may be as long as a frame is allowed to be.
const REPORTS: usize = 8;

/// What all connections of a client have in common.
pub(super) struct Connections {
    pub(super) dialer: Arc<Dialer>,
    /// Those of connections alone: the client's task waits for them.
    pub(super) tasks: TaskTracker,
    /// All tasks of the client: whoever waits for its end waits for them too.
    pub(super) all: TaskTracker,
    /// Cuts all of them off.
    pub(super) kill: CancellationToken,
    /// Bounds of the queue of each.
    pub(super) max_frames: usize,
    pub(super) max_bytes: usize,
    /// Told when the queue of one has room again.
    pub(super) drained: Arc<Notify>,
}

/// A connection, or the dial of one, as the client's task sees it. Dropping it cuts it off.
pub(super) struct Link {
    reports: mpsc::Receiver<Transport>,
    outbox: Outbox,
    parting: oneshot::Sender<Parting>,
}

/// How a connection is given up.
enum Parting {
    /// With this close code.
    Goodbye(u16),
    /// The other side has fallen silent.
    Reset,
}

impl Connections {
    /// Starts the task of a connection. It ends with the connection, with the [`Link`], or with `kill`; that it died is seen by a
    /// [`Link`] whose reports end early.
    pub(super) fn open(&self, url: String) -> Link {
        let (report, reports) = mpsc::channel(REPORTS);
        let (outbox, frames) = outbox(self.max_frames, self.max_bytes, self.drained.clone());
        let (parting, asked_to_go) = oneshot::channel();
        let task = Task { dialer: self.dialer.clone(), report, frames, asked_to_go };
        let kill = self.kill.clone();
        let work = async move {
            kill.run_until_cancelled(task.run(url)).await;
        };
        let work = moorline_sim_point::task("room-connection", work);
        drop(self.all.spawn(self.tasks.track_future(work)));
        Link { reports, outbox, parting }
    }
}

impl Link {
    /// The next report; `None` if the task died without reporting an end.
    pub(super) fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<Option<Transport>> {
        self.reports.poll_recv(cx)
    }

    pub(super) fn write(&self, frame: Bytes) -> Result<(), Refused> {
        self.outbox.push(frame)
    }

    pub(super) fn is_clogged(&self) -> bool {
        self.outbox.is_clogged()
    }

    /// Gives it up: what it reports is not heard any more. It says goodbye in the background.
    pub(super) fn abort(self, code: u16) {
        let _ = self.parting.send(Parting::Goodbye(code));
    }

    /// The same, without a goodbye: it would wait behind what the silent other side never acknowledged.
    pub(super) fn reset(self) {
        let _ = self.parting.send(Parting::Reset);
    }
}

struct Task {
    dialer: Arc<Dialer>,
    report: mpsc::Sender<Transport>,
    frames: OutboxReader,
    asked_to_go: oneshot::Receiver<Parting>,
}

impl Task {
    async fn run(mut self, url: String) {
        sim_point!(await "client.dial");
        let dialled = tokio::select! {
            biased;
            _ = &mut self.asked_to_go => return,
            dialled = self.dialer.dial(&url) => dialled,
        };
        let socket = match dialled {
            Ok(socket) => socket,
            // Who does not hear it has given this dial up.
            Err(end) => return drop(self.report.send(end).await),
        };
        sim_point!(await "client.dialled");
        // The first report has room.
        drop(self.report.try_send(Transport::Opened));
        let mut pump =
            Pump { socket, frames: self.frames, reports: PollSender::new(self.report), unflushed: false, broken: None };
        tokio::select! {
            biased;
            parting = &mut self.asked_to_go => match parting {
                Ok(Parting::Goodbye(code)) => goodbye(pump.socket, Some(code)).await,
                Ok(Parting::Reset) => self.dialer.reset(pump.socket),
                // Dropped without a word: cut it off.
                Err(_) => {}
            },
            end = pump.run() => {
                let waits_for_answer = matches!(end, Some(Transport::Closed { .. }));
                pump.report(end).await;
                if waits_for_answer {
                    goodbye(pump.socket, None).await;
                }
            }
        }
    }
}

/// Moves frames both ways.
struct Pump {
    socket: Socket,
    frames: OutboxReader,
    reports: PollSender<Transport>,
    unflushed: bool,
    /// Writing has failed. What was received before is still to be reported.
    broken: Option<Transport>,
}

impl Pump {
    /// Until the connection ends; returns how. Nothing but the end is left to be reported then.
    async fn run(&mut self) -> Option<Transport> {
        poll_fn(|cx| self.poll(cx)).await
    }

    async fn report(&mut self, end: Option<Transport>) {
        let Some(end) = end else { return };
        if poll_fn(|cx| self.reports.poll_reserve(cx)).await.is_ok() {
            drop(self.reports.send_item(end));
        }
    }

    /// `None`: nobody is interested any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Transport>> {
        if self.broken.is_none()
            && let Err(end) = self.poll_write(cx)
        {
            self.broken = Some(end);
        }
        loop {
            // Reading waits for the client's task, so that the other side slows down with it.
            match self.reports.poll_reserve(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
            let report = match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => match report_of(message) {
                    Some(report) => report,
                    None => continue,
                },
                Poll::Ready(Some(Err(error))) => end_of(&error),
                Poll::Ready(None) => closed_without_code(),
                Poll::Pending => break,
            };
            if matches!(report, Transport::Closed { .. } | Transport::Error(_)) {
                return Poll::Ready(Some(report));
            }
            drop(self.reports.send_item(report));
        }
        match self.broken.clone() {
            Some(end) => Poll::Ready(Some(end)),
            None => Poll::Pending,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Transport> {
        loop {
            match Pin::new(&mut self.socket).poll_ready(cx) {
                Poll::Ready(ready) => ready.map_err(|error| end_of(&error))?,
                Poll::Pending => return Ok(()),
            }
            let Poll::Ready(Some(frame)) = self.frames.poll_next(cx) else { break };
            Pin::new(&mut self.socket).start_send(Message::Binary(frame)).map_err(|error| end_of(&error))?;
            self.unflushed = true;
        }
        if self.unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx)
        {
            flushed.map_err(|error| end_of(&error))?;
            self.unflushed = false;
        }
        Ok(())
    }
}

/// What to report of a message, if anything: WebSocket's own pings are answered below.
fn report_of(message: Message) -> Option<Transport> {
    match message {
        Message::Binary(frame) => Some(Transport::Frame(frame)),
        Message::Text(_) => Some(Transport::Text),
        Message::Close(Some(frame)) => Some(Transport::Closed { code: frame.code.into(), clean: true }),
        Message::Close(None) => Some(closed_without_code()),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => None,
    }
}

/// Says goodbye, or answers one, and waits a moment for the other side to hang up: closing with unread bytes would cut our last word off.
async fn goodbye(mut socket: Socket, code: Option<u16>) {
    let polite = async {
        let frame = code
            .map(CloseCode::from)
            .filter(|code| code.is_allowed())
            .map(|code| CloseFrame { code, reason: Utf8Bytes::default() });
        // Fails where a goodbye has come already; reading on sends the answer to that.
        drop(socket.close(frame).await);
        while let Some(Ok(_)) = socket.next().await {}
    };
    drop(timeout(GOODBYE, polite).await);
}
