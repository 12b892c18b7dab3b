use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Bound;
use std::task::{Context, Poll};

use moorline_sim_point::sim_point;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::command::{CallCommand, Command, Control};
use crate::client::connection::Link;
use crate::machine::{Input, Transport};
use crate::{Epoch, SendClass, SendOutcome};

use super::Owner;

/// What the task woke up for.
pub(super) enum Wake {
    Close,
    Tick,
    /// Somebody has room again.
    Room,
    Control(Control),
    /// From a source of the application.
    Answer(Input),
    /// `None`: the connection's task is gone, without a word.
    Report(Epoch, Option<Transport>),
    Command(Command),
}

/// Whose turn it is, of two that could each keep the task busy for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    #[default]
    Connections,
    Application,
}

impl Owner {
    /// Waits for the next thing to happen, at the latest until the machine's deadline.
    pub(super) async fn wait(&mut self) -> Wake {
        let deadline = self.machine.poll_deadline().map(Instant::from_std);
        let clogged = self.links.values().any(Link::is_clogged);
        let (reading, turn, heard) = (self.reading, self.turn, self.heard);
        let (links, commands) = (&mut self.links, &mut self.commands);
        let traffic = poll_fn(|cx| {
            let mut reports = |cx: &mut Context<'_>| {
                if !reading {
                    return Poll::Pending;
                }
                poll_in_turn(links, heard, |link| link.poll_report(cx))
                    .map(|(epoch, report)| Wake::Report(epoch, report))
            };
            // A connection that is behind holds the application back, rather than be overrun.
            let mut commands = |cx: &mut Context<'_>| if clogged { Poll::Pending } else { poll_commands(commands, cx) };
            let first = match turn {
                Turn::Connections => reports(cx),
                Turn::Application => commands(cx),
            };
            match (first, turn) {
                (Poll::Ready(wake), _) => Poll::Ready(wake),
                (Poll::Pending, Turn::Connections) => commands(cx),
                (Poll::Pending, Turn::Application) => reports(cx),
            }
        });
        // What is rare comes first; what is not takes turns.
        tokio::select! {
            biased;
            () = self.shared.close.cancelled(), if !self.closing => Wake::Close,
            () = sleep_until(deadline) => Wake::Tick,
            Some(control) = self.controls.recv() => Wake::Control(control),
            answer = self.fetches.answer() => Wake::Answer(answer),
            () = self.room.notified(), if clogged || self.behind => Wake::Room,
            wake = traffic => wake,
        }
    }

    /// Hands it to the machine.
    pub(super) fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Close => self.close(),
            // Also looks at the queue of events again.
            Wake::Tick | Wake::Room => self.feed(Input::Tick),
            Wake::Control(Control::Net(hint)) => self.feed(Input::Net(hint)),
            Wake::Control(Control::Media(health)) => self.feed(Input::Media(health)),
            Wake::Control(Control::CancelCall(id)) => {
                self.waiters.forget_call(id);
                self.feed(Input::CancelCall(id));
            }
            Wake::Answer(input) => self.feed(input),
            Wake::Report(epoch, report) => {
                (self.turn, self.heard) = (Turn::Application, epoch);
                self.report(epoch, report);
            }
            Wake::Command(command) => {
                self.turn = Turn::Connections;
                self.command(command);
            }
        }
    }

    fn close(&mut self) {
        self.closing = true;
        sim_point!("client.close");
        // What was asked for before the close comes before it.
        self.commands.close();
        while self.finished.is_none()
            && let Ok(command) = self.commands.try_recv()
        {
            if let Some(command) = self.spare_clogged(command) {
                self.command(command);
            }
        }
        self.feed(Input::Close);
    }

    /// Until the close, commands wait for a connection that is behind. What is sent at once or not at all could now overrun it, and the
    /// user would hear of a loss. What is queued keeps to the bounds of the queue.
    fn spare_clogged(&self, command: Command) -> Option<Command> {
        match command {
            Command::Send { class: SendClass::Ephemeral | SendClass::EpochBound, done, .. }
                if self.links.values().any(Link::is_clogged) =>
            {
                drop(done.send(SendOutcome::Dropped));
                None
            }
            command => Some(command),
        }
    }

    fn report(&mut self, epoch: Epoch, report: Option<Transport>) {
        let report = report.unwrap_or_else(|| Transport::Error("the connection's task failed".to_owned()));
        if matches!(report, Transport::Closed { .. } | Transport::Error(_)) {
            self.links.remove(&epoch);
        }
        let opened = matches!(report, Transport::Opened);
        self.feed(Input::Transport(epoch, report));
        if opened {
            sim_point!("client.hello");
        }
    }

    fn command(&mut self, command: Command) {
        let input = match command {
            Command::Send { id, class, body, ttl, done } => {
                self.announces |= matches!(class, SendClass::Latest(_));
                self.waiters.add_send(id, done);
                Input::Send { id, class, body, ttl }
            }
            Command::Update { id, update, done } => {
                self.announces = true;
                self.waiters.add_send(id, done);
                Input::Update { id, update }
            }
            Command::Call(CallCommand { id, to, method, payload, timeout, done }) => {
                // Called off already: the word of it has overtaken the call.
                if done.is_closed() {
                    return;
                }
                self.waiters.add_call(id, done);
                Input::Call { id, to, method, payload, timeout }
            }
            Command::Reply { call, to, result } => Input::Reply { call, to, result },
        };
        self.feed(input);
    }
}

/// Asks the links in turn, beginning after the one that was heard last: one that never stops talking does not drown the other.
fn poll_in_turn<L, R>(
    links: &mut BTreeMap<Epoch, L>,
    last: Epoch,
    mut poll: impl FnMut(&mut L) -> Poll<R>,
) -> Poll<(Epoch, R)> {
    for turn in [(Bound::Excluded(last), Bound::Unbounded), (Bound::Unbounded, Bound::Included(last))] {
        for (&epoch, link) in links.range_mut(turn) {
            if let Poll::Ready(report) = poll(link) {
                return Poll::Ready((epoch, report));
            }
        }
    }
    Poll::Pending
}

/// Once the last handle is gone nothing more comes, and the client is asked to close by other means.
fn poll_commands(commands: &mut mpsc::Receiver<Command>, cx: &mut Context<'_>) -> Poll<Wake> {
    match commands.poll_recv(cx) {
        Poll::Ready(Some(command)) => Poll::Ready(Wake::Command(command)),
        Poll::Ready(None) | Poll::Pending => Poll::Pending,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_never_stop_are_heard_in_turn() {
        let mut links: BTreeMap<Epoch, ()> = [(Epoch(3), ()), (Epoch(5), ()), (Epoch(6), ())].into();
        let mut heard = Vec::new();
        let mut last = Epoch::default();
        for _ in 0..6 {
            let Poll::Ready((epoch, ())) = poll_in_turn(&mut links, last, |()| Poll::Ready(())) else { break };
            heard.push(epoch.0);
            last = epoch;
        }
        assert_eq!(heard, [3, 5, 6, 3, 5, 6]);
        links.clear();
        assert!(poll_in_turn(&mut links, last, |()| Poll::Ready(())).is_pending());
    }
}
