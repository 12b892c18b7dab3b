//! Attempts to get into the room: their steps, their failures, and the pauses between them.

use std::time::{Duration, Instant};

use rand_core::RngCore as _;

use crate::wire::limits;
use crate::{CloseReason, Epoch, NodeName, Strategy};

use super::frames::{self, ClientBody, Greeting, cut};
use super::link::Link;
use super::loss::{Remedy, Verdict};
use super::session::Endpoint;
use super::way::{Aim, Step, Way};
use super::{Health, Machine, MediaHealth, Mode, NetHint, Output};
use crate::wire::pb;

/// How often a client that knows of no network looks whether that is still so, where no deadline ends its wait.
const LOOK: Duration = Duration::from_secs(60);

impl Machine {
    pub(super) fn connect(&mut self, now: Instant) {
        if !matches!(self.mode, Mode::Idle) {
            return;
        }
        self.started = Some(now);
        let deadline = self.config.timers.deadline;
        self.mode = Mode::Joining(Way::new(Aim::FirstJoin, Strategy::Rejoin, now, deadline, "connect"));
        self.begin_attempt(now);
        self.note_state("connect");
    }

    pub(super) fn way(&self) -> Option<&Way> {
        match &self.mode {
            Mode::Joining(way) => Some(way),
            Mode::Live(live) => live.migration.as_ref().map(|migration| &migration.way),
            _ => None,
        }
    }

    pub(super) fn way_mut(&mut self) -> Option<&mut Way> {
        match &mut self.mode {
            Mode::Joining(way) => Some(way),
            Mode::Live(live) => live.migration.as_mut().map(|migration| &mut migration.way),
            _ => None,
        }
    }

    /// Begins an attempt now: there is a network, as far as is known, and nothing to wait for.
    pub(super) fn begin_attempt(&mut self, now: Instant) {
        let attempt = self.config.timers.attempt;
        if self.offline {
            return self.wait_for_network(now);
        }
        if !self.may_go_on(now) {
            return;
        }
        let Some(way) = self.way_mut() else { return };
        way.count_attempt(now + attempt);
        if self.token.value().is_some() { self.choose_server(now) } else { self.fetch_token(now) }
    }

    /// Makes sure that what is asked for can still be had: the same session, or one more. If not, this is the end.
    fn may_go_on(&mut self, now: Instant) -> bool {
        let fast_is_over = !self.can_resume(now);
        let Some(way) = self.way_mut() else { return false };
        if way.strategy == Strategy::Fast && fast_is_over {
            way.escalate();
            self.decide(now, "the session can no longer be resumed", "make a new one");
        }
        let spent = self.budget_is_spent(now);
        if spent && matches!(self.mode, Mode::Live(_)) {
            self.stay(now, "too many new sessions");
        } else if spent {
            let (limit, window) = self.config.rejoin_budget;
            self.finish(now, CloseReason::RateLimited { limit, window }, "too many new sessions");
        }
        !spent
    }

    fn wait_for_network(&mut self, now: Instant) {
        let stands_still = !self.config.offline_counts;
        let Some(way) = self.way_mut() else { return };
        way.step = Step::WaitNet { look: now + LOOK };
        way.attempt_ends = None;
        if stands_still {
            way.paused_at.get_or_insert(now);
        }
        self.decide(now, "there is no network", "wait for one");
    }

    /// Whether the session that was lost may be asked for again.
    pub(super) fn can_resume(&self, now: Instant) -> bool {
        self.media != MediaHealth::Broken
            && self.session.as_ref().is_some_and(|session| {
                !session.resume_token.0.is_empty() && now < session.last_inbound + session.rules.resume_window
            })
    }

    fn budget_is_spent(&mut self, now: Instant) -> bool {
        let (limit, window) = self.config.rejoin_budget;
        while self.rejoins.front().is_some_and(|at| *at + window <= now) {
            self.rejoins.pop_front();
        }
        let makes_new = self.way().is_some_and(|way| way.aim != Aim::FirstJoin && way.strategy != Strategy::Fast);
        makes_new && self.rejoins.len() >= limit as usize
    }

