//! The access token: had from the application, kept until it is refused, renewed before it runs out.

use std::time::{Duration, Instant};

use crate::CloseReason;

use super::frames::{ClientBody, cut};
use super::way::Step;
use super::{Machine, Mode, Output};
use crate::wire::{limits, pb};

/// How long after a failed renewal the next one is tried.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Token {
    /// `None`: one has to be had first.
    value: Option<String>,
    /// The one that the server was shown last.
    shown: String,
    /// The one that was refused last, and why.
    refused: Option<(String, String)>,
    /// When a new one is to be had although this one is still good.
    pub(super) renew_at: Option<Instant>,
    /// One was asked for during a session.
    renewing: bool,
}

impl Token {
    pub(super) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The server does not take it any more: the next attempt gets another one first.
    pub(super) fn refuse(&mut self, why: &str) {
        self.value = None;
        self.refused = Some((self.shown.clone(), why.to_owned()));
        self.renewing = false;
    }

    /// It is about to be shown to the server.
    pub(super) fn show(&mut self) {
        self.shown = self.value.clone().unwrap_or_default();
    }

    /// The one that was shown last: empty where there was none to show.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The server took it: what was refused before does not count any more. `ttl`: until it runs out.
    pub(super) fn accepted(&mut self, now: Instant, ttl: Option<Duration>) {
        self.refused = None;
        self.renewing = false;
        self.renew_at = ttl.map(|ttl| now + ttl.mul_f64(0.8));
    }
}

impl std::fmt::Debug for Token {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("is_there", &self.value.is_some())
            .field("is_refused", &self.refused.is_some())
            .field("renew_at", &self.renew_at)
            .field("renewing", &self.renewing)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// The server did not take the token: another one is had at once, and does not count as a failure. A fresh one that is refused too is the end.
    pub(super) fn token_refused(&mut self, now: Instant, message: &str) {
        if self.token.refused.is_some() {
            self.token.refuse(message);
            return self.not_let_in(now, message.to_owned(), "the fresh token was refused too");
        }
        self.token.refuse(message);
        self.decide(now, format!("token refused: {message}"), "get a fresh one");
        self.abort_way(Some(4000));
        self.forget_arrival();
        if let Some(way) = self.way_mut() {
            // It is the same attempt still.
            way.attempts = way.attempts.saturating_sub(1);
        }
        self.begin_attempt(now);
    }

    /// Without a token that the server takes this is the end, unless there is a session still that goes on: of a migration it is the
    /// attempt only that has failed.
    fn not_let_in(&mut self, now: Instant, message: String, why: &str) {
        if let Mode::Live(live) = &mut self.mode {
            if let Some(migration) = &mut live.migration {
                // No other node would be better.
                migration.way.endpoint = None;
            }
            return self.attempt_failed(now, &format!("{why}: {message}"));
        }
        self.finish(now, CloseReason::AuthRejected(message), why);
    }

    /// `FetchToken`, and the wait for the answer.
    pub(super) fn fetch_token(&mut self, now: Instant) {
        let until = now + self.config.timers.credentials;
        let force = self.token.refused.is_some();
        self.out.push_back(Output::FetchToken { force });
        if let Some(way) = self.way_mut() {
            way.step = Step::Token { until };
        }
    }

    pub(super) fn token_ready(&mut self, now: Instant, token: String) {
        if token.len() > limits::MAX_TOKEN {
            return self.token_failed(now, "the token is over the limit of 8 KiB", true);
        }
        let waited_for = self.way().is_some_and(|way| matches!(way.step, Step::Token { .. }));
        if let Some((_, why)) = self.token.refused.as_ref().filter(|(refused, _)| *refused == token) {
            if waited_for {
                let message = format!("{why}, and there is no other token");
                self.not_let_in(now, message, "no other token");
            }
            return;
        }
        self.token.value = Some(token.clone());
        if waited_for {
            return self.choose_server(now);
        }
        if let (Mode::Live(live), true) = (&self.mode, self.token.renewing) {
            let epoch = live.link.epoch;
            self.token.renewing = false;
            self.token.renew_at = None;
            self.decide(now, "fresh token", "hand it to the server");
            self.token.show();
            self.write(epoch, 0, ClientBody::TokenUpdate(pb::TokenUpdate { auth_token: token }));
        }
    }

    pub(super) fn token_failed(&mut self, now: Instant, reason: &str, fatal: bool) {
        let reason = cut(reason, limits::MAX_TEXT);
        if self.way().is_some_and(|way| matches!(way.step, Step::Token { .. })) {
            if fatal {
                let why = match &self.token.refused {
                    Some((_, why)) => format!("{why}; no other token: {reason}"),
                    None => format!("no token: {reason}"),
                };
                return self.not_let_in(now, why, "no token can be had");
            }
            return self.attempt_failed(now, &format!("no token: {reason}"));
        }
        if self.token.renewing {
            self.token.renewing = false;
            self.token.renew_at = (!fatal).then(|| now + RENEW_AGAIN);
            self.decide(now, format!("no fresh token: {reason}"), "go on with the one there is");
        }
    }

    /// The token runs out in so long.
    pub(super) fn token_expiring(&mut self, now: Instant, left: Duration) {
        if !self.token.renewing {
            self.token.renew_at = Some(now + left.mul_f64(0.1).min(Duration::from_secs(1)));
        }
    }

    /// In a session: asks for a fresh token when it is time.
    pub(super) fn renew_token(&mut self, now: Instant) {
        if self.token.renewing || self.token.renew_at.is_none_or(|at| now < at) {
            return;
        }
        self.token.renewing = true;
        self.token.renew_at = Some(now + self.config.timers.credentials.max(RENEW_AGAIN));
        self.decide(now, "the token will run out", "get a fresh one");
        self.out.push_back(Output::FetchToken { force: true });
    }

    /// A renewal that nobody answers is tried again.
    pub(super) fn renewal_overdue(&mut self, now: Instant) {
        if self.token.renewing && self.token.renew_at.is_some_and(|at| now >= at) {
            self.token.renewing = false;
        }
    }
}
