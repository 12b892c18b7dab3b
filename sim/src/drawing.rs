//! A simulation as a picture: one page of HTML that needs nothing else, and no network.

mod bursts;
mod faults;
mod lanes;
mod names;
mod page;
mod pairing;
mod picture;
mod record;

use crate::{Trace, Violation};
use picture::Picture;

/// Draws a [`Trace`] as a page: a lane a host, time downwards, what was sent as arrows, what was lost as arrows that end in the air,
/// faults as bands, states and epochs along the lanes, and the violated invariants marked. A table below says the same in words.
///
/// The page is one file that loads nothing. The same trace and the same fields give the same bytes.
///
/// Beyond what the crate records by itself, a record of kind `state` (with `state` and, if there is one, `epoch`) changes the state of
/// its host's lane; one of kind `fault` (with `what`, and `to` and `until_us` if it concerns a way and lasts) is drawn as a fault.
/// Records of other kinds are dots on the lane, with all their fields.
///
/// ```
/// use std::time::Duration;
/// use moorline_sim::{Drawing, Violation};
///
/// let lines = r#"{"t_us":1000,"seq":0,"host":"ann","kind":"udp.send","to":"bob","id":0,"len":9,"hash":"00","fate":"loss"}"#;
/// let mut drawing = Drawing::new("one datagram");
/// let at = Duration::from_millis(1);
/// drawing.violations.push(Violation { invariant: "C1", at, host: String::new(), text: "nothing came".to_owned() });
/// let page = drawing.page_of_lines(lines);
/// assert!(page.starts_with("<!doctype html>"));
/// ```
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What was run; the heading.
    pub title: String,
    /// How to run it again; shown as it is. May be empty.
    pub repro: String,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// So many arrows are drawn one by one. If there are more, those that follow one another closely between the same two hosts become
    /// one, until there are about so many. Default: 2,000.
    pub max_arrows: usize,
}

impl Drawing {
    /// Without violations.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), repro: String::new(), violations: Vec::new(), max_arrows: 2_000 }
    }

    /// The page for a trace, as far as its text was kept.
    #[must_use]
    pub fn page(&self, trace: &Trace) -> String {
        self.draw(&trace.text(), trace.records())
    }

    /// The page for the lines of a trace, one JSON object a line. Lines that are no records are left out, and the page says how many.
    #[must_use]
    pub fn page_of_lines(&self, lines: &str) -> String {
        self.draw(lines, lines.lines().count() as u64)
    }

    fn draw(&self, lines: &str, records: u64) -> String {
        let picture = Picture::of(lines, records, &self.violations, self.max_arrows);
        page::fill(&self.title, &self.repro, &picture)
    }
}

#[cfg(test)]
mod tests;
