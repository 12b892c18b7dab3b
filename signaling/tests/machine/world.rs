//! A world around one machine, in fake time: a network that fails, servers that keep to the protocol, an application.
//!
//! Every input is recorded, every output is drained after it, the machine is ticked at its deadline, and all checks watch.

mod app;
mod faults;
mod network;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use moorline_signaling::machine::{Config, Input, Machine, Output, State};
use moorline_signaling::{CallId, Epoch, ParticipantId, SendId};

pub(crate) use app::{CredsMode, TokenMode};
pub(crate) use network::DialMode;
use network::Link;

use crate::checks::{Checks, Truth};
use crate::coverage::Coverage;
use crate::facts::{Facts, Moment, View};
use crate::model::Cluster;
use crate::trace::{self, Line};
use crate::wire;

/// More outputs of one input than any machine has to give.
const MAX_OUTPUTS: usize = 20_000;
/// Ticks at one instant before the machine is taken to spin.
const MAX_SPIN: u32 = 50;

/// Something that will happen.
#[derive(Clone, Debug)]
enum Happening {
    /// Goes into the machine.
    Input(Input),
    /// A dial ends well.
    Open(Epoch),
    /// A frame of the client reaches its server.
    ToServer(Epoch, bytes::Bytes),
    /// A server learns that a connection is gone.
    ServerLoses(Epoch),
}

/// One machine and all that is around it.
#[derive(Debug)]
pub(crate) struct World {
    /// When it all began.
    pub(crate) start: Instant,
    /// Now.
    pub(crate) now: Instant,
    pub(crate) machine: Machine,
    pub(crate) cluster: Cluster,
    pub(crate) facts: Facts,
    pub(crate) trace: Vec<Line>,
    pub(crate) coverage: Coverage,
    /// How dials go.
    pub(crate) dial: DialMode,
    /// One way, in each direction.
    pub(crate) latency: Duration,
    /// Whether what the client writes arrives.
    pub(crate) up: bool,
    /// Whether what servers write arrives.
    pub(crate) down: bool,
    /// Whether connections still report after they were aborted.
    pub(crate) late: bool,
    /// Whether openings and ends are reported twice.
    pub(crate) echo: bool,
    pub(crate) tokens: TokenMode,
    pub(crate) creds: CredsMode,
    /// How long the application takes to answer.
    pub(crate) app_delay: Duration,
    /// What is wrong, if anything is.
    pub(crate) broken: Option<String>,
    /// Ids of sends that were handed in.
    pub(crate) sent: u64,
    checks: Checks,
    inputs: Vec<(Instant, Input)>,
    /// Which of them are reports of connections that do not count.
    strangers: Vec<usize>,
    outputs: Vec<Output>,
    links: BTreeMap<Epoch, Link>,
    queue: BTreeMap<(Instant, u64), Happening>,
    queued: u64,
    calls: u64,
    minted_tokens: u64,
    requests: VecDeque<(CallId, ParticipantId)>,
    /// The node that the application chose last.
    creds_at: usize,
    spin: (Instant, u32),
}

impl World {
    /// A world with `nodes` servers, at rest.
    pub(crate) fn new(config: Config, seed: u64, nodes: usize) -> Self {
        let start = Instant::now();
        let machine = Machine::new(config.clone(), seed_bytes(seed));
        let facts = Facts::new(config, start, look(&machine));
        Self {
            start,
            now: start,
            machine,
            cluster: Cluster::new(nodes),
            facts,
            trace: Vec::new(),
            coverage: Coverage::default(),
            dial: DialMode::Accept,
            latency: Duration::from_millis(1),
            up: true,
            down: true,
            late: false,
            echo: false,
            tokens: TokenMode::None,
            creds: CredsMode::Good,
            app_delay: Duration::ZERO,
            broken: None,
            sent: 0,
            checks: Checks::all(),
            inputs: Vec::new(),
            strangers: Vec::new(),
            outputs: Vec::new(),
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
            calls: 0,
            minted_tokens: 0,
            requests: VecDeque::new(),
            creds_at: 0,
            spin: (start, 0),
        }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Where the machine is.
    pub(crate) fn state(&self) -> State {
        self.machine.state()
    }

    /// Says in the trace what the test does.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.trace.push(Line::Note(self.now, note.into()));
    }

