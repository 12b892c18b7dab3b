//! Lines of a pipe that failed: told one by one on stderr, and at the end by the exit code. In a terminal the person has seen it.

use crate::exit::{Code, Failure, Result};
use crate::output::Output;
use crate::{text, units};

/// What has failed so far.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    /// `None` in a terminal.
    output: Option<&'a Output>,
    lines: u64,
}

impl<'a> Failed<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output: (!output.is_typed()).then_some(output), lines: 0 }
    }

    /// This line did not do what it was to do.
    pub(super) fn line(&mut self, number: u64, why: &str) {
        let Some(output) = self.output else { return };
        self.lines += 1;
        output.warn(format_args!("line {number}: {}", text::reason(why)));
    }

    /// How a talk that was ended on purpose has gone.
    pub(super) fn verdict(&self) -> Result<Code> {
        match self.lines {
            0 => Ok(Code::Success),
            lines => Err(Failure::new(Code::Undelivered, format!("{} failed", units::count(lines, "line")))
                .hint("Each was told above, with its number and the reason.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_failed_is_enough_for_a_code_of_its_own_but_not_in_a_terminal() {
        let output = Output::new(true, true, 0);
        let mut piped = Failed { output: Some(&output), lines: 0 };
        assert_eq!(piped.verdict().expect("nothing failed"), Code::Success);
        piped.line(7, "refused");
        let failure = piped.verdict().expect_err("a line failed");
        assert_eq!((failure.code, failure.message.as_str()), (Code::Undelivered, "1 line failed"));
        let mut typed = Failed { output: None, lines: 0 };
        typed.line(7, "refused");
        assert_eq!(typed.verdict().expect("it was seen"), Code::Success);
    }
}
