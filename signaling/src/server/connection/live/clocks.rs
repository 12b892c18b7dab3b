use std::time::Duration;

use tokio::time::Instant;

use crate::server::ServerConfig;
use crate::server::connection::handshake::TokenTimes;
use crate::server::limiter::Bucket;

/// Everything about a connection that has a time.
pub(super) struct Clocks {
    interval: Duration,
    timeout: Duration,
    ack_delay: Duration,
    heard_at: Instant,
    /// Sent since something was heard.
    pinged: bool,
    ack_at: Option<Instant>,
    token: Option<TokenTimes>,
    token_warned: bool,
    frames: Bucket,
    bytes: Bucket,
    read_again_at: Option<Instant>,
}

/// What is to be done.
pub(super) enum Due {
    Ping,
    Dead,
    Ack,
    TokenExpiring(Duration),
    TokenExpired,
}

impl Clocks {
    pub(super) fn new(config: &ServerConfig, token: Option<TokenTimes>, now: Instant) -> Self {
        Self {
            interval: config.heartbeat_interval,
            timeout: config.heartbeat_timeout,
            ack_delay: config.ack_delay,
            heard_at: now,
            pinged: false,
            ack_at: None,
            token,
            token_warned: false,
            frames: Bucket::new(config.limits.frames_per_second, config.limits.frame_burst, now),
            bytes: Bucket::new(config.limits.bytes_per_second, config.limits.byte_burst, now),
            read_again_at: None,
        }
    }

    /// A sign of life, and a frame of this length that counts.
    pub(super) fn heard(&mut self, now: Instant, len: usize) {
        self.heard_at = now;
        self.pinged = false;
        let waits = [self.frames.charge(now, 1), self.bytes.charge(now, len)];
        self.read_again_at = waits.into_iter().flatten().max().map(|wait| now + wait);
    }

    /// Whether the client has not sent more than it may for now.
    pub(super) fn may_read(&self) -> bool {
        self.read_again_at.is_none()
    }

    /// An acknowledgement is owed from now on.
    pub(super) fn owe_ack(&mut self, now: Instant) {
        self.ack_at.get_or_insert(now + self.ack_delay);
    }

    /// It was given.
    pub(super) fn acked(&mut self) {
        self.ack_at = None;
    }

    pub(super) fn renew_token(&mut self, times: TokenTimes) {
        self.token = Some(times);
        self.token_warned = false;
    }

    /// When to look again.
    pub(super) fn next(&self) -> Instant {
        let silence = if self.pinged { self.timeout } else { self.interval.min(self.timeout) };
        let token = self.token.map(|token| if self.token_warned { token.expires_at } else { token.warn_at });
        [self.ack_at, token, self.read_again_at].into_iter().flatten().fold(self.heard_at + silence, Instant::min)
    }

    /// The next thing to do, if there is one by now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.read_again_at.is_some_and(|at| at <= now) {
            self.read_again_at = None;
        }
        if now >= self.heard_at + self.timeout {
            return Some(Due::Dead);
        }
        if let Some(token) = self.token {
            if now >= token.expires_at {
                return Some(Due::TokenExpired);
            }
            if now >= token.warn_at && !self.token_warned {
                self.token_warned = true;
                return Some(Due::TokenExpiring(token.expires_at - now));
            }
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack_at = None;
            return Some(Due::Ack);
        }
        if !self.pinged && now >= self.heard_at + self.interval {
            self.pinged = true;
            return Some(Due::Ping);
        }
        None
    }
}
