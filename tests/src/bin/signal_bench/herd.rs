//! Ten thousand clients whose server restarts and has forgotten them: when they come back, in fake time.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use moorline_signaling::{
    Epoch,
    machine::{Config, Event, Input, Machine, Output, State, Transport},
};

use crate::{
    child::DEFAULT_RATE,
    figures::figure,
    model::{Answer, ModelServer},
};

const CLIENTS: usize = 10_000;
/// In which they joined.
const JOINING: Duration = Duration::from_secs(2);
/// When the server dies: all have heard the advice that goes with the number of all.
const RESTART: Duration = Duration::from_secs(20);
/// How long nobody listens: a process that hands its socket on, and one that does not.
const DOWN: [(&str, Duration); 2] = [("herd", Duration::ZERO), ("herd-away", Duration::from_millis(500))];
/// By then every client is live, or has closed.
const END: Duration = Duration::from_secs(60);
const BIN: Duration = Duration::from_millis(100);
/// The way to the server: from 5 to 20 ms.
const LATENCY_US: (u64, u64) = (5_000, 15_000);

/// By the clients' default.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn measure(run: u64) -> Result<()> {
    DOWN.into_iter().try_for_each(|(name, down)| restart(run, name, down))
}

fn restart(run: u64, name: &str, down: Duration) -> Result<()> {
    let mut world = World::new(run);
    world.run_until(RESTART);
    ensure!(world.live() == CLIENTS, "not everybody is live before the restart");
    world.restart(down);
    world.run_until(END);

    let restart = world.start + RESTART;
    // What a server that is not limited, and was never away, would have seen, if everybody had come evenly.
    let spread = CLIENTS as f64 / f64::from(DEFAULT_RATE);
    let even = CLIENTS as f64 * BIN.as_secs_f64() / spread;
    figure(
        &format!("{name}.first-peak"),
        peak(world.clients.iter().filter_map(|client| client.first_dial), restart) / even,
    );
    figure(
        &format!("{name}.peak"),
        peak(world.server.arrivals.iter().copied().chain(world.refused.iter().copied()), restart) / even,
    );
    figure(&format!("{name}.hellos"), world.server.hellos as f64 / CLIENTS as f64);
    let last = world.clients.iter().filter_map(|client| client.live_again).max().unwrap_or(restart);
    figure(&format!("{name}.last-live"), (last - restart).as_secs_f64());
    figure(&format!("{name}.not-live"), (CLIENTS - world.live_by(restart + DEADLINE)) as f64);
    Ok(())
}

/// The most that came within one bin.
fn peak(arrivals: impl Iterator<Item = Instant>, since: Instant) -> f64 {
    let mut bins = vec![0_u32; (END.as_millis() / BIN.as_millis()) as usize];
    for at in arrivals.filter(|at| *at >= since) {
        let bin = ((at - since).as_millis() / BIN.as_millis()) as usize;
        bins[bin] += 1;
    }
    bins.into_iter().max().unwrap_or(0).into()
}

struct World {
    start: Instant,
    now: Instant,
    rng: u64,
    clients: Vec<Client>,
    server: ModelServer,
    /// Nobody listens before.
    up_at: Instant,
    /// Dials that found nobody.
    refused: Vec<Instant>,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    /// What happens then, by its number.
    happens: std::collections::HashMap<u64, Happening>,
    number: u64,
}

struct Client {
    machine: Machine,
    /// The connection that its server knows.
    open: Option<Epoch>,
    first_dial: Option<Instant>,
    live_again: Option<Instant>,
    ticks_at: Option<Instant>,
}

enum Happening {
    /// Something reaches a client.
    Input(usize, Input),
    /// A client asks for a connection.
    Knock(usize, Epoch),
    /// A frame reaches the server.
    Frame(usize, Epoch, Bytes),
}

