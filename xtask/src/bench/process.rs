//! A process under measurement: wall time, processor time and peak memory, read from the kernel and not from the program.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often memory is read and the end looked for. The error of a wall time is at most this.
const SAMPLE: Duration = Duration::from_millis(2);
/// The unit of processor time in `/proc`: `USER_HZ`, which is 100 on every Linux that matters.
const TICKS_A_SECOND: f64 = 100.0;

/// A running process, with its children. Killed when dropped.
pub(super) struct Process {
    child: Child,
    what: String,
    started: Instant,
    output: Receiver<String>,
    /// Peak resident memory by process id, in KiB: the process itself and whatever it starts.
    peaks: BTreeMap<u32, u64>,
}

/// What one process cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// From its start to its end.
    pub(super) wall: Duration,
    /// User and system time, children included, in seconds.
    pub(super) cpu: f64,
    /// Peak resident memory in MiB, children included.
    pub(super) memory: f64,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {what}"))?;
        let started = Instant::now();
        let (sender, output) = channel();
        let stdout = child.stdout.take().context("standard output was asked for as a pipe")?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, what, started, output, peaks: BTreeMap::new() })
    }

    /// Waits for a line of output that contains a text, and answers it.
    pub(super) fn says(&self, text: &str, deadline: Duration) -> Result<String> {
        let until = Instant::now() + deadline;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(_) => {}
                Err(_) => bail!("{} did not say {text:?} within {deadline:?}", self.what),
            }
        }
    }

    /// Waits for the end; all that was said, and how long it took.
    pub(super) fn lines(mut self, deadline: Duration) -> Result<(Vec<String>, Duration)> {
        let until = self.started + deadline;
        let mut lines = Vec::new();
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                // Its end of the pipe is closed.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("{} has not ended after {deadline:?}", self.what),
            }
        }
        let took = self.started.elapsed();
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}", self.what);
        }
        Ok((lines, took))
    }

    /// Waits until something listens on a TCP port of the loopback, without connecting to it.
    pub(super) fn listens(&mut self, port: u16, deadline: Duration) -> Result<()> {
        let wanted = format!("0100007F:{port:04X} 00000000:0000 0A");
        let until = Instant::now() + deadline;
        while !fs::read_to_string("/proc/net/tcp")?.contains(&wanted) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it listened", self.what);
            }
            if Instant::now() > until {
                bail!("{} did not listen on port {port} within {deadline:?}", self.what);
            }
            thread::sleep(SAMPLE);
        }
        Ok(())
    }

    /// The cost so far, of a process that goes on.
    pub(super) fn so_far(&mut self) -> Result<Cost> {
        self.sample();
        let (_, ticks) = stat(self.child.id()).with_context(|| format!("{} is gone", self.what))?;
        Ok(self.cost(ticks))
    }

    /// Waits for the end, while `beside` is sampled as well, and answers the cost.
    pub(super) fn finish(mut self, deadline: Duration, beside: &mut Self) -> Result<Cost> {
        let until = self.started + deadline;
        loop {
            let (state, ticks) = stat(self.child.id()).with_context(|| format!("{} is gone", self.what))?;
            // A process that has ended stays visible, with its times, until it is waited for.
            if state == 'Z' {
                let cost = self.cost(ticks);
                let status = self.child.wait()?;
                if !status.success() {
                    bail!("{} ended with {status}", self.what);
                }
                return Ok(cost);
            }
            if Instant::now() > until {
                bail!("{} has not ended after {deadline:?}", self.what);
            }
            self.sample();
            beside.sample();
            thread::sleep(SAMPLE);
        }
    }

    fn cost(&self, ticks: u64) -> Cost {
        let memory = self.peaks.values().sum::<u64>() as f64 / 1024.0;
        Cost { wall: self.started.elapsed(), cpu: ticks as f64 / TICKS_A_SECOND, memory }
    }

    fn sample(&mut self) {
        let mut waiting = vec![self.child.id()];
        while let Some(pid) = waiting.pop() {
            if let Some(peak) = peak_kib(pid) {
                let known = self.peaks.entry(pid).or_default();
                *known = peak.max(*known);
            }
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            waiting.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::ops::Sub for Cost {
    type Output = Self;

    /// What was spent between two readings; the peak of memory is the later one.
    fn sub(self, before: Self) -> Self {
        Self { wall: self.wall.saturating_sub(before.wall), cpu: self.cpu - before.cpu, memory: self.memory }
    }
}

/// State, and user and system time in ticks, with those of children that have been waited for.
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may contain anything: the numbers follow the last bracket. State is field 3, utime field 14.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some((state, ticks))
}

fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
