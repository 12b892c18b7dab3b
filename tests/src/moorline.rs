//! The program as a process: its own home, its lines read as they come, its end awaited with a deadline.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    os::unix::{
        fs::{MetadataExt, lchown},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::proc;

/// How long anything on loopback may take before a test gives up. Generous: it is the bound of a hang, not an expectation.
pub const SOON: Duration = Duration::from_secs(20);

/// The program under test: what `MOORLINE_PROGRAM` names, else the one beside the test's own executable in the target folder.
///
/// # Panics
/// When it is not built, or is older than a source that it was built from.
#[must_use]
pub fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("MOORLINE_PROGRAM") {
        return program.into();
    }
    let own = std::env::current_exe().expect("a test knows its own executable");
    let profile = own.parent().and_then(Path::parent).expect("test executables are in target/PROFILE/deps");
    let program = profile.join("moorline");
    let built = modified(&program)
        .unwrap_or_else(|| panic!("{} is not built: run `cargo build -p moorline` first", program.display()));
    // Cargo writes down, beside each program, every source that it was made from.
    let sources = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    for source in sources.split_once(": ").map_or("", |(_, sources)| sources).split_whitespace() {
        if modified(Path::new(source)).is_none_or(|changed| changed > built) {
            panic!("{} is older than {source}: run `cargo build -p moorline` first", program.display());
        }
    }
    program
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// A person's machine as far as the program sees it: an own configuration folder, and room for files.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    /// What stands before the program on its command line: a command that ends by becoming the program, so that the
    /// process id is the program's own.
    prefix: Vec<OsString>,
    /// User and group that programs run as, where not this process's own.
    user: Option<u32>,
}