    /// A resumed session is where it was; for a new one the application chooses, and is asked for the same node.
    pub(super) fn choose_server(&mut self, now: Instant) {
        // A token may have taken its time.
        if !self.may_go_on(now) {
            return;
        }
        let until = now + self.config.timers.credentials;
        let known = self.session.as_ref().map(|session| session.endpoint.clone());
        let Some(way) = self.way_mut() else { return };
        if let (Strategy::Fast, Some(endpoint)) = (way.strategy, &known) {
            return self.dial(now, endpoint.clone());
        }
        way.step = Step::Creds { until };
        // Everybody else is where the session was: a node is left for a reason only, and all reasons are in `exclude`.
        let last = known.filter(|_| way.aim == Aim::Recovery).map(|endpoint| endpoint.node);
        let prefer = way.prefer.iter().chain(&last).find(|node| !way.exclude.contains(node)).cloned();
        let output = Output::FetchCreds { exclude: way.exclude.clone(), prefer, reason: way.last.clone() };
        self.out.push_back(output);
    }

    pub(super) fn creds_ready(&mut self, now: Instant, node: NodeName, url: String) {
        let Some(way) = self.way().filter(|way| matches!(way.step, Step::Creds { .. })) else { return };
        if way.aim == Aim::Migration && way.exclude.contains(&node) {
            return self.stay(now, "there is no other node");
        }
        self.dial(now, Endpoint { node, url });
    }

    pub(super) fn creds_failed(&mut self, now: Instant, reason: &str, fatal: bool) {
        if !self.way().is_some_and(|way| matches!(way.step, Step::Creds { .. })) {
            return;
        }
        let reason = cut(reason, limits::MAX_TEXT);
        if fatal && !matches!(self.mode, Mode::Live(_)) {
            let message = format!("no server: {reason}");
            return self.finish(now, CloseReason::Unrecoverable { code: 0, message }, "no server can be had");
        }
        self.attempt_failed(now, &format!("no server: {reason}"));
    }

    fn dial(&mut self, now: Instant, endpoint: Endpoint) {
        if self.offline {
            return self.wait_for_network(now);
        }
        self.epochs += 1;
        let epoch = Epoch(self.epochs);
        let until = now + self.config.timers.dial;
        let Some(way) = self.way_mut() else { return };
        way.step = Step::Dial { epoch, until };
        let url = endpoint.url.clone();
        way.endpoint = Some(endpoint);
        self.out.push_back(Output::Dial { epoch, url });
    }

    /// The WebSocket is there: says hello.
    pub(super) fn opened(&mut self, now: Instant, epoch: Epoch) {
        if self.way().is_some_and(|way| matches!(way.step, Step::Dial { epoch: dialled, .. } if dialled == epoch)) {
            self.greet(now, epoch, false);
        }
    }

    /// Says hello, and waits for the answer. `anew`: once more on this connection.
    fn greet(&mut self, now: Instant, epoch: Epoch, anew: bool) {
        let until = now + self.config.timers.hello;
        let timers = (self.config.timers.heartbeat_interval, self.config.timers.heartbeat_timeout);
        let announced = |(key, (rev, _)): (&String, &(u64, _))| pb::StateEntry {
            key: key.clone(),
            rev: *rev,
            payload: bytes::Bytes::new(),
        };
        self.token.show();
        let greeting = Greeting {
            config: &self.config,
            info: &self.info,
            token: self.token.shown(),
            lineage: self.lineage,
            session: self.session.as_ref(),
            first_unacked: self.outbox.first_unacked(),
            announced: self.announced.iter().map(announced).collect(),
        };
        let Some(way) = self.way() else { return };
        let hello = greeting.hello(way, now);
        let link = Link::new(epoch, now, timers.0, timers.1);
        if let Some(way) = self.way_mut() {
            way.step = Step::Hello { link, until, anew };
        }
        self.out.push_back(Output::Write { epoch, frame: frames::frame(0, 0, ClientBody::Hello(hello)) });
    }

