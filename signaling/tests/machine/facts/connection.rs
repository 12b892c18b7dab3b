use std::time::{Duration, Instant};

use moorline_signaling::machine::Timers;

use crate::wire::{Down, Up, pb};

/// One connection, from its dial to its end.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// When the attempt began that it is part of: with the dial, or with a second Hello.
    pub(crate) tried: Instant,
    pub(crate) opened: Option<Instant>,
    /// When it was aborted or reported its end.
    pub(crate) ended: Option<Instant>,
    /// Whether it ended by its own report, not by `Abort`.
    pub(crate) failed: bool,
    /// The newest one.
    pub(crate) hello: Option<pb::Hello>,
    pub(crate) hellos: u32,
    /// Hellos that asked for a session which cannot be resumed, as the server said.
    pub(crate) rejected: u32,
    /// The first frame of the server after Hello, if it was this.
    pub(crate) welcome: Option<pb::Welcome>,
    pub(crate) replay_end: bool,
    pub(crate) migrate_done: bool,
    pub(crate) go_away: bool,
    /// Whether the client said goodbye on it.
    pub(crate) left: bool,
    /// The last fault that came in over it.
    pub(crate) fault: Option<pb::Fault>,
    /// When the application came into the room over it.
    pub(crate) live: Option<Instant>,
    /// How often the application was told that it is lost.
    pub(crate) losses: u32,
    /// Frames of the server since the newest Hello.
    pub(crate) answers: u64,
    pub(crate) frames_out: u64,
    /// When the last frame came in.
    pub(crate) heard: Option<Instant>,
    /// When the last frame was written.
    pub(crate) wrote: Option<Instant>,
    /// When the last ping was written.
    pub(crate) pinged: Option<Instant>,
}

impl Connection {
    pub(super) fn dialled(now: Instant) -> Self {
        Self {
            tried: now,
            opened: None,
            ended: None,
            failed: false,
            hello: None,
            hellos: 0,
            rejected: 0,
            welcome: None,
            replay_end: false,
            migrate_done: false,
            go_away: false,
            left: false,
            fault: None,
            live: None,
            losses: 0,
            answers: 0,
            frames_out: 0,
            heard: None,
            wrote: None,
            pinged: None,
        }
    }

    pub(super) fn hear(&mut self, now: Instant, frame: Option<&pb::ServerFrame>) {
        self.answers += 1;
        self.heard = Some(now);
        let fast =
            self.hello.as_ref().and_then(|hello| hello.recovery.as_ref()).is_some_and(|r| r.plan() == pb::Plan::Fast);
        match frame.and_then(|frame| frame.body.as_ref()) {
            Some(Down::Welcome(welcome)) if self.answers == 1 && self.hello.is_some() => {
                self.welcome = Some(welcome.clone());
            }
            Some(Down::ResumeReject(_)) if self.answers == 1 && fast => self.rejected += 1,
            Some(Down::ReplayEnd(_)) => self.replay_end = true,
            Some(Down::MigrateDone(_)) => self.migrate_done = true,
            Some(Down::GoAway(_)) => self.go_away = true,
            Some(Down::Fault(fault)) => self.fault = Some(fault.clone()),
            _ => {}
        }
    }

    pub(super) fn write(&mut self, now: Instant, frame: Option<&pb::ClientFrame>) {
        self.frames_out += 1;
        self.wrote = Some(now);
        match frame.and_then(|frame| frame.body.as_ref()) {
            Some(Up::Hello(hello)) => {
                self.hello = Some(hello.clone());
                self.hellos += 1;
                self.answers = 0;
                self.tried = if self.hellos > 1 { now } else { self.tried };
            }
            Some(Up::Ping(_)) => self.pinged = Some(now),
            Some(Up::Leave(_)) => self.left = true,
            _ => {}
        }
    }

    /// Silence after which it is to be given up.
    pub(crate) fn heartbeat_timeout(&self, timers: &Timers) -> Duration {
        told(self.welcome.as_ref().map(|w| w.heartbeat_timeout_ms), timers.heartbeat_timeout)
    }

    /// Between two pings.
    pub(crate) fn heartbeat_interval(&self, timers: &Timers) -> Duration {
        told(self.welcome.as_ref().map(|w| w.heartbeat_interval_ms), timers.heartbeat_interval)
    }

    /// How long after the last frame its session can be resumed.
    pub(crate) fn fast_window(&self, timers: &Timers) -> Duration {
        told(self.welcome.as_ref().map(|w| w.resume_window_ms), timers.fast_window)
    }
}

fn told(by_server: Option<u32>, default: Duration) -> Duration {
    match by_server {
        None | Some(0) => default,
        Some(ms) => Duration::from_millis(ms.into()),
    }
}