impl World {
    fn new(run: u64) -> Self {
        let start = Instant::now();
        let mut world = Self {
            start,
            now: start,
            rng: run,
            clients: Vec::with_capacity(CLIENTS),
            server: ModelServer::new(DEFAULT_RATE, false, start),
            up_at: start,
            refused: Vec::new(),
            queue: BinaryHeap::new(),
            happens: std::collections::HashMap::new(),
            number: 0,
        };
        for index in 0..CLIENTS {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&world.random().to_le_bytes());
            let machine = Machine::new(Config::new("room"), seed);
            world.clients.push(Client { machine, open: None, first_dial: None, live_again: None, ticks_at: None });
            let joins = JOINING.mul_f64(world.random() as f64 / u64::MAX as f64);
            world.schedule(start + joins, Happening::Input(index, Input::Connect));
        }
        world
    }

    /// The process dies, another takes its place, and knows nobody. All connections are reset.
    fn restart(&mut self, down: Duration) {
        self.up_at = self.now + down;
        self.server = ModelServer::new(DEFAULT_RATE, true, self.up_at);
        for index in 0..CLIENTS {
            self.clients[index].first_dial = None;
            self.clients[index].live_again = None;
            if let Some(epoch) = self.clients[index].open.take() {
                let reset = Transport::Error("connection reset".into());
                self.schedule(self.now, Happening::Input(index, Input::Transport(epoch, reset)));
            }
        }
    }

    fn run_until(&mut self, end: Duration) {
        let end = self.start + end;
        while let Some(Reverse((at, number))) = self.queue.peek().copied().filter(|Reverse((at, _))| *at <= end) {
            self.queue.pop();
            self.now = at;
            match self.happens.remove(&number) {
                Some(Happening::Input(index, input)) => self.feed(index, input),
                Some(Happening::Knock(index, epoch)) => self.knock(index, epoch),
                Some(Happening::Frame(index, epoch, frame)) => self.answer(index, epoch, frame),
                None => {}
            }
        }
        self.now = end;
    }

    fn feed(&mut self, index: usize, input: Input) {
        if matches!(input, Input::Tick) {
            self.clients[index].ticks_at = None;
            // An earlier deadline was met by something else.
            if self.clients[index].machine.poll_deadline().is_none_or(|at| at > self.now) {
                return self.tick_later(index);
            }
        }
        self.clients[index].machine.handle(self.now, input);
        while let Some(output) = self.clients[index].machine.poll_output() {
            self.carry_out(index, output);
        }
        self.tick_later(index);
    }

    fn tick_later(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(at) = client.machine.poll_deadline() else { return };
        if client.ticks_at.is_none_or(|ticks| at < ticks) {
            client.ticks_at = Some(at);
            self.schedule(at.max(self.now), Happening::Input(index, Input::Tick));
        }
    }

    fn carry_out(&mut self, index: usize, output: Output) {
        let now = self.now;
        match output {
            Output::Dial { epoch, .. } => {
                self.clients[index].first_dial.get_or_insert(now);
                self.later(Happening::Knock(index, epoch));
            }
            Output::Write { epoch, frame } => self.later(Happening::Frame(index, epoch, frame)),
            Output::Abort { epoch, .. } => _ = self.clients[index].open.take_if(|open| *open == epoch),
            Output::FetchToken { .. } => {
                self.schedule(now, Happening::Input(index, Input::TokenReady(String::new())));
            }
            Output::FetchCreds { .. } => {
                let server = Input::CredsReady { node: "node".into(), url: "ws://node".into() };
                self.schedule(now, Happening::Input(index, server));
            }
            Output::App(Event::Recovered { .. }) => self.clients[index].live_again = Some(now),
            Output::App(_) => {}
        }
    }

    fn knock(&mut self, index: usize, epoch: Epoch) {
        let answer = if self.now < self.up_at {
            self.refused.push(self.now);
            Transport::Error("connection refused".into())
        } else {
            self.clients[index].open = Some(epoch);
            Transport::Opened
        };
        self.later(Happening::Input(index, Input::Transport(epoch, answer)));
    }

    fn answer(&mut self, index: usize, epoch: Epoch, frame: Bytes) {
        if self.clients[index].open != Some(epoch) {
            return;
        }
        let mut at = self.now + self.latency();
        for answer in self.server.handle(self.now, (index, epoch), frame) {
            let transport = match answer {
                Answer::Frame(frame) => Transport::Frame(frame),
                Answer::Closed(code) => {
                    self.clients[index].open = None;
                    Transport::Closed { code, clean: true }
                }
            };
            self.schedule(at, Happening::Input(index, Input::Transport(epoch, transport)));
            at += Duration::from_micros(1);
        }
    }

    fn later(&mut self, what: Happening) {
        let at = self.now + self.latency();
        self.schedule(at, what);
    }

    fn schedule(&mut self, at: Instant, what: Happening) {
        self.number += 1;
        self.happens.insert(self.number, what);
        self.queue.push(Reverse((at, self.number)));
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(LATENCY_US.0 + self.random() % LATENCY_US.1)
    }

    /// The next number of splitmix64.
    fn random(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn live(&self) -> usize {
        self.clients.iter().filter(|client| matches!(client.machine.state(), State::Live { .. })).count()
    }

    fn live_by(&self, deadline: Instant) -> usize {
        self.clients.iter().filter(|client| client.live_again.is_some_and(|at| at <= deadline)).count()
    }
}