    /// The history, for people.
    pub(crate) fn tell(&self, lines: usize) -> String {
        trace::tell(self.start, &self.trace, lines)
    }

    /// All that went in, to be played again.
    pub(crate) fn inputs(&self) -> &[(Instant, Input)] {
        &self.inputs
    }

    /// Which of the inputs are reports of connections that never were or are over.
    pub(crate) fn strangers(&self) -> &[usize] {
        &self.strangers
    }

    /// All that came out.
    pub(crate) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// What came out, as far as `words` has something to say of it, with times.
    pub(crate) fn tale(&self, words: impl Fn(&Output) -> Option<String>) -> String {
        let lines = self.trace.iter().filter_map(|line| match line {
            Line::Out(at, output) => {
                Some(format!("{:>9.3} {}\n", at.saturating_duration_since(self.start).as_secs_f64(), words(output)?))
            }
            _ => None,
        });
        lines.collect()
    }

    /// All frames that the machine wrote.
    pub(crate) fn written(&self) -> Vec<wire::pb::ClientFrame> {
        let frames = self.outputs.iter().filter_map(|output| match output {
            Output::Write { frame, .. } => wire::client(frame),
            _ => None,
        });
        frames.collect()
    }

    /// Hands an input in, and does what comes out.
    pub(crate) fn input(&mut self, input: Input) {
        if self.broken.is_some() {
            return;
        }
        if self.facts.view.deadline.is_some_and(|due| self.now > due) {
            self.facts.late = Some(self.now);
        }
        self.facts.now = self.now;
        if let Input::Transport(epoch, _) = &input
            && !self.facts.counts(*epoch)
            // One that comes when a tick is due does the work of that tick.
            && self.facts.view.deadline.is_none_or(|due| due > self.now)
        {
            self.strangers.push(self.inputs.len());
        }
        self.inputs.push((self.now, input.clone()));
        self.trace.push(Line::In(self.now, input.clone()));
        self.coverage.input(&input);
        let frame = match &input {
            Input::Transport(_, moorline_signaling::machine::Transport::Frame(bytes)) => wire::server(bytes),
            _ => None,
        };
        self.watch(Moment::Input(&input, frame.as_ref()));
        let before = self.facts.view.state;
        self.machine.handle(self.now, input);
        let mut outputs = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            outputs.push(output);
            if outputs.len() > MAX_OUTPUTS {
                self.fail(format!("I31: more than {MAX_OUTPUTS} outputs of one input"));
                return;
            }
        }
        for output in &outputs {
            self.trace.push(Line::Out(self.now, output.clone()));
            let frame = match output {
                Output::Write { frame, .. } => wire::client(frame),
                _ => None,
            };
            self.coverage.output(output);
            if let (Output::Write { epoch, .. }, Some(wire::Up::Hello(_))) =
                (output, frame.as_ref().and_then(|f| f.body.as_ref()))
                && self.facts.connections.get(epoch).is_some_and(|connection| connection.hellos > 0)
            {
                self.coverage.visit("second hello");
            }
            self.watch(Moment::Output(output, frame.as_ref()));
            self.outputs.push(output.clone());
        }
        let view = look(&self.machine);
        if view.state != before {
            self.trace.push(Line::At(self.now, view.state));
        }
        self.coverage.state(&view.state);
        self.watch(Moment::Settled(&view));
        for output in outputs {
            self.obey(output);
        }
    }

    /// Lets time pass, with ticks in time.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.run_until(self.now + time, true);
    }

    /// Lets time pass as for a suspended machine: the world goes on, but the client hears of nothing before the end.
    pub(crate) fn suspend(&mut self, time: Duration) {
        let end = self.now + time;
        // Servers see their clients go silent; what they send waits.
        self.now = end;
        self.facts.now = end;
        let emits = self.cluster.expire(end);
        self.emit(emits);
    }

    /// Runs up to the machine's next deadline and ticks it there.
    pub(crate) fn run_to_deadline(&mut self) {
        if let Some(due) = self.facts.view.deadline {
            self.run_until(due.max(self.now), true);
        }
    }

    /// Runs until the machine is where `wanted` says, for at most `limit`. Whether it got there.
    pub(crate) fn until(&mut self, limit: Duration, wanted: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !wanted(self) {
            if self.broken.is_some() || self.now >= end {
                return false;
            }
            let next = self.next().unwrap_or(end).clamp(self.now, end);
            if next == end && self.next().is_none_or(|next| next > end) {
                self.now = end;
                self.facts.now = end;
                return wanted(self);
            }
            self.step(next);
        }
        true
    }

    /// What the model knows to be true, to be held against what the application was told.
    pub(crate) fn verify(&mut self, settled: bool) {
        if self.broken.is_some() {
            return;
        }
        let truth = Truth { facts: &self.facts, cluster: &self.cluster, settled };
        if let Err(broken) = self.checks.verify(&truth) {
            self.fail(broken);
        }
    }

    /// Stops the run and says why.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(what.into());
        }
    }

    fn run_until(&mut self, end: Instant, tick: bool) {
        while self.broken.is_none() {
            match self.next().filter(|next| *next <= end) {
                Some(next) if tick => self.step(next.max(self.now)),
                _ => break,
            }
        }
        self.now = end.max(self.now);
        self.facts.now = self.now;
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let due = self.facts.view.deadline;
        queued.into_iter().chain(due).min()
    }

    fn step(&mut self, at: Instant) {
        self.now = at;
        self.facts.now = at;
        let first = self.queue.first_entry().filter(|entry| entry.key().0 <= at);
        if let Some(entry) = first {
            let happening = entry.remove();
            self.happen(happening);
            return;
        }
        if self.facts.view.deadline.is_some_and(|due| due <= at) {
            self.spin = if self.spin.0 == at { (at, self.spin.1 + 1) } else { (at, 1) };
            if self.spin.1 > MAX_SPIN {
                self.fail(format!("I6: {MAX_SPIN} ticks at one instant, and the deadline is still now"));
                return;
            }
            self.input(Input::Tick);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(input) => self.input(input),
            Happening::Open(epoch) => self.opened(epoch),
            Happening::ToServer(epoch, frame) => self.arrived(epoch, &frame),
            Happening::ServerLoses(epoch) => self.cluster.lost(self.now, epoch),
        }
    }

    fn after(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    fn at(&mut self, at: Instant, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Dial { epoch, url } => self.dial(epoch, &url),
            Output::Write { epoch, frame } => self.write(epoch, frame),
            Output::Abort { epoch, .. } => self.abort(epoch),
            Output::FetchToken { force } => self.fetch_token(force),
            Output::FetchCreds { exclude, prefer, .. } => self.fetch_creds(&exclude, prefer.as_deref()),
            Output::App(event) => self.heard(&event),
        }
    }

    fn watch(&mut self, moment: Moment<'_>) {
        if self.broken.is_some() {
            return;
        }
        if let Err(broken) = self.checks.look(&self.facts, moment) {
            self.fail(broken);
        }
        self.facts.apply(moment);
    }

    /// The next send's id.
    pub(crate) fn mint_send(&mut self) -> SendId {
        self.sent += 1;
        SendId(self.sent)
    }
}

/// What a machine says of itself.
pub(crate) fn look(machine: &Machine) -> View {
    View {
        state: machine.state(),
        deadline: machine.poll_deadline(),
        queued: machine.queued(),
        session: machine.session(),
        lineage: machine.lineage(),
    }
}

/// A seed of 32 bytes.
pub(crate) fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}
