//! How far transfers are: bars on a terminal, a line every few seconds elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;
use crate::{text, units};

/// Time between two lines about one transfer where there is no terminal.
pub(crate) const LINE_EVERY: Duration = Duration::from_secs(5);
/// Columns of a label in front of a bar.
const LABEL_COLUMNS: usize = 24;
/// Longest time left that is worth saying.
const MAX_LEFT: Duration = Duration::from_secs(100 * 3600);

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Status {
    /// Bytes verified and written.
    pub(crate) done: u64,
    /// Bytes of the item.
    pub(crate) total: u64,
    /// Bytes a second, lately.
    pub(crate) rate: f64,
    /// Peers that it is fetched from.
    pub(crate) sources: usize,
}

impl Status {
    /// Time left at the present rate, if that can be told.
    pub(crate) fn left(&self) -> Option<Duration> {
        if !self.rate.is_finite() || self.sources == 0 {
            return None;
        }
        let seconds = self.total.saturating_sub(self.done) as f64 / self.rate;
        Duration::try_from_secs_f64(seconds).ok().filter(|left| *left < MAX_LEFT)
    }
}

/// The progress of one transfer on the user's screen. Dropping it removes the bar.
#[derive(Debug)]
pub(crate) struct Row {
    label: String,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Row {
    /// A row for a transfer of `total` bytes. `name` is remote text; it is cleaned here.
    pub(crate) fn new(output: &Output, name: &str, total: u64) -> Self {
        let label = text::fit(&text::name(name), LABEL_COLUMNS);
        let bar = output.bars().map(|bars| {
            let bar = bars.add(ProgressBar::new(total));
            bar.set_style(style());
            bar.set_prefix(text::pad(&label, LABEL_COLUMNS));
            bar
        });
        Self { label, bar, last_line: None }
    }

    /// Shows how far it is.
    pub(crate) fn update(&mut self, output: &Output, status: &Status, now: Instant) {
        if let Some(bar) = &self.bar {
            bar.set_length(status.total);
            bar.set_position(status.done);
            bar.set_message(detail(status));
            return;
        }
        if self.last_line.is_some_and(|last| now.duration_since(last) < LINE_EVERY) {
            return;
        }
        // The first line comes after a while: a short transfer needs none.
        if self.last_line.replace(now).is_some() && !output.json() {
            output.note(format_args!("{}: {} %, {}", self.label, percent(status), detail(status)));
        }
    }

    /// Says something instead of a rate, for example that nobody is left to fetch from.
    pub(crate) fn pause(&mut self, why: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(why.to_owned());
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} [{bar:20}] {percent:>3} % {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn percent(status: &Status) -> u64 {
    if status.total == 0 { 100 } else { (u128::from(status.done) * 100 / u128::from(status.total)).min(100) as u64 }
}

/// What matters most comes first: a terminal of 80 columns has room for 25 of them beside the bar.
fn detail(status: &Status) -> String {
    let sizes = format!("{} of {}", units::bytes(status.done), units::bytes(status.total));
    if status.sources == 0 {
        return format!("no source, {sizes}");
    }
    let left = status.left().map(|left| format!("{} left, ", units::clock(left))).unwrap_or_default();
    format!("{}, {left}{sizes}, {}", units::rate(status.rate), units::count(status.sources as u64, "source"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: Status = Status { done: 300 << 20, total: 1 << 30, rate: 94.0 * 1024.0 * 1024.0, sources: 2 };

    #[test]
    fn a_row_tells_size_rate_time_left_and_sources() {
        assert_eq!(detail(&STATUS), "94.0 MiB/s, 0:08 left, 300 MiB of 1.0 GiB, 2 sources");
        assert_eq!(percent(&STATUS), 29);
    }

    #[test]
    fn without_sources_there_is_neither_rate_nor_time_left() {
        assert_eq!(detail(&Status { sources: 0, ..STATUS }), "no source, 300 MiB of 1.0 GiB");
    }

    #[test]
    fn time_left_is_only_told_when_it_means_something() {
        assert_eq!(STATUS.left().map(|left| left.as_secs()), Some(7));
        for rate in [0.0, f64::NAN, f64::INFINITY, 1.0] {
            assert_eq!(Status { rate, ..STATUS }.left(), None, "{rate}");
        }
    }

    #[test]
    fn percent_survives_empty_items_and_lies() {
        assert_eq!(percent(&Status { done: 0, total: 0, ..STATUS }), 100);
        assert_eq!(percent(&Status { done: u64::MAX, total: 1, ..STATUS }), 100);
    }

    #[test]
    fn the_style_is_a_valid_template() {
        assert!(ProgressStyle::with_template("{prefix} [{bar:20}] {percent:>3} % {wide_msg}").is_ok());
    }
}
