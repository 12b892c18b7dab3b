//! A program that prints lines, and may listen to its standard input.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// A running program whose lines (standard output and error alike) are awaited with a deadline. Killed when dropped.
#[derive(Debug)]
pub struct Talker {
    child: Child,
    line: String,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    heard: Vec<String>,
}

impl Talker {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command) -> Talker {
        let line = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let (sender, output) = channel();
        let pipes: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
        for pipe in pipes.into_iter().flatten() {
            let sender = sender.clone();
            // Ends with the pipe, which ends with the process.
            thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        break;
                    }
                }
            });
        }
        let input = child.stdin.take();
        Talker { child, line, input, output, heard: Vec::new() }
    }

    /// Waits for a line that fits, and answers it. Lines before it are skipped, and kept for [`heard`](Self::heard).
    ///
    /// # Panics
    /// With everything it said, when none comes in time or it ends before.
    #[track_caller]
    pub fn until(&mut self, what: &str, deadline: Duration, fits: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + deadline;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if fits(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what} within {deadline:?}\n{}", self.account()),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {what}\n{}", self.account()),
            }
        }
    }

    /// Waits until it has said each of these lines, whenever and in whatever order that was.
    ///
    /// # Panics
    /// As [`until`](Self::until).
    #[track_caller]
    pub fn says_all(&mut self, lines: &[&str], deadline: Duration) {
        let until = Instant::now() + deadline;
        while let Some(missing) = lines.iter().find(|line| !self.heard.iter().any(|heard| heard == *line)) {
            self.until(missing, until.saturating_duration_since(Instant::now()), |_| true);
        }
    }

    /// Every line so far.
    #[must_use]
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// When it does not take it.
    #[track_caller]
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("its standard input is open");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{error}\n{}", self.account()));
    }

    /// Closes its standard input, and waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn hang_up(mut self, deadline: Duration) -> ExitStatus {
        drop(self.input.take());
        let until = Instant::now() + deadline;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end within {deadline:?}\n{}", self.account()),
            }
        }
        self.child.wait().expect("the process is this one's child")
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// When it had ended before.
    #[track_caller]
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("the process is this one's child");
        assert!(ended.is_none(), "it had ended before it could be killed\n{}", self.account());
        self.child.kill().expect("the process is this one's child");
        self.child.wait().expect("the process is this one's child");
    }

    /// Everything that it said, for a failure message.
    #[must_use]
    pub fn account(&self) -> String {
        format!("── {}\n  {}", self.line, self.heard.join("\n  "))
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
