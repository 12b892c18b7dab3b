//! The client without a network: a state machine that is fed with what happens and says what to do.
//!
//! [`Machine::handle`] is the only way to change it. After each call, and only then, drain [`Machine::poll_output`] and look at
//! [`Machine::poll_deadline`]: when that time comes, hand in [`Input::Tick`]. It has no clock, no randomness of its own, no lock, no
//! thread and no I/O: the same inputs at the same times with the same seed give the same outputs, byte for byte.

mod arrive;
mod auth;
mod calls;
mod clock;
mod config;
mod connect;
mod deliver;
mod end;
mod frames;
mod input;
mod link;
mod live;
mod loss;
mod migrate;
mod outbox;
mod output;
mod roster;
mod send;
mod session;
mod sound;
mod state;
mod way;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use crate::{Epoch, LineageId, Participant, ParticipantId, SessionId, Strategy};

pub use config::{Backoff, Bounds, ClientInfo, Config, Timers};
pub use input::{CallRefusal, Input, MediaHealth, NetHint, Outgoing, SelfUpdate, Transport};
pub use output::{Decision, Event, Output};
pub use state::{Health, Phase, State};

use self::auth::Token;
use self::calls::Calls;
use self::live::Live;
use self::outbox::Outbox;
use self::roster::Roster;
use self::session::Session;
use self::way::{Aim, Way};

/// The client's state machine. See the [module](self).
#[derive(Debug)]
pub struct Machine {
    config: Config,
    rng: ChaCha20Rng,
    lineage: LineageId,
    started: Option<Instant>,
    /// The latest time that was handed in.
    now: Option<Instant>,
    mode: Mode,
    /// The state that the application was told last.
    told: State,
    out: VecDeque<Output>,
    epochs: u64,
    session: Option<Session>,
    roster: Roster,
    /// What this participant says of itself, updates included.
    info: ClientInfo,
    /// The newest value of each key that a server has taken, to be announced again where it was lost.
    announced: BTreeMap<String, (u64, Bytes)>,
    outbox: Outbox,
    calls: Calls,
    token: Token,
    offline: bool,
    media: MediaHealth,
    /// The application is behind: nothing is read.
    busy: bool,
    /// When the deliveries that were not acknowledged yet are to be, how many they are, and how long.
    ack_due: Option<Instant>,
    ack_count: u32,
    ack_bytes: usize,
    /// The revision of the next value.
    next_rev: u64,
    /// Attempts since a connection was last stable: the exponent of the backoff.
    streak: u32,
    /// When new sessions were made, within the time of the budget.
    rejoins: VecDeque<Instant>,
    last_hint: Option<Instant>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it a client")]
enum Mode {
    Idle,
    /// Connecting, or recovering.
    Joining(Way),
    /// In the room; migrating if there is another way beside it.
    Live(Live),
    Leaving(Leaving),
    Closed,
}

#[derive(Debug)]
struct Leaving {
    epoch: Epoch,
    until: Instant,
    /// When the goodbye is said, even if not all is written that was sent before it; `None`: it was said.
    says_at: Option<Instant>,
}

impl Machine {
    /// A machine in [`State::Idle`]. All its randomness (ids, jitter) comes from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let config = config.within_reach();
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut lineage = [0; 16];
        rng.fill_bytes(&mut lineage);
        Self {
            rng,
            lineage: LineageId::from_bytes(lineage),
            started: None,
            now: None,
            mode: Mode::Idle,
            told: State::Idle,
            out: VecDeque::new(),
            epochs: 0,
            session: None,
            roster: Roster::new(config.bounds.participants),
            info: config.info.clone(),
            announced: BTreeMap::new(),
            outbox: Outbox::new(config.bounds.queue_messages, config.bounds.queue_bytes),
            calls: Calls::new(config.bounds.calls),
            token: Token::default(),
            offline: false,
            media: MediaHealth::NeverConnected,
            busy: false,
            ack_due: None,
            ack_count: 0,
            ack_bytes: 0,
            next_rev: 1,
            streak: 0,
            rejoins: VecDeque::new(),
            last_hint: None,
            config,
        }
    }