    /// Drops the connection of the attempt that is under way, if it has one.
    pub(super) fn abort_way(&mut self, code: Option<u16>) {
        if let Some(epoch) = self.way().and_then(|way| way.step.epoch()) {
            self.out.push_back(Output::Abort { epoch, code });
        }
    }

    /// The attempt has failed, for a reason that counts: another one follows after a pause.
    pub(super) fn attempt_failed(&mut self, now: Instant, why: &str) {
        self.attempt_refused(now, why, &Verdict::default());
    }

    /// The same, with what the server says to it.
    pub(super) fn attempt_refused(&mut self, now: Instant, why: &str, verdict: &Verdict) {
        self.abort_way(verdict.farewell());
        let migrates = self.forget_arrival();
        if verdict.remedy == Remedy::End && !migrates {
            return self.finish(now, verdict.last_word(why.to_owned()), "the server wants no other try");
        }
        let Some(way) = self.way_mut() else { return };
        way.last = why.to_owned();
        way.add_cause(why);
        let leave_node = way.go_away.take().is_some() || verdict.remedy == Remedy::Move;
        if let (true, Some(endpoint)) = (leave_node, way.endpoint.clone()) {
            way.exclude(&endpoint.node);
        }
        let mut goes_on = way.failed();
        if way.strategy == Strategy::Fast && matches!(verdict.remedy, Remedy::Rejoin | Remedy::Move) {
            goes_on = false;
        }
        let (attempts, last) = (way.attempts, why.to_owned());
        if !goes_on {
            way.escalate();
            self.decide(now, why, "make a new session");
        }
        if !migrates && self.config.max_attempts.is_some_and(|max| attempts >= max) {
            return self.finish(now, CloseReason::AttemptsExhausted { attempts, last }, "no attempt is left");
        }
        self.pause(now, why, verdict.retry_after, verdict.spread);
    }

    /// What a new node has said counts for nothing any more. Answers whether there is a migration at all.
    pub(super) fn forget_arrival(&mut self) -> bool {
        let Mode::Live(live) = &mut self.mode else { return false };
        let Some(migration) = &mut live.migration else { return false };
        migration.arrived = None;
        true
    }

    /// The session cannot be resumed, and this connection is of no more use: a new session is made at once over another one.
    pub(super) fn resume_refused(&mut self, now: Instant, why: &str) {
        self.abort_way(Some(1000));
        self.give_up_session(now, why);
        self.begin_attempt(now);
    }

    /// The session cannot be resumed, and the server waits to be asked for a new one: that is done at once, on the same connection
    /// unless an attempt of its own would not be made there.
    pub(super) fn resume_rejected(&mut self, now: Instant, why: &str) {
        let attempt = self.config.timers.attempt;
        let at = self.way().and_then(|way| Some((way.step.epoch()?, way.endpoint.clone()?)));
        // That there is a network is shown by the rejection.
        let stays = at.filter(|(_, endpoint)| {
            let leaves = self.way().is_none_or(|way| way.exclude.contains(&endpoint.node));
            !leaves && self.token.value().is_some()
        });
        let Some((epoch, endpoint)) = stays else { return self.resume_refused(now, why) };
        self.give_up_session(now, why);
        if !self.may_go_on(now) {
            return;
        }
        if let Some(way) = self.way_mut() {
            way.endpoint = Some(endpoint);
            way.count_attempt(now + attempt);
        }
        self.greet(now, epoch, true);
    }

    fn give_up_session(&mut self, now: Instant, why: &str) {
        let Some(way) = self.way_mut() else { return };
        way.last = why.to_owned();
        way.add_cause(why);
        way.escalate();
        self.decide(now, why, "make a new session at once");
    }

