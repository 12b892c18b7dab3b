//! Rooms in which the node of a verb meets others.

mod address;
mod again;
mod tokens;

use std::time::{Duration, Instant};

use futures_util::future::select_all;
use moorline_runtime::node::NodeHandle;
use moorline_runtime::room::{Room, RoomConfig, RoomEvents};
use moorline_runtime::signaling::machine::Event;
use moorline_runtime::signaling::{ClientConfig, CloseReason};

use crate::args::NetArgs;
use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::token::Token;
use crate::verbs::room::outcome;
use crate::{text, units};

pub(crate) use address::{Meeting, parse_meeting};

use again::Pauses;

/// How long an answer waits for a room to be reached.
const REACH: Duration = Duration::from_secs(8);
/// How long an answer waits after that for those in the room to be dialled.
const DIAL: Duration = Duration::from_millis(1500);

/// The rooms of a session. Dropping them leaves them.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    visits: Vec<Visit>,
}

/// One room, for as long as the session lasts.
#[derive(Debug)]
struct Visit {
    meeting: Meeting,
    client: ClientConfig,
    token: Option<Token>,
    began: Instant,
    pauses: Pauses,
    /// When it was joined first.
    reached: Option<Instant>,
    /// What stands in the way, as far as it is known. Safe to print.
    obstacle: Option<String>,
    stage: Stage,
}

/// How things stand with a room.
#[derive(Debug)]
enum Stage {
    /// In it, or on the way.
    Here(Box<(Room, RoomEvents)>),
    /// To be joined again then.
    Pausing(Instant),
    /// Lost for good.
    Lost,
}

/// What has happened to a visit.
enum News {
    Event(Option<Event>),
    PauseOver,
}

/// A room that was not reached, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    /// Safe to print, both.
    pub(crate) room: String,
    pub(crate) reason: String,
    /// The user was told already.
    pub(crate) told: bool,
}

impl Unreached {
    /// The whole sentence.
    pub(crate) fn sentence(&self) -> String {
        not_reached(&self.room, &self.reason)
    }
}

fn not_reached(room: &str, reason: &str) -> String {
    format!("the room {room} was not reached: {reason}")
}

impl Meetings {
    /// Joins the rooms of the options. Whoever stays tries for ever; whoever looks for something gives up after a while.
    pub(crate) fn join(node: &NodeHandle, net: &NetArgs, name: &str, stays: bool) -> Result<Self> {
        let mut visits = Vec::new();
        for (meeting, token) in net.rooms.iter().zip(tokens::of_rooms(net)?) {
            let mut client = ClientConfig::new(&meeting.url, &meeting.room);
            name.clone_into(&mut client.machine.info.name);
            client.machine.info.agent = concat!("moorline/", env!("CARGO_PKG_VERSION")).to_owned();
            if stays {
                client.machine.timers.deadline = None;
            }
            if let Some(token) = &token {
                client = token.apply(client);
            }
            let joined = node.join_room(RoomConfig::new(client.clone())).map_err(|error| {
                Failure::new(Code::Usage, format!("cannot join the room {}: {error}", text::reason(&meeting.url)))
            })?;
            visits.push(Visit {
                meeting: meeting.clone(),
                client,
                token,
                began: Instant::now(),
                pauses: Pauses::new(),
                reached: None,
                obstacle: None,
                stage: Stage::Here(Box::new(joined)),
            });
        }
        Ok(Self { visits })
    }

    /// Reads what happens in the rooms, tells what a person should know, and joins again where that may help. Returns when something has
    /// changed; never, without rooms. Cancel-safe.
    pub(crate) async fn watch(&mut self, node: &NodeHandle, output: &Output) {
        loop {
            if self.visits.is_empty() {
                return std::future::pending().await;
            }
            let (news, index, _) = select_all(self.visits.iter_mut().map(|visit| Box::pin(visit.next()))).await;
            if self.visits[index].take(news, node, output) {
                return;
            }
        }
    }