    /// Takes in what has happened at `now`. A time before the last one counts as the last one.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let now = self.now.map_or(now, |last| last.max(now));
        self.now = Some(now);
        if matches!(self.mode, Mode::Closed) {
            return;
        }
        let before = self.state();
        match input {
            Input::Connect => self.connect(now),
            Input::Send { id, class, body, ttl } => self.send(now, id, class, body, ttl),
            Input::Update { id, update } => self.update_self(now, id, update),
            Input::Call { id, to, method, payload, timeout } => self.call(now, id, to, method, payload, timeout),
            Input::CancelCall(id) => self.cancel_call(id),
            Input::Reply { call, to, result } => self.reply(now, call, to, result),
            Input::Close => self.close(now),
            Input::Net(hint) => self.hint(now, hint),
            Input::Media(health) => self.media(now, health),
            Input::TokenReady(token) => self.token_ready(now, token),
            Input::TokenFailed { reason, fatal } => self.token_failed(now, &reason, fatal),
            Input::CredsReady { node, url } => self.creds_ready(now, node, url),
            Input::CredsFailed { reason, fatal } => self.creds_failed(now, &reason, fatal),
            Input::Transport(epoch, transport) => self.transport(now, epoch, transport),
            Input::AppBusy(busy) => self.app_busy(now, busy),
            Input::SystemResumed => self.system_resumed(now),
            Input::Tick => {}
        }
        // What was just reached gets its chance before time is up: a tick follows at once if it is.
        if self.state() == before {
            self.pass_time(now);
        }
        self.pump(now);
    }

    /// What to do next; `None` when there is nothing more to do before the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to hand in [`Input::Tick`] at the latest. `None` only in [`State::Idle`], with nothing queued, and in [`State::Closed`].
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Instant> {
        let of_mode = match &self.mode {
            Mode::Closed => return None,
            Mode::Idle => None,
            Mode::Joining(way) => Some(way.wakes()),
            Mode::Live(live) => Some(self.live_wakes(live)),
            Mode::Leaving(leaving) => Some(leaving.says_at.unwrap_or(leaving.until)),
        };
        [of_mode, self.calls.next_deadline(), self.outbox.next_expiry()].into_iter().flatten().min()
    }

    /// Where it is.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.mode {
            Mode::Idle => State::Idle,
            Mode::Joining(way) => {
                let (phase, attempt) = (way.step.phase(), way.attempt);
                if way.aim == Aim::FirstJoin {
                    State::Connecting { phase, attempt }
                } else {
                    State::Recovering { strategy: way.strategy, phase, attempt }
                }
            }
            Mode::Live(live) => match &live.migration {
                Some(migration) => State::Migrating { phase: migration.phase() },
                None => State::Live { epoch: live.link.epoch, health: live.link.health() },
            },
            Mode::Leaving(_) => State::Leaving,
            Mode::Closed => State::Closed,
        }
    }

    /// The lineage.
    #[must_use]
    pub fn lineage(&self) -> LineageId {
        self.lineage
    }

    /// The session, once there has been one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.session.as_ref().map(|session| session.id)
    }

    /// Who is in the room, as far as is known, by id; this participant included.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.roster.iter()
    }

    /// This participant's id, once there has been a session.
    #[must_use]
    pub fn participant(&self) -> Option<ParticipantId> {
        self.session.as_ref().map(|session| session.participant)
    }

    /// What the server has taken of this participant, once there has been a session.
    #[must_use]
    pub fn own(&self) -> Option<&Participant> {
        self.roster.find(self.participant()?)
    }

    /// Sends that are queued or not acknowledged yet, and the bytes of their payloads.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        (self.outbox.len(), self.outbox.bytes())
    }

    fn emit(&mut self, event: Event) {
        self.out.push_back(Output::App(event));
    }

    /// Tells the application if another kind of state has come.
    fn note_state(&mut self, cause: &str) {
        let (from, to) = (self.told, self.state());
        if from.name() != to.name() {
            self.emit(Event::StateChanged { from, to, cause: cause.to_owned() });
        }
        self.told = to;
    }

    /// Notes for the log what happened, and what follows from it.
    fn decide(&mut self, now: Instant, cause: impl Into<String>, action: impl Into<String>) {
        self.note(now, cause.into(), action.into(), None, None);
    }

    /// The same, with the attempt that comes next.
    fn plan(&mut self, now: Instant, cause: &str, action: &str, delay: Option<Duration>) {
        let next = self.way().map(|way| (way.strategy, way.attempt));
        self.note(now, cause.to_owned(), action.to_owned(), next, delay);
    }

    fn note(
        &mut self,
        now: Instant,
        cause: String,
        action: String,
        next: Option<(Strategy, u32)>,
        delay: Option<Duration>,
    ) {
        let elapsed = self.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        let (strategy, attempt) = next.map_or((None, 0), |(strategy, attempt)| (Some(strategy), attempt));
        self.emit(Event::Decision(Decision { elapsed, cause, action, strategy, attempt, delay }));
    }

    /// What time alone brings.
    fn pass_time(&mut self, now: Instant) {
        self.expire(now);
        match &self.mode {
            Mode::Idle | Mode::Closed => {}
            Mode::Joining(_) => self.time_of_way(now),
            Mode::Live(_) => {
                self.time_of_live(now);
                if matches!(self.mode, Mode::Joining(_)) {
                    self.time_of_way(now);
                }
            }
            Mode::Leaving(leaving) if now >= leaving.until => {
                self.finish(now, crate::CloseReason::UserClosed, "the goodbye took too long");
            }
            Mode::Leaving(_) => {}
        }
    }
}
