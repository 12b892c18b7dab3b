//! The program on a terminal: what people see and a pipe never gets.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    process::{Child, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::moorline::Home;

/// A program that writes to a terminal of its own. Killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    output: Receiver<Vec<u8>>,
    shown: Vec<u8>,
}

/// Everything that a terminal was told to show.
#[derive(Debug)]
pub struct Shown {
    /// How the program ended.
    pub status: ExitStatus,
    /// All that it wrote, control sequences and all.
    pub raw: String,
}

impl Terminal {
    /// Starts the program with standard output and standard error on a terminal of so many columns.
    ///
    /// # Panics
    /// When the system has no terminal to give, or the program cannot be started.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(home: &Home, columns: u16, args: &[A]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let near = openpt(flags).expect("a new terminal");
        grantpt(&near).and_then(|()| unlockpt(&near)).expect("the terminal is ours");
        let far = ioctl_tiocgptpeer(&near, flags).expect("the terminal has another end");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&far, size).expect("a terminal has a size");

        let mut command = home.command(args);
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(far.try_clone().expect("a second handle")).stderr(far);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        // It holds this side's handles of the far end: with them open, the output would never end.
        drop(command);

        let (sender, output) = channel();
        thread::spawn(move || {
            let (mut near, mut buffer) = (File::from(near), [0; 4096]);
            while let Ok(read @ 1..) = near.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, output, shown: Vec::new() }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With all that was shown, when it has not ended in time.
    #[track_caller]
    pub fn ended(mut self, deadline: Duration) -> Shown {
        let until = Instant::now() + deadline;
        loop {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.extend(bytes),
                // The far end is closed: nobody is there to write any more.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it did not end within {deadline:?}\n{}", String::from_utf8_lossy(&self.shown))
                }
            }
        }
        let status = self.child.wait().expect("the process is this one's child");
        Shown { status, raw: String::from_utf8_lossy(&self.shown).into_owned() }
    }
}

impl Shown {
    /// Each text that stood on a line at some moment, without what drives the terminal.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.raw.split(['\r', '\n', '\u{1b}']).filter(|text| !text.is_empty())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