    /// When the rooms have shown who is in them, as far as they will: an answer before that may miss somebody. In the past where there is
    /// nothing to wait for.
    pub(crate) fn settle_at(&self) -> Option<Instant> {
        self.visits.iter().filter_map(Visit::settles_at).max()
    }

    /// The rooms that were not reached so far.
    pub(crate) fn unreached(&self) -> Vec<Unreached> {
        let never = self.visits.iter().filter(|visit| visit.reached.is_none());
        never
            .map(|visit| Unreached {
                room: text::name(&visit.meeting.room),
                told: !matches!(visit.stage, Stage::Here(_)),
                reason: visit.obstacle.clone().unwrap_or_else(|| "its server does not answer".to_owned()),
            })
            .collect()
    }
}

impl Visit {
    async fn next(&mut self) -> News {
        match &mut self.stage {
            Stage::Here(here) => News::Event(here.1.next().await),
            Stage::Pausing(until) => {
                tokio::time::sleep_until((*until).into()).await;
                News::PauseOver
            }
            Stage::Lost => std::future::pending().await,
        }
    }

    /// Whether something has changed that an answer may depend on.
    fn take(&mut self, news: News, node: &NodeHandle, output: &Output) -> bool {
        let room = text::name(&self.meeting.room);
        match news {
            News::PauseOver => {
                match node.join_room(RoomConfig::new(self.client.clone())) {
                    Ok(joined) => self.stage = Stage::Here(Box::new(joined)),
                    // What is left of the last visit may still be on its way out.
                    Err(error) => self.pause(&error.to_string(), output),
                }
                true
            }
            News::Event(Some(Event::Decision(decision))) => {
                if self.reached.is_none() && decision.delay.is_some() {
                    self.obstacle = Some(text::reason(&decision.cause));
                }
                false
            }
            News::Event(Some(Event::ConnectionLost { cause, .. })) => {
                tracing::info!(room, %cause, "the connection to the room is lost; coming back");
                false
            }
            News::Event(Some(Event::Joined { .. })) => {
                if self.reached.is_some() {
                    output.note(format_args!("in the room {room} again"));
                }
                tracing::info!(room, "in the room");
                let now = Instant::now();
                self.pauses.joined(now);
                self.reached.get_or_insert(now);
                true
            }
            News::Event(Some(Event::Recovered { .. })) => {
                tracing::info!(room, "in the room");
                false
            }
            News::Event(Some(Event::Closed { reason })) => {
                self.closed(&reason, output);
                true
            }
            News::Event(Some(_)) => false,
            News::Event(None) => {
                self.closed(&CloseReason::Internal("it ended without a reason".to_owned()), output);
                true
            }
        }
    }

    fn closed(&mut self, reason: &CloseReason, output: &Output) {
        let why = outcome::closing(reason);
        if again::may_help(reason, self.token.as_ref().is_some_and(Token::renews)) {
            return self.pause(&why, output);
        }
        let (room, advice) = (text::name(&self.meeting.room), again::advice(reason));
        match self.reached {
            None => output.warn(format_args!("{}; it is not tried again: {advice}", not_reached(&room, &why))),
            Some(_) => output.warn(format_args!("the room {room} is lost for good: {why}; {advice}")),
        }
        self.obstacle = Some(why);
        self.stage = Stage::Lost;
    }

    fn pause(&mut self, why: &str, output: &Output) {
        let (now, room) = (Instant::now(), text::name(&self.meeting.room));
        let pause = self.pauses.pause(now);
        let what = match self.reached {
            None => not_reached(&room, why),
            Some(_) => format!("out of the room {room}: {why}"),
        };
        output.warn(format_args!("{what}; joining it again in {}", units::duration(pause)));
        self.obstacle = Some(why.to_owned());
        self.stage = Stage::Pausing(now + pause);
    }

    fn settles_at(&self) -> Option<Instant> {
        match (&self.stage, self.reached) {
            (_, Some(reached)) => Some(reached + DIAL),
            (Stage::Here(_), None) => Some(self.began + REACH),
            (Stage::Pausing(_) | Stage::Lost, None) => None,
        }
    }
}
