//! What each function promises, taken from the line `Contract:` in its documentation, and the table of it in the header.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

use super::interface::{Function, Interface};

/// A value that is longer than this becomes a note below the table.
const LONGEST: usize = 22;

/// One row of the table.
pub(crate) struct Contract {
    threads: String,
    blocks: String,
    callback: String,
    before_init: String,
    fork: String,
}

impl Contract {
    /// Reads `Contract: threads; blocking; callback: ...; fork: ....`, and `before moorline_init: ...` where it differs from the usual.
    pub(super) fn read(docs: &[String]) -> Result<Self> {
        let start =
            docs.iter().position(|line| line.starts_with("Contract:")).context("its docs lack a `Contract:`")?;
        let text = docs[start..].join(" ");
        let text = text.trim_start_matches("Contract:").trim().trim_end_matches('.');
        let mut parts = text.split(';').map(str::trim);
        let threads = parts.next().context("its contract says nothing of threads")?.to_owned();
        let blocks = parts.next().context("its contract does not say whether it blocks")?.to_owned();
        let (mut callback, mut before_init, mut fork) = (None, None, None);
        for part in parts {
            let (key, value) = part.split_once(": ").with_context(|| format!("`{part}` is not `what: answer`"))?;
            let place = match key {
                "callback" => &mut callback,
                "before `moorline_init`" => &mut before_init,
                "fork" => &mut fork,
                _ => bail!("its contract speaks of `{key}`, which is no column of the table"),
            };
            *place = Some(value.to_owned());
        }
        Ok(Self {
            threads,
            blocks,
            callback: callback.context("its contract does not say what it does in a callback")?,
            before_init: before_init.unwrap_or_else(|| "not_initialized".to_owned()),
            fork: fork.context("its contract does not say what it does after a fork")?,
        })
    }

    fn cells(&self) -> [&str; 6] {
        [&self.threads, &self.blocks, &self.callback, &self.before_init, &self.fork, "never"]
    }
}

/// The table, a line a row, without the marks of a comment.
pub(super) fn table(interface: &Interface) -> String {
    let mut notes = Notes::default();
    let head =
        ["function", "threads", "blocks", "from a callback", "before init", "in a forked child", "signal handler"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for function in &interface.functions {
        rows.push(row(function, &mut notes));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();

    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
        if index == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rule.join("  "));
            text.push('\n');
        }
    }
    text.push_str(&notes.print());
    text
}

fn row(function: &Function, notes: &mut Notes) -> Vec<String> {
    let cells = function.contract.cells().map(|cell| notes.shorten(cell));
    std::iter::once(function.name.clone()).chain(cells).collect()
}

/// What is too long for a cell.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn shorten(&mut self, cell: &str) -> String {
        if cell.len() <= LONGEST {
            return cell.to_owned();
        }
        // "any thread, several at once share the events": the part before the comma stays, if there is one.
        let (stays, note) = cell.split_once(", ").unwrap_or(("", cell));
        let known = self.0.iter().position(|known| known == note);
        let number = known.unwrap_or_else(|| {
            self.0.push(note.to_owned());
            self.0.len() - 1
        });
        format!("{stays} ({})", number + 1).trim_start().to_owned()
    }

    fn print(&self) -> String {
        self.0.iter().enumerate().fold(String::new(), |mut text, (index, note)| {
            let _ = writeln!(text, "({}) {note}", index + 1);
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_contract_over_two_lines_is_read_whole() {
        let contract = Contract::read(&docs(
            "Does it.\n\nContract: any thread; blocks up to its deadline; callback: would_deadlock; before `moorline_init`: yes;\nfork: forked.",
        ));
        let cells = contract.unwrap().cells().map(str::to_owned);
        assert_eq!(cells, ["any thread", "blocks up to its deadline", "would_deadlock", "yes", "forked", "never"]);
    }

    #[test]
    fn a_contract_that_leaves_something_out_is_refused() {
        for wrong in [
            "Does it.",
            "Contract: any thread",
            "Contract: any thread; returns at once; fork: forked.",
            "Contract: any thread; returns at once; callback: yes; fork: forked; moon: full.",
        ] {
            assert!(Contract::read(&docs(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_cell_becomes_a_note_and_the_same_note_is_told_once() {
        let mut notes = Notes::default();
        assert_eq!(notes.shorten("any thread, several at once share the events"), "any thread (1)");
        assert_eq!(notes.shorten("it waits until the last one has returned"), "(2)");
        assert_eq!(notes.shorten("any thread, several at once share the events"), "any thread (1)");
        assert_eq!(
            notes.print(),
            "(1) several at once share the events\n(2) it waits until the last one has returned\n"
        );
    }
}