    /// A server closed the connection instead of waiting for the second Hello: it takes that one on another connection. At once, and once
    /// only: no attempt after this one asks for the old session.
    pub(super) fn greet_elsewhere(&mut self, now: Instant, why: &str) {
        self.abort_way(Some(1000));
        if let Some(way) = self.way_mut() {
            why.clone_into(&mut way.last);
            way.add_cause(why);
            // It is the same attempt still.
            way.attempts -= 1;
        }
        self.plan(now, why, "ask again over another connection", None);
        self.begin_attempt(now);
    }

    /// Waits before the next attempt: a random time, on top of what the server asked for.
    pub(super) fn pause(&mut self, now: Instant, cause: &str, retry_after: Duration, spread: Duration) {
        let advice = self.session.as_ref().and_then(|session| session.rules.reconnect_spread);
        let attempt = self.config.timers.attempt;
        let streak = self.streak;
        self.streak = self.streak.saturating_add(1);
        let backoff = self.config.backoff.clone();
        let Some(way) = self.way() else { return };
        let (base, cap) = match way.strategy {
            Strategy::Fast => (backoff.fast_base, backoff.fast_cap),
            _ => (backoff.rejoin_base, backoff.rejoin_cap),
        };
        let grown = base.saturating_mul(1 << streak.min(20)).min(cap);
        let first = way.aim == Aim::Recovery && way.attempts == 0;
        let mut most = match (first, streak) {
            // The server knows how many others there are.
            (true, 0) => advice.unwrap_or(backoff.first),
            (true, _) => advice.map_or(grown, |advice| advice.max(grown)),
            (false, _) => grown,
        };
        let mut spread = spread;
        if let (true, Some(deadline)) = (first, way.deadline) {
            // Evenly within the time that leaves room for an attempt: no advice is worth giving up for.
            let left = deadline.saturating_duration_since(now).saturating_sub(retry_after);
            let room = left - attempt.min(left / 2);
            spread = spread.min(room);
            most = most.min(room - spread);
        }
        let floor = retry_after + self.within(spread);
        let delay = floor + self.within(most);
        let Some(way) = self.way_mut() else { return };
        way.floor = (!floor.is_zero()).then(|| now + floor);
        way.attempt_ends = None;
        way.step = Step::Backoff { until: now + delay };
        self.plan(now, cause, "try again", Some(delay));
    }

    /// A time of up to `most`, evenly distributed.
    pub(super) fn within(&mut self, most: Duration) -> Duration {
        // Always drawn, so that one delay more or less does not change all the others.
        let share = self.rng.next_u64() as f64 / u64::MAX as f64;
        most.mul_f64(share)
    }

    /// What time brings on the way.
    pub(super) fn time_of_way(&mut self, now: Instant) {
        let busy = self.busy;
        let Some(way) = self.way() else { return };
        if matches!(self.mode, Mode::Joining(_)) && way.paused_at.is_none() && way.deadline.is_some_and(|at| now >= at)
        {
            let reason =
                CloseReason::Deadline { after: now.saturating_duration_since(way.since), last: way.last.clone() };
            return self.finish(now, reason, "out of time");
        }
        let reads = way.step.reads();
        let due = now >= way.step.until() || way.attempt_ends.is_some_and(|ends| now >= ends);
        if !due {
            return;
        }
        if busy && reads {
            return self.wait_longer(now);
        }
        match way.step {
            Step::WaitNet { .. } | Step::Backoff { .. } => self.begin_attempt(now),
            Step::Token { .. } => self.attempt_failed(now, "no token in time"),
            Step::Creds { .. } => self.attempt_failed(now, "no server in time"),
            Step::Dial { .. } => self.attempt_failed(now, "no connection in time"),
            Step::Hello { .. } => self.attempt_failed(now, "no welcome in time"),
            Step::Replay { .. } => self.replay_failed(now, "the replay did not end in time"),
        }
    }

