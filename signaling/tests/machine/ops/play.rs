//! How an operation is done.

use std::time::Duration;

use moorline_signaling::CallId;
use moorline_signaling::machine::{Config, Input, State};

use super::{Ending, History, Op};
use crate::model::Greeting;
use crate::wire::{Down, pb};
use crate::world::World;

/// Long enough for any recovery that can succeed, and for all acknowledgements after it.
const CALM: Duration = Duration::from_secs(90);

impl History {
    /// Plays it, with all watchers on. The world as it is afterwards.
    pub(crate) fn play(&self) -> World {
        let mut config = Config::new("room");
        config.bounds.queue_messages = self.queue;
        config.rejoin_budget.0 = self.budget;
        config.max_attempts = self.attempts;
        if self.patient {
            config.timers.deadline = None;
        }
        let mut world = World::new(config, self.seed, self.nodes);
        world.cluster.shared = self.shared;
        world.cluster.forgetful = self.forgetful;
        if self.mute {
            world.cluster.nodes.iter_mut().for_each(|node| node.greeting = Greeting::Silent);
        }
        if self.connect {
            world.input(Input::Connect);
        }
        for op in &self.ops {
            if world.broken.is_some() {
                return world;
            }
            world.note(format!("{op:?}"));
            op.play(&mut world);
        }
        world.note(format!("ending: {:?}", self.ending));
        self.end(&mut world);
        world
    }

    fn end(&self, world: &mut World) {
        if world.state() == State::Idle {
            world.input(Input::Connect);
        }
        match self.ending {
            Ending::Heal => {
                world.heal();
                world.input(Input::AppBusy(false));
                if world.facts.offline {
                    world.input(Input::Net(moorline_signaling::machine::NetHint::Online));
                }
                world.pass(CALM);
                if world.facts.faithful {
                    let there = matches!(world.state(), State::Live { .. } | State::Closed);
                    if !there {
                        world.fail(format!("I2: {CALM:?} after everything works again it is in {:?}", world.state()));
                    }
                    world.publish(1);
                    world.pass(Duration::from_secs(2));
                    world.verify(true);
                }
            }
            Ending::Silence => {
                world.silence();
                world.pass(Duration::from_secs(120));
                let bound = world.facts.reading_since.is_some() && world.facts.faithful && !self.patient;
                if bound && world.state() != State::Closed {
                    world.fail(format!("I6: after two minutes of silence it is in {:?}", world.state()));
                }
            }
            Ending::Close => {}
        }
        world.input(Input::Close);
        world.pass(Duration::from_secs(2));
        if world.state() != State::Closed {
            world.fail(format!("I6: two seconds after the user closed it is in {:?}", world.state()));
        }
        if world.facts.faithful {
            world.verify(false);
        }
    }
}

impl Op {
    pub(crate) fn play(&self, world: &mut World) {
        let nodes = world.cluster.nodes.len();
        match self {
            Self::Send(class, len, ttl) => {
                world.send((*class).into(), *len as usize, ttl.map(|ms| Duration::from_millis(ms.into())));
            }
            Self::Burst(count) => (0..*count).for_each(|_| {
                world.send(moorline_signaling::SendClass::Reliable, 16, None);
            }),
            Self::Update => {
                world.update();
            }
            Self::Call(to, timeout) => {
                world.call(*to, Duration::from_millis((*timeout).into()));
            }
            Self::CancelCall => world.cancel_call(),
            Self::Reply => world.reply(),
            Self::Close => world.input(Input::Close),
            Self::Net(hint) => world.input(Input::Net(*hint)),
            Self::Media(health) => world.input(Input::Media(*health)),
            Self::Busy(busy) => world.input(Input::AppBusy(*busy)),
            Self::Tokens(mode) => world.tokens = *mode,
            Self::Creds(mode) => world.creds = *mode,
            Self::AppDelay(ms) => world.app_delay = Duration::from_millis((*ms).into()),
            Self::Dial(mode) => world.dial = *mode,
            Self::Latency(ms) => world.latency = Duration::from_millis((*ms).into()),
            Self::Up(works) => world.up = *works,
            Self::Down(works) => world.down = *works,
            Self::Reset => {
                if let Some(epoch) = world.newest_link() {
                    world.reset(epoch);
                }
            }
            Self::End(code, clean) => {
                if let Some(epoch) = world.newest_link() {
                    world.close_from_server(epoch, *code, *clean);
                }
            }
            Self::Late(late) => world.late = *late,
            Self::Echo(echo) => world.echo = *echo,
            Self::NodeUp(node, up) => world.cluster.nodes[node % nodes].up = *up,
            Self::Restart(node, keep) => world.restart(node % nodes, *keep),
            Self::Greet(node, greeting) => world.cluster.nodes[node % nodes].greeting = *greeting,
            Self::Afterwards(node, afterwards) => world.cluster.nodes[node % nodes].afterwards = *afterwards,
            Self::GoAway(node, deadline, spread, target) => {
                world.go_away(node % nodes, *deadline, *spread, target.map(|t| t % nodes));
            }
            Self::Publish(count) => world.publish(*count),
            Self::Ping => world.say(&Down::Ping(pb::Ping { nonce: 77 })),
            Self::CallClient(id) => world.call_client(CallId(*id)),
            Self::Fault(code, action, wait, spread) => world.fault(*code, *action, *wait, *spread),
            Self::EndSessions(reason) => {
                let emits = world.cluster.end_sessions(*reason);
                world.emit(emits);
            }
            Self::TokenExpiring(ms) => {
                world.say(&Down::TokenExpiring(pb::TokenExpiring { in_ms: (*ms).into() }));
            }
            Self::GoodToken(n) => {
                world.cluster.good_tokens = if *n == 0 { Vec::new() } else { vec![format!("token-{n}")] };
            }
            Self::MuteAcks(mute) => world.cluster.mute_acks = *mute,
            Self::Refuse(count) => world.cluster.refuse = *count,
            Self::Capacity(count) => world.cluster.terms.replay_capacity = *count,
            Self::Inflight(count) => world.cluster.terms.max_inflight = *count,
            Self::Pass(ms) => world.pass(Duration::from_millis((*ms).into())),
            Self::Deadline(times) => (0..*times).for_each(|_| world.run_to_deadline()),
            Self::Suspend(ms, told) => {
                world.suspend(Duration::from_millis((*ms).into()));
                if *told {
                    world.input(Input::SystemResumed);
                }
            }
            Self::Heal => world.heal(),
            Self::Raw(raw) => {
                let newest = world.facts.connections.keys().next_back().copied().unwrap_or_default();
                world.facts.faithful = false;
                world.input(raw.resolve(newest));
            }
        }
    }
}