impl Home {
    /// A home in the temporary folder, on this machine's own network.
    ///
    /// # Panics
    /// When the temporary folder cannot be written.
    #[must_use]
    pub fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("moorline-e2e-").tempdir().expect("the temporary folder is writable");
        Self { folder, prefix: Vec::new(), user: None }
    }

    /// A home on a host of a test network: programs started from it run in that network namespace.
    #[must_use]
    pub fn on(namespace: &str) -> Self {
        Self { prefix: ["ip", "netns", "exec", namespace].map(OsString::from).into(), ..Self::new() }
    }

    /// A home in which the folder `below` is a disk of its own, of so many MiB, as programs started from it see it.
    /// Only root can have one: `None` otherwise.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn with_disk(below: &str, mib: u32) -> Option<Self> {
        let mut home = Self::new();
        let folder = home.path(below);
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        // A mount namespace of the program's own: nothing is left to unmount, however the test ends.
        let script = format!(r#"mount -t tmpfs -o size={mib}m small "$0" && exec "$@""#);
        home.prefix = ["unshare", "--mount", "sh", "-c", &script].map(OsString::from).into();
        home.prefix.push(folder.into());
        let mut probe = Command::new(&home.prefix[0]);
        probe.args(&home.prefix[1..]).arg("true");
        probe.output().is_ok_and(|output| output.status.success()).then_some(home)
    }

    /// The user `nobody` from now on: for what root is never refused. Everything in the home becomes nobody's.
    ///
    /// Without root this changes nothing: whoever runs the tests is refused things already.
    ///
    /// # Panics
    /// When the home cannot be given away.
    pub fn become_nobody(&mut self) {
        const NOBODY: u32 = 65_534;
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
            return;
        }
        let mut waiting = vec![self.folder.path().to_owned()];
        while let Some(path) = waiting.pop() {
            lchown(&path, Some(NOBODY), Some(NOBODY)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                let below = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                waiting.extend(below.filter_map(Result::ok).map(|entry| entry.path()));
            }
        }
        self.user = Some(NOBODY);
    }

    /// A path in this home.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The program with these arguments, not started yet.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let program = program();
        let line: Vec<&OsStr> = self.prefix.iter().map(OsString::as_os_str).chain([program.as_os_str()]).collect();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]);
        command.args(args);
        command.env("MOORLINE_HOME", self.path("home"));
        command.env_remove("MOORLINE_TOKEN").env_remove("MOORLINE_TOKEN_SECRET");
        command.env_remove("MOORLINE_PASSPHRASE").env_remove("RUST_LOG").env_remove("MOORLINE_LOG");
        command.current_dir(self.folder.path());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Starts the program with these arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(&self, args: &[A]) -> Moorline {
        Moorline::spawn(self.command(args))
    }

    /// Starts the program with these arguments, and with its standard input in the test's hands.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_typing<A: AsRef<OsStr>>(&self, args: &[A]) -> Moorline {
        Moorline::spawn_with(self.command(args), Stdio::piped())
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it has not ended after [`SOON`].
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Ended {
        self.start(args).ended(SOON)
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// A running program. Killed when dropped, so that no test leaves a process behind.
#[derive(Debug)]
pub struct Moorline {
    child: Child,
    /// Until [`end_input`](Moorline::end_input), where there is one.
    input: Option<ChildStdin>,
    line: String,
    started: Instant,
    output: Receiver<String>,
    /// The lines read so far, with when they came.
    lines: Vec<(Duration, String)>,
    /// How many of `lines` an `event` call has consumed.
    consumed: usize,
    stderr: Arc<Mutex<String>>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What it told the system.
    pub status: ExitStatus,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
    account: String,
}

impl Moorline {
    /// Starts any command as if it were the program.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(command: Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    fn spawn_with(mut command: Command, input: Stdio) -> Self {
        let line = format!("{command:?}");
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let started = Instant::now();
        let input = child.stdin.take();

        let (sender, output) = channel();
        let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let mut pipe = child.stderr.take().expect("standard error was asked for as a pipe");
        let into = Arc::clone(&stderr);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self { child, input, line, started, output, lines: Vec::new(), consumed: 0, stderr }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of output, from where the last call stopped.
    ///
    /// # Panics
    /// With everything the program said, when none comes in time or the program ends first.
    #[track_caller]
    pub fn line(&mut self, deadline: Duration) -> String {
        if self.consumed == self.lines.len() {
            match self.output.recv_timeout(deadline) {
                Ok(line) => self.lines.push((self.started.elapsed(), line)),
                Err(RecvTimeoutError::Timeout) => panic!("no line within {deadline:?}\n{}", self.account()),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without a line\n{}", self.account()),
            }
        }
        self.consumed += 1;
        self.lines[self.consumed - 1].1.clone()
    }

    /// Reads JSON lines from where the last call stopped until one fits, and answers it.
    ///
    /// # Panics
    /// With everything the program said, when none fits in time, the program ends first, or a line is not JSON.
    #[track_caller]
    pub fn event(&mut self, what: &str, deadline: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + deadline;
        loop {
            if self.consumed == self.lines.len() {
                // What has come is looked at, however late that is: only the wait for more has a deadline.
                match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(line) => self.lines.push((self.started.elapsed(), line)),
                    Err(RecvTimeoutError::Timeout) => panic!("no {what} within {deadline:?}\n{}", self.account()),
                    Err(RecvTimeoutError::Disconnected) => panic!("it ended without {what}\n{}", self.account()),
                }
            }
            let line = &self.lines[self.consumed].1;
            self.consumed += 1;
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not a JSON line ({error}): {line}\n{}", self.account()));
            if fits(&value) {
                return value;
            }
        }
    }

    /// [`event`](Self::event) by its type.
    ///
    /// # Panics
    /// As [`event`](Self::event).
    #[track_caller]
    pub fn named(&mut self, name: &str) -> Value {
        self.event(name, SOON, |event| event["type"] == name)
    }

    /// Waits until standard error contains a text. For what has no JSON line.
    ///
    /// # Panics
    /// With everything the program said, when it does not in time.
    #[track_caller]
    pub fn says(&self, text: &str, deadline: Duration) {
        let until = Instant::now() + deadline;
        while !self.stderr().contains(text) {
            assert!(Instant::now() < until, "it never said {text:?} within {deadline:?}\n{}", self.account());
            // The pipe is read by another thread, and a pipe has no deadline of its own.
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// With everything the program said, when it takes no input any more.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        let input = self.input.as_mut().expect("a program started with `start_typing`, whose input goes on");
        if let Err(error) = input.write_all(text.as_bytes()) {
            panic!("it takes no input: {error}\n{}", self.account());
        }
    }

    /// Ends its standard input, as a pipe does whose other side is done.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// When the system does not know the process.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("the process is this one's child").is_none()
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        proc::signal(self.pid(), Signal::INT);
    }

    /// `kill -9`, and waits until the process is gone.
    ///
    /// # Panics
    /// When it had ended before: then the test did not test what it says.
    #[track_caller]
    pub fn kill(mut self) -> Ended {
        assert!(self.runs(), "it ended before it could be killed\n{}", self.account());
        proc::signal(self.pid(), Signal::KILL);
        self.ended(SOON)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With everything the program said, when it has not ended in time.
    #[track_caller]
    pub fn ended(mut self, deadline: Duration) -> Ended {
        let until = Instant::now() + deadline;
        // Its output closes when it ends.
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.lines.push((self.started.elapsed(), line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end within {deadline:?}\n{}", self.account()),
            }
        }
        let status = loop {
            match self.child.try_wait().expect("the process is this one's child") {
                Some(status) => break status,
                None if Instant::now() > until => panic!("it did not end within {deadline:?}\n{}", self.account()),
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let took = self.started.elapsed();
        // Standard error is read by another thread, which ends with the pipe.
        while Arc::strong_count(&self.stderr) > 1 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let stdout = self.lines.iter().fold(String::new(), |all, (_, line)| all + line + "\n");
        let account = format!("{}\n  ended with {status} after {took:?}", self.account());
        Ended { status, stdout, stderr: self.stderr(), took, account }
    }

    /// Everything that is known of the run, for a failure message.
    #[must_use]
    pub fn account(&self) -> String {
        let mut account = format!("── {} (after {:?})\n", self.line, self.started.elapsed());
        // Progress lines are many: the beginning and the end tell the story.
        let lines = self.lines.iter().enumerate();
        let skipped = self.lines.len().saturating_sub(120);
        for (index, (at, line)) in lines {
            if index < 60 || index >= 60 + skipped {
                let _ = writeln!(account, "  {:8.3} {line}", at.as_secs_f32());
            } else if index == 60 {
                let _ = writeln!(account, "  … {skipped} lines …");
            }
        }
        let _ = write!(account, "── its standard error\n{}", self.stderr());
        account
    }
}

impl Drop for Moorline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The exit code, if it was not ended by a signal.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Every line of standard output as JSON.
    ///
    /// # Panics
    /// When one is not.
    #[track_caller]
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line);
        self.stdout
            .lines()
            .map(|line| parse(line).unwrap_or_else(|error| panic!("not a JSON line ({error}): {line}\n{self}")))
            .collect()
    }

    /// The only event of this type.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[track_caller]
    #[must_use]
    pub fn only(&self, name: &str) -> Value {
        let mut events: Vec<Value> = self.events().into_iter().filter(|event| event["type"] == name).collect();
        assert_eq!(events.len(), 1, "{} events named {name}\n{self}", events.len());
        events.remove(0)
    }

    /// Passes if the exit code is this.
    ///
    /// # Panics
    /// With everything the program said, when it is not.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), Some(code), "another exit code was expected\n{self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.account)
    }
}