    pub(super) fn hint(&mut self, now: Instant, hint: NetHint) {
        if hint == NetHint::Offline {
            self.offline = true;
            if self.way().is_some_and(|way| matches!(way.step, Step::Backoff { .. })) {
                self.wait_for_network(now);
            }
            return;
        }
        let was_offline = self.online(now);
        if matches!(self.mode, Mode::Live(_)) && (was_offline || hint == NetHint::PathChanged) {
            self.probe(now, "the network changed");
        }
        self.hurry(now, "a hint that there is a network");
    }

    /// There is a network: answers whether that is news.
    pub(super) fn online(&mut self, now: Instant) -> bool {
        if let Some(way) = self.way_mut()
            && let Some(paused_at) = way.paused_at.take()
        {
            way.deadline = way.deadline.map(|at| at + now.saturating_duration_since(paused_at));
        }
        std::mem::take(&mut self.offline)
    }

    /// Cuts a pause short; an attempt that is under way goes on.
    pub(super) fn hurry(&mut self, now: Instant, cause: &str) {
        let interval = self.config.backoff.hint_interval;
        let Some(way) = self.way() else { return };
        let (until, waits_for_net) = match way.step {
            Step::Backoff { until } => (until, false),
            Step::WaitNet { .. } => (now + LOOK, true),
            _ => return,
        };
        if !waits_for_net && self.last_hint.is_some_and(|last| now < last + interval) {
            return;
        }
        self.last_hint = Some(now);
        let soon = now + self.within(self.config.backoff.first);
        let Some(way) = self.way_mut() else { return };
        let soon = way.floor.map_or(soon, |floor| floor.max(soon));
        if soon < until {
            way.step = Step::Backoff { until: soon };
            self.plan(now, cause, "try again", Some(soon.saturating_duration_since(now)));
        }
    }

    pub(super) fn media(&mut self, now: Instant, health: MediaHealth) {
        self.media = health;
        let Mode::Joining(way) = &mut self.mode else { return };
        if health != MediaHealth::Broken || way.strategy != Strategy::Fast {
            return;
        }
        way.add_cause("the media path is broken");
        let under_way = way.step.phase() >= super::Phase::Token;
        if under_way {
            self.abort_way(Some(1000));
        }
        if let Mode::Joining(way) = &mut self.mode {
            way.escalate();
        }
        self.decide(now, "the media path is broken", "make a new session");
        if under_way {
            self.begin_attempt(now);
        }
    }

    pub(super) fn app_busy(&mut self, now: Instant, busy: bool) {
        let ended = self.busy && !busy;
        self.busy = busy;
        if !ended {
            return;
        }
        if let Mode::Live(live) = &mut self.mode {
            live.link.listens_again(now);
        }
        self.wait_longer(now);
    }

    /// What the attempt waits for may be there, unread.
    fn wait_longer(&mut self, now: Instant) {
        let hello = self.config.timers.hello;
        if let Some(way) = self.way_mut()
            && let Step::Hello { link, until, .. } | Step::Replay { link, until } = &mut way.step
        {
            link.listens_again(now);
            *until = now + hello;
            way.attempt_ends = None;
        }
    }

    pub(super) fn system_resumed(&mut self, now: Instant) {
        if let Mode::Live(live) = &mut self.mode {
            // Nothing could be read meanwhile.
            live.link.listens_again(now);
        }
        self.probe(now, "the machine was suspended");
        self.hurry(now, "the machine was suspended");
    }

    /// Asks the connection in use for a sign of life, soon.
    pub(super) fn probe(&mut self, now: Instant, cause: &str) {
        let patience = self.config.timers.probe_timeout;
        let Mode::Live(live) = &mut self.mode else { return };
        let nonce = live.link.probe(now, Some(patience));
        let epoch = live.link.epoch;
        debug_assert_eq!(live.link.health(), Health::Probing);
        self.decide(now, cause, "ask for a sign of life");
        self.ping(epoch, nonce);
    }
}
