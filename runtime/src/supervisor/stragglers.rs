//! Who did not stop in time.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::tree::TaskKind;

/// Tasks that had not ended at a deadline, each by its path. Those that could be aborted were.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stragglers {
    /// How long they had been given.
    pub deadline: Duration,
    /// In the order in which they were spawned. Never empty.
    pub tasks: Vec<Straggler>,
}

/// One task that had not ended in time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Straggler {
    /// Path of the task: the scopes down to it and its own name, joined by slashes.
    pub task: String,
    /// What sort of task it is.
    pub kind: TaskKind,
    /// Whether it ran on even after it was aborted: blocking work, or code that never awaits.
    pub still_running: bool,
}

impl Stragglers {
    /// The paths alone.
    pub fn names(&self) -> Vec<&str> {
        self.tasks.iter().map(|straggler| straggler.task.as_str()).collect()
    }
}

impl fmt::Display for Stragglers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A thousand stragglers of one name make one entry.
        let mut counts: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        for straggler in &self.tasks {
            *counts.entry((&straggler.task, straggler.still_running)).or_default() += 1;
        }
        let count = self.tasks.len();
        write!(
            f,
            "{count} {} not ended within {:?}: ",
            if count == 1 { "task had" } else { "tasks had" },
            self.deadline
        )?;
        for (index, ((task, still_running), count)) in counts.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let fate = if still_running { "still running" } else { "aborted" };
            match count {
                1 => write!(f, "{comma}{task} ({fate})")?,
                _ => write!(f, "{comma}{count} x {task} ({fate})")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Stragglers {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_who_and_what_became_of_it() {
        let straggler = |task: &str, kind, still_running| Straggler { task: task.to_owned(), kind, still_running };
        let stragglers = Stragglers {
            deadline: Duration::from_secs(2),
            tasks: vec![
                straggler("server/stream", TaskKind::Async, false),
                straggler("library/hash", TaskKind::Blocking, true),
                straggler("server/stream", TaskKind::Async, false),
            ],
        };
        assert_eq!(
            stragglers.to_string(),
            "3 tasks had not ended within 2s: library/hash (still running), 2 x server/stream (aborted)"
        );
    }
}
