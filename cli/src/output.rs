//! What the program prints: results on stdout (lines for people or JSON, never both), everything else on stderr.
//!
//! Writing never fails a verb: when the reader of stdout goes away (`moorline list | head -1`), the rest is dropped
//! and [`Output::is_closed`] tells long-running verbs to end.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::exit::Failure;
use crate::json::{self, Event};

/// Where and how to print. One a program, shared by reference.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: u8,
    color: Color,
    bars: MultiProgress,
    closed: AtomicBool,
}

/// Whether each stream gets colours.
#[derive(Clone, Copy, Debug)]
struct Color {
    stdout: bool,
    stderr: bool,
}

/// How a piece of text stands out on a terminal that shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Output {
    /// Looks at the terminal and the environment once.
    pub(crate) fn new(json: bool, quiet: bool, verbose: u8) -> Self {
        let allowed = color_allowed(std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref());
        let stderr_is_terminal = io::stderr().is_terminal();
        let show_bars = stderr_is_terminal && !json && !quiet;
        let target = if show_bars { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Self {
            json,
            quiet,
            verbose,
            color: Color { stdout: allowed && io::stdout().is_terminal(), stderr: allowed && stderr_is_terminal },
            bars: MultiProgress::with_draw_target(target),
            closed: AtomicBool::new(false),
        }
    }

    /// Whether stdout carries JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether stdin is a terminal: what comes from there was typed by a person.
    pub(crate) fn is_typed(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// How often `-v` was given.
    pub(crate) fn verbose(&self) -> u8 {
        self.verbose
    }

    /// The place for progress bars, or none where lines must do.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        (!self.bars.is_hidden()).then_some(&self.bars)
    }

    /// The reader of stdout is gone: nobody sees any further result.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A line of the result, for people. Nothing with `--json`.
    pub(crate) fn line(&self, line: impl Display) {
        if !self.json {
            self.stdout(&line.to_string());
        }
    }

    /// A line of the result, for programs. Nothing without `--json`.
    pub(crate) fn event(&self, event: &Event<'_>) {
        if self.json {
            self.stdout(&json::line(event));
        }
    }

    /// Something to know that is not the result: on stderr, and not with `--quiet`.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.quiet {
            self.stderr(&line.to_string());
        }
    }

    /// Something that needs attention: on stderr, also with `--quiet`.
    pub(crate) fn warn(&self, line: impl Display) {
        let label = self.mark(Style::Warn, "warning:", self.color.stderr);
        self.stderr(&format!("{label} {line}"));
    }

    /// Why the verb failed and what to do next: on stderr, and with `--json` also as the last object on stdout.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.event(&Event::Error {
            code: failure.code.number(),
            message: &failure.message,
            hint: failure.hint.as_deref(),
        });
        let label = self.mark(Style::Bad, "error:", self.color.stderr);
        self.stderr(&format!("{label} {}", failure.message));
        if let Some(hint) = &failure.hint {
            for line in hint.lines() {
                self.stderr(&format!("  {line}"));
            }
        }
    }

    /// `text` styled for stdout.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        self.mark(style, text, self.color.stdout)
    }

    /// A raw line on stderr, above any progress bar. A closed stderr is nobody's loss.
    pub(crate) fn stderr(&self, text: &str) {
        self.bars.suspend(|| {
            let mut stream = io::stderr().lock();
            let _ = writeln!(stream, "{text}");
        });
    }

    fn stdout(&self, text: &str) {
        if self.is_closed() {
            return;
        }
        let written = self.bars.suspend(|| {
            let mut stream = io::stdout().lock();
            writeln!(stream, "{text}").and_then(|()| stream.flush())
        });
        if written.is_err() {
            self.closed.store(true, Ordering::Relaxed);
        }
    }

    fn mark(&self, style: Style, text: &str, color: bool) -> String {
        if color { paint(style, text) } else { text.to_owned() }
    }
}

fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Warn => "33",
        Style::Bad => "31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// <https://no-color.org>: any non-empty value turns colours off; so does a terminal that calls itself dumb.
fn color_allowed(no_color: Option<&std::ffi::OsStr>, term: Option<&std::ffi::OsStr>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_are_respected() {
        assert!(color_allowed(None, None));
        assert!(color_allowed(Some(OsStr::new("")), Some(OsStr::new("xterm"))));
        assert!(!color_allowed(Some(OsStr::new("1")), Some(OsStr::new("xterm"))));
        assert!(!color_allowed(None, Some(OsStr::new("dumb"))));
    }

    #[test]
    fn text_is_painted_only_where_colours_are_on() {
        let output = Output::new(false, true, 0);
        assert_eq!(output.mark(Style::Bad, "x", false), "x");
        assert_eq!(output.mark(Style::Bad, "x", true), "\u{1b}[31mx\u{1b}[0m");
    }
}
